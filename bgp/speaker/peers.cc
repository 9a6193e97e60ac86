/// EngineImpl's peers: what the operator says of them, and what that costs the session and the routes.
#include <bgp/speaker/engine_impl.h>
#include <bgp/wire/notification.h>

#include <algorithm>
#include <utility>

namespace minibgp {
namespace {

namespace notify = wire::notify;

/// Whether a peer that was ended by `before` may announce more now.
bool allows_more(const PrefixLimit& before, const PrefixLimit& now) { return now.max > before.max || now.warn_only; }

}  // namespace

/// SplitMix64: one independent seed per connection and peer, all from the speaker's own.
std::uint64_t EngineImpl::next_seed() {
  seed_ += 0x9E3779B97F4A7C15U;
  std::uint64_t mixed = seed_;
  mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
  return mixed ^ (mixed >> 31U);
}

void EngineImpl::log(LogLevel level, const Peering& peering, std::string_view text) {
  if (log_ == nullptr || !log_->wants(level, LogArea::session)) return;
  std::string line = "peer ";
  line += peering.name();
  line += ": ";
  line += text;
  log_->write(level, LogArea::session, line);
}

Result<PeerId, ApiError> EngineImpl::add_peer(const PeerOptions& options, Time now) {
  begin_turn(now);
  if (const auto error = validate(options_)) return unexpected(*error);
  if (const auto error = validate(options)) return unexpected(*error);
  std::size_t index = peers_.size();
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i] == nullptr) {
      index = std::min(index, i);
    } else if (!peers_[i]->removing && peers_[i]->options.address == options.address &&
               peers_[i]->options.device == options.device) {
      return unexpected(ApiError::duplicate_peer);
    }
  }
  if (index >= static_cast<std::size_t>(kLocalPeer) - 1) return unexpected(ApiError::too_many_peers);
  if (index == peers_.size()) peers_.emplace_back();
  const PeerId id{static_cast<std::uint16_t>(index)};
  peers_[index] = std::make_unique<Peering>(id, options, next_seed());
  Peering& peering = *peers_[index];
  peering.since = now_;
  peering.enabled = options.enabled;
  table_.set_peer(id, rib::PeerFacts{});
  if (stopping_) return id;
  if (peering.enabled) peering.connector.start(now_);
  if (!peering.enabled) peering.last_down = DownReason::admin_down;
  dial_if_due(peering);
  report_state(peering, peering.last_down);
  return id;
}

Result<void, ApiError> EngineImpl::update_peer(PeerId peer, const PeerOptions& options, Time now) {
  begin_turn(now);
  Peering* const peering = find_peer(peer);
  if (peering == nullptr || peering->removing) return unexpected(ApiError::unknown_peer);
  if (const auto error = validate(options)) return unexpected(*error);
  for (const auto& other : peers_) {
    if (other == nullptr || other.get() == peering || other->removing) continue;
    if (other->options.address == options.address && other->options.device == options.device)
      return unexpected(ApiError::duplicate_peer);
  }
  const PeerOptions before = std::exchange(peering->options, options);
  if (before == options) return {};
  const ChangeCost cost = peering->cost_of_update(before, options_);
  peering->connector.set_options(options);
  if (before.enabled && !options.enabled) {
    disable(*peering, {});
  } else {
    if (cost == ChangeCost::reset)
      end_sessions(*peering, wire::cease(notify::kConfigChange, {}), DownReason::configuration_changed);
    // What ended the session for its number of prefixes must allow more before the peer is dialed again.
    const bool over_limit = peering->over_limit_since != kNever;
    const bool again = over_limit ? allows_more(before.import_limit, options.import_limit) : cost == ChangeCost::reset;
    if (peering->enabled && again) start_again(*peering);
  }
  if (!before.enabled && options.enabled) enable(*peering);
  if (peering->any_stale() && peering->established == nullptr) end_unwanted_stale(*peering, before);
  update_rules(*peering);
  if (before.ecmp_weight != options.ecmp_weight) sweeper_.report(peer);
  if (before.timers != options.timers)
    for (Connection* connection : peering->connections) connection->session->on_timers_changed(now_);
  if (peering->established != nullptr) {
    peering->negotiated.keepalive_s = peering->established->session->negotiated().keepalive_s;
    check_import_limit(*peering->established);
  }
  report_state(*peering, DownReason::configuration_changed);
  return {};
}

/// Options changed while the peer restarts: what its routes were kept for does not hold any more where they came from
/// another peer, over another way, or are not wanted.
void EngineImpl::end_unwanted_stale(Peering& peering, const PeerOptions& before) {
  const PeerOptions& now = peering.options;
  const bool other = before.address != now.address || before.device != now.device || before.tunnel != now.tunnel ||
                     before.remote_as != now.remote_as ||
                     before.local_as.value_or(options_.asn) != now.local_as.value_or(options_.asn);
  if (other || now.graceful_restart == GracefulRestart::off) return drop_routes(peering);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto i = static_cast<std::size_t>(family);
    if (peering.stale[i] && !now.families[i]) end_stale(peering, family);
  }
}

void EngineImpl::on(const input::RemovePeer& in) {
  begin_turn(now_);
  Peering* const peering = find_kept(in.peer);
  if (peering == nullptr) return;
  peering->enabled = false;
  peering->connector.stop();
  peering->over_limit_since = kNever;
  end_sessions(*peering, peering->goodbye(wire::cease(notify::kDeconfigured, {})), DownReason::peer_removed);
  report_state(*peering, DownReason::peer_removed);
  drop_routes(*peering);
  peering->removing = true;
  ++removing_;
  free_removed_peers();
}

