/// Gateway: its life, peers, own networks, and what follows from news of the speaker, the fib and the tunnels. The
/// other parts are change.cc, maintenance.cc and options.cc.
#include <apps/bgplite/gateway/gateway.h>
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
using minibgp::fib::NetworkWatch;

namespace {

NetworkWatch watch_of(Network::When when) {
  return when == Network::When::if_route ? NetworkWatch::exact_route : NetworkWatch::reachable;
}

minibgp::PathAttributes attributes_of(const Network& network) {
  minibgp::PathAttributes attributes;
  attributes.med = network.med;
  attributes.communities = network.communities;
  attributes.large_communities = network.large_communities;
  return attributes;
}

}  // namespace

// The contract

void Gateway::input(Input event, Time now) {
  now_ = std::max(now_, now);
  std::visit([this](auto&& one) { on(std::move(one)); }, std::move(event));
}

std::optional<GatewayEffect> Gateway::poll() {
  if (effects_.empty()) return std::nullopt;
  GatewayEffect effect = std::move(effects_.front());
  effects_.pop_front();
  return effect;
}

Time Gateway::next_deadline() const {
  if (stopping_) return minibgp::kNever;
  return std::min({arrivals_.next_deadline(), drainer_.next_deadline(), driller_.next_deadline(),
                   farewells_.next_deadline(), return_path_.next_deadline()});
}

void Gateway::on_time(Time now) {
  now_ = std::max(now_, now);
  if (stopping_) return;
  for (const PeerId peer : arrivals_.on_time(now_)) use_peer(peer);
  for (const std::string& key : drainer_.on_time(now_)) {
    const auto peer = peers_.find(key);
    if (peer == peers_.end()) continue;
    const DrainStep step = *drainer_.step(key);
    log(LogLevel::info, LogArea::session, "peer " + key + ": drained: " + to_text(step));
    if (step == DrainStep::stopped) {
      emit(effect::DisablePeer{peer->second.id, "drained"});
    } else {
      update_peer(key, config_.peers.at(key));
    }
  }
  if (driller_.wants_traffic(now_)) emit(effect::ReadTraffic{driller_.target().interface});
  const Farewells::Due due = farewells_.on_time(now_);
  for (const Farewells::Action& action : due.actions)
    action.terminate.empty() ? emit(tunnel_setup()) : emit(effect::TerminateTunnel{action.terminate});
  if (due.resume) resume_transports();
  if (return_path_.next_deadline() <= now_) update_return_path();
}

Gateway::Status Gateway::status() const {
  Status status;
  status.peers = peers_.size();
  status.arriving = arrivals_.count();
  for (const auto& [key, peer] : peers_) status.drained += drainer_.step(key) ? 1U : 0U;
  status.parts = parts_.size();
  status.reloads = reloads_;
  status.drilling = driller_.running();
  status.stopping = stopping_;
  status.restarted = restarted_;
  return status;
}

void Gateway::on(input::Start) {
  for (const Network& network : config_.networks) add_network(network);
  for (const auto& [prefix, attributes] : config_.saved.announcements) {
    runtime_[prefix] = attributes;
    announce(prefix, attributes);
  }
  set_own_networks();
  set_static_routes();
  for (const auto& [key, peer] : config_.peers) add_peer(key, peer);
}

void Gateway::on(input::Stop) {
  if (stopping_) return;
  end_drill(DrillReport::End::asked);
  stopping_ = true;
  const bool keep = config_.on_exit == OnExit::keep;
  std::string without;
  for (const minibgp::PeerStatus& peer : view_.sessions())
    if (peer.state == PeerState::established && !peer.graceful_restart) without += " " + name_of(peer.id);
  if (keep && !without.empty())
    log(LogLevel::info, LogArea::session,
        "stopping: without graceful restart, so told to withdraw our routes:" + without);
  emit(effect::End{keep});
}

// Peers

