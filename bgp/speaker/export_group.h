/// ExportGroup: peers with equal export rules, which get the same routes in the same octets. The group decides and
/// encodes once; each member gets a copy of the messages, with our address on its session as the next hop and without
/// what came from itself.
///
/// What the group holds of a route (rib::OutEntry) is a function of the route, the rules and the size of a message.
/// Only under an export limit it also depends on which routes came first.
#pragma once

#include <bgp/rib/adj_out.h>
#include <bgp/rib/attr_table.h>
#include <bgp/rib/table.h>
#include <bgp/session/session.h>
#include <bgp/speaker/export_rules.h>
#include <bgp/speaker/prefix_facts.h>
#include <bgp/types.h>
#include <bgp/wire/update.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace minibgp::speaker {

/// Routes a group looks at in one turn; also how many it packs into messages by equal attributes.
inline constexpr std::size_t kExportRoutesPerTurn = 4096;
/// While a refresh is answered; such a turn is not cut by kExportOctetsPerTurn.
inline constexpr std::size_t kRepeatedRoutesPerTurn = 256;
/// Octets one turn may add to a member's queue before the rest waits: attributes can be 4 KiB each.
inline constexpr std::size_t kExportOctetsPerTurn = 256 * 1024;
/// A member whose queue holds this much has no room: nothing is pulled for its group.
inline constexpr std::size_t kQueueSoftLimit = 256 * 1024;
/// The group does not wait for a member whose queue holds this much while others are drained: it gets its own group.
inline constexpr std::size_t kQueueHardLimit = 1024 * 1024;

/// What export reads of the rest of the speaker. All of it outlives the groups.
struct ExportView {
  rib::AttrTable& attributes;
  rib::Table& table;
  const std::vector<Source>& sources;  ///< By peer; see source_index().
  const PrefixFacts& facts;
  bool deferring = false;  ///< Routes are not selected for good yet: End-of-RIB and EoRR wait.
};
/// kLocalPeer lies at the end of the number space; it is the first.
[[nodiscard]] constexpr std::size_t source_index(PeerId peer) {
  return static_cast<std::uint16_t>(static_cast<std::uint16_t>(peer) + 1U);
}

struct ExportMember {
  PeerId peer{};
  session::Session* session = nullptr;               ///< Outlives the membership.
  OwnAddresses own;                                  ///< What we send as our own next hop.
  std::array<bool, kFamilies> end_of_rib_due{};      ///< Send End-of-RIB once quiet (RFC 4724 s.2).
  std::array<bool, kFamilies> end_of_refresh_due{};  ///< Send EoRR once quiet (RFC 7313 s.4).
  std::array<bool, kFamilies> end_of_rib_sent{};
};

/// Memory that one turn of one group needs; all groups share it.
struct ExportScratch {
  struct Announcement {
    rib::RouteId id{};
    rib::OutEntry wanted;  ///< If it fits a message.
    Family family{};
    std::uint32_t next = 0;  ///< In its bucket; kNoIndex: the last.
  };
  struct Bucket {
    std::uint32_t first = 0, last = 0;
  };
  struct Withdrawal {
    Prefix prefix;
    PeerId source{};
    std::uint32_t order = 0;
  };
  /// Octets that go to all members but one, or to one only.
  struct Segment {
    std::size_t begin = 0, end = 0;
    PeerId peer{};
    enum class Audience : std::uint8_t { all_but, only } audience = Audience::all_but;
  };
  /// Where the session's own address is to be written.
  struct Patch {
    std::size_t at = 0;
    std::uint8_t size = 0;
    Family family{};
  };
  static constexpr std::uint32_t kNoIndex = 0xFFFFFFFF;

