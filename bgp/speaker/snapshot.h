/// Snapshot: read-only copies of what an engine has, for "show".
#pragma once

#include <bgp/decide.h>
#include <bgp/peer.h>
#include <bgp/rib/attr_table.h>
#include <bgp/rib/table.h>
#include <bgp/snapshots.h>
#include <bgp/speaker/export.h>
#include <bgp/speaker/own_routes.h>
#include <bgp/speaker/peer_table.h>
#include <bgp/speaker_options.h>
#include <bgp/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace minibgp::speaker {

/// Whether a prefix is what the filter asks for; Match::lookup counts as shorter (who asks picks the longest).
[[nodiscard]] bool matches(const RouteFilter& filter, const Prefix& prefix);

/// The order of "show": by family, address, length.
[[nodiscard]] bool shown_before(const Prefix& a, const Prefix& b);

/// total += more, field by field.
void add_counters(Counters& total, const Counters& more);

class Snapshot {
 public:
  /// What it reads. All outlive it.
  struct Parts {
    const SpeakerOptions& options;
    const PeerTable& peers;
    const rib::AttrTable& attributes;
    const rib::Table& table;
    const Exporter& exporter;
    const OwnRoutes& own_routes;
  };
  explicit Snapshot(const Parts& parts) : of_(parts) {}

  [[nodiscard]] std::size_t route_count() const { return of_.table.route_count(); }
  [[nodiscard]] std::vector<PeerStatus> peers() const;
  [[nodiscard]] PeerStatus status(const Peering& peering) const;
  [[nodiscard]] std::vector<PathSnapshot> routes(const RouteFilter& filter) const;
  /// See Engine::routes_part().
  [[nodiscard]] std::uint32_t routes_part(const RouteFilter& filter, std::uint32_t from, std::size_t steps,
                                          std::vector<PathSnapshot>& found) const;
  [[nodiscard]] std::vector<AnnouncedSnapshot> announced_to(PeerId peer, const RouteFilter& filter) const;
  [[nodiscard]] std::uint32_t announced_part(PeerId peer, const RouteFilter& filter, std::uint32_t from,
                                             std::size_t steps, std::vector<AnnouncedSnapshot>& found) const;
  [[nodiscard]] std::vector<WithheldSnapshot> withheld_from(PeerId peer, const RouteFilter& filter) const;
  [[nodiscard]] std::vector<AnnouncedSnapshot> announcements() const;
  [[nodiscard]] std::vector<MemoryUse> memory() const;

 private:
  void add(rib::RouteId id, const RouteFilter& filter, std::vector<PathSnapshot>& out) const;
  [[nodiscard]] Exporter::Range range_of(const RouteFilter& filter) const;
  void append_announced(PeerId peer, Exporter::Range range, const RouteFilter& filter,
                        std::vector<AnnouncedSnapshot>& found) const;
  [[nodiscard]] Rule rule_for(const rib::Route& route, std::uint32_t index) const;

  Parts of_;
};

}  // namespace minibgp::speaker
