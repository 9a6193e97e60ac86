#include <bgp/base/assert.h>
#include <bgp/speaker/export_group.h>

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

namespace minibgp::speaker {
namespace {

constexpr std::size_t kBucketSlots = 2 * kExportRoutesPerTurn;  // A power of two, at most half full.
static_assert((kBucketSlots & (kBucketSlots - 1)) == 0);

constexpr std::size_t index_of(Family family) { return static_cast<std::size_t>(family); }

}  // namespace

ExportGroup::ExportGroup(ExportRules rules, rib::AttrTable& attributes) : rules_(std::move(rules)), out_(attributes) {}

ExportMember* ExportGroup::member(PeerId peer) {
  const auto at = std::find_if(members_.begin(), members_.end(), [&](const auto& m) { return m.peer == peer; });
  return at == members_.end() ? nullptr : &*at;
}

void ExportGroup::add_member(const ExportMember& member) {
  // Sorted by own addresses: hand_out() patches the next hops once for each address, not for each member.
  const auto at = std::upper_bound(members_.begin(), members_.end(), member, [](const auto& a, const auto& b) {
    return std::tie(a.own, a.peer) < std::tie(b.own, b.peer);
  });
  members_.insert(at, member);
}

void ExportGroup::remove_member(PeerId peer) {
  std::erase_if(members_, [&](const ExportMember& member) { return member.peer == peer; });
}

bool ExportGroup::has_room() const {
  std::size_t least = SIZE_MAX;
  std::size_t most = 0;
  for (const ExportMember& member : members_) {
    const std::size_t queued = member.session->queued_octets();
    least = std::min(least, queued);
    most = std::max(most, queued);
  }
  // The fastest member decides whether to go on; the slowest ends it, since the octets are queued for each of them.
  return least < kQueueSoftLimit && most < kQueueHardLimit;
}

bool ExportGroup::has_laggards() const {
  bool drained = false;
  bool full = false;
  for (const ExportMember& member : members_) {
    const std::size_t queued = member.session->queued_octets();
    drained = drained || queued < kQueueSoftLimit;
    full = full || queued >= kQueueHardLimit;
  }
  return drained && full;
}

bool ExportGroup::has_news_for_members() const {
  const auto any = [](const std::array<bool, kFamilies>& due) { return due[0] || due[1]; };
  // End-of-RIB and the end of a refresh follow the last route, so a quiet group may still owe them.
  return std::any_of(members_.begin(), members_.end(), [&](const ExportMember& member) {
    return any(member.end_of_rib_due) || any(member.end_of_refresh_due);
  });
}

// --- One turn ------------------------------------------------------------------------------------------------------

void ExportGroup::fill(const ExportView& view, ExportScratch& scratch, Time now) {
  scratch.items.clear();
  scratch.announcements.clear();
  scratch.withdrawals.clear();
  scratch.late_withdrawals.clear();
  scratch.corrections.clear();
  scratch.newly_withheld.clear();
  scratch.octets.clear();
  scratch.segments.clear();
  scratch.patches.clear();
  // Judgements hold for one turn only: scratch is shared by all groups, whose rules differ.
  scratch.judged.accepted = kNoAttributes;
  last_ = {};

  // A route that is put back loses its "again" mark, so a repeating turn takes few routes and puts none back.
  const bool repeating = out_.repeating();
  const std::size_t most = repeating ? kRepeatedRoutesPerTurn : kExportRoutesPerTurn;
  while (scratch.items.size() < most) {
    const auto item = out_.take(view.table);
    if (!item) break;
    scratch.items.push_back(*item);
  }
  constexpr std::size_t kAhead = 8;  // Records on the way into the cache while others are worked on.
  for (std::size_t i = 0; i < scratch.items.size(); ++i) {
    if (i + kAhead < scratch.items.size()) view.table.prefetch(scratch.items[i + kAhead].id);
    look(scratch.items[i], view, scratch);
  }
  encode_withdrawals(scratch.withdrawals, ExportScratch::Segment::Audience::all_but, scratch);

  put_in_buckets(scratch);
  for (const ExportScratch::Bucket& bucket : scratch.buckets) {
    if (repeating || scratch.octets.size() < kExportOctetsPerTurn) {
      encode_bucket(bucket, view, scratch);
      continue;
    }
    for (std::uint32_t i = bucket.first; i != ExportScratch::kNoIndex; i = scratch.announcements[i].next)
      out_.put_back(scratch.announcements[i].id);
  }
  encode_withdrawals(scratch.late_withdrawals, ExportScratch::Segment::Audience::all_but, scratch);
  encode_withdrawals(scratch.corrections, ExportScratch::Segment::Audience::only, scratch);
  hand_out(scratch, now);

  // References of edited attributes that no entry has taken over end here.
  for (const AttrId id : scratch.held) view.attributes.release(id);
  scratch.held.clear();
  if (out_.quiet() && !use_room(scratch) && !view.deferring) end_of_walk(now);
}

/// Room below the limit again: as many routes as there is room for are looked at once more. Each of them either takes
/// room or is not withheld by the limit any more, so this ends when there is no room or no such route.
bool ExportGroup::use_room(ExportScratch& scratch) {
  const std::size_t advertised = out_.counts().advertised;
  if (!rules_.limit || advertised >= *rules_.limit) return false;
  scratch.found.clear();
  out_.find_withheld(Withheld::over_limit, *rules_.limit - advertised, scratch.found);
  for (const rib::RouteId id : scratch.found) out_.mark(id);
  return !scratch.found.empty();
}

void ExportGroup::look(const rib::AdjOut::Item& item, const ExportView& view, ExportScratch& scratch) {
  if (!view.table.contains(item.id)) return;  // It was freed: this group had nothing to take.
  const rib::Route& route = view.table.route(item.id);
  const rib::OutEntry before = out_.entry(item.id);
  const rib::OutEntry want = wanted(route, view, scratch);
  if (want.is_empty()) {
    if (before.is_advertised())
      scratch.withdrawals.push_back(
          {route.prefix, before.source, static_cast<std::uint32_t>(scratch.withdrawals.size())});
    if (!before.is_empty()) out_.set(item.id, {});
    settle(item, !before.is_empty(), view.table);
    return;
  }
  // The same value is advertised again only in a walk that repeats.
  if (want == before && !out_.again(item, want.source)) return;
  scratch.announcements.push_back({item.id, want, route.prefix.family, ExportScratch::kNoIndex});
}

/// A route without paths was waiting for this group if there was an entry, or it was pending when it lost its last
/// path.
void ExportGroup::settle(const rib::AdjOut::Item& item, bool had_entry, rib::Table& table) {
  if (table.route(item.id).path_count == 0 && (item.was_pending || had_entry)) table.withdrawn(item.id);
}

/// What the members are to hold; whether that fits a message is seen when it is encoded.
rib::OutEntry ExportGroup::wanted(const rib::Route& route, const ExportView& view, ExportScratch& scratch) {
  const rib::Path* const best = route.best_path();
  if (best == nullptr || !rules_.families[index_of(route.prefix.family)]) return {};
  if (rules_.own_only && best->peer != kLocalPeer) return {};
  if (rules_.limit && best->peer == rules_.limited_peer) return {};
  if (!last_.valid || last_.accepted != best->accepted || last_.source != best->peer) {
    const AttrId result = judge(*best, route.prefix, view, scratch);
    last_ = {best->accepted, best->peer, result, !rules_.policy->reads_prefix()};
  }
  if (last_.result == kNoAttributes) return {};
  return {last_.result, best->peer};
}

AttrId ExportGroup::judge(const rib::Path& best, const Prefix& prefix, const ExportView& view, ExportScratch& scratch) {
  const rib::HotAttrs& hot = view.attributes.hot(best.accepted);
  const Source& source = view.sources[source_index(best.peer)];
  if (!may_tell(rules_, source, hot)) return kNoAttributes;
  const bool drop_med = hot.has(rib::HotAttrs::kHasMed) && drops_med(rules_, source);
  const bool as_it_is = rules_.policy->takes_all() && !drop_med;
  // A path of our own is looked at further: its audience may leave this peer out.
  if (as_it_is && !source.local) return best.accepted;
  if (rules_.policy->refuses_all()) return kNoAttributes;

  ExportScratch::Judged& judged = scratch.judged;
  // Attributes are unpacked once for each path, however many prefixes carry it.
  if (judged.accepted != best.accepted || judged.source != best.peer) {
    view.attributes.load(best.accepted, scratch.attributes);
    if (drop_med) scratch.attributes.med.reset();
    judged.accepted = best.accepted;
    judged.source = best.peer;
    judged.edited.clear();
    judged.run = {};
    judged.context = rules_.policy_context();
  }
  const LocalAttributes& local = scratch.attributes.local;
  if (source.local && local.audience != 0 && (local.audience & rules_.audience) == 0) return kNoAttributes;
  if (as_it_is) return best.accepted;
  const bool part = source.local && local.network_bits != 0;
  // A part of a network is judged as the network that the operator named.
  judged.context.prefix = part ? Prefix::of(prefix.address(), local.network_bits) : prefix;
  view.facts.fill(judged.context);
  const Judgement judgement = rules_.policy->judge(scratch.attributes, judged.context, judged.run);
  if (!judgement.accepted) return kNoAttributes;
  if (judgement.outcome == 0 && !drop_med) return best.accepted;
  // Equal outcomes have equal edits, so each distinct one is applied and interned once.
  for (const auto& [outcome, id] : judged.edited)
    if (outcome == judgement.outcome) return id;
  scratch.edited = scratch.attributes;
  rules_.policy->apply(judgement.outcome, judged.context, scratch.edited);
  AttrId id = best.accepted;
  if (drop_med || scratch.edited != scratch.attributes) {
    id = view.attributes.intern(scratch.edited);
    scratch.held.push_back(id);
  }
  judged.edited.emplace_back(judgement.outcome, id);
  return id;
}

/// Gathers announcements with equal attributes and source, in the order in which each first came.
void ExportGroup::put_in_buckets(ExportScratch& scratch) const {
  scratch.buckets.clear();
  if (scratch.announcements.empty()) return;
  scratch.bucket_of_hash.assign(kBucketSlots, ExportScratch::kNoIndex);
  const auto same = [&](const ExportScratch::Announcement& a, const ExportScratch::Announcement& b) {
    return a.wanted == b.wanted && a.family == b.family;
  };
  std::uint32_t current = ExportScratch::kNoIndex;
  for (std::uint32_t i = 0; i < scratch.announcements.size(); ++i) {
    const ExportScratch::Announcement& announcement = scratch.announcements[i];
    if (current == ExportScratch::kNoIndex ||
        // Neighbors in the list mostly have equal attributes: the hash is needed only where a run ends.
        !same(scratch.announcements[scratch.buckets[current].first], announcement)) {
      std::size_t slot = (static_cast<std::uint32_t>(announcement.wanted.attributes) * 0x9E3779B1U ^
                          static_cast<std::uint32_t>(announcement.wanted.source) * 0x85EBCA6BU) >>
                         8U;
      for (;; ++slot) {
        std::uint32_t& bucket = scratch.bucket_of_hash[slot & (kBucketSlots - 1)];
        if (bucket == ExportScratch::kNoIndex) {
          bucket = static_cast<std::uint32_t>(scratch.buckets.size());
          scratch.buckets.push_back({i, ExportScratch::kNoIndex});
        }
        if (same(scratch.announcements[scratch.buckets[bucket].first], announcement)) {
          current = bucket;
          break;
        }
      }
    }
    ExportScratch::Bucket& bucket = scratch.buckets[current];
    if (bucket.last != ExportScratch::kNoIndex) scratch.announcements[bucket.last].next = i;
    // The list keeps the order of `announcements`, so messages do not depend on hash values.
    bucket.last = i;
  }
}

/// The routes of a bucket differ in their prefixes alone. Whether one can be sent depends on its own length, never on
/// the others': each is compared with what the attributes leave of a message. How they are spread over messages then
/// changes nothing about what is announced.
void ExportGroup::encode_bucket(const ExportScratch::Bucket& bucket, const ExportView& view, ExportScratch& scratch) {
  const rib::OutEntry wanted = scratch.announcements[bucket.first].wanted;
  const Family family = scratch.announcements[bucket.first].family;
  view.attributes.load(wanted.attributes, scratch.attributes);
  const NextHopFrom from = make_outgoing(rules_, view.sources[source_index(wanted.source)], family, scratch.attributes);
  std::size_t room = 0;
  if (from != NextHopFrom::nowhere) {
    if (from == NextHopFrom::session) scratch.attributes.next_hop = own_next_hop(rules_, family, members_.front().own);
    wire::encode_attributes(scratch.attributes, family, rules_.context, scratch.encoded);
    room = wire::room_for_prefixes(scratch.encoded, scratch.attributes.next_hop, family, rules_.context);
  }
  const Withheld unsendable = from == NextHopFrom::nowhere ? Withheld::no_next_hop : Withheld::too_large;

  scratch.prefixes.clear();
  for (std::uint32_t i = bucket.first; i != ExportScratch::kNoIndex; i = scratch.announcements[i].next) {
    const rib::RouteId id = scratch.announcements[i].id;
    const Prefix& prefix = view.table.route(id).prefix;
    const rib::OutEntry before = out_.entry(id);
    if (wire::nlri_size(prefix) > room) {
      withhold(id, prefix, before, rib::OutEntry::withheld(unsendable, wanted.source), scratch);
    } else if (is_full(before)) {
      withhold(id, prefix, before, rib::OutEntry::withheld(Withheld::over_limit, wanted.source), scratch);
    } else {
      scratch.prefixes.push_back(prefix);
      // As a correction, since the withdrawals of this turn are encoded already.
      // The new source is a member that holds the former advertisement, and the announcement is not sent to it. It gets
      // a withdrawal instead.
      if (before.is_advertised() && before.source != wanted.source && member(wanted.source) != nullptr)
        scratch.corrections.push_back({prefix, wanted.source, static_cast<std::uint32_t>(scratch.corrections.size())});
      out_.set(id, wanted);
    }
  }

  const std::size_t segment_begin = scratch.octets.size();
  for (std::size_t done = 0; done < scratch.prefixes.size();) {
    const std::size_t begin = scratch.octets.size();
    const wire::AnnounceResult result =
        wire::encode_announce(scratch.encoded, scratch.attributes.next_hop, family,
                              std::span{scratch.prefixes}.subspan(done), rules_.context, scratch.octets);
    // Not within reach of a peer: each prefix was compared with room_for_prefixes() above, which is the same sum.
    BGP_ASSERT(result.taken > 0);
    done += result.taken;
    // The next hop is written for the first member; the place is kept so that hand_out() can overwrite it.
    if (from == NextHopFrom::session)
      scratch.patches.push_back({begin + result.next_hop_offset, result.next_hop_size, family});
  }
  if (!scratch.prefixes.empty())
    scratch.segments.push_back(
        {segment_begin, scratch.octets.size(), wanted.source, ExportScratch::Segment::Audience::all_but});
}

/// A limit that became lower gives up what is beyond it.
bool ExportGroup::is_full(const rib::OutEntry& before) const {
  if (!rules_.limit) return false;
  const std::size_t advertised = out_.counts().advertised;
  return before.is_advertised() ? advertised > *rules_.limit : advertised >= *rules_.limit;
}

/// The members must not keep what cannot be replaced.
void ExportGroup::withhold(rib::RouteId id, const Prefix& prefix, const rib::OutEntry& before,
                           const rib::OutEntry& withheld, ExportScratch& scratch) {
  if (before.is_advertised())
    scratch.late_withdrawals.push_back(
        {prefix, before.source, static_cast<std::uint32_t>(scratch.late_withdrawals.size())});
  out_.set(id, withheld);
  // A reason that is already known is not reported again.
  if (before.is_withheld() && before.why() == withheld.why()) return;
  auto& runs = scratch.newly_withheld;
  if (!runs.empty() && runs.back().source == withheld.source && runs.back().why == withheld.why()) {
    ++runs.back().count;
  } else {
    runs.push_back({prefix, withheld.source, withheld.why(), 1});
  }
}

void ExportGroup::encode_withdrawals(std::vector<ExportScratch::Withdrawal>& withdrawals,
                                     ExportScratch::Segment::Audience audience, ExportScratch& scratch) const {
  const auto key = [](const ExportScratch::Withdrawal& withdrawal) {
    return std::pair{withdrawal.source, withdrawal.prefix.family};
  };
  // By source and family: each run becomes one segment, which its source is not sent.
  std::sort(withdrawals.begin(), withdrawals.end(), [&](const auto& a, const auto& b) {
    return std::pair{key(a), a.order} < std::pair{key(b), b.order};
  });
  for (std::size_t begin = 0; begin < withdrawals.size();) {
    const auto [source, family] = key(withdrawals[begin]);
    scratch.prefixes.clear();
    for (; begin < withdrawals.size() && key(withdrawals[begin]) == std::pair{source, family}; ++begin)
      scratch.prefixes.push_back(withdrawals[begin].prefix);
    const std::size_t segment_begin = scratch.octets.size();
    for (std::size_t done = 0; done < scratch.prefixes.size();)
      done += wire::encode_withdraw(family, std::span{scratch.prefixes}.subspan(done), rules_.context, scratch.octets);
    scratch.segments.push_back({segment_begin, scratch.octets.size(), source, audience});
  }
}

void ExportGroup::hand_out(ExportScratch& scratch, Time now) {
  if (scratch.segments.empty()) return;
  // The octets were encoded with the first member's addresses.
  const OwnAddresses* written = &members_.front().own;
  for (const ExportMember& member : members_) {
    if (member.own != *written) {
      for (const ExportScratch::Patch& patch : scratch.patches) {
        const NextHop own = own_next_hop(rules_, patch.family, member.own);
        std::uint8_t* const at = scratch.octets.data() + patch.at;
        // 4 or 16 octets, or 32 with the link-local half behind it (RFC 2545 s.3).
        std::memcpy(at, own.address.octets.data(), std::min<std::size_t>(patch.size, 16));
        if (patch.size == 32) std::memcpy(at + 16, own.link_local.octets.data(), 16);
      }
      written = &member.own;
    }
    // Neighboring segments go out as one piece.
    std::size_t begin = 0;
    std::size_t end = 0;
    const auto flush = [&] {
      if (end > begin) member.session->send(Bytes{scratch.octets}.subspan(begin, end - begin), now);
    };
    for (const ExportScratch::Segment& segment : scratch.segments) {
      const bool named = segment.peer == member.peer;
      // all_but is sent to each member but `peer`, only to `peer` alone.
      if (named != (segment.audience == ExportScratch::Segment::Audience::only)) continue;
      if (segment.begin != end) {
        flush();
        begin = segment.begin;
      }
      end = segment.end;
    }
    flush();
  }
}

void ExportGroup::end_of_walk(Time now) {
  std::vector<std::uint8_t> octets;
  for (ExportMember& member : members_) {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      const std::size_t i = index_of(family);
      // Each of these is sent once, also when several walks follow each other.
      if (std::exchange(member.end_of_rib_due[i], false)) {
        octets.clear();
        wire::encode_end_of_rib(family, octets);
        member.session->send(octets, now);
        member.end_of_rib_sent[i] = true;
      }
      if (std::exchange(member.end_of_refresh_due[i], false))
        member.session->send_refresh(family, wire::RefreshKind::end, now);
    }
  }
}

