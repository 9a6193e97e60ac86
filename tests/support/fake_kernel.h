/// FakeKernel: links, addresses, next-hop objects and routes as Linux keeps them, in memory: what it refuses, what it
/// takes along without a word, what it tells. Seeded, so that every failure replays. It stands behind fib::KernelPort;
/// answers, notifications and dumps come when deliver() lets them, in order, and notifications may be lost.
#pragma once

#include <fib/forwarder.h>

#include <cerrno>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace minibgp::testing {

class FakeKernel final : public fib::KernelPort {
 public:
  struct Route {
    std::uint8_t protocol = 0;
    fib::Forwarding forwarding;
  };
  struct Link {
    bool up = true;
    std::vector<fib::AddressInfo> addresses;
  };

  static constexpr std::uint32_t kUserPort = 4242;  ///< Of whoever does this by hand.

  explicit FakeKernel(std::uint64_t seed) : random_(seed) {}
  void attach(fib::Forwarder& forwarder) { forwarder_ = &forwarder; }
  /// A new program on the old kernel: nothing of the former one's conversation is left.
  void forget_conversation() {
    events_.clear();
    answers_.clear();
    dump_.clear();
    overrun_ = false;
  }

  unsigned refuse_one_in = 0;      ///< One operation in so many fails with EBUSY, ENOMEM or ENOBUFS; 0: none.
  unsigned lose_one_in = 0;        ///< One notification in so many is lost, and an overrun reported instead; 0: none.
  bool has_objects = true;         ///< false: a kernel before 5.3.
  std::size_t foreign_harmed = 0;  ///< Operations that would have changed a route that is not ours.

