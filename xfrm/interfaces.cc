#include <bgp/text.h>
#include <xfrm/interfaces.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace minibgp::xfrm {
namespace {

std::string interface_name(const TunnelOptions& options) {
  return options.interface.empty() ? options.name : options.interface;
}

std::vector<IpAddress> endpoints(const TunnelOptions& options) {
  std::vector<IpAddress> result;
  // Without a gateway no host route is needed: the routing table of the host is good enough.
  if (!options.ike || !options.underlay.gateway.is_set()) return result;
  for (const std::string& text : options.ike->remote_addresses)
    if (const auto address = parse_address(text); address && address->family == options.underlay.gateway.family)
      result.push_back(*address);
  return result;
}

}  // namespace

void Interfaces::set_tunnels(std::span<const TunnelOptions> tunnels) {
  std::vector<Entry> next;
  for (const TunnelOptions& options : tunnels) {
    Entry entry{options, std::nullopt, {}, 0};
    const auto old = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& it) { return it.options.name == options.name; });
    // An unchanged tunnel keeps the step under way. A changed one begins anew; the old answer finds nothing.
    if (old != entries_.end() && old->options == options) entry = *old;
    next.push_back(std::move(entry));
  }
  entries_ = std::move(next);
  // A tunnel that is new may have had routes before a restart of ours.
  wants_own_routes_ = true;
}

void Interfaces::link(const Link& link) {
  // Whole: a notification has all that we look at.
  links_[link.index] = link;
  // A notification may come between the messages of a dump, which need not have it any more.
  if (dumping_) dumped_links_[link.index] = link;
}

void Interfaces::link_gone(std::uint32_t index) {
  links_.erase(index);
  addresses_.erase(index);
  dumped_links_.erase(index);
  dumped_addresses_.erase(index);
}

void Interfaces::address(std::uint32_t index, const InterfaceAddress& address) {
  const auto add = [&](std::vector<InterfaceAddress>& list) {
    if (std::find(list.begin(), list.end(), address) == list.end()) list.push_back(address);
  };
  add(addresses_[index]);
  if (dumping_) add(dumped_addresses_[index]);
}

void Interfaces::address_gone(std::uint32_t index, const InterfaceAddress& address) {
  if (const auto found = addresses_.find(index); found != addresses_.end()) std::erase(found->second, address);
  if (const auto found = dumped_addresses_.find(index); found != dumped_addresses_.end())
    std::erase(found->second, address);
}

void Interfaces::dump_begins() {
  dumping_ = true;
  dumped_links_.clear();
  dumped_addresses_.clear();
}

void Interfaces::dump_ended() {
  if (!dumping_) return;
  dumping_ = false;
  // What the dump did not have is gone: the notification of it was lost, or came before we listened.
  links_ = std::exchange(dumped_links_, {});
  addresses_ = std::exchange(dumped_addresses_, {});
}

std::vector<IpAddress> Interfaces::guarded_endpoints() const {
  std::vector<IpAddress> all;
  for (const Entry& entry : entries_)
    // O(n^2), but there are a few dozen endpoints at most.
    for (const IpAddress& endpoint : endpoints(entry.options))
      if (std::find(all.begin(), all.end(), endpoint) == all.end()) all.push_back(endpoint);
  return all;
}

std::vector<IpAddress> Interfaces::endpoints_to_look_up() const {
  std::vector<IpAddress> all = guarded_endpoints();
  for (const IpAddress& endpoint : watched_)
    if (std::find(all.begin(), all.end(), endpoint) == all.end()) all.push_back(endpoint);
  // Those that were answered since the routes last changed need not be asked for again.
  std::erase_if(all, [&](const IpAddress& it) {
    const auto known = routes_.find(it);
    return known != routes_.end() && known->second.fresh;
  });
  return all;
}

void Interfaces::route(const IpAddress& endpoint, const std::optional<RouteFound>& found) {
  routes_.insert_or_assign(endpoint, LookedUp{found, true});
}