// --- Beginning and ending ------------------------------------------------------------------------------------------

void ExportGroup::start_walk(rib::AdjOut::Walk kind, rib::Table& table) {
  out_.start_walk(kind, [&](rib::RouteId id) { drop_pending(id, table); });
}

void ExportGroup::start_walk_again_from(PeerId source, rib::Table& table) {
  out_.start_walk_again_from(source, [&](rib::RouteId id) { drop_pending(id, table); });
}

/// The walk takes a route without paths only if there is an entry; otherwise it waited for this group because it was
/// pending.
void ExportGroup::drop_pending(rib::RouteId id, rib::Table& table) {
  if (table.contains(id) && table.route(id).path_count == 0 && out_.entry(id).is_empty()) table.withdrawn(id);
}

void ExportGroup::end_deferral(rib::Table& table) {
  if (!std::exchange(rules_.own_only, false)) return;
  start_walk(rib::AdjOut::Walk::changes, table);
}

void ExportGroup::abandon(rib::Table& table) {
  std::vector<rib::RouteId> waiting;
  // Collected first, because withdrawn() may free a route and so change what is being visited.
  out_.for_each_waiting([&](rib::RouteId id) {
    if (table.contains(id) && table.route(id).path_count == 0) waiting.push_back(id);
  });
  out_.forget();
  for (const rib::RouteId id : waiting) table.withdrawn(id);
}

void ExportGroup::copy_entries(const ExportGroup& other, rib::Table& table) {
  out_.copy_from(other.out_);
  out_.for_each_waiting([&](rib::RouteId id) {
    if (table.contains(id) && table.route(id).path_count == 0) table.add_withdrawal_due(id);
  });
}

}  // namespace minibgp::speaker
