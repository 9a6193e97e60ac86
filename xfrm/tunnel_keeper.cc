#include <bgp/text.h>
#include <xfrm/tunnel_keeper.h>
#include <xfrm/vici/events.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace minibgp::xfrm {

TunnelKeeper::TunnelKeeper(const TunnelsOptions& options, KeySource& keys)
    : options_(options),
      former_(options.former_if_ids),
      interfaces_(options.route_protocol),
      // Zero would make the loop spin.
      ike_(keys, std::max(options.sync_interval, std::chrono::milliseconds{100})) {
  options_.sync_interval = std::max(options.sync_interval, std::chrono::milliseconds{100});
  table_.set_former({former_.begin(), former_.end()});
  table_.set_damping(options_.damping);
  // Without counters silence cannot be told from an idle tunnel.
  if (options_.counter_interval.count() != 0) table_.set_silence(options_.silence);
}

// Inputs

struct TunnelKeeper::On {
  TunnelKeeper& my;

  void operator()(const input::SetTunnels& in) const {
    // Before the tunnels change: what the former ones owned is still to be ended.
    my.former_ = my.owned_if_ids();
    my.tunnels_ = with_policy_priorities(in.tunnels);
    my.interfaces_.set_tunnels(my.tunnels_);
    my.table_.set_tunnels(my.tunnels_);
    my.table_.set_former({my.former_.begin(), my.former_.end()});
    my.ike_.set_tunnels(my.tunnels_, my.now_);
    my.follow_.set(my.tunnels_, in.follow);
    // Only tunnels with IPsec need charon, and these may be the first.
    if (my.running_) my.connect_to_charon();
  }
  void operator()(const input::Started& in) const {
    my.running_ = true;
    my.has_xfrm_ = in.has_xfrm;
    my.connect_to_charon();
    // Both are due in the first turn.
    my.next_sync_ = my.next_counters_ = my.now_;
  }
  void operator()(const input::Stop& in) const {
    my.options_.on_exit = in.on_exit.value_or(options().on_exit);
    if (options().on_exit == TunnelsOptions::OnExit::keep || !my.running_) {
      my.effects_.clear();
      my.effects_.push_back(effect::Stopped{});
      my.running_ = false;
      return;
    }
    my.leaving_ = Leaving{my.now_ + kCharonPatience};
    my.ike_.unload_all();
  }
  void operator()(const input::Probed& in) const { my.table_.set_probe(in.tunnel, in.result); }
  void operator()(const input::Initiate& in) const { my.ike_.initiate(in.tunnel, my.now_); }
  void operator()(const input::Terminate& in) const { my.ike_.terminate(in.tunnel, my.now_); }

  // The kernel
  void operator()(const Sa& sa) const {
    Sa known = sa;
    if (known.direction == SaDirection::unknown) {
      // Kernels before 6.10 do not say the direction; the host's own addresses do.
      if (my.interfaces_.is_local(sa.key.destination)) {
        known.direction = SaDirection::inbound;
      } else if (my.interfaces_.is_local(sa.source)) {
        known.direction = SaDirection::outbound;
      }
    }
    my.table_.sa_added(known);
  }
  void operator()(const SaGone& in) const {
    my.table_.sa_gone(in.key, in.why);
    // The kernel was faster than charon's event, or that was lost.
    my.ike_.look_again(my.now_);
  }
  void operator()(const SasFlushed&) const {
    my.table_.sas_flushed();
    my.ike_.look_again(my.now_);
  }
  void operator()(const SaCounters& in) const { my.table_.set_counters(in.key, in.packets, in.bytes); }
  void operator()(const input::SaDumpBegins&) const { my.table_.dump_begins(); }
  void operator()(const input::SaDumpEnded&) const {
    my.table_.dump_ended();
    my.sas_known_ = true;
  }
  void operator()(const Link& link) const {
    // A neighbor that failed over a link that was down may answer when it is up.
    if (!link.up || !link.carrier) my.neighbors_.forget(link.index);
    my.interfaces_.link(link);
    // Any change of links or addresses may lead to the endpoints another way.
    my.interfaces_.forget_routes();
  }
  void operator()(const LinkGone& in) const {
    my.neighbors_.forget(in.index);
    my.interfaces_.link_gone(in.index);
    my.interfaces_.forget_routes();
  }
  void operator()(const AddressSeen& in) const {
    if (in.gone) {
      my.interfaces_.address_gone(in.index, in.address);
    } else {
      my.interfaces_.address(in.index, in.address);
    }
    my.interfaces_.forget_routes();
  }
  void operator()(const NeighborSeen& in) const { my.neighbors_.seen(in.index, in.address, in.failed); }
  void operator()(const input::LinkDumpBegins&) const { my.interfaces_.dump_begins(); }
  void operator()(const input::LinkDumpEnded&) const {
    my.interfaces_.dump_ended();
    my.links_known_ = true;
  }
  void operator()(const input::StepAnswered& in) const {
    if (in.id != kRemovalId) return my.interfaces_.answered(in.id, in.error, my.now_);
    if (!my.leaving_) return;
    // The number of steps that take_interfaces_away() has made.
    if (my.leaving_->steps > 0) --my.leaving_->steps;
    // Of the other errors the usual one is that it is gone.
    my.leaving_->busy = my.leaving_->busy || in.error == EBUSY || in.error == ENOBUFS || in.error == ENOMEM;
  }
  void operator()(const input::RouteAnswered& in) const {
    my.looking_up_.erase(in.endpoint);
    my.interfaces_.route(in.endpoint, in.found);
  }
  void operator()(const input::OwnRoutesRead& in) const { my.interfaces_.own_routes(in.routes); }