void Interfaces::forget_routes() {
  const std::vector<IpAddress> guarded = guarded_endpoints();
  std::erase_if(routes_, [&](const auto& it) {
    return std::find(guarded.begin(), guarded.end(), it.first) == guarded.end() &&
           std::find(watched_.begin(), watched_.end(), it.first) == watched_.end();
  });
  // Not erased: until the new answer comes, the old one is better than none.
  for (auto& [endpoint, looked_up] : routes_) looked_up.fresh = false;
}

const std::optional<RouteFound>* Interfaces::route_to(const IpAddress& endpoint) const {
  const auto known = routes_.find(endpoint);
  return known == routes_.end() ? nullptr : &known->second.found;
}

const Link* Interfaces::link_at(std::uint32_t index) const {
  const auto found = links_.find(index);
  return found == links_.end() ? nullptr : &found->second;
}

const Link* Interfaces::find_xfrm(std::uint32_t if_id) const {
  for (const auto& [index, link] : links_)
    // An interface that collects metadata has no if_id of its own and serves all of them.
    if (link.kind == "xfrm" && !link.collects_metadata && link.if_id == if_id) return &link;
  return nullptr;
}

const Link* Interfaces::find_link(std::string_view name) const {
  for (const auto& [index, link] : links_)
    if (link.name == name) return &link;
  return nullptr;
}

bool Interfaces::has_address(std::uint32_t index, const InterfaceAddress& address) const {
  const auto found = addresses_.find(index);
  return found != addresses_.end() &&
         std::find(found->second.begin(), found->second.end(), address) != found->second.end();
}

bool Interfaces::is_local(const IpAddress& address) const {
  for (const auto& [index, list] : addresses_)
    for (const InterfaceAddress& it : list)
      if (it.address == address) return true;
  return false;
}

Interfaces::Wish Interfaces::link_wish(const Entry& entry) const {
  const TunnelOptions& options = entry.options;
  std::uint32_t underlying = 0;
  if (!options.underlay.device.empty()) {
    const Link* device = find_link(options.underlay.device);
    if (!device) return {std::nullopt, "underlay device " + options.underlay.device + " is not there"};
    underlying = device->index;
  }
  std::uint32_t master = 0;
  if (!options.vrf.empty()) {
    const Link* vrf = find_link(options.vrf);
    if (!vrf) return {std::nullopt, "VRF " + options.vrf + " is not there"};
    master = vrf->index;
  }

  // One step at a time: each needs what the one before has made, and what the kernel then says of it.
  const Link* link = find_xfrm(options.if_id);
  const std::uint32_t mtu = options.mtu != 0 ? options.mtu : kDefaultMtu;
  if (!link) {
    const std::string name = interface_name(options);
    if (const Link* taken = find_link(name))
      return {std::nullopt, "an interface named " + name + " is there already and " +
                                (taken->kind == "xfrm" ? "has if_id " + std::to_string(taken->if_id)
                                                       : std::string{"is not an XFRM interface"})};
    return {CreateLink{name, options.if_id, underlying, mtu}, {}};
  }
  // We made it, but the alias is set by a step of its own: a restart in between leaves it unmarked.
  const bool unmarked = entry.made_if_id == options.if_id && link->alias.empty();
  const bool ours = link->alias == kOurAlias || unmarked;
  std::string problem;
  // Without a configured device the one it has is as good as any.
  if (link->underlying != underlying && underlying != 0) {
    if (ours) return {DeleteLink{link->index}, {}};  // The kernel cannot change it; the next step makes it anew.
    problem = "interface " + link->name + " is bound to another device than " + options.underlay.device +
              "; delete it and it is made anew";
  }
  ChangeLink change{link->index, std::nullopt, std::nullopt, unmarked, !link->up};
  // One that somebody else made keeps its MTU and VRF unless they are configured.
  if (link->mtu != mtu && (ours || options.mtu != 0)) change.mtu = mtu;
  if (link->master != master && (ours || !options.vrf.empty())) change.master = master;
  if (change != ChangeLink{link->index, std::nullopt, std::nullopt, false, false}) return {change, problem};
  for (const InterfaceAddress& address : options.addresses)
    if (!has_address(link->index, address)) return {ChangeAddress{link->index, address, true}, problem};
  if (ours && !options.addresses.empty()) {
    if (const auto found = addresses_.find(link->index); found != addresses_.end())
      for (const InterfaceAddress& address : found->second) {
        const bool configured =
            std::find(options.addresses.begin(), options.addresses.end(), address) != options.addresses.end();
        // The kernel makes the link-local address itself.
        if (!configured && !address.address.is_link_local_v6())
          return {ChangeAddress{link->index, address, false}, problem};
      }
  }
  return {std::nullopt, problem};
}