  // --- What the world does to it ------------------------------------------------------------------------------------
  void add_link(fib::IfIndex index, const std::string& name) {
    links_[index] = {};
    names_[index] = name;
    tell_link(index);
  }
  void set_link(fib::IfIndex index, bool up) {
    Link& link = links_.at(index);
    if (link.up == up) return;
    link.up = up;
    if (!up) take_link_along(index);
    tell_link(index);
  }
  void remove_link(fib::IfIndex index) {
    if (!links_.contains(index)) return;
    take_link_along(index);
    links_.erase(index);
    fib::LinkInfo link;
    link.index = index;
    tell(fib::LinkEvent{link, true});
  }
  void add_address(const fib::AddressInfo& address) {
    auto& addresses = links_.at(address.interface).addresses;
    for (const auto& known : addresses)
      if (known == address) return;
    addresses.push_back(address);
    tell(fib::AddressEvent{address, false});
  }
  void remove_address(const fib::AddressInfo& address) {
    auto& addresses = links_.at(address.interface).addresses;
    if (std::erase(addresses, address) == 0) return;
    // Routes with it as their source go without a word.
    drop_routes([&](const Route& route) { return route.forwarding.preferred_source == address.local; });
    if (addresses.empty()) drop_routes([&](const Route& route) { return only_by(route, address.interface); });
    tell(fib::AddressEvent{address, true});
  }
  /// As a user's `ip route replace`: the first with the key is overwritten, and all who listen hear of the new one.
  void overwrite(const fib::RouteKey& key, std::uint8_t protocol, const fib::Via& via) {
    if (!link_usable(via.interface)) return;
    for (Beside& one : beside_) {
      if (one.key != key || !one.in_front) continue;
      one.route = {protocol, forwarding_by(via)};
      return tell_replaced(key, one.route);
    }
    routes_[key] = {protocol, forwarding_by(via)};
    tell_replaced(key, routes_.at(key));
  }
  void remove_by_user(const fib::RouteKey& key) {
    const auto found = routes_.find(key);
    if (found == routes_.end()) return;
    fib::KernelRoute gone = told(key, found->second);
    gone.port_id = kUserPort;
    routes_.erase(found);
    tell(RouteEvent{gone, true});
  }
  /// As `ip route append` and `ip route prepend` of IPv4: beside what has the same key, behind it or in front of it.
  void put_beside(const fib::RouteKey& key, std::uint8_t protocol, const fib::Via& via, fib::Placement placement) {
    beside_.push_back({key, {protocol, forwarding_by(via)}, placement == fib::Placement::created});
    fib::KernelRoute made = told(key, beside_.back().route);
    made.placement = placement;
    made.port_id = kUserPort;
    tell(RouteEvent{made, false});
  }
  void remove_beside(const fib::RouteKey& key, const fib::Via& via) {
    for (auto at = beside_.begin(); at != beside_.end(); ++at) {
      if (at->key != key || at->route.forwarding.vias[0] != via) continue;
      fib::KernelRoute gone = told(key, at->route);
      gone.port_id = kUserPort;
      beside_.erase(at);
      tell(RouteEvent{gone, true});
      return;
    }
  }
  /// Whatever was put beside routes goes.
  void remove_all_beside() {
    while (!beside_.empty()) remove_beside(beside_.front().key, fib::Via{beside_.front().route.forwarding.vias[0]});
  }
  /// As `ip -6 route`: a route of several next hops is made, or loses one of them.
  void set_foreign(const fib::RouteKey& key, std::uint8_t protocol, std::vector<fib::Via> vias) {
    normalize(vias);
    routes_[key] = {protocol, {std::move(vias), fib::kNoNextHopId, false, {}}};
    tell_replaced(key, routes_.at(key));
  }
  void remove_leg(const fib::RouteKey& key, const fib::Via& via) {
    Route& route = routes_.at(key);
    fib::KernelRoute gone = told(key, {route.protocol, forwarding_by(via)});
    gone.port_id = kUserPort;
    std::erase_if(route.forwarding.vias,
                  [&](const fib::Via& one) { return one.gateway == via.gateway && one.interface == via.interface; });
    normalize(route.forwarding.vias);
    tell(RouteEvent{gone, true});
  }
  /// What another run of ours wrote, with nothing told.
  void leave(const fib::RouteKey& key, std::uint8_t protocol, const fib::Forwarding& forwarding) {
    routes_[key] = {protocol, forwarding};
  }
  void leave(const fib::KernelNextHop& object) { objects_[object.id] = object; }
  void remove_object_by_user(fib::NextHopId id) {
    if (!objects_.contains(id)) return;
    remove_object(id, /*tell_it=*/true);
  }

  // --- KernelPort -------------------------------------------------------------------------------------------------
  void send(std::span<const fib::NextHopOp> batch) override {
    Answers answers;
    answers.next_hops.assign(batch.begin(), batch.end());
    for (std::size_t i = 0; i < batch.size(); ++i) note(answers, i, apply(batch[i]));
    answers_.push_back(std::move(answers));
  }
  void send(std::span<const fib::RouteOp> batch) override {
    Answers answers;
    answers.routes.assign(batch.begin(), batch.end());
    for (std::size_t i = 0; i < batch.size(); ++i) note(answers, i, apply(batch[i]));
    answers_.push_back(std::move(answers));
  }
  void dump(const fib::DumpRequest& what) override {
    if (what.links) dump_.push_back({fib::DumpPart::links, false, std::nullopt});
    if (what.next_hops) dump_.push_back({fib::DumpPart::next_hops, false, std::nullopt});
    if (what.routes) dump_.push_back({fib::DumpPart::routes, false, std::nullopt});
  }

  /// What was sent of next hops is answered now, as Linux does inside send(). Otherwise deliver() answers it.
  void answer_next_hops(Time now) {
    for (auto at = answers_.begin(); at != answers_.end(); ++at) {
      if (at->next_hops.empty()) continue;
      const Answers answers = std::move(*at);
      answers_.erase(at);
      return forwarder_->on_answers(answers.next_hops, answers.errors, now);
    }
  }