void Gateway::add_peer(const std::string& key, const PeerConfig& peer) {
  minibgp::PeerOptions options = options_of(key, peer);
  Peer& added = peers_[key];
  added.audience = options.audience;
  added.tunnel = options.tunnel;
  // Its tunnel is down: added disabled, so that it does not dial before the speaker knows.
  if (!options.tunnel.empty() && view_.has_tunnels() && !tunnel_usable(options.tunnel) && options.enabled) {
    added.enable_with = options;
    options.enabled = false;
  }
  emit(effect::AddPeer{key, std::move(options)});
}

void Gateway::on(input::PeerAdded event) {
  const auto peer = peers_.find(event.key);
  const auto config = config_.peers.find(event.key);
  if (peer == peers_.end() || config == config_.peers.end()) return;
  peer->second.id = event.peer;
  keys_[event.peer] = event.key;
  emit(effect::BindPeer{event.peer, binding_of(config->second.options)});
  emit(effect::UsePeer{event.peer, false});
  if (auto options = std::exchange(peer->second.enable_with, std::nullopt)) {
    emit(effect::SetTransport{event.peer, false});
    emit(effect::UpdatePeer{event.key, event.peer, std::move(*options)});
  }
}

void Gateway::update_peer(const std::string& key, const PeerConfig& peer) {
  const auto found = peers_.find(key);
  if (found == peers_.end() || found->second.id == minibgp::kLocalPeer) return add_peer(key, peer);
  minibgp::PeerOptions options = options_of(key, peer);
  found->second.audience = options.audience;
  found->second.tunnel = options.tunnel;
  emit(effect::UpdatePeer{key, found->second.id, std::move(options)});
}

void Gateway::on(input::PeerUpdated event) {
  if (const PeerConfig* config = peer_config(event.peer))
    emit(effect::BindPeer{event.peer, binding_of(config->options)});
  note_session(event.peer);
  update_return_path();
}

void Gateway::remove_peer(const std::string& key) {
  const auto found = peers_.find(key);
  if (found == peers_.end()) return;
  const PeerId id = found->second.id;
  peers_.erase(found);
  keys_.erase(id);
  arrivals_.remove(id);
  return_path_.remove_peer(key);
  static_cast<void>(drainer_.end(key));
  if (id != minibgp::kLocalPeer) emit(effect::RemovePeer{id});
  update_return_path();
}

std::optional<PeerId> Gateway::find_peer(std::string_view name) const {
  const auto known = [this](const std::string& key) -> std::optional<PeerId> {
    const auto found = peers_.find(key);
    if (found == peers_.end() || found->second.id == minibgp::kLocalPeer) return std::nullopt;
    return found->second.id;
  };
  if (const auto found = known(std::string{name})) return found;
  for (const auto& [key, peer] : peers_) {
    const minibgp::PeerOptions& options = config_.peers.at(key).options;
    if (peer.id != minibgp::kLocalPeer && (options.name == name || (!options.tunnel.empty() && options.tunnel == name)))
      return peer.id;
  }
  // Another spelling of the same IPv6 address.
  const auto address = minibgp::parse_address(name);
  return address ? known(to_text(*address)) : std::nullopt;
}

const std::string* Gateway::peer_key(PeerId peer) const {
  const auto key = keys_.find(peer);
  return key == keys_.end() ? nullptr : &key->second;
}

const PeerConfig* Gateway::peer_config(PeerId peer) const {
  const std::string* key = peer_key(peer);
  if (key == nullptr) return nullptr;
  const auto found = config_.peers.find(*key);
  return found == config_.peers.end() ? nullptr : &found->second;
}

std::string Gateway::name_of(PeerId peer) const {
  const std::string* key = peer_key(peer);
  return key == nullptr ? std::string{"?"} : *key;
}

/// If the key in the peer's file is another one, it is used from now on, and the session begins anew with it.
bool Gateway::use_new_key(const std::string& key, const std::optional<minibgp::Secret>& secret) {
  PeerConfig& running = config_.peers.at(key);
  if (!secret || running.md5_file.empty() || running.options.md5_key == *secret) return false;
  running.options.md5_key = *secret;
  update_peer(key, running);
  return true;
}

