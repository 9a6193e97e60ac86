/// UPDATE (RFC 4271 s.4.3) with MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760), judged as RFC 7606 says.
#pragma once

#include <bgp/path.h>
#include <bgp/policy.h>
#include <bgp/types.h>
#include <bgp/wire/error.h>
#include <bgp/wire/nlri.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace minibgp::wire {

/// What was negotiated, as far as it changes the bytes of an UPDATE.
struct UpdateContext {
  bool four_octet_as = true;
  /// What is said of other families is ignored (RFC 4760 s.7 leaves it to us).
  std::array<bool, kFamilies> families{true, true};
  std::array<bool, kFamilies> add_path_receive{};
  bool ipv4_over_ipv6_next_hop = false;
  PeerType peer_type = PeerType::ebgp;
  /// RFC 9774 s.3 withdraws routes with an AS_SET. Readers of archives (MRT) and tools keep them.
  bool accept_as_set = false;
  std::size_t max_message = 4096;
  bool operator==(const UpdateContext&) const = default;
};

/// One decoded UPDATE. Reuse it: clear() keeps memory, so steady-state decoding allocates nothing.
struct Update : UpdateMessage {
  /// The worst of `errors`. treat_as_withdraw: `announced` and `mp_announced` are to be withdrawn, attributes mean
  /// nothing. session_reset: only `notification` means something.
  Severity severity = Severity::none;
  std::vector<AttrError> errors;
  MessageError notification;

  void clear();
};

/// Never reads past `body` (without header); every input gives an answer. Reuses `out`.
void decode_update(Bytes body, const UpdateContext& context, Update& out);

/// Path attributes ready for the wire: everything but MP_REACH_NLRI. `next_hop_offset` is where the IPv4 NEXT_HOP's
/// 4 octets lie, so that one encoding serves peers that differ in it; 0 when there is none.
struct EncodedAttributes {
  std::vector<std::uint8_t> octets;
  std::uint32_t next_hop_offset = 0;
};

/// Encodes for prefixes of `family`. For IPv6 (or IPv4 over an IPv6 next hop) the next hop goes into MP_REACH_NLRI.
/// With a 2-octet peer, AS_PATH/AS4_PATH and AGGREGATOR/AS4_AGGREGATOR as RFC 6793 s.4.2.
void encode_attributes(const PathAttributes& attributes, Family family, const UpdateContext& context,
                       EncodedAttributes& out);

/// Octets that one UPDATE with these attributes leaves for prefixes; 0: not even one fits. A prefix whose nlri_size()
/// is at most that can be announced, alone or with others.
[[nodiscard]] std::size_t room_for_prefixes(const EncodedAttributes& attributes, const NextHop& next_hop, Family family,
                                            const UpdateContext& context);

/// Where the next hop lies in a message that encode_announce() appended, counted from the message's begin.
struct AnnounceResult {
  std::size_t taken = 0;  ///< How many of `prefixes` fitted; 0: the first is larger than room_for_prefixes().
  std::uint32_t next_hop_offset = 0;
  std::uint8_t next_hop_size = 0;  ///< 4, 16 or 32.
};

/// Appends one UPDATE that announces as many of `prefixes` (all of `family`) as fit.
[[nodiscard]] AnnounceResult encode_announce(const EncodedAttributes& attributes, const NextHop& next_hop,
                                             Family family, std::span<const Prefix> prefixes,
                                             const UpdateContext& context, std::vector<std::uint8_t>& out);
/// Appends one UPDATE that withdraws as many of `prefixes` (all of `family`) as fit; returns how many.
[[nodiscard]] std::size_t encode_withdraw(Family family, std::span<const Prefix> prefixes, const UpdateContext& context,
                                          std::vector<std::uint8_t>& out);
/// Appends End-of-RIB (RFC 4724 s.2).
void encode_end_of_rib(Family family, std::vector<std::uint8_t>& out);

}  // namespace minibgp::wire
