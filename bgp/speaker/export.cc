#include <bgp/base/assert.h>
#include <bgp/speaker/export.h>

#include <algorithm>
#include <utility>

namespace minibgp::speaker {

Exporter::Exporter(rib::AttrTable& attributes, rib::Table& table, const PrefixFacts& facts)
    : attributes_(attributes), table_(table), view_{attributes, table, sources_, facts} {
  Source own;
  own.local = true;
  set_source(kLocalPeer, own);
}

void Exporter::set_source(PeerId peer, const Source& source) {
  // Index 0 is kLocalPeer, so the table grows with the highest PeerId.
  if (source_index(peer) >= sources_.size()) sources_.resize(source_index(peer) + 1);
  const Source before = std::exchange(sources_[source_index(peer)], source);
  // Routes without a path from this peer cannot look different.
  if (before == source || peer == kLocalPeer || table_.counts(peer).received == 0) return;
  // To external peers nothing of a source is sent that can change: see make_outgoing().
  for (const auto& group : groups_)
    if (group->rules().peer_type == PeerType::ibgp) group->start_walk_again_from(peer, table_);
}

// --- Membership ----------------------------------------------------------------------------------------------------

ExportGroup& Exporter::add_group(ExportRules rules) {
  groups_.push_back(std::make_unique<ExportGroup>(std::move(rules), attributes_));
  return *groups_.back();
}

void Exporter::remove_group(ExportGroup& group) {
  BGP_ASSERT(group.members().empty());  // Both callers saw that in the line before.
  group.abandon(table_);
  std::erase_if(groups_, [&](const auto& known) { return known.get() == &group; });
}

void Exporter::join(PeerId peer, session::Session& session, const OwnAddresses& own, ExportRules rules) {
  BGP_ASSERT(!has(peer));  // set_rules() of the engine asks has() first.
  ExportMember member;
  member.peer = peer;
  member.session = &session;
  member.own = own;
  member.end_of_rib_due = rules.families;
  // A group that has advertised nothing and repeats nothing is where a new member begins, too: joining costs no walk.
  const auto silent = std::find_if(groups_.begin(), groups_.end(), [&](const auto& group) {
    return group->out().counts().advertised == 0 && !group->out().repeating() && group->rules() == rules;
  });
  ExportGroup* group = silent == groups_.end() ? nullptr : silent->get();
  if (group == nullptr) {
    group = &add_group(std::move(rules));
    group->start_walk(rib::AdjOut::Walk::changes, table_);
  }
  group->add_member(member);
  if (source_index(peer) >= by_peer_.size()) by_peer_.resize(source_index(peer) + 1);
  by_peer_[source_index(peer)] = group;
}

void Exporter::leave(PeerId peer) {
  ExportGroup* const group = group_of(peer);
  if (group == nullptr) return;
  group->remove_member(peer);
  by_peer_[source_index(peer)] = nullptr;
  // The entry stays, so that a peer that comes back is not reported more often than kWithheldReportEvery allows.
  for (auto& [key, report] : reports_)
    if (key.first == peer) report.count = 0;
  if (group->members().empty()) remove_group(*group);
}

void Exporter::move_member(PeerId peer, ExportGroup& from, ExportGroup& to) {
  const ExportMember* const member = from.member(peer);
  BGP_ASSERT(member != nullptr);  // by_peer_ and the members of the groups are written together.
  to.add_member(*member);
  from.remove_member(peer);
  by_peer_[source_index(peer)] = &to;
}

ExportGroup& Exporter::isolate(PeerId peer, ExportRules rules) {
  ExportGroup& present = *group_of(peer);
  ExportGroup& alone = add_group(std::move(rules));
  // Before the walk: what the group holds is what this member holds, so only differences are sent.
  alone.copy_entries(present, table_);
  move_member(peer, present, alone);
  if (present.members().empty()) remove_group(present);
  return alone;
}

const ExportRules* Exporter::rules(PeerId peer) const {
  const ExportGroup* const group = group_of(peer);
  return group == nullptr ? nullptr : &group->rules();
}

void Exporter::set_rules(PeerId peer, const OwnAddresses& own, ExportRules rules) {
  ExportGroup* const present = group_of(peer);
  if (present == nullptr) return;
  const bool other_address = present->member(peer)->own != own;
  if (present->rules() == rules && !other_address) return;
  // The same attributes after policy may look different on the wire now, so comparing entries is not enough: send all
  // of it again. A change of policy alone is seen by comparing.
  // All that the policy or its context reads is made equal, so that what differs then is the shape on the wire.
  ExportRules same_but_policy = rules;
  same_but_policy.policy = present->rules().policy;
  same_but_policy.peer = present->rules().peer;
  same_but_policy.peer_address = present->rules().peer_address;
  same_but_policy.tunnel = present->rules().tunnel;
  same_but_policy.peer_as = present->rules().peer_as;
  same_but_policy.audience = present->rules().audience;
  // `as_override` writes `peer_as` on the wire, so a change of that is more than policy.
  const bool only_policy = same_but_policy == present->rules() && !rules.as_override && !other_address;
  ExportGroup& alone = isolate(peer, std::move(rules));
  alone.member(peer)->own = own;
  alone.start_walk(only_policy ? rib::AdjOut::Walk::changes : rib::AdjOut::Walk::again, table_);
}

void Exporter::refresh(PeerId peer, Family family, Time now) {
  const ExportGroup* const present = group_of(peer);
  if (present == nullptr) return;
  // Alone, because the other members must not get the table again.
  ExportGroup& alone = isolate(peer, present->rules());
  alone.start_walk(rib::AdjOut::Walk::again, table_);
  ExportMember& member = *alone.member(peer);
  // RFC 7313 s.4: no BoRR before End-of-RIB, which is still to come after all routes.
  const bool first_table = member.end_of_rib_due[static_cast<std::size_t>(family)];
  if (!member.session->negotiated().enhanced_refresh || first_table) return;
  member.session->send_refresh(family, wire::RefreshKind::begin, now);
  member.end_of_refresh_due[static_cast<std::size_t>(family)] = true;
}

void Exporter::split_laggards(ExportGroup& group) {
  std::vector<PeerId> full;
  for (const ExportMember& member : group.members())
    if (member.session->queued_octets() >= kQueueSoftLimit) full.push_back(member.peer);
  ExportGroup& behind = add_group(group.rules());
  behind.copy_entries(group, table_);
  for (const PeerId peer : full) move_member(peer, group, behind);
}

/// Quiet groups with equal rules looked at every route as it is now, once no change waits to be handed to them: their
/// entries are equal. They are compared all the same. Groups that differ stay apart: each knows what its members hold.
// O(groups squared), but only when some group has just become quiet; a comparison of entries is a walk over both.
void Exporter::merge_quiet_groups() {
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    ExportGroup& group = *groups_[i];
    if (!group.out().quiet()) continue;
    for (std::size_t j = i + 1; j < groups_.size();) {
      ExportGroup& other = *groups_[j];
      if (!other.out().quiet() || other.rules() != group.rules() || !other.out().same_entries(group.out())) {
        ++j;
        continue;
      }
      // From the back: remove_member() then moves nothing.
      while (!other.members().empty()) move_member(other.members().back().peer, other, group);
      remove_group(other);
    }
  }
}