  // --- Delivery -----------------------------------------------------------------------------------------------------
  /// One thing that waits, of a kind chosen at random; false when nothing waits.
  bool deliver(Time now) {
    const bool waits[] = {!answers_.empty(), !events_.empty() || overrun_, !dump_.empty()};
    if (!waits[0] && !waits[1] && !waits[2]) return false;
    for (;;) {
      const std::size_t kind = random_() % 3;
      if (!waits[kind]) continue;
      if (kind == 0) deliver_answers(now);
      if (kind == 1) deliver_event(now);
      if (kind == 2) deliver_dump(now);
      return true;
    }
  }

  // --- Reading ------------------------------------------------------------------------------------------------------
  [[nodiscard]] const std::map<fib::RouteKey, Route>& routes() const { return routes_; }
  [[nodiscard]] const std::map<fib::NextHopId, fib::KernelNextHop>& objects() const { return objects_; }
  [[nodiscard]] const Link& link(fib::IfIndex index) const { return links_.at(index); }
  /// The ways a packet can take, objects looked up.
  [[nodiscard]] std::vector<fib::Via> ways(const Route& route) const {
    std::vector<fib::Via> vias = route.forwarding.vias;
    if (const auto found = objects_.find(route.forwarding.next_hop); found != objects_.end()) {
      if (found->second.entries.empty()) {
        vias.push_back(found->second.via);
      } else {
        for (const auto& entry : found->second.entries) {
          vias.push_back(objects_.at(entry.id).via);
          vias.back().weight = entry.weight;
        }
      }
    }
    normalize(vias);
    return vias;
  }
  [[nodiscard]] std::uint64_t writes() const { return writes_; }

 private:
  struct RouteEvent {
    fib::KernelRoute route;
    bool gone = false;
  };
  using Event = std::variant<RouteEvent, fib::KernelNews>;
  struct Answers {
    std::vector<fib::NextHopOp> next_hops;
    std::vector<fib::RouteOp> routes;
    std::vector<fib::OpError> errors;
  };
  struct Dump {
    fib::DumpPart part;
    bool begun = false;
    std::optional<fib::RouteKey> after;
  };
  /// A second IPv4 route with a key.
  struct Beside {
    fib::RouteKey key;
    Route route;
    bool in_front = false;
  };

  void tell(Event event) {
    if (lose_one_in != 0 && random_() % lose_one_in == 0) {
      overrun_ = true;
    } else {
      events_.push_back(std::move(event));
    }
  }
  [[nodiscard]] fib::LinkInfo told(fib::IfIndex index) const { return {index, names_.at(index), links_.at(index).up}; }
  void tell_link(fib::IfIndex index) { tell(fib::LinkEvent{told(index), false}); }
  [[nodiscard]] static fib::KernelRoute told(const fib::RouteKey& key, const Route& route) {
    return {key, route.protocol, true, route.forwarding, fib::Placement::created, 0};
  }
  [[nodiscard]] static fib::Forwarding forwarding_by(const fib::Via& via) {
    return {{via}, fib::kNoNextHopId, false, {}};
  }
  [[nodiscard]] bool in_front(const fib::RouteKey& key) const {
    for (const Beside& one : beside_)
      if (one.key == key && one.in_front) return true;
    return false;
  }
  [[nodiscard]] bool has_beside(const fib::RouteKey& key) const {
    for (const Beside& one : beside_)
      if (one.key == key) return true;
    return false;
  }
  void tell_replaced(const fib::RouteKey& key, const Route& by) {
    fib::KernelRoute route = told(key, by);
    route.placement = fib::Placement::replaced;
    route.port_id = kUserPort;
    tell(RouteEvent{route, false});
  }

