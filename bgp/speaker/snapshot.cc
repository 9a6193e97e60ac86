#include <bgp/decide.h>
#include <bgp/speaker/engine_impl.h>
#include <bgp/speaker/snapshot.h>

#include <algorithm>

namespace minibgp {
namespace {

void sort_by_prefix(std::vector<PathSnapshot>& found) {
  std::stable_sort(found.begin(), found.end(), [](const PathSnapshot& a, const PathSnapshot& b) {
    return speaker::shown_before(a.prefix, b.prefix);
  });
}

}  // namespace

namespace speaker {

bool matches(const RouteFilter& filter, const Prefix& prefix) {
  if (!filter.prefix) return true;
  switch (filter.match) {
    case RouteFilter::Match::exact:
      return prefix == *filter.prefix;
    case RouteFilter::Match::longer:
      return filter.prefix->family == prefix.family && filter.prefix->covers(prefix);
    case RouteFilter::Match::shorter:
    case RouteFilter::Match::lookup:
      return filter.prefix->family == prefix.family && prefix.covers(*filter.prefix);
  }
  return false;
}

bool shown_before(const Prefix& a, const Prefix& b) {
  if (a.family != b.family) return a.family < b.family;
  return a.octets != b.octets ? a.octets < b.octets : a.length_bits < b.length_bits;
}

void add_counters(Counters& total, const Counters& more) {
  total.messages_received += more.messages_received;
  total.messages_sent += more.messages_sent;
  total.updates_received += more.updates_received;
  total.updates_sent += more.updates_sent;
  total.notifications_received += more.notifications_received;
  total.notifications_sent += more.notifications_sent;
  total.keepalives_received += more.keepalives_received;
  total.keepalives_sent += more.keepalives_sent;
  total.refreshes_received += more.refreshes_received;
  total.refreshes_sent += more.refreshes_sent;
  total.octets_received += more.octets_received;
  total.octets_sent += more.octets_sent;
  total.prefixes_announced_received += more.prefixes_announced_received;
  total.prefixes_withdrawn_received += more.prefixes_withdrawn_received;
  total.attribute_discards += more.attribute_discards;
  total.treated_as_withdraw += more.treated_as_withdraw;
  total.connections_established += more.connections_established;
  total.connections_dropped += more.connections_dropped;
}

}  // namespace speaker

PeerStatus EngineImpl::status(const Peering& peering) const {
  PeerStatus status;
  status.id = peering.id;
  status.name = peering.options.name;
  status.address = peering.options.address;
  status.remote_as = peering.options.remote_as;
  status.local_as = peering.options.local_as.value_or(options_.asn);
  status.type = status.remote_as == status.local_as ? PeerType::ibgp : PeerType::ebgp;
  status.state = peering.state;
  status.enabled = peering.enabled;
  status.since = peering.since;
  status.last_down = peering.last_down;
  status.last_down_detail = peering.last_down_detail;
  status.last_code = peering.last_code;
  status.last_subcode = peering.last_subcode;
  status.stale = peering.any_stale();
  if (peering.enabled && peering.connections.empty())
    status.next_attempt = std::min(peering.connector.next_attempt(), peering.enable_at());
  status.counters = peering.counters;
  for (const Connection* connection : peering.connections)
    speaker::add_counters(status.counters, connection->session->counters());
  const rib::PeerCounts& counts = table_.counts(peering.id);
  status.prefixes_received = counts.received;
  status.prefixes_accepted = counts.accepted;
  status.prefixes_best = counts.best;
  if (peering.established == nullptr) return status;

  const session::Negotiated& negotiated = peering.negotiated;
  status.remote_id = negotiated.remote_id;
  status.local_address = peering.established->local_address;
  status.hold_s = negotiated.hold_s;
  status.peer_hold_s = negotiated.peer_hold_s;
  status.keepalive_s = negotiated.keepalive_s;
  status.families = negotiated.families;
  status.four_octet_as = negotiated.send.four_octet_as;
  status.route_refresh = negotiated.route_refresh;
  status.enhanced_refresh = negotiated.enhanced_refresh;
  status.extended_messages = negotiated.send.max_message > wire::kMaxMessage;
  status.graceful_restart = negotiated.peer_graceful_restart.has_value();
  if (status.graceful_restart) status.peer_restart_time_s = negotiated.peer_graceful_restart->restart_time_s;
  status.end_of_rib_received = peering.end_of_rib_received;
  status.end_of_rib_sent = exporter_.end_of_rib_sent(peering.id);
  const rib::AdjOut::Counts out = exporter_.counts(peering.id);
  status.prefixes_announced = static_cast<std::uint32_t>(out.advertised);
  for (std::size_t i = 0; i < kWithheldReasons; ++i)
    status.prefixes_withheld[i] = static_cast<std::uint32_t>(out.withheld[i]);
  status.unknown_capabilities = negotiated.unknown_capabilities;
  return status;
}

std::vector<PeerStatus> EngineImpl::peers() const {
  std::vector<PeerStatus> all;
  for (const auto& peering : peers_)
    if (peering != nullptr && !peering->removing) all.push_back(status(*peering));
  return all;
}

void EngineImpl::snapshot(rib::RouteId id, const RouteFilter& filter, std::vector<PathSnapshot>& out) const {
  const rib::Route& route = table_.route(id);
  for (std::uint32_t i = 0; i < route.path_count && out.size() < filter.max; ++i) {
    const rib::Path& path = route.path(i);
    if (filter.peer && path.peer != *filter.peer) continue;
    PathSnapshot shown;
    shown.prefix = route.prefix;
    shown.peer = path.peer;
    shown.path_id = path.path_id;
    attributes_.load(path.received, shown.received);
    if (path.accepted != kNoAttributes) shown.accepted = attributes_.load(path.accepted);
    shown.best = i == 0 && route.best != 0;
    shown.multipath = i < route.best;
    const Peering* const peering = find_peer(path.peer);
    shown.stale = peering != nullptr && peering->stale[static_cast<std::size_t>(route.prefix.family)] &&
                  table_.stale(route, path);
    shown.usable = (path.flags & rib::path_flag::kUnusable) == 0;
    shown.rule = to_text(rule_for(route, i)).data();
    out.push_back(std::move(shown));
  }
}

/// Why the path is the best (the rule by which the next one lost) or is not.
Rule EngineImpl::rule_for(const rib::Route& route, std::uint32_t index) const {
  const auto eligible = [&](std::uint32_t i) {
    return route.path(i).accepted != kNoAttributes && (route.path(i).flags & rib::path_flag::kUnusable) == 0;
  };
  if (!eligible(index)) return Rule::unusable;
  const rib::DecideOptions& options = table_.options().decide;
  if (index != 0) return rib::decide(table_.candidate(route, index), table_.candidate(route, 0), options).rule;
  for (std::uint32_t i = 1; i < route.path_count; ++i)
    if (eligible(i)) return rib::decide(table_.candidate(route, 0), table_.candidate(route, i), options).rule;
  return Rule::only_path;
}

std::vector<PathSnapshot> EngineImpl::routes(const RouteFilter& filter) const {
  std::vector<PathSnapshot> found;
  const bool exact = filter.prefix && filter.match == RouteFilter::Match::exact;
  const bool lookup = filter.prefix && filter.match == RouteFilter::Match::lookup;
  if (exact || lookup) {
    // A probe per length: the table is a hash.
    const IpAddress address = filter.prefix->address();
    for (int length = filter.prefix->length_bits; length >= 0 && found.empty(); --length) {
      const auto id = table_.find(Prefix::of(address, static_cast<std::uint8_t>(length)));
      if (id) snapshot(*id, filter, found);
      if (exact) break;
    }
    return found;
  }
  RouteFilter all = filter;
  all.max = SIZE_MAX;  // The first `max` in order, not the first met.
  for (rib::RouteId id = table_.next(rib::RouteId{0}); id < table_.end();
       id = table_.next(rib::RouteId{static_cast<std::uint32_t>(id) + 1}))
    if (speaker::matches(filter, table_.route(id).prefix)) snapshot(id, all, found);
  sort_by_prefix(found);
  if (found.size() > filter.max) found.resize(filter.max);
  return found;
}

std::vector<AnnouncedSnapshot> EngineImpl::announced_to(PeerId peer, const RouteFilter& filter) const {
  std::vector<AnnouncedSnapshot> found;
  exporter_.for_each_announced(
      peer, [&](const Prefix& prefix) { return speaker::matches(filter, prefix); },
      [&](const Prefix& prefix, const PathAttributes& attributes) {
        found.push_back({prefix, attributes});
      });
  std::sort(found.begin(), found.end(), [](const AnnouncedSnapshot& a, const AnnouncedSnapshot& b) {
    return speaker::shown_before(a.prefix, b.prefix);
  });
  const bool lookup = filter.prefix && filter.match == RouteFilter::Match::lookup;
  if (lookup && found.size() > 1) found.erase(found.begin(), found.end() - 1);  // The longest is the last.
  if (found.size() > filter.max) found.resize(filter.max);
  return found;
}

std::vector<WithheldSnapshot> EngineImpl::withheld_from(PeerId peer, const RouteFilter& filter) const {
  std::vector<WithheldSnapshot> found;
  exporter_.for_each_withheld(
      peer, [&](const Prefix& prefix) { return speaker::matches(filter, prefix); },
      [&](const Prefix& prefix, Withheld why) {
        found.push_back({prefix, why});
      });
  std::sort(found.begin(), found.end(), [](const WithheldSnapshot& a, const WithheldSnapshot& b) {
    return speaker::shown_before(a.prefix, b.prefix);
  });
  const bool lookup = filter.prefix && filter.match == RouteFilter::Match::lookup;
  if (lookup && found.size() > 1) found.erase(found.begin(), found.end() - 1);  // The longest is the last.
  if (found.size() > filter.max) found.resize(filter.max);
  return found;
}

std::vector<AnnouncedSnapshot> EngineImpl::announcements() const {
  std::vector<AnnouncedSnapshot> all;
  for (const auto& [prefix, id] : announcements_) all.push_back({prefix, attributes_.load(id)});
  std::sort(all.begin(), all.end(), [](const AnnouncedSnapshot& a, const AnnouncedSnapshot& b) {
    return speaker::shown_before(a.prefix, b.prefix);
  });
  return all;
}

std::vector<MemoryUse> EngineImpl::memory() const {
  std::size_t queued = 0;
  for (const auto& [id, connection] : connections_) queued += connection->session->queued_octets();
  return {
      {"attributes", attributes_.size(), attributes_.octets()},
      {"routes", table_.route_count(), table_.route_octets()},
      {"route index", table_.route_count(), table_.index_octets()},
      {"further paths", table_.path_count() - table_.route_count(), table_.more_octets()},
      {"told to peers", exporter_.group_count(), exporter_.octets()},
      {"waiting to be sent", connections_.size(), queued},
  };
}

}  // namespace minibgp
