#include <bgp/decide.h>
#include <bgp/speaker/snapshot.h>

#include <algorithm>

namespace minibgp::speaker {
namespace {

void sort_by_prefix(std::vector<PathSnapshot>& found) {
  std::stable_sort(found.begin(), found.end(),
                   [](const PathSnapshot& a, const PathSnapshot& b) { return shown_before(a.prefix, b.prefix); });
}

/// What an answer shows of `found`: in order, of a lookup the longest, at most `max`.
template <typename Snapshot>
void in_order(const RouteFilter& filter, std::vector<Snapshot>& found) {
  std::sort(found.begin(), found.end(),
            [](const Snapshot& a, const Snapshot& b) { return shown_before(a.prefix, b.prefix); });
  const bool lookup = filter.prefix && filter.match == RouteFilter::Match::lookup;
  if (lookup && found.size() > 1) found.erase(found.begin(), found.end() - 1);  // The longest is the last.
  if (found.size() > filter.max) found.resize(filter.max);
}

}  // namespace

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

PeerStatus Snapshot::status(const Peering& peering) const {
  PeerStatus status;
  status.id = peering.id;
  status.name = peering.options.name;
  status.address = peering.options.address;
  status.remote_as = peering.options.remote_as;
  status.local_as = peering.options.local_as.value_or(of_.options.asn);
  status.type = status.remote_as == status.local_as ? PeerType::ibgp : PeerType::ebgp;
  status.state = peering.state;
  status.enabled = peering.enabled;
  status.since = peering.since;
  status.last_down = peering.last_down;
  status.last_down_detail = peering.last_down_detail;
  status.last_code = peering.last_code;
  status.last_subcode = peering.last_subcode;
  status.last_attempt = peering.last_attempt;
  status.stale = peering.any_stale();
  if (peering.enabled && peering.connections.empty())
    status.next_attempt = std::min(peering.connector.next_attempt(), peering.enable_at());
  status.counters = peering.counters;
  for (const Connection* connection : peering.connections)
    add_counters(status.counters, connection->session->counters());
  const rib::PeerCounts& counts = of_.table.counts(peering.id);
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
  status.end_of_rib_sent = of_.exporter.end_of_rib_sent(peering.id);
  const rib::AdjOut::Counts out = of_.exporter.counts(peering.id);
  status.prefixes_announced = static_cast<std::uint32_t>(out.advertised);
  for (std::size_t i = 0; i < kWithheldReasons; ++i)
    status.prefixes_withheld[i] = static_cast<std::uint32_t>(out.withheld[i]);
  status.unknown_capabilities = negotiated.unknown_capabilities;
  return status;
}

std::vector<PeerStatus> Snapshot::peers() const {
  std::vector<PeerStatus> all;
  of_.peers.for_each([&](const Peering& peering) {
    if (!peering.removing) all.push_back(status(peering));
  });
  return all;
}

void Snapshot::add(rib::RouteId id, const RouteFilter& filter, std::vector<PathSnapshot>& out) const {
  const rib::Route& route = of_.table.route(id);
  for (std::uint32_t i = 0; i < route.path_count && out.size() < filter.max; ++i) {
    const rib::Path& path = route.path(i);
    if (filter.peer && path.peer != *filter.peer) continue;
    PathSnapshot shown;
    shown.prefix = route.prefix;
    shown.peer = path.peer;
    shown.path_id = path.path_id;
    of_.attributes.load(path.received, shown.received);
    if (path.accepted != kNoAttributes) shown.accepted = of_.attributes.load(path.accepted);
    // The table keeps the paths in use in front, the best one first.
    shown.best = i == 0 && route.best != 0;
    shown.multipath = i < route.best;
    const Peering* const peering = of_.peers.find(path.peer);
    shown.stale = peering != nullptr && peering->stale[static_cast<std::size_t>(route.prefix.family)] &&
                  of_.table.stale(route, path);
    shown.usable = (path.flags & rib::path_flag::kUnusable) == 0;
    shown.rule = to_text(rule_for(route, i)).data();
    out.push_back(std::move(shown));
  }
}

/// Why the path is the best (the rule by which the next one lost) or is not.
Rule Snapshot::rule_for(const rib::Route& route, std::uint32_t index) const {
  const auto eligible = [&](std::uint32_t i) {
    return route.path(i).accepted != kNoAttributes && (route.path(i).flags & rib::path_flag::kUnusable) == 0;
  };
  if (!eligible(index)) return Rule::unusable;
  const rib::DecideOptions& options = of_.table.options().decide;
  if (index != 0) return rib::decide(of_.table.candidate(route, index), of_.table.candidate(route, 0), options).rule;
  for (std::uint32_t i = 1; i < route.path_count; ++i)
    if (eligible(i)) return rib::decide(of_.table.candidate(route, 0), of_.table.candidate(route, i), options).rule;
  return Rule::only_path;
}

std::vector<PathSnapshot> Snapshot::routes(const RouteFilter& filter) const {
  std::vector<PathSnapshot> found;
  const bool exact = filter.prefix && filter.match == RouteFilter::Match::exact;
  const bool lookup = filter.prefix && filter.match == RouteFilter::Match::lookup;
  if (exact || lookup) {
    // A probe per length: the table is a hash.
    const IpAddress address = filter.prefix->address();
    for (int length = filter.prefix->length_bits; length >= 0 && found.empty(); --length) {
      const auto id = of_.table.find(Prefix::of(address, static_cast<std::uint8_t>(length)));
      if (id) add(*id, filter, found);
      if (exact) break;
    }
    return found;
  }
  static_cast<void>(routes_part(filter, 0, SIZE_MAX, found));
  sort_by_prefix(found);
  if (found.size() > filter.max) found.resize(filter.max);  // The first `max` in order, not the first met.
  return found;
}

std::uint32_t Snapshot::routes_part(const RouteFilter& filter, std::uint32_t from, std::size_t steps,
                                    std::vector<PathSnapshot>& found) const {
  RouteFilter all = filter;
  all.max = SIZE_MAX;
  rib::RouteId id = of_.table.next(rib::RouteId{from});
  for (; id < of_.table.end() && steps != 0; id = of_.table.next(rib::RouteId{static_cast<std::uint32_t>(id) + 1})) {
    const rib::Route& route = of_.table.route(id);
    if (matches(filter, route.prefix)) add(id, all, found);
    // A route costs by its paths, because each of them is unpacked.
    steps -= std::min<std::size_t>(steps, 1 + route.path_count);
  }
  // 0 says that the end was reached: no part begins at 0 but the first.
  return id < of_.table.end() ? static_cast<std::uint32_t>(id) : 0;
}

/// The routes to look at for `filter`: all, or for an exact prefix that one, which a hash finds.
Exporter::Range Snapshot::range_of(const RouteFilter& filter) const {
  if (!filter.prefix || filter.match != RouteFilter::Match::exact) return {};
  const auto id = of_.table.find(*filter.prefix);
  if (!id) return {rib::RouteId{0}, rib::RouteId{0}};
  return {*id, rib::RouteId{static_cast<std::uint32_t>(*id) + 1}};
}

std::vector<AnnouncedSnapshot> Snapshot::announced_to(PeerId peer, const RouteFilter& filter) const {
  std::vector<AnnouncedSnapshot> found;
  append_announced(peer, range_of(filter), filter, found);
  in_order(filter, found);
  return found;
}

std::uint32_t Snapshot::announced_part(PeerId peer, const RouteFilter& filter, std::uint32_t from, std::size_t steps,
                                       std::vector<AnnouncedSnapshot>& found) const {
  const auto bound = static_cast<std::uint32_t>(of_.table.end());
  // A part is counted in ids, of which the freed ones cost next to nothing.
  const auto end = static_cast<std::uint32_t>(std::min<std::size_t>(bound, from + steps));
  append_announced(peer, {rib::RouteId{from}, rib::RouteId{end}}, filter, found);
  return end < bound ? end : 0;
}

void Snapshot::append_announced(PeerId peer, Exporter::Range range, const RouteFilter& filter,
                                std::vector<AnnouncedSnapshot>& found) const {
  of_.exporter.for_each_announced(
      peer, range, [&](const Prefix& prefix) { return matches(filter, prefix); },
      [&](const Prefix& prefix, const PathAttributes& attributes) {
        found.push_back({prefix, attributes});
      });
}

std::vector<WithheldSnapshot> Snapshot::withheld_from(PeerId peer, const RouteFilter& filter) const {
  std::vector<WithheldSnapshot> found;
  of_.exporter.for_each_withheld(
      peer, range_of(filter), [&](const Prefix& prefix) { return matches(filter, prefix); },
      [&](const Prefix& prefix, Withheld why) {
        found.push_back({prefix, why});
      });
  in_order(filter, found);
  return found;
}

std::vector<AnnouncedSnapshot> Snapshot::announcements() const {
  std::vector<AnnouncedSnapshot> all = of_.own_routes.all();
  std::sort(all.begin(), all.end(),
            [](const AnnouncedSnapshot& a, const AnnouncedSnapshot& b) { return shown_before(a.prefix, b.prefix); });
  return all;
}

std::vector<MemoryUse> Snapshot::memory() const {
  std::size_t queued = 0;
  for (const auto& [id, connection] : of_.peers.connections()) queued += connection->session->queued_octets();
  return {
      {"attributes", of_.attributes.size(), of_.attributes.octets()},
      {"routes", of_.table.route_count(), of_.table.route_octets()},
      {"route index", of_.table.route_count(), of_.table.index_octets()},
      {"further paths", of_.table.path_count() - of_.table.route_count(), of_.table.more_octets()},
      {"told to peers", of_.exporter.group_count(), of_.exporter.octets()},
      {"waiting to be sent", of_.peers.connections().size(), queued},
  };
}

}  // namespace minibgp::speaker