void EngineImpl::free_removed_peers() {
  for (auto& peering : peers_) {
    if (peering == nullptr || !peering->removing) continue;
    if (table_.counts(peering->id).received != 0 || !peering->connections.empty()) continue;
    // A connection that ended still reads the options until its Close was taken.
    const bool read = std::any_of(connections_.begin(), connections_.end(),
                                  [&](const auto& entry) { return entry.second->peer == peering->id; });
    if (read) continue;
    next_hops_.forget(peering->id);
    peering.reset();
    --removing_;
  }
}

void EngineImpl::on(const input::EnablePeer& in) {
  begin_turn(now_);
  if (Peering* const peering = find_kept(in.peer)) enable(*peering);
}

void EngineImpl::enable(Peering& peering) {
  if (peering.removing || stopping_) return;
  peering.enabled = true;
  peering.over_limit_since = kNever;
  peering.limit_warned = false;
  if (!peering.connections.empty()) return;
  start_again(peering);
  report_state(peering, DownReason::none);
}

/// An attempt at once, whatever the peer waited for: idle hold, the next retry, or the end of a prefix limit's time.
void EngineImpl::start_again(Peering& peering) {
  peering.over_limit_since = kNever;
  peering.logged_failure.clear();
  peering.failure_logged_at = peering.refusal_logged_at = kNever;
  peering.connector.stop();
  peering.connector.start(now_);
  dial_if_due(peering);
}

void EngineImpl::on(const input::DisablePeer& in) {
  begin_turn(now_);
  if (Peering* const peering = find_kept(in.peer)) disable(*peering, in.reason);
}

void EngineImpl::disable(Peering& peering, std::string_view reason) {
  peering.enabled = false;
  peering.over_limit_since = kNever;
  peering.connector.stop();
  end_sessions(peering, peering.goodbye(wire::cease(notify::kAdminShutdown, reason)), DownReason::admin_down);
  drop_routes(peering);  // Also those kept for a restart: the operator wants the peer gone.
  peering.last_down = DownReason::admin_down;
  report_state(peering, DownReason::admin_down);
}

void EngineImpl::on(const input::ResetPeer& in) {
  begin_turn(now_);
  if (Peering* const peering = find_kept(in.peer)) reset(*peering, in.reason);
}

void EngineImpl::reset(Peering& peering, std::string_view reason) {
  end_sessions(peering, wire::cease(notify::kAdminReset, reason), DownReason::admin_down);
  if (peering.enabled && !stopping_) start_again(peering);
  report_state(peering, DownReason::admin_down);
}

void EngineImpl::on(const input::SetTransport& in) {
  begin_turn(now_);
  Peering* const peering = find_kept(in.peer);
  if (peering == nullptr) return;
  peering->connector.set_transport_usable(in.usable, now_);
  // What is kept for a peer that restarts leads nowhere without its tunnel.
  if (!in.usable && peering->established == nullptr && peering->any_stale()) drop_routes(*peering);
  dial_if_due(*peering);
  report_state(*peering, in.usable ? DownReason::none : DownReason::transport_unusable);
}

void EngineImpl::on(const input::Stop& in) {
  begin_turn(now_);
  stopping_ = true;
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i] == nullptr) continue;
    Peering& peering = *peers_[i];
    peering.connector.stop();
    peering.over_limit_since = kNever;
    const bool kept = in.how == input::Stop::How::keep && peering.established != nullptr &&
                      peering.negotiated.peer_graceful_restart.has_value() &&
                      peering.options.graceful_restart == GracefulRestart::full;
    if (kept) {
      end_sessions(peering, {}, DownReason::restarting);
    } else {
      end_sessions(peering, peering.goodbye(wire::cease(notify::kAdminShutdown, in.reason)), DownReason::admin_down);
    }
    report_state(peering, DownReason::restarting);
  }
}

/// After options changed: also for a peer that is away and whose routes are kept.
void EngineImpl::update_rules(Peering& peering) {
  if (peering.established != nullptr || peering.any_stale()) set_rules(peering);
}

/// What is announced to the peer and how its UPDATEs are evaluated, after a session came up or options changed. A new
/// session may find routes of the last one, kept while the peer restarted.
void EngineImpl::set_rules(Peering& peering) {
  peering.remember_addresses();
  const bool has_routes = table_.counts(peering.id).received != 0;
  if (table_.set_peer(peering.id, peering.facts()) && has_routes) sweeper_.read_next_hops(peering.id);
  exporter_.set_source(peering.id, peering.source());
  if (peering.set_import_rules(options_) && has_routes) sweeper_.judge_again(peering.id);

  if (peering.established == nullptr) return;
  const IpAddress& local_address = peering.import_rules.local_address;
  speaker::ExportRules rules = speaker::make_export_rules(peering.id, peering.options, options_, peering.negotiated,
                                                          local_address, peering.link);
  rules.own_only = defers_selection() && keeps_ours(peering);
  const speaker::OwnAddresses own = speaker::own_addresses(rules, local_address, peering.link);
  if (exporter_.has(peering.id)) {
    exporter_.set_rules(peering.id, own, std::move(rules));
  } else {
    exporter_.join(peering.id, *peering.established->session, own, std::move(rules));
  }
}

}  // namespace minibgp