Interfaces::Wish Interfaces::route_wish(const TunnelOptions& options) const {
  if (options.underlay.device.empty()) return {};
  for (const IpAddress& endpoint : endpoints(options)) {
    const Link* device = find_link(options.underlay.device);
    if (!device || !device->up) return {std::nullopt, "underlay device " + options.underlay.device + " is down"};
    const auto looked_up = routes_.find(endpoint);
    if (looked_up == routes_.end() || !looked_up->second.fresh) continue;  // Asked for: nothing on old knowledge.
    const std::optional<RouteFound>& found = looked_up->second.found;
    // A longer prefix than that of a host does not exist, so an exact one is a host route.
    const bool exact = found && found->prefix == Prefix::of(endpoint, address_bits(endpoint.family));
    if (exact && found->gateway == options.underlay.gateway && found->device == device->index) continue;
    // A route of the same length by another program: replacing it would be a fight.
    if (exact && found->protocol != route_protocol_)
      return {std::nullopt, "another program's route leads to " + to_text(endpoint) + " another way than through " +
                                to_text(options.underlay.gateway) + " on " + options.underlay.device};
    return {ChangeRoute{endpoint, options.underlay.gateway, device->index, true}, {}};
  }
  return {};
}

Interfaces::Wish Interfaces::wish(const Entry& entry) const {
  Wish result;
  if (entry.options.mode == Mode::interface) result = link_wish(entry);
  if (result.step) return result;
  Wish route = route_wish(entry.options);
  // One problem is shown; that of the interface comes first.
  if (!result.problem.empty()) route.problem = std::move(result.problem);
  return route;
}

std::vector<Interfaces::Numbered> Interfaces::next_steps(Time now) {
  std::vector<Numbered> steps;
  if (dumping_) return steps;  // In half a dump everything looks missing.
  if (now >= read_own_routes_at_) {
    read_own_routes_at_ = kNever;
    wants_own_routes_ = true;
  }
  // Each is asked for once. The kernel may refuse it: the next dump says what is left.
  for (LinkStep& step : unwanted_routes()) {
    steps.push_back({++last_id_, std::move(step)});
    read_own_routes_at_ = now + kRetry;
  }
  own_routes_.clear();
  // An index may be given to another link later.
  std::erase_if(deletion_at_, [&](const auto& it) { return !links_.contains(it.first); });
  for (const auto& [index, link] : links_) {
    if (!is_unwanted(link)) continue;
    Time& at = deletion_at_.try_emplace(index, Time{}).first->second;
    if (now < at) continue;
    at = now + kRetry;
    steps.push_back({++last_id_, DeleteLink{index}});
  }
  for (Entry& entry : entries_) {
    if (entry.pending && entry.pending->in_flight) continue;
    Wish next = wish(entry);
    if (!next.step) {
      entry.pending.reset();
      entry.problem = std::move(next.problem);
      continue;
    }
    // The same step again right after its answer: it failed, or had no effect.
    // After kRetry it is tried again: what the kernel refuses may be possible then.
    if (entry.pending && entry.pending->step == *next.step && now < entry.pending->not_before) continue;
    // An answer to the step before is not for this one: it has another id.
    entry.pending = Pending{++last_id_, *next.step, true, Time{}};
    steps.push_back({last_id_, std::move(*next.step)});
  }
  return steps;
}

