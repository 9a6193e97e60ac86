/// Gateway: its life, peers, own networks, and what follows from news of the speaker, the fib and the tunnels. The
/// other parts are change.cc, maintenance.cc and options.cc.
#include <apps/bgplite/gateway/gateway.h>
#include <apps/bgplite/gateway/on_input.h>
#include <apps/bgplite/gateway/options.h>
#include <bgp/text.h>

#include <algorithm>
#include <utility>

namespace bgplite {

using minibgp::LogArea;
using minibgp::LogLevel;
using minibgp::PeerId;
using minibgp::PeerState;
using minibgp::Prefix;
using minibgp::Time;

Config& Gateway::own_config() {
  // Others who hold it read it in their threads, and their last hold ends on the loop: no other can come to share it
  // between the question and the change.
  if (config_.use_count() != 1) config_ = std::make_shared<Config>(*config_);
  return *config_;
}

minibgp::SpeakerOptions Gateway::router_options() const {
  minibgp::SpeakerOptions options = speaker_options(*config_);
  options.seed = seed_;
  options.forwarding_preserved = restarted_;
  return options;
}

// The contract

void Gateway::input(Input event, Time now) {
  // Never back: a deadline that was met stays met, whatever clock a rim has.
  now_ = std::max(now_, now);
  std::visit(On{*this}, std::move(event));
}

/// What was decided goes first: a tunnel that is lost does not wait for a thousand networks.
std::optional<GatewayEffect> Gateway::poll() {
  if (auto effect = effects_.take()) return effect;
  if (announcements_.settled()) {
    // The budget is full again as soon as nothing waits, so a single change goes out at once.
    room_ = kAnnouncedInATurn;
    return std::nullopt;
  }
  if (room_ == 0) return std::nullopt;
  // One announcement at a time; the loop goes on after kAnnouncedInATurn of them.
  --room_;
  Announcements::Change change = *announcements_.next();
  if (!change.attributes) return effect::Withdraw{change.prefix};
  return effect::Announce{change.prefix, std::move(*change.attributes)};
}

Time Gateway::next_deadline() const {
  if (stopping_) return minibgp::kNever;
  // Announcements wait for the next turn of the loop.
  if (!announcements_.settled()) return now_;
  return std::min({arrivals_.next_deadline(), drainer_.next_deadline(), losses_.driller().next_deadline(),
                   farewells_.next_deadline(), return_traffic_.next_deadline()});
}

void Gateway::on_time(Time now) {
  now_ = std::max(now_, now);
  room_ = kAnnouncedInATurn;
  if (stopping_) return;
  for (const PeerId peer : arrivals_.on_time(now_)) effects_.emit(effect::UsePeer{peer, true});
  for (const std::string& key : drainer_.on_time(now_)) {
    const PeerTable::Peer* const peer = peers_.find(key);
    if (peer == nullptr) continue;
    // Each step is an update of the peer's options, which the speaker turns into announcements; only the last one ends
    // the session.
    const DrainStep step = *drainer_.step(key);
    effects_.log(LogLevel::info, LogArea::session, "peer " + key + ": drained: " + to_text(step));
    if (step == DrainStep::stopped) {
      effects_.emit(effect::DisablePeer{peer->id, "drained"});
    } else {
      update_peer(key, config_->peers.at(key));
    }
  }
  losses_.on_time(now_);
  const Farewells::Due due = farewells_.on_time(now_);
  for (const Farewells::Action& action : due.actions)
    action.terminate.empty() ? effects_.emit(tunnel_setup(*config_))
                             : effects_.emit(effect::TerminateTunnel{action.terminate});
  if (due.resume) resume_transports();
  // A peer has forgotten a lost tunnel by now.
  if (return_traffic_.next_deadline() <= now_) return_traffic_.update(now_);
}

Gateway::Status Gateway::status() const {
  Status status;
  status.peers = peers_.size();
  status.arriving = arrivals_.count();
  for (const auto& [key, peer] : peers_) status.drained += drainer_.step(key) ? 1U : 0U;
  status.parts = announcements_.parts().size();
  status.reloads = reloads_;
  status.drilling = losses_.driller().running();
  status.stopping = stopping_;
  status.restarted = restarted_;
  return status;
}

void Gateway::On::operator()(input::Start) const {
  // Networks and static routes before peers: the first UPDATE to a peer is complete.
  // Before any peer asks: all of them in this turn.
  my.room_ = SIZE_MAX;
  for (const Network& network : my.config_->networks) my.add_network(network);
  for (const auto& [prefix, attributes] : my.config_->saved.announcements)
    my.announcements_.announce_by_command(prefix, attributes);
  my.set_own_networks();
  my.set_static_routes();
  for (const auto& [key, peer] : my.config_->peers) my.add_peer(key, peer);
}

void Gateway::On::operator()(input::Stop) const {
  if (my.stopping_) return;
  my.losses_.end_drill(DrillReport::End::asked, my.now_);
  my.stopping_ = true;
  my.return_traffic_.stop();
  const bool keep = my.config_->on_exit == OnExit::keep;
  std::string without;
  for (const minibgp::PeerStatus& peer : my.view_.sessions())
    // Such a peer withdraws our routes when the session ends, whatever on_exit says.
    if (peer.state == PeerState::established && !peer.graceful_restart) without += " " + my.peers_.name_of(peer.id);
  if (keep && !without.empty())
    my.effects_.log(LogLevel::info, LogArea::session,
                    "stopping: without graceful restart, so told to withdraw our routes:" + without);
  my.effects_.emit(effect::End{keep});
}

// Peers

minibgp::PeerOptions Gateway::options_of(const std::string& key, const PeerConfig& peer) {
  minibgp::PeerOptions options = options_in_force(*config_, peer);
  options.audience = return_traffic_.set_peer(key, *config_, peer);
  drainer_.apply(key, options);
  // The key was read with the configuration, which has said why it could not be.
  if (!peer.md5_file.empty() && options.md5_key.empty())
    effects_.log(LogLevel::error, LogArea::config,
                 "peer " + key + ": without the key of " + peer.md5_file + " the peer stays disabled");
  return options;
}

void Gateway::add_peer(const std::string& key, const PeerConfig& peer) {
  minibgp::PeerOptions options = options_of(key, peer);
  PeerTable::Peer& added = peers_[key];
  added.audience = options.audience;
  added.tunnel = options.tunnel;
  // Its tunnel is down: added disabled, so that it does not dial before the speaker knows.
  if (!options.tunnel.empty() && view_.has_tunnels() && !losses_.tunnel_usable(options.tunnel) && options.enabled) {
    added.enable_with = options;
    options.enabled = false;
  }
  effects_.emit(effect::AddPeer{key, std::move(options)});
}

void Gateway::On::operator()(input::PeerAdded event) const {
  PeerTable::Peer* const peer = my.peers_.find(event.key);
  const auto config = my.config_->peers.find(event.key);
  if (peer == nullptr || config == my.config_->peers.end()) return;
  my.peers_.take(*peer, event.key, event.peer);
  my.effects_.emit(effect::BindPeer{event.peer, binding_of(*my.config_, config->second.options)});
  // Not used before its session is up.
  my.effects_.emit(effect::UsePeer{event.peer, false});
  if (auto options = std::exchange(peer->enable_with, std::nullopt)) {
    my.effects_.emit(effect::SetTransport{event.peer, false});
    my.effects_.emit(effect::UpdatePeer{event.key, event.peer, std::move(*options)});
  }
}

void Gateway::update_peer(const std::string& key, const PeerConfig& peer) {
  PeerTable::Peer* const found = peers_.find(key);
  // The speaker has not answered AddPeer yet, or the peer could not be added: it is added anew.
  if (found == nullptr || !found->taken()) return add_peer(key, peer);
  minibgp::PeerOptions options = options_of(key, peer);
  found->audience = options.audience;
  found->tunnel = options.tunnel;
  effects_.emit(effect::UpdatePeer{key, found->id, std::move(options)});
}

void Gateway::On::operator()(input::PeerUpdated event) const {
  if (const PeerConfig* config = my.peer_config(event.peer))
    my.effects_.emit(effect::BindPeer{event.peer, binding_of(*my.config_, config->options)});
  my.return_traffic_.note_session(event.peer, *my.config_);
  my.return_traffic_.update(my.now_);
}

void Gateway::remove_peer(const std::string& key) {
  if (peers_.find(key) == nullptr) return;
  const PeerId id = peers_.remove(key);
  arrivals_.remove(id);
  return_traffic_.remove_peer(key);
  static_cast<void>(drainer_.end(key));
  // kLocalPeer: the speaker never knew it.
  if (id != minibgp::kLocalPeer) effects_.emit(effect::RemovePeer{id});
  return_traffic_.update(now_);
}

const PeerConfig* Gateway::peer_config(PeerId peer) const {
  const std::string* key = peers_.key_of(peer);
  if (key == nullptr) return nullptr;
  const auto found = config_->peers.find(*key);
  return found == config_->peers.end() ? nullptr : &found->second;
}

std::size_t Gateway::parts_for(PeerId peer) const {
  const std::string* const key = peers_.key_of(peer);
  return key == nullptr ? 0 : announcements_.parts_for(peers_.at(*key).audience);
}

/// If the key in the peer's file is another one, it is used from now on, and the session begins anew with it.
bool Gateway::use_new_key(const std::string& key, const std::optional<minibgp::Secret>& secret) {
  const PeerConfig& running = config_->peers.at(key);
  if (!secret || running.md5_file.empty() || running.options.md5_key == *secret) return false;
  // own_config() may copy, so the peer is looked up again.
  PeerConfig& changed = own_config().peers.at(key);
  changed.options.md5_key = *secret;
  update_peer(key, changed);
  return true;
}

void Gateway::On::operator()(input::EnablePeer event) const {
  (*this)(input::UndoDrain{event.peer});
  if (const std::string* const key = my.peers_.key_of(event.peer))
    static_cast<void>(my.use_new_key(std::string{*key}, event.key));
  my.effects_.emit(effect::EnablePeer{event.peer});
}

void Gateway::On::operator()(input::DisablePeer event) const {
  my.effects_.emit(effect::DisablePeer{event.peer, std::move(event.reason)});
}

void Gateway::On::operator()(input::ResetPeer event) const {
  const std::string* const key = my.peers_.key_of(event.peer);
  if (key != nullptr && my.use_new_key(std::string{*key}, event.key)) return;  // That reset it.
  my.effects_.emit(effect::ResetPeer{event.peer, std::move(event.reason)});
}

/// Of a follow group only the tunnel through which we send now.
void Gateway::set_static_routes() {
  effects_.emit(effect::SetStaticRoutes{
      static_routes(*config_, [this](const std::string& group) { return view_.followed(group); })});
}

// Own networks

void Gateway::add_network(const Network& network) {
  if (network.when == Network::When::always) return announcements_.announce(network.prefix, attributes_of(network));
  effects_.emit(effect::WatchNetwork{network.prefix, watch_of(network.when), true});
}

void Gateway::remove_network(const Network& network) {
  if (network.when != Network::When::always)
    // The command announces the same prefix, and its announcement stays.
    effects_.emit(effect::WatchNetwork{network.prefix, watch_of(network.when), false});
  if (announcements_.by_command().count(network.prefix) == 0) announcements_.withdraw(network.prefix);
}

void Gateway::On::operator()(input::NetworkChanged event) const {
  const auto network = std::find_if(my.config_->networks.begin(), my.config_->networks.end(), [&](const Network& one) {
    return one.prefix == event.prefix && one.when != Network::When::always && watch_of(one.when) == event.watch;
  });
  if (network == my.config_->networks.end() || my.stopping_) return;
  event.present ? my.announcements_.announce(event.prefix, attributes_of(*network))
                : my.announcements_.withdraw(event.prefix);
  my.effects_.log(
      LogLevel::info, LogArea::rib,
      "network " + to_text(event.prefix) + ": " +
          (event.present ? "announced: the kernel has a route to it" : "withdrawn: no route to it any more"));
  my.return_traffic_.update(my.now_);
}

void Gateway::On::operator()(input::Announce event) const {
  my.announcements_.announce_by_command(event.prefix, event.attributes);
  my.set_own_networks();
  my.return_traffic_.update(my.now_);
}

void Gateway::On::operator()(input::Withdraw event) const {
  if (!my.announcements_.withdraw_by_command(event.prefix)) return;
  // The network of the configuration comes back with its own attributes.
  for (const Network& network : my.config_->networks)
    if (network.prefix == event.prefix) my.add_network(network);
  my.set_own_networks();
  my.return_traffic_.update(my.now_);
}

void Gateway::set_own_networks() {
  std::vector<Prefix> own;
  for (const Network& network : config_->networks) own.push_back(network.prefix);
  for (const auto& [prefix, attributes] : announcements_.by_command()) own.push_back(prefix);
  effects_.emit(effect::SetOwnNetworks{std::move(own)});
}

// Tunnels

void Gateway::On::operator()(input::TunnelsSet) const { my.set_static_routes(); }

void Gateway::On::operator()(input::TunnelChanged event) const {
  const bool usable = minibgp::xfrm::usable(event.state);
  if (my.losses_.driller().fails(event.tunnel) && !usable) my.losses_.end_drill(DrillReport::End::failed, my.now_);
  my.losses_.carry(event.tunnel, my.losses_.tunnel_usable(event.tunnel), minibgp::xfrm::to_text(event.reason), my.now_);
  // The other hints are also what a healthy tunnel shows that is used in one direction: its share would come and go.
  if (const std::string interface = interface_of(*my.config_, event.tunnel); !interface.empty())
    my.effects_.emit(effect::SuspectInterface{interface, event.reason == minibgp::xfrm::Reason::retransmitting});
  if (!usable && minibgp::xfrm::usable(event.previous))
    my.effects_.emit(effect::NoteFailover{event.tunnel, event.reason});
  my.effects_.emit(effect::Tell{"tunnel",
                                {{"tunnel", event.tunnel},
                                 {"state", std::string{minibgp::xfrm::to_text(event.state)}},
                                 {"previous", std::string{minibgp::xfrm::to_text(event.previous)}},
                                 {"reason", std::string{minibgp::xfrm::to_text(event.reason)}}}});
}

void Gateway::On::operator()(input::FollowChanged event) const {
  my.effects_.log(LogLevel::info, LogArea::tunnel,
                  event.group + ": " +
                      (event.tunnel.empty() ? "no tunnel is usable" : "now through tunnel " + event.tunnel) + ": " +
                      event.why);
  // The first tunnel after a start is no move.
  if (!event.previous.empty()) ++my.follow_moves_[event.group];
  my.set_static_routes();
}

// Sessions and next hops

void Gateway::On::operator()(input::PeerChanged event) const {
  const minibgp::PeerChanged& change = event.change;
  if (my.view_.has_fib() && !my.stopping_) {
    // Asked now: the speaker has changed the state already.
    const auto status = my.view_.session(change.peer);
    if (change.to == PeerState::established) {
      if (!status || my.arrivals_.on_established(*status, my.view_.sessions(), my.now_))
        my.effects_.emit(effect::UsePeer{change.peer, true});
    } else if (change.from == PeerState::established) {
      my.arrivals_.remove(change.peer);
      // Stale: a graceful restart of the peer keeps its routes, and traffic keeps flowing through it.
      if (!status || !status->stale) my.effects_.emit(effect::UsePeer{change.peer, false});
    }
  }
  // Attempts to connect are no events: a peer that is down for a day would fill every monitor.
  if (change.from != PeerState::established && change.to != PeerState::established) return;
  my.return_traffic_.note_session(change.peer, *my.config_);
  my.return_traffic_.update(my.now_);
  my.effects_.emit(effect::Tell{"peer",
                                {{"peer", my.peers_.name_of(change.peer)},
                                 {"state", std::string{minibgp::to_text(change.to)}},
                                 {"previous", std::string{minibgp::to_text(change.from)}},
                                 {"reason", std::string{minibgp::to_text(change.reason)}}}});
}

void Gateway::On::operator()(input::EndOfRib event) const {
  if (const auto status = my.view_.session(event.end.peer); status && my.arrivals_.on_end_of_rib(*status))
    my.effects_.emit(effect::UsePeer{event.end.peer, true});
}

void Gateway::On::operator()(input::RestartComplete) const {
  my.arrivals_.on_restart_complete();
  my.effects_.emit(effect::FinishAdoption{});
}

void Gateway::On::operator()(input::NextHopInterest event) const {
  my.effects_.emit(effect::WatchNextHop{event.interest});
}

void Gateway::On::operator()(input::NextHops event) const {
  for (const minibgp::fib::NextHopState& state : event.states) {
    my.effects_.emit(effect::SetNextHop{state.peer, state.next_hop, state.usable, state.cost});
    my.effects_.emit(effect::Tell{"next-hop",
                                  {{"peer", my.peers_.name_of(state.peer)},
                                   {"next_hop", to_text(state.next_hop)},
                                   {"usable", state.usable},
                                   {"reason", std::string{minibgp::fib::to_text(state.reason)}}}});
    const PeerConfig* config = my.peer_config(state.peer);
    // Only the next hop that is the peer itself says whether the peer can be reached.
    if (config == nullptr || config->options.address != state.next_hop) continue;
    // Other reasons say that the peer's session ended, or nothing about the next hop itself.
    using Reason = minibgp::fib::NextHopReason;
    const bool lost = state.reason == Reason::no_route || state.reason == Reason::interface_missing ||
                      state.reason == Reason::interface_down || state.reason == Reason::tunnel_down;
    if (state.usable || lost) my.return_traffic_.note_reachable(*my.peers_.key_of(state.peer), state.usable, my.now_);
  }
  my.return_traffic_.update(my.now_);
}

}  // namespace bgplite
