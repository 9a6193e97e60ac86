/// EngineImpl's peers: what the operator says of them, and what that costs the session and the routes.
#include <bgp/speaker/engine_impl.h>
#include <bgp/wire/notification.h>

#include <utility>

namespace minibgp {
namespace {

namespace notify = wire::notify;

/// Whether a peer that was ended by `before` may announce more now.
bool allows_more(const PrefixLimit& before, const PrefixLimit& now) { return now.max > before.max || now.warn_only; }

}  // namespace

Result<PeerId, ApiError> EngineImpl::add_peer(const PeerOptions& options, Time now) {
  begin_turn(now);
  if (const auto error = validate(options_)) return unexpected(*error);
  if (const auto error = validate(options)) return unexpected(*error);
  const auto added = peers_.add(options);
  if (!added) return unexpected(added.error());
  Peering& peering = **added;
  peering.since = now_;
  peering.enabled = options.enabled;
  table_.set_peer(peering.id, rib::PeerFacts{});
  if (stopping_) return peering.id;
  if (peering.enabled) peering.connector.start(now_);
  if (!peering.enabled) peering.last_down = DownReason::admin_down;
  dial_if_due(peering);
  report_state(peering, peering.last_down);
  return peering.id;
}

Result<void, ApiError> EngineImpl::update_peer(PeerId peer, const PeerOptions& options, Time now) {
  begin_turn(now);
  Peering* const peering = peers_.find_kept(peer);
  if (peering == nullptr) return unexpected(ApiError::unknown_peer);
  if (const auto error = validate(options)) return unexpected(*error);
  if (peers_.is_taken(options, peering)) return unexpected(ApiError::duplicate_peer);
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
  if (peering->any_stale() && peering->established == nullptr)
    stale_routes_.options_changed(*peering, before, options_.asn);
  set_rules(*peering);
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

/// Its routes leave a bounded number per turn; the id is free after that.
void EngineImpl::remove(Peering& peering) {
  peering.enabled = false;
  peering.connector.stop();
  peering.over_limit_since = kNever;
  end_sessions(peering, peering.goodbye(wire::cease(notify::kDeconfigured, {})), DownReason::peer_removed);
  report_state(peering, DownReason::peer_removed);
  stale_routes_.drop_all(peering);
  peers_.begin_removal(peering);
  peers_.free_removed(table_, next_hops_);
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
  peering.last_attempt.clear();
  peering.failure_logged_at = peering.refusal_logged_at = kNever;
  peering.connector.stop();
  peering.connector.start(now_);
  dial_if_due(peering);
}

void EngineImpl::disable(Peering& peering, std::string_view reason) {
  peering.enabled = false;
  peering.over_limit_since = kNever;
  peering.connector.stop();
  end_sessions(peering, peering.goodbye(wire::cease(notify::kAdminShutdown, reason)), DownReason::admin_down);
  stale_routes_.drop_all(peering);  // Also those kept for a restart: the operator wants the peer gone.
  peering.last_down = DownReason::admin_down;
  report_state(peering, DownReason::admin_down);
}

void EngineImpl::reset(Peering& peering, std::string_view reason) {
  end_sessions(peering, wire::cease(notify::kAdminReset, reason), DownReason::admin_down);
  if (peering.enabled && !stopping_) start_again(peering);
  report_state(peering, DownReason::admin_down);
}

/// What is announced to the peer and how its UPDATEs are evaluated, after a session came up or options changed, also
/// for a peer that is away and whose routes are kept. A new session may find routes of the last one, kept while the
/// peer restarted.
void EngineImpl::set_rules(Peering& peering) {
  if (peering.established == nullptr && !peering.any_stale()) return;
  peering.remember_addresses();
  const bool has_routes = table_.counts(peering.id).received != 0;
  if (table_.set_peer(peering.id, peering.facts()) && has_routes) sweeper_.read_next_hops(peering.id);
  exporter_.set_source(peering.id, peering.source());
  if (peering.set_import_rules(options_) && has_routes) sweeper_.judge_again(peering.id);

  if (peering.established == nullptr) return;
  const IpAddress& local_address = peering.import_rules.local_address;
  speaker::ExportRules rules = speaker::make_export_rules(peering.id, peering.options, options_, peering.negotiated,
                                                          local_address, peering.link);
  rules.own_only = deferral_.defers_selection() && speaker::Deferral::keeps_ours(peering);
  const speaker::OwnAddresses own = speaker::own_addresses(rules, local_address, peering.link);
  if (exporter_.has(peering.id)) {
    exporter_.set_rules(peering.id, own, std::move(rules));
  } else {
    exporter_.join(peering.id, *peering.established->session, own, std::move(rules));
  }
}

}  // namespace minibgp