  [[nodiscard]] bool link_usable(fib::IfIndex index) const {
    const auto found = links_.find(index);
    return found != links_.end() && found->second.up;
  }
  [[nodiscard]] bool is_local(const IpAddress& address) const {
    for (const auto& [index, link] : links_)
      for (const auto& known : link.addresses)
        if (known.local == address) return true;
    return false;
  }
  [[nodiscard]] int check(const fib::Via& via) const {
    const auto found = links_.find(via.interface);
    if (found == links_.end()) return ENODEV;
    if (!found->second.up) return ENETDOWN;
    if (!via.gateway.is_set() || via.onlink || via.gateway.is_link_local_v6()) return 0;
    for (const auto& address : found->second.addresses)
      if (Prefix::of(address.local, address.length_bits).contains(via.gateway)) return 0;
    return ENETUNREACH;
  }
  [[nodiscard]] static bool only_by(const Route& route, fib::IfIndex index) {
    if (route.forwarding.vias.empty()) return false;
    for (const fib::Via& via : route.forwarding.vias)
      if (via.interface != index) return false;
    return true;
  }
  template <typename Which>
  void drop_routes(Which which) {
    std::erase_if(routes_, [&](const auto& item) { return which(item.second); });
  }
  /// Objects on the link go, groups lose them, routes go with either: nobody is told.
  void take_link_along(fib::IfIndex index) {
    std::vector<fib::NextHopId> gone;
    for (const auto& [id, object] : objects_)
      if (object.entries.empty() && object.via.interface == index) gone.push_back(id);
    for (const auto id : gone) remove_object(id, false);
    drop_routes([&](const Route& route) { return only_by(route, index); });
  }
  void remove_object(fib::NextHopId id, bool tell_it) {
    objects_.erase(id);
    drop_routes([id](const Route& route) { return route.forwarding.next_hop == id; });
    if (tell_it) tell(fib::NextHopGone{id});
    std::vector<fib::NextHopId> empty;
    for (auto& [other, object] : objects_) {
      if (std::erase_if(object.entries, [id](const fib::GroupEntry& entry) { return entry.id == id; }) == 0) continue;
      if (object.entries.empty()) {
        empty.push_back(other);
      } else if (tell_it) {
        tell(object);
      }
    }
    for (const auto other : empty) remove_object(other, tell_it);
  }

  int refusal() {
    static constexpr int kBusy[] = {EBUSY, ENOMEM, ENOBUFS};
    return refuse_one_in != 0 && random_() % refuse_one_in == 0 ? kBusy[random_() % 3] : 0;
  }
  int apply(const fib::NextHopOp& op) {
    ++writes_;
    if (const int error = refusal()) return error;
    const fib::KernelNextHop& next_hop = op.next_hop;
    if (op.kind == fib::NextHopOp::Kind::remove) {
      if (!objects_.contains(next_hop.id)) return ENOENT;
      remove_object(next_hop.id, false);
      return 0;
    }
    if (next_hop.entries.empty()) {
      if (const int error = check(next_hop.via)) return error;
    }
    std::set<fib::NextHopId> members;
    for (const auto& entry : next_hop.entries) {
      const auto member = objects_.find(entry.id);
      if (member == objects_.end() || !member->second.entries.empty() || !members.insert(entry.id).second)
        return EINVAL;
    }
    const auto existing = objects_.find(next_hop.id);
    if (existing != objects_.end() && existing->second.entries.empty() != next_hop.entries.empty()) return EINVAL;
    objects_[next_hop.id] = next_hop;
    return 0;
  }
  int apply(const fib::RouteOp& op) {
    ++writes_;
    if (const int error = refusal()) return error;
    const auto existing = routes_.find(op.key);
    if (op.kind == fib::RouteOp::Kind::remove) {
      const std::uint8_t wanted = op.former_protocol != 0 ? op.former_protocol : protocol();
      if (existing == routes_.end() || existing->second.protocol != wanted) return ESRCH;
      routes_.erase(existing);
      return 0;
    }
    const fib::Forwarding& forwarding = *op.forwarding;
    if (forwarding.next_hop != fib::kNoNextHopId && !objects_.contains(forwarding.next_hop)) return EINVAL;
    for (const fib::Via& via : forwarding.vias)
      if (const int error = check(via)) return error;
    if (forwarding.preferred_source.is_set() && !is_local(forwarding.preferred_source)) return EINVAL;
    if (op.kind == fib::RouteOp::Kind::add && (existing != routes_.end() || has_beside(op.key))) return EEXIST;
    // The kernel would take the first one with the key, which is not ours.
    if (op.kind == fib::RouteOp::Kind::replace && in_front(op.key)) ++foreign_harmed;
    if (op.kind == fib::RouteOp::Kind::replace && existing == routes_.end()) return ENOENT;
    routes_[op.key] = {protocol(), forwarding};
    return 0;
  }
  [[nodiscard]] std::uint8_t protocol() const { return forwarder_->options().protocol; }
  static void note(Answers& answers, std::size_t index, int error) {
    if (error != 0) answers.errors.push_back({index, error, {}});
  }