  // charon
  void operator()(const input::CharonConnected&) const {
    my.charon_ = IkeLink::connected;
    my.write_log(LogLevel::info, "connected to charon at " + options().vici_socket);
    my.ike_.connected(my.now_);
  }
  void operator()(const input::CharonGone& in) const {
    my.charon_ = IkeLink::connecting;
    my.ike_.disconnected();
    // Refused: the socket is there and no one listens, so charon does not run. Otherwise it may only be slow.
    in.refused ? my.table_.charon_refuses() : my.table_.charon_gone();
  }
  void operator()(const input::CharonEvent& in) const {
    vici::take_event(in.name, in.message, my.table_, my.ike_, my.now_);
    // A renewal has installed charon's policies again.
    if (in.name == "child-rekey" || in.name == "child-updown") my.redirect_policies();
  }
  void operator()(const input::CharonReplied& in) const { my.ike_.replied(in.reply, my.now_); }
  void operator()(const input::TimePassed&) const {}

  [[nodiscard]] const TunnelsOptions& options() const { return my.options_; }
};

void TunnelKeeper::input(const Input& input, Time now) {
  // Time given from outside may go back; deadlines that were stored must not.
  now_ = std::max(now_, now);
  turn_.due = true;
  std::visit(On{*this}, input);
}

/// From the first tunnel on that has to do with IPsec.
void TunnelKeeper::connect_to_charon() {
  if ((!has_ipsec_tunnels() && former_.empty()) || charon_ != IkeLink::unused) return;
  charon_ = IkeLink::connecting;
  if (!has_xfrm_) write_log(LogLevel::error, "this kernel has no IPsec: only tunnels of mode link work");
  effects_.push_back(effect::ConnectToCharon{});
}

// Turns

std::optional<Effect> TunnelKeeper::poll() {
  // A stage hands out few effects or none. The turn is over at Stage::rest; another begins while inputs came meanwhile.
  while (effects_.empty() && running_) {
    if (turn_.stage == Stage::rest) {
      // `turn_.due` is set by any input, also one that came while effects were handed out.
      if (!std::exchange(turn_.due, false)) break;
      turn_.began = now_;
      turn_.stage = Stage::clocks;
    }
    run(turn_.stage);
    turn_.stage = static_cast<Stage>(static_cast<std::uint8_t>(turn_.stage) + 1);
  }
  if (effects_.empty()) return std::nullopt;
  std::optional<Effect> next = std::move(effects_.front());
  effects_.pop_front();
  return next;
}

void TunnelKeeper::run(Stage stage) {
  switch (stage) {
    case Stage::clocks:
      return look_at_clocks();
    case Stage::tunnels:
      // What the kernel forwards comes before what makes the kernel right.
      return settle_tunnels();
    case Stage::follow:
      if (std::exchange(turn_.follow_is_due, false)) sample_groups();
      return;
    case Stage::kernel:
      if (!links_known_ || leaving_) return;
      look_up_routes();
      if (options_.manage_interfaces) step_interfaces();
      return;
    case Stage::charon:
      return ask_charon();
    case Stage::leave:
      // Not while inputs wait: they may be the answers that leaving waits for.
      if (leaving_ && !turn_.due) leave();
      return;
    case Stage::rest:
      return;
  }
}

