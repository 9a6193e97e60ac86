/// Policy: an immutable compiled route policy (bgp/policy/program behind a pointer), and the seam through which the
/// speaker asks it. Pure: no clock, no I/O, no allocation in judge().
///
/// Judging and editing are two steps so that a policy costs one walk per route and one edit per attribute set:
/// for the same input attributes, equal `outcome` means equal edits, hence equal result attributes. The speaker caches
/// (AttrId, outcome) -> AttrId, and caches the whole Judgement per AttrId when reads_prefix() is false.
#pragma once

#include <bgp/path.h>
#include <bgp/types.h>

#include <cstdint>
#include <memory>
#include <string_view>

namespace minibgp {

enum class PeerType : std::uint8_t { ebgp, ibgp };
enum class Direction : std::uint8_t { import, export_ };
/// RFC 6811; an input only: nothing here validates yet.
enum class RpkiState : std::uint8_t { not_found, valid, invalid };

/// What a policy may know of a route besides its attributes. Views are valid during the call.
struct PolicyContext {
  Prefix prefix;
  Direction direction = Direction::import;
  PeerType peer_type = PeerType::ebgp;
  std::string_view peer;                 ///< The peer's name or address as configured.
  std::string_view tunnel;               ///< Empty when the peer has none.
  bool own_prefix = false;               ///< Covered by or equal to one of our announced networks.
  bool covers_ike_endpoint = false;      ///< A route that would swallow the tunnel's own packets.
  RpkiState rpki = RpkiState::not_found;
};

struct Judgement {
  bool accepted = false;
  std::uint32_t outcome = 0;  ///< Names the edits of every term that fired; 0: attributes unchanged.
};

namespace policy {
class Program;
}

class Policy {
 public:
  /// Takes every route as it is (`accept_all: true`).
  [[nodiscard]] static std::shared_ptr<const Policy> accept_all();
  /// Refuses every route: what eBGP has when nothing is configured (RFC 8212).
  [[nodiscard]] static std::shared_ptr<const Policy> reject_all();

  explicit Policy(std::unique_ptr<const policy::Program> program);
  ~Policy();

  /// False when the answer depends on attributes, peer and direction only.
  [[nodiscard]] bool reads_prefix() const;
  [[nodiscard]] Judgement judge(const PathAttributes& attributes, const PolicyContext& context) const;
  /// Carries out what judge() answered for the same attributes. No effect when outcome is 0.
  void apply(std::uint32_t outcome, const PolicyContext& context, PathAttributes& attributes) const;

 private:
  std::unique_ptr<const policy::Program> program_;
};

}  // namespace minibgp