  std::vector<rib::AdjOut::Item> items;
  std::vector<Announcement> announcements;
  std::vector<Bucket> buckets;
  std::vector<std::uint32_t> bucket_of_hash;  ///< Open addressing over buckets.
  std::vector<Withdrawal> withdrawals;        ///< For all but the source.
  std::vector<Withdrawal> late_withdrawals;   ///< The same, found while announcements were encoded.
  std::vector<Withdrawal> corrections;        ///< For the new source only: it got the route of the source before.
  std::vector<Prefix> prefixes;
  std::vector<AttrId> held;  ///< References of this turn.
  /// Routes that this turn found to be withheld and were not before: runs with equal source and reason.
  struct NewlyWithheld {
    Prefix first;
    PeerId source{};
    Withheld why{};
    std::uint32_t count = 0;
  };
  std::vector<NewlyWithheld> newly_withheld;
  std::vector<rib::RouteId> found;
  std::vector<std::uint8_t> octets;
  std::vector<Segment> segments;
  std::vector<Patch> patches;
  /// What the policy was last asked about: routes come in runs of equal attributes, told apart by their prefixes alone.
  struct Judged {
    AttrId accepted{};
    PeerId source{};
    std::vector<std::pair<std::uint32_t, AttrId>> edited;  ///< By outcome.
    PolicyRun run;
    PolicyContext context;  ///< But for the prefix.
  };
  Judged judged;
  PathAttributes attributes;  ///< Those of `judged`, as the policy sees them.
  PathAttributes edited;
  wire::EncodedAttributes encoded;
};

class ExportGroup {
 public:
  ExportGroup(ExportRules rules, rib::AttrTable& attributes);

  [[nodiscard]] const ExportRules& rules() const { return rules_; }
  [[nodiscard]] rib::AdjOut& out() { return out_; }
  [[nodiscard]] const rib::AdjOut& out() const { return out_; }
  [[nodiscard]] std::vector<ExportMember>& members() { return members_; }
  [[nodiscard]] const std::vector<ExportMember>& members() const { return members_; }
  [[nodiscard]] ExportMember* member(PeerId peer);
  void add_member(const ExportMember& member);
  void remove_member(PeerId peer);
  /// A member waits for End-of-RIB or EoRR.
  [[nodiscard]] bool has_news_for_members() const;
  /// Whether members have room for one more turn's messages.
  [[nodiscard]] bool has_room() const;
  /// Members that keep the others waiting: full while another is drained.
  [[nodiscard]] bool has_laggards() const;
  /// One turn: decides, encodes, hands out. Sends End-of-RIB and EoRR where they are due and nothing is left to send.
  /// Each turn takes at least one route off the set to look at, or finds it empty: turns come to an end.
  void fill(const ExportView& view, ExportScratch& scratch, Time now);
  /// Begins to look at the whole table again.
  void start_walk(rib::AdjOut::Walk kind, rib::Table& table);
  /// Routes are selected: what own_only kept back is looked at.
  void end_deferral(rib::Table& table);
  /// The same; what came from `source` is sent again, as it looks different on the wire now.
  void start_walk_again_from(PeerId source, rib::Table& table);
  /// Before it goes: routes without paths need not wait for it.
  void abandon(rib::Table& table);
  /// Takes over the entries of `other`, and what it still has to look at.
  void copy_entries(const ExportGroup& other, rib::Table& table);

 private:
  struct Decision {
    AttrId accepted{};
    PeerId source{};
    AttrId result{};
    bool valid = false;
  };

  [[nodiscard]] rib::OutEntry wanted(const rib::Route& route, const ExportView& view, ExportScratch& scratch);
  [[nodiscard]] AttrId judge(const rib::Path& best, const Prefix& prefix, const ExportView& view,
                             ExportScratch& scratch);
  void look(const rib::AdjOut::Item& item, const ExportView& view, ExportScratch& scratch);
  void settle(const rib::AdjOut::Item& item, bool had_entry, rib::Table& table);
  void put_in_buckets(ExportScratch& scratch) const;
  void encode_bucket(const ExportScratch::Bucket& bucket, const ExportView& view, ExportScratch& scratch);
  /// Whether the limit keeps a route back whose entry is `before`.
  [[nodiscard]] bool is_full(const rib::OutEntry& before) const;
  void withhold(rib::RouteId id, const Prefix& prefix, const rib::OutEntry& before, const rib::OutEntry& withheld,
                ExportScratch& scratch);
  [[nodiscard]] bool use_room(ExportScratch& scratch);
  void encode_withdrawals(std::vector<ExportScratch::Withdrawal>& withdrawals,
                          ExportScratch::Segment::Audience audience, ExportScratch& scratch) const;
  void drop_pending(rib::RouteId id, rib::Table& table);
  void hand_out(ExportScratch& scratch, Time now);
  void end_of_walk(Time now);

  ExportRules rules_;
  rib::AdjOut out_;
  std::vector<ExportMember> members_;  ///< By own address, so that equal ones share a patched buffer.
  Decision last_;                      ///< Routes come in runs of equal attributes. Valid within a turn.
};

}  // namespace minibgp::speaker