void TunnelKeeper::look_at_clocks() {
  if (turn_.began >= next_sync_) {
    next_sync_ = turn_.began + options_.sync_interval;
    // What a lost message may have left wrong is put right at this interval.
    effects_.push_back(effect::RetryDumps{});
    interfaces_.forget_routes();
    // An answer may have been lost as well: asked again.
    looking_up_.clear();
  }
  if (turn_.began < next_counters_ || options_.counter_interval.count() == 0) return;
  next_counters_ = turn_.began + options_.counter_interval;
  std::vector<Sa> sas;
  for (const TunnelOptions& tunnel : tunnels_)
    for (const Sa& sa : table_.sas_of(tunnel.name)) sas.push_back(sa);
  // The answers come in a later turn; what is followed now are those of the reading before.
  sample_groups();
  if (!sas.empty()) effects_.push_back(effect::ReadCounters{std::move(sas)});
}

void TunnelKeeper::settle_tunnels() {
  if (auto children = ike_.take_snapshot()) table_.set_children(std::move(*children));
  // Before both dumps have ended every tunnel would look as if its interface or SAs were missing.
  if (!links_known_ || !sas_known_) return;
  // Link and underlay first, because settle() judges by them.
  for (const TunnelOptions& tunnel : tunnels_) {
    const auto link = interfaces_.tunnel_link(tunnel.name);
    table_.set_link(tunnel.name, link ? &*link : nullptr);
    table_.set_underlay(tunnel.name, judge_underlay(tunnel, table_.ends_of(tunnel.name), interfaces_, neighbors_));
  }
  // The names in the changes live in the table, which set_tunnels() may change before they are handed out: copies.
  const std::vector<TunnelChange> changes = table_.settle(turn_.began);
  for (const SaKey& dead : table_.take_dead()) {
    write_log(LogLevel::info, "an SA to " + to_text(dead.destination) + " that charon no longer knows is deleted");
    effects_.push_back(effect::DeleteSa{dead});
  }
  // After settle(): the need follows from the counts of this turn.
  for (const TunnelOptions& tunnel : tunnels_) ike_.set_need(tunnel.name, table_.need(tunnel.name), turn_.began);
  for (const TunnelChange& change : changes) {
    const std::string name{change.tunnel};
    if (change.state != change.previous || !xfrm::usable(change.state))
      write_log(
          xfrm::usable(change.state) ? LogLevel::info : LogLevel::warning,
          "tunnel " + name + ": " + std::string{to_text(change.state)} + ": " + std::string{to_text(change.reason)});
    effects_.push_back(effect::TunnelChanged{name, change});
    // Set anew by the reader, from the name beside it: a view of a string that moves would dangle.
    std::get<effect::TunnelChanged>(effects_.back()).change.tunnel = {};
  }
  turn_.follow_is_due = !changes.empty();
}

void TunnelKeeper::sample_groups() {
  std::vector<FollowGroups::Move> moves = follow_.sample(table_, turn_.began);
  for (const FollowGroups::Move& move : moves)
    write_log(LogLevel::info, "group " + move.group + ": sending through " +
                                  (move.tunnel.empty() ? "nothing" : move.tunnel) + ": " + std::string{move.why});
  redirect_policies();
  for (FollowGroups::Move& move : moves) effects_.push_back(std::move(move));
}

void TunnelKeeper::redirect_policies() {
  for (FollowGroups::Redirect& redirect : follow_.redirects(table_)) effects_.push_back(std::move(redirect));
}

void TunnelKeeper::step_interfaces() {
  for (auto& [id, step] : interfaces_.next_steps(turn_.began)) effects_.push_back(effect::TakeStep{id, step});
  if (interfaces_.take_own_routes_request()) effects_.push_back(effect::ReadOwnRoutes{});
}

void TunnelKeeper::look_up_routes() {
  std::vector<IpAddress> endpoints;
  for (const TunnelOptions& tunnel : tunnels_)
    for (const OuterEnds& ends : table_.ends_of(tunnel.name)) endpoints.push_back(ends.remote);
  interfaces_.watch_routes_to(std::move(endpoints));
  for (const IpAddress& endpoint : interfaces_.endpoints_to_look_up())
    // One look-up for each endpoint at a time.
    if (looking_up_.insert(endpoint).second) effects_.push_back(effect::LookUp{endpoint});
}