void Gateway::on(input::EnablePeer event) {
  on(input::UndoDrain{event.peer});
  if (const std::string* const key = peer_key(event.peer)) static_cast<void>(use_new_key(std::string{*key}, event.key));
  emit(effect::EnablePeer{event.peer});
}

void Gateway::on(input::DisablePeer event) { emit(effect::DisablePeer{event.peer, std::move(event.reason)}); }

void Gateway::on(input::ResetPeer event) {
  const std::string* const key = peer_key(event.peer);
  if (key != nullptr && use_new_key(std::string{*key}, event.key)) return;  // That reset it.
  emit(effect::ResetPeer{event.peer, std::move(event.reason)});
}

// Own networks

void Gateway::announce(const Prefix& prefix, const minibgp::PathAttributes& attributes) {
  own_[prefix] = attributes;
  emit(effect::Announce{prefix, attributes});
}

void Gateway::withdraw(const Prefix& prefix) {
  own_.erase(prefix);
  emit(effect::Withdraw{prefix});
}

void Gateway::add_network(const Network& network) {
  if (network.when == Network::When::always) return announce(network.prefix, attributes_of(network));
  emit(effect::WatchNetwork{network.prefix, watch_of(network.when), true});
}

void Gateway::remove_network(const Network& network) {
  if (network.when != Network::When::always) emit(effect::WatchNetwork{network.prefix, watch_of(network.when), false});
  if (runtime_.count(network.prefix) == 0) withdraw(network.prefix);
}

void Gateway::on(input::NetworkChanged event) {
  const auto network = std::find_if(config_.networks.begin(), config_.networks.end(), [&](const Network& one) {
    return one.prefix == event.prefix && one.when != Network::When::always && watch_of(one.when) == event.watch;
  });
  if (network == config_.networks.end() || stopping_) return;
  event.present ? announce(event.prefix, attributes_of(*network)) : withdraw(event.prefix);
  log(LogLevel::info, LogArea::rib,
      "network " + to_text(event.prefix) + ": " +
          (event.present ? "announced: the kernel has a route to it" : "withdrawn: no route to it any more"));
  update_return_path();
}

void Gateway::on(input::Announce event) {
  runtime_[event.prefix] = event.attributes;
  announce(event.prefix, event.attributes);
  set_own_networks();
  update_return_path();
}

void Gateway::on(input::Withdraw event) {
  if (runtime_.erase(event.prefix) == 0) return;
  withdraw(event.prefix);
  for (const Network& network : config_.networks)
    if (network.prefix == event.prefix) add_network(network);
  set_own_networks();
  update_return_path();
}

void Gateway::set_own_networks() {
  std::vector<Prefix> own;
  for (const Network& network : config_.networks) own.push_back(network.prefix);
  for (const auto& [prefix, attributes] : runtime_) own.push_back(prefix);
  emit(effect::SetOwnNetworks{std::move(own)});
}

// Tunnels

void Gateway::on(input::TunnelsSet) { set_static_routes(); }

void Gateway::on(input::TunnelChanged event) {
  const bool usable = minibgp::xfrm::usable(event.state);
  if (driller_.fails(event.tunnel) && !usable) end_drill(DrillReport::End::failed);
  carry(event.tunnel, tunnel_usable(event.tunnel), minibgp::xfrm::to_text(event.reason));
  // The other hints are also what a healthy tunnel shows that is used in one direction: its share would come and go.
  if (const std::string interface = interface_of(event.tunnel); !interface.empty())
    emit(effect::SuspectInterface{interface, event.reason == minibgp::xfrm::Reason::retransmitting});
  if (!usable && minibgp::xfrm::usable(event.previous)) emit(effect::NoteFailover{event.tunnel, event.reason});
  emit(effect::Tell{"tunnel",
                    {{"tunnel", event.tunnel},
                     {"state", std::string{minibgp::xfrm::to_text(event.state)}},
                     {"previous", std::string{minibgp::xfrm::to_text(event.previous)}},
                     {"reason", std::string{minibgp::xfrm::to_text(event.reason)}}}});
}

