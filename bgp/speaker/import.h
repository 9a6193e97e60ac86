/// Importer: one UPDATE -> loop checks -> policy -> RIB. What a peer said is interned once per UPDATE, judged once per
/// UPDATE where the policy does not read the prefix, and kept as received, so that a new policy needs no refresh.
#pragma once

#include <bgp/peer.h>
#include <bgp/policy.h>
#include <bgp/rib/attr_table.h>
#include <bgp/rib/table.h>
#include <bgp/speaker/prefix_facts.h>
#include <bgp/types.h>
#include <bgp/wire/update.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace minibgp::speaker {

/// What import reads of a peer. Made when its session comes up or its options change.
struct ImportRules {
  PeerId id{};
  PeerType peer_type = PeerType::ebgp;
  Asn speaker_as{}, local_as{}, remote_as{};
  RouterId router_id{}, cluster_id{};  ///< Ours.
  IpAddress address, local_address;
  std::string peer, peer_address, tunnel;  ///< For the policy; empty where it does not read them.
  std::shared_ptr<const Policy> policy;    ///< Never null.
  Role role = Role::none;
  std::uint8_t allow_as_in = 0;
  bool enforce_first_as = true;
  bool graceful_shutdown = false;
  bool operator==(const ImportRules&) const = default;
};

class Importer {
 public:
  Importer(rib::AttrTable& attributes, rib::Table& table, const PrefixFacts& facts);

  /// Works one UPDATE's body into the table. The answer says what it was (End-of-RIB, a session reset); valid until the
  /// next call.
  const wire::Update& on_update(const ImportRules& rules, Bytes body, const wire::UpdateContext& context,
                                Counters& counters);

  /// A prefix of the last UPDATE of which the peer announced more paths than a route holds; those were not added.
  [[nodiscard]] const std::optional<Prefix>& too_many_paths() const { return too_many_paths_; }

  /// Judges one path again from what was received. Calls for runs of equal attributes cost one judgement.
  /// forget_judgements() first, at the begin of each turn.
  void judge_again(const ImportRules& rules, rib::RouteId id, std::uint32_t path_index);
  void forget_judgements();

 private:
  /// What one outcome of the policy made of the attributes at hand.
  struct Edited {
    std::uint32_t outcome = 0;
    AttrId id{};
  };

  void announce(const ImportRules& rules, std::span<const wire::Nlri> prefixes);
  void withdraw(const ImportRules& rules, std::span<const wire::Nlri> prefixes);
  [[nodiscard]] static bool has_foreign_first(const ImportRules& rules, const PathAttributes& attributes);
  /// Rules that no policy overrides: loops, leaks, next hops that are ourselves, another AS than the peer's in front.
  [[nodiscard]] static bool refused(const ImportRules& rules, const PathAttributes& attributes);
  /// The accepted attributes for `prefix`; a reference is held in edited_ where it is not `received` itself.
  [[nodiscard]] AttrId judge(const ImportRules& rules, const Prefix& prefix, AttrId received,
                             const PathAttributes& attributes);
  void begin_run(const ImportRules& rules);
  void end_run();

  rib::AttrTable& attributes_;
  rib::Table& table_;
  const PrefixFacts& facts_;
  wire::Update update_;
  std::optional<Prefix> too_many_paths_;
  PathAttributes scratch_;
  std::vector<Edited> edited_;
  PolicyRun run_;          ///< As long as edited_ stays.
  PolicyContext context_;  ///< Of the same run; but for the prefix.
  // judge_again(): the attributes at hand.
  PathAttributes again_;
  AttrId again_id_{};
  PeerId again_peer_{};
  bool again_refused_ = false;
};

}  // namespace minibgp::speaker