void TunnelKeeper::ask_charon() {
  if (auto request = ike_.next_request(turn_.began)) effects_.push_back(effect::AskCharon{std::move(*request)});
  for (const std::string& line : ike_.take_log()) write_log(LogLevel::info, line);
}

void TunnelKeeper::take_interfaces_away() {
  if (!options_.manage_interfaces) return;
  for (LinkStep& step : interfaces_.removal()) {
    ++leaving_->steps;
    effects_.push_back(effect::TakeStep{kRemovalId, std::move(step)});
  }
}

void TunnelKeeper::leave() {
  const bool patient = turn_.began < leaving_->until;
  if (!leaving_->of_kernel) {
    const bool unloaded = charon_ == IkeLink::unused || ike_.unloaded();
    if (patient && !unloaded) return;
    if (!unloaded)
      write_log(LogLevel::warning,
                "charon did not take our connections out within " + std::to_string(kCharonPatience.count()) +
                    " s: they and their SAs stay until it is restarted (systemctl restart strongswan)");
    leaving_->of_kernel = true;
    leaving_->until = turn_.began + kKernelPatience;
    take_interfaces_away();
  } else if (!patient) {
    // The second patience is over as well: what the kernel has not answered is left to it.
    leaving_->steps = 0;
    leaving_->busy = false;
    leaving_->again = kNever;
  } else if (turn_.began >= leaving_->again) {
    leaving_->again = kNever;
    take_interfaces_away();
  }
  if (leaving_->steps != 0) return;
  // Something was busy, so it is tried once more after a pause.
  if (std::exchange(leaving_->busy, false)) leaving_->again = turn_.began + kBusyPause;
  if (leaving_->again != kNever) return;
  effects_.push_back(effect::Stopped{});
  running_ = false;
}

Time TunnelKeeper::next_deadline() const {
  if (!running_) return kNever;
  Time next = std::min({next_sync_, table_.next_deadline(), ike_.next_deadline(), interfaces_.next_deadline()});
  if (options_.counter_interval.count() != 0) next = std::min(next, next_counters_);
  if (leaving_) next = std::min({next, leaving_->until, leaving_->again});
  return next;
}

// Reading

std::optional<TunnelStatus> TunnelKeeper::status(std::string_view tunnel) const {
  TunnelStatus status;
  if (!table_.fill(tunnel, status)) return std::nullopt;
  if (const Link* link = interfaces_.link_of(tunnel)) {
    status.interface = link->name;
    status.mtu = link->mtu;
  }
  const vici::IkeKeeper::View view = ike_.view(tunnel);
  status.failure = view.failure;
  status.failure_text = view.failure_text;
  status.connection_loaded = view.loaded;
  status.next_initiate = view.next_initiate;
  status.problem = view.problem.empty() ? interfaces_.problem(tunnel) : view.problem;
  return status;
}

std::vector<TunnelStatus> TunnelKeeper::status() const {
  std::vector<TunnelStatus> all;
  for (const TunnelOptions& tunnel : tunnels_)
    if (auto one = status(tunnel.name)) all.push_back(std::move(*one));
  return all;
}

std::vector<std::uint32_t> TunnelKeeper::owned_if_ids() const {
  std::set<std::uint32_t> all;
  for (const TunnelOptions& tunnel : tunnels_)
    if (tunnel.ike && tunnel.if_id != 0) all.insert(tunnel.if_id);
  // Kept until charon has been asked and has none of them any more.
  if (!ike_.has_no_former() || table_.has_former_sas()) all.insert(former_.begin(), former_.end());
  return {all.begin(), all.end()};
}

IkeLink TunnelKeeper::ike_link() const {
  // Without tunnels nothing is expected of charon.
  return tunnels_.empty() || !running_ ? IkeLink::unused : charon_;
}

std::vector<IpAddress> TunnelKeeper::underlay_endpoints() const {
  std::set<IpAddress> all = ike_.remote_hosts();
  for (const TunnelOptions& tunnel : tunnels_)
    if (tunnel.ike)
      for (const std::string& text : tunnel.ike->remote_addresses)
        if (const auto address = parse_address(text)) all.insert(*address);
  return {all.begin(), all.end()};
}

bool TunnelKeeper::has_ipsec_tunnels() const {
  return std::any_of(tunnels_.begin(), tunnels_.end(), [](const TunnelOptions& it) { return it.mode != Mode::link; });
}

}  // namespace minibgp::xfrm
