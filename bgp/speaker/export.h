/// Exporter: which peers share an export group, and when. Groups are pulled by sockets with room.
///
/// A peer that comes up while nothing is advertised joins at once. One that comes up later, asks for a refresh, lags
/// behind, or gets other rules has a group of its own for a while, with a copy of the entries and its own set of routes
/// to look at. Groups with equal rules that have nothing left to look at hold equal entries, and become one again.
#pragma once

#include <bgp/speaker/export_group.h>
#include <bgp/types.h>

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace minibgp::speaker {

/// A log line about withheld routes is not repeated sooner, for one peer and one reason.
inline constexpr Duration kWithheldReportEvery = std::chrono::seconds{60};

class Exporter {
 public:
  Exporter(rib::AttrTable& attributes, rib::Table& table, const PrefixFacts& facts);

  /// What paths of `peer` mean for export; before its first path. Where that differs from before, routes that it has
  /// already are looked at again, and sent again where they look different on the wire (LOCAL_PREF, ORIGINATOR_ID).
  void set_source(PeerId peer, const Source& source);

  /// The session became Established. `session` must stay until leave().
  void join(PeerId peer, session::Session& session, const OwnAddresses& own, ExportRules rules);
  void leave(PeerId peer);
  [[nodiscard]] bool has(PeerId peer) const { return group_of(peer) != nullptr; }
  /// Policy, another rule or our own address changed: what differs is sent. The session stays.
  void set_rules(PeerId peer, const OwnAddresses& own, ExportRules rules);
  [[nodiscard]] const ExportRules* rules(PeerId peer) const;
  /// The peer asked for everything again (RFC 2918, RFC 7313).
  void refresh(PeerId peer, Family family, Time now);

  /// The best path of a route changed, or it has no path any more.
  void route_changed(rib::RouteId id);
  /// Only where the export policy looks at prefixes.
  void reconsider_prefixes();

  /// Until end_deferral(), members with ExportRules::own_only get our own announcements only, and no member End-of-RIB.
  void begin_deferral() { view_.deferring = true; }
  void end_deferral();

  /// Sends what there is room for. True: there is more to do at once.
  bool run(Time now);

  /// Entries of the peer's group that concern it.
  [[nodiscard]] rib::AdjOut::Counts counts(PeerId peer) const;
  /// One line for the log about routes that became withheld: at most one for each peer and reason a minute.
  struct WithheldReport {
    PeerId peer{};
    Withheld why{};
    std::size_t count = 0;  ///< Since the last one.
    Prefix first;           ///< One of them.
  };
  [[nodiscard]] std::optional<WithheldReport> next_report(Time now);
  [[nodiscard]] Time next_report_due() const;  ///< kNever: none waits.
  [[nodiscard]] std::array<bool, kFamilies> end_of_rib_sent(PeerId peer) const;
  /// The routes from `first` on, before `end`.
  struct Range {
    rib::RouteId first{0}, end{UINT32_MAX};
  };
  /// What was advertised to a peer, as it was sent, of the prefixes it `wants`.
  template <typename Wants, typename Visit>
  void for_each_announced(PeerId peer, Range range, Wants wants, Visit visit) const;
  template <typename Wants, typename Visit>
  void for_each_withheld(PeerId peer, Range range, Wants wants, Visit visit) const;

  [[nodiscard]] std::size_t group_count() const { return groups_.size(); }
  [[nodiscard]] std::size_t octets() const;

 private:
  [[nodiscard]] ExportGroup* group_of(PeerId peer) const {
    return source_index(peer) < by_peer_.size() ? by_peer_[source_index(peer)] : nullptr;
  }
  ExportGroup& add_group(ExportRules rules);
  void remove_group(ExportGroup& group);
  /// A group with only this peer, which knows and must hear what the present one does.
  ExportGroup& isolate(PeerId peer, ExportRules rules);
  void move_member(PeerId peer, ExportGroup& from, ExportGroup& to);
  void split_laggards(ExportGroup& group);
  void merge_quiet_groups();
  void note_withheld(const ExportGroup& group);

  rib::AttrTable& attributes_;
  rib::Table& table_;
  std::vector<Source> sources_;
  ExportView view_;
  ExportScratch scratch_;
  std::vector<std::unique_ptr<ExportGroup>> groups_;
  std::vector<ExportGroup*> by_peer_;
  bool merge_due_ = false;  ///< A group became quiet since groups were merged.
  struct PendingReport {
    std::size_t count = 0;
    Prefix first;
    Time not_before{};
  };
  std::map<std::pair<PeerId, Withheld>, PendingReport> reports_;
};

template <typename Wants, typename Visit>
void Exporter::for_each_announced(PeerId peer, Range range, Wants wants, Visit visit) const {
  ExportGroup* const group = group_of(peer);
  if (group == nullptr) return;
  const OwnAddresses& own = group->member(peer)->own;
  PathAttributes attributes;
  group->out().for_each_entry(range.first, range.end, [&](rib::RouteId id, rib::OutEntry entry) {
    if (!entry.is_advertised() || entry.source == peer) return;
    const Prefix& prefix = table_.route(id).prefix;
    if (!wants(prefix)) return;
    attributes_.load(entry.attributes, attributes);
    const Source& source = sources_[source_index(entry.source)];
    if (make_outgoing(group->rules(), source, prefix.family, attributes) == NextHopFrom::session)
      attributes.next_hop = own_next_hop(group->rules(), prefix.family, own);
    visit(prefix, attributes);
  });
}

template <typename Wants, typename Visit>
void Exporter::for_each_withheld(PeerId peer, Range range, Wants wants, Visit visit) const {
  const ExportGroup* const group = group_of(peer);
  if (group == nullptr) return;
  group->out().for_each_entry(range.first, range.end, [&](rib::RouteId id, rib::OutEntry entry) {
    if (!entry.is_withheld() || entry.source == peer) return;
    if (const Prefix& prefix = table_.route(id).prefix; wants(prefix)) visit(prefix, entry.why());
  });
}

}  // namespace minibgp::speaker