/// A tunnel begins or ceases to carry traffic, for whatever reason. Traffic first: the kernel's next-hop groups lose
/// the interface before the speaker learns of it.
void Gateway::carry(const std::string& tunnel, bool usable, std::string_view reason) {
  if (const std::string interface = interface_of(tunnel); !interface.empty())
    emit(effect::UseInterface{interface, usable, std::string{reason}});
  emit(effect::GuardUnderlay{});
  const bool rehearsed = driller_.fails(tunnel);
  for (const auto& [key, peer] : peers_) {
    const auto config = config_.peers.find(key);
    if (peer.id == minibgp::kLocalPeer || config == config_.peers.end() || config->second.options.tunnel != tunnel)
      continue;
    emit(effect::SetTransport{peer.id, usable});
    note_reachable(key, usable);
    if (!usable && !rehearsed && config->second.on_tunnel_down == PeerConfig::OnTunnelDown::close)
      emit(effect::ResetPeer{peer.id, "tunnel is down"});
  }
  update_return_path();
}

void Gateway::on(input::FollowChanged event) {
  log(LogLevel::info, LogArea::tunnel,
      event.group + ": " + (event.tunnel.empty() ? "no tunnel is usable" : "now through tunnel " + event.tunnel) +
          ": " + event.why);
  if (!event.previous.empty()) ++follow_moves_[event.group];
  set_static_routes();
}

// Sessions and next hops

void Gateway::on(input::PeerChanged event) {
  const minibgp::PeerChanged& change = event.change;
  if (view_.has_fib() && !stopping_) {
    const auto status = view_.session(change.peer);
    if (change.to == PeerState::established) {
      if (!status || arrivals_.on_established(*status, view_.sessions(), now_)) use_peer(change.peer);
    } else if (change.from == PeerState::established) {
      arrivals_.remove(change.peer);
      // Stale: a graceful restart of the peer keeps its routes, and traffic keeps flowing through it.
      if (!status || !status->stale) emit(effect::UsePeer{change.peer, false});
    }
  }
  if (change.from != PeerState::established && change.to != PeerState::established) return;
  note_session(change.peer);
  update_return_path();
  emit(effect::Tell{"peer",
                    {{"peer", name_of(change.peer)},
                     {"state", std::string{minibgp::to_text(change.to)}},
                     {"previous", std::string{minibgp::to_text(change.from)}},
                     {"reason", std::string{minibgp::to_text(change.reason)}}}});
}

void Gateway::on(input::EndOfRib event) {
  if (const auto status = view_.session(event.end.peer); status && arrivals_.on_end_of_rib(*status))
    use_peer(event.end.peer);
}

void Gateway::use_peer(PeerId peer) { emit(effect::UsePeer{peer, true}); }

void Gateway::on(input::RestartComplete) {
  arrivals_.on_restart_complete();
  emit(effect::FinishAdoption{});
}

void Gateway::on(input::NextHopInterest event) { emit(effect::WatchNextHop{event.interest}); }

void Gateway::on(input::NextHops event) {
  for (const minibgp::fib::NextHopState& state : event.states) {
    emit(effect::SetNextHop{state.peer, state.next_hop, state.usable, state.cost});
    emit(effect::Tell{"next-hop",
                      {{"peer", name_of(state.peer)},
                       {"next_hop", to_text(state.next_hop)},
                       {"usable", state.usable ? "true" : "false"},
                       {"reason", std::string{minibgp::fib::to_text(state.reason)}}}});
    const PeerConfig* config = peer_config(state.peer);
    if (config == nullptr || config->options.address != state.next_hop) continue;
    // Other reasons say that the peer's session ended, or nothing about the next hop itself.
    using Reason = minibgp::fib::NextHopReason;
    const bool lost = state.reason == Reason::no_route || state.reason == Reason::interface_missing ||
                      state.reason == Reason::interface_down || state.reason == Reason::tunnel_down;
    if (state.usable || lost) note_reachable(keys_.at(state.peer), state.usable);
  }
  update_return_path();
}

}  // namespace bgplite