// --- Changes -------------------------------------------------------------------------------------------------------

void Exporter::route_changed(rib::RouteId id) {
  // A route without paths is freed when the last group that advertised it has taken its withdrawal.
  const bool gone = table_.route(id).path_count == 0;
  std::uint32_t groups = 0;
  for (const auto& group : groups_) {
    if (!gone) {
      group->out().mark(id);
    } else if (group->out().concerns(id)) {
      group->out().mark(id);
      ++groups;
    }
  }
  if (gone) table_.set_withdrawals_due(id, groups);
}

void Exporter::reconsider_prefixes() {
  for (const auto& group : groups_)
    if (group->rules().policy->reads_prefix()) group->start_walk(rib::AdjOut::Walk::changes, table_);
}

void Exporter::end_deferral() {
  view_.deferring = false;
  for (const auto& group : groups_) group->end_deferral(table_);
}

bool Exporter::run(Time now) {
  bool more = false;
  // By index: splitting a group adds one behind all others.
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    ExportGroup& group = *groups_[i];
    const bool was_quiet = group.out().quiet();
    // A quiet group may still owe an End-of-RIB: it joined with nothing to send.
    if (was_quiet && (view_.deferring || !group.has_news_for_members())) continue;
    if (!group.has_room()) {
      if (!group.has_laggards()) continue;
      split_laggards(group);  // The new group is the last: it comes by in this loop.
    }
    groups_[i]->fill(view_, scratch_, now);
    if (!scratch_.newly_withheld.empty()) note_withheld(*groups_[i]);
    if (groups_[i]->out().quiet()) {
      merge_due_ = true;
    } else {
      more = more || groups_[i]->has_room();
    }
  }
  // While a change waits to be handed out the groups' entries need not be equal, so the merge is put off.
  if (merge_due_ && table_.changed_empty()) {
    merge_due_ = false;
    if (groups_.size() > 1) merge_quiet_groups();
  }
  return more;
}

rib::AdjOut::Counts Exporter::counts(PeerId peer) const {
  const ExportGroup* const group = group_of(peer);
  if (group == nullptr) return {};
  // A member gets nothing that came from itself, but the entries are those of the group.
  rib::AdjOut::Counts counts = group->out().counts();
  const rib::AdjOut::Counts from = group->out().counts_from(peer);
  counts.advertised -= from.advertised;
  for (std::size_t i = 0; i < kWithheldReasons; ++i) counts.withheld[i] -= from.withheld[i];
  return counts;
}

void Exporter::note_withheld(const ExportGroup& group) {
  for (const ExportScratch::NewlyWithheld& run : scratch_.newly_withheld) {
    for (const ExportMember& member : group.members()) {
      if (member.peer == run.source) continue;
      PendingReport& report = reports_[{member.peer, run.why}];
      // The first prefix stands for all of them in one line of the log.
      if (report.count == 0) report.first = run.first;
      report.count += run.count;
    }
  }
}

std::optional<Exporter::WithheldReport> Exporter::next_report(Time now) {
  for (auto& [key, report] : reports_) {
    if (report.count == 0 || report.not_before > now) continue;
    report.not_before = now + kWithheldReportEvery;
    return WithheldReport{key.first, key.second, std::exchange(report.count, 0), report.first};
  }
  return std::nullopt;
}

Time Exporter::next_report_due() const {
  Time due = kNever;
  for (const auto& [key, report] : reports_)
    if (report.count != 0) due = std::min(due, report.not_before);
  return due;
}

std::array<bool, kFamilies> Exporter::end_of_rib_sent(PeerId peer) const {
  ExportGroup* const group = group_of(peer);
  return group == nullptr ? std::array<bool, kFamilies>{} : group->member(peer)->end_of_rib_sent;
}

std::size_t Exporter::octets() const {
  std::size_t total = 0;
  for (const auto& group : groups_) total += group->out().octets();
  return total;
}

}  // namespace minibgp::speaker