  void deliver_answers(Time now) {
    const Answers answers = std::move(answers_.front());
    answers_.pop_front();
    if (answers.next_hops.empty()) {
      forwarder_->on_answers(answers.routes, answers.errors, now);
    } else {
      forwarder_->on_answers(answers.next_hops, answers.errors, now);
    }
  }
  void deliver_event(Time now) {
    if (events_.empty()) {
      overrun_ = false;
      forwarder_->input(fib::Overrun{}, now);
      return;
    }
    const Event event = std::move(events_.front());
    events_.pop_front();
    if (const auto* news = std::get_if<fib::KernelNews>(&event)) return forwarder_->input(*news, now);
    const auto& [route, gone] = std::get<RouteEvent>(event);
    gone ? forwarder_->on_route_gone(route) : forwarder_->on_route(route, fib::Heard::notified);
  }
  /// A dump is read live, a few routes at a time, while the table changes under it.
  void deliver_dump(Time now) {
    Dump& dump = dump_.front();
    if (!std::exchange(dump.begun, true)) forwarder_->input(fib::DumpBegins{dump.part}, now);
    if (dump.part == fib::DumpPart::routes) {
      auto at = dump.after ? routes_.upper_bound(*dump.after) : routes_.begin();
      for (int i = 0; i < 8 && at != routes_.end(); ++i, ++at) {
        dump_beside(at->first, /*in_front=*/true);
        forwarder_->on_route(told(at->first, at->second), fib::Heard::dumped);
        dump_beside(at->first, /*in_front=*/false);
        dump.after = at->first;
      }
      if (at != routes_.end()) return;
      for (const Beside& one : beside_)
        if (!routes_.contains(one.key)) forwarder_->on_route(told(one.key, one.route), fib::Heard::dumped);
    }
    if (dump.part == fib::DumpPart::next_hops) {
      if (!has_objects) forwarder_->input(fib::NoNextHopObjects{}, now);
      for (const auto& [id, object] : objects_) forwarder_->input(object, now);
    }
    if (dump.part == fib::DumpPart::links) {
      for (const auto& [index, link] : links_) {
        forwarder_->input(fib::LinkEvent{told(index), false}, now);
        for (const auto& address : link.addresses) forwarder_->input(fib::AddressEvent{address, false}, now);
      }
    }
    const fib::DumpPart part = dump.part;
    dump_.pop_front();
    forwarder_->input(fib::DumpEnded{part, true}, now);
  }

  void dump_beside(const fib::RouteKey& key, bool in_front) {
    for (const Beside& one : beside_)
      if (one.key == key && one.in_front == in_front) forwarder_->on_route(told(key, one.route), fib::Heard::dumped);
  }

  std::mt19937_64 random_;
  fib::Forwarder* forwarder_ = nullptr;
  std::map<fib::IfIndex, Link> links_;
  std::map<fib::IfIndex, std::string> names_;
  std::map<fib::NextHopId, fib::KernelNextHop> objects_;
  std::map<fib::RouteKey, Route> routes_;
  std::vector<Beside> beside_;
  std::deque<Event> events_;
  std::deque<Answers> answers_;
  std::deque<Dump> dump_;
  bool overrun_ = false;
  std::uint64_t writes_ = 0;
};

}  // namespace minibgp::testing