void Interfaces::answered(std::uint64_t id, int error, Time now) {
  for (Entry& entry : entries_) {
    if (!entry.pending || entry.pending->id != id) continue;
    entry.pending->in_flight = false;
    entry.pending->not_before = now + kRetry;
    if (std::holds_alternative<ChangeRoute>(entry.pending->step)) {
      // Whatever the answer, the look-up of before is old.
      const auto known = routes_.find(std::get<ChangeRoute>(entry.pending->step).destination);
      if (known != routes_.end()) known->second.fresh = false;
    }
    if (error == 0) {
      // Remembered until the alias is there, see link_wish().
      if (const auto* made = std::get_if<CreateLink>(&entry.pending->step)) entry.made_if_id = made->if_id;
      entry.problem.clear();
      return;
    }
    const auto what = std::visit(
        [](const auto& step) -> std::string {
          using Step = std::decay_t<decltype(step)>;
          if constexpr (std::is_same_v<Step, CreateLink>) return "cannot make interface " + step.name;
          if constexpr (std::is_same_v<Step, DeleteLink>) return "cannot delete the interface to make it anew";
          if constexpr (std::is_same_v<Step, ChangeLink>) return "cannot change the interface";
          if constexpr (std::is_same_v<Step, ChangeAddress>)
            return "cannot set address " + to_text(step.address.address);
          if constexpr (std::is_same_v<Step, ChangeRoute>)
            return "cannot route " + to_text(step.destination) + " via " + to_text(step.gateway);
        },
        entry.pending->step);
    entry.problem = what + ": " + std::strerror(error);
    return;
  }
}

Time Interfaces::next_deadline() const {
  Time next = read_own_routes_at_;
  for (const auto& [index, at] : deletion_at_) next = std::min(next, at);
  for (const Entry& entry : entries_)
    if (entry.pending && !entry.pending->in_flight) next = std::min(next, entry.pending->not_before);
  return next;
}

/// It carries our mark and no tunnel asks for it.
bool Interfaces::is_unwanted(const Link& link) const {
  return link.kind == "xfrm" && link.alias == kOurAlias &&
         std::none_of(entries_.begin(), entries_.end(), [&](const Entry& it) {
           return it.options.mode == Mode::interface && it.options.if_id == link.if_id;
         });
}

std::vector<LinkStep> Interfaces::unwanted_routes() const {
  std::vector<LinkStep> steps;
  const std::vector<IpAddress> guarded = guarded_endpoints();
  for (const OwnRoute& route : own_routes_)
    if (std::find(guarded.begin(), guarded.end(), route.destination) == guarded.end())
      steps.emplace_back(ChangeRoute{route.destination, route.gateway, 0, false});
  return steps;
}

std::vector<LinkStep> Interfaces::removal() const {
  std::vector<LinkStep> steps = unwanted_routes();
  for (const auto& [index, link] : links_)
    if (is_unwanted(link)) steps.emplace_back(DeleteLink{index});
  for (const Entry& entry : entries_) {
    if (entry.options.mode == Mode::interface)
      // An interface without our mark stays, although a tunnel uses it.
      if (const Link* link = find_xfrm(entry.options.if_id); link && link->alias == kOurAlias)
        steps.emplace_back(DeleteLink{link->index});
    for (const IpAddress& endpoint : endpoints(entry.options))
      steps.emplace_back(ChangeRoute{endpoint, entry.options.underlay.gateway, 0, false});
  }
  return steps;
}

const Interfaces::Entry* Interfaces::find(std::string_view tunnel) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& it) { return it.options.name == tunnel; });
  return found == entries_.end() ? nullptr : &*found;
}

const Link* Interfaces::link_of(std::string_view tunnel) const {
  const Entry* entry = find(tunnel);
  if (!entry || entry->options.mode == Mode::policy) return nullptr;
  return entry->options.mode == Mode::link ? find_link(interface_name(entry->options))
                                           : find_xfrm(entry->options.if_id);
}

std::optional<TunnelLink> Interfaces::tunnel_link(std::string_view tunnel) const {
  const Link* link = link_of(tunnel);
  if (!link) return std::nullopt;
  const auto& wanted = find(tunnel)->options.addresses;
  const bool addressed = std::all_of(
      wanted.begin(), wanted.end(), [&](const InterfaceAddress& address) { return has_address(link->index, address); });
  return TunnelLink{link->index, link->up, addressed, link->carrier};
}

std::string Interfaces::problem(std::string_view tunnel) const {
  const Entry* entry = find(tunnel);
  return entry ? entry->problem : std::string{};
}

}  // namespace minibgp::xfrm
