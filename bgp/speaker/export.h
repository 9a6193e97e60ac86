/// Exporter: which peers share an export group, and when. Groups are pulled by sockets with room.
///
/// A peer that comes up while nothing was told joins at once. One that comes up later, asks for a refresh, lags behind,
/// or gets other rules has a group of its own for a while, with a copy of what it was told and its own set of what it
/// still must hear. Groups with equal rules that have nothing left to tell have told the same, and become one again.
#pragma once

#include <bgp/speaker/export_group.h>
#include <bgp/types.h>

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

namespace minibgp::speaker {

class Exporter {
 public:
  Exporter(rib::AttrTable& attributes, rib::Table& table, const PrefixFacts& facts);

  /// What paths of `peer` mean for export; before its first path.
  /// Whether that differs from before.
  bool set_source(PeerId peer, const Source& source);

  /// The session became Established. `session` must stay until leave().
  void join(PeerId peer, session::Session& session, const IpAddress& local_address, ExportRules rules);
  void leave(PeerId peer);
  [[nodiscard]] bool has(PeerId peer) const { return group_of(peer) != nullptr; }
  /// Policy or another rule changed: what differs is told, nothing else. The session stays.
  void set_rules(PeerId peer, ExportRules rules);
  [[nodiscard]] const ExportRules* rules(PeerId peer) const;
  /// The peer asked for everything again (RFC 2918, RFC 7313).
  void refresh(PeerId peer, Family family, Time now);

  /// The best path of a route changed, or it has no path any more.
  void route_changed(rib::RouteId id);
  /// Every peer's routes are looked at again.
  void reconsider_all();
  /// Only where the export policy looks at prefixes.
  void reconsider_prefixes();

  /// Until end_deferral(), members with ExportRules::own_only get our own announcements only, and no member End-of-RIB.
  void begin_deferral() { view_.deferring = true; }
  void end_deferral();

  /// Tells what there is room for. True: there is more to do at once.
  bool run(Time now);

  [[nodiscard]] std::size_t announced_count(PeerId peer) const;
  [[nodiscard]] std::array<bool, kFamilies> end_of_rib_sent(PeerId peer) const;
  /// What a peer was told, as it was sent, of the prefixes it `wants`.
  template <typename Wants, typename Visit>
  void for_each_announced(PeerId peer, Wants wants, Visit visit) const;

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

  rib::AttrTable& attributes_;
  rib::Table& table_;
  std::vector<Source> sources_;
  ExportView view_;
  ExportScratch scratch_;
  std::vector<std::unique_ptr<ExportGroup>> groups_;
  std::vector<ExportGroup*> by_peer_;
};

template <typename Wants, typename Visit>
void Exporter::for_each_announced(PeerId peer, Wants wants, Visit visit) const {
  const ExportGroup* const group = group_of(peer);
  if (group == nullptr) return;
  PathAttributes attributes;
  group->out().for_each_told([&](rib::RouteId id, rib::Told told) {
    if (told.source == peer) return;
    const Prefix& prefix = table_.route(id).prefix;
    if (!wants(prefix)) return;
    attributes_.load(told.attributes, attributes);
    const bool own = make_outgoing(group->rules(), sources_[source_index(told.source)], attributes);
    for (const ExportMember& member : group->members()) {
      if (member.peer != peer || !own) continue;
      const OwnNextHop form = group->rules().own_next_hop[static_cast<std::size_t>(prefix.family)];
      attributes.next_hop = own_next_hop(form, member.local_address);
    }
    visit(prefix, attributes);
  });
}

}  // namespace minibgp::speaker
