/// The attribute table: type, name, flags, length, what an error costs, and the codec of every path attribute we know.
/// To change how an attribute is read, or what a bad one costs, change its row in attribute.cc.
///
/// The costs are those of RFC 7606 s.7 and of the attribute's own RFC. Where the RFCs leave room and implementations
/// differ, the choice and its reason stand beside the row, and tests/unit/wire/rfc7606_verdicts.txt pins it.
/// Sections of an UPDATE, MP_REACH_NLRI's and MP_UNREACH_NLRI's insides, duplicates and missing attributes are
/// update.cc's business.
#pragma once

#include <bgp/path.h>
#include <bgp/types.h>
#include <bgp/wire/error.h>
#include <bgp/wire/update.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace minibgp::wire {

/// What one attribute turned out to be wrong with; Severity::none: nothing.
struct AttrFault {
  Severity severity = Severity::none;
  std::uint8_t subcode = 0;  ///< Of UPDATE Message Error.
  const char* what = "";     ///< Static storage.
};

/// Where the decoders put what they read, and what they need to know.
struct AttributeScope {
  const UpdateContext& context;
  PathAttributes& out;
  // Kept as found, because their meaning depends on the other attributes; see finish_as4().
  Bytes as4_path;
  std::optional<Aggregator> as4_aggregator;
};

struct LengthRule {
  enum class Kind : std::uint8_t {
    any,       ///< The decoder looks itself.
    exact,     ///< `octets`.
    multiple,  ///< Of `octets`, and not zero.
    at_least,  ///< `octets`.
  };
  Kind kind = Kind::any;
  std::uint8_t octets = 0;
};

/// From whom an attribute is taken. From others it is discarded unread.
enum class Senders : std::uint8_t {
  all,
  internal,   ///< iBGP peers (RFC 7606 s.7.5, s.7.9, s.7.10).
  two_octet,  ///< Peers without 4-octet AS numbers (RFC 6793 s.4.1).
};

struct AttributeSpec {
  std::uint8_t type;
  std::string_view name;  ///< As the RFC spells it.
  std::uint8_t flags;     ///< Required Optional and Transitive bits.
  LengthRule length;
  Severity malformed;  ///< Cost of a bad length or value.
  Severity bad_flags;  ///< Cost of conflicting Optional or Transitive bits.
  Senders senders;
  /// The value's length satisfies `length`.
  AttrFault (*decode)(Bytes value, AttributeScope& scope);
};

/// Null: an attribute we do not know.
[[nodiscard]] const AttributeSpec* find_attribute(std::uint8_t type);
/// "ORIGIN", or empty when unknown.
[[nodiscard]] std::string_view attribute_name(std::uint8_t type);

/// Judges flags, sender and length by the table, then decodes. `value` is without the attribute's header.
[[nodiscard]] AttrFault decode_attribute(const AttributeSpec& spec, std::uint8_t flags, Bytes value,
                                         AttributeScope& scope);

/// An attribute that we do not use and may pass on: what its RFC says of its flags and its form. A malformed one would
/// otherwise reach peers behind us that do read it.
[[nodiscard]] AttrFault judge_unused(std::uint8_t type, std::uint8_t flags, Bytes value);

/// RFC 6793 s.4.2.3, once all attributes of the message were read: replaces AS_PATH and AGGREGATOR of a 2-octet peer by
/// what AS4_PATH and AS4_AGGREGATOR say. A fault costs only the AS4 attributes.
[[nodiscard]] AttrFault finish_as4(AttributeScope& scope);

/// An address no host can have as next hop: 0/8, 127/8, 224/4, 240/4; ::, ::1, ff00::/8.
[[nodiscard]] bool is_martian_next_hop(const IpAddress& address);

/// Whether the Partial bit of unknown transitive attributes is set on sending: a speaker must (RFC 4271 s.5), a tool
/// that writes what it was given must not.
enum class PartialBit : bool { as_given, set };

/// Which parts of the attributes to write besides those common to all.
struct EncodeScope {
  bool next_hop = true;  ///< The NEXT_HOP attribute; else the next hop goes into MP_REACH_NLRI.
  PartialBit partial = PartialBit::set;
};

/// Replaces `out` by the attributes in ascending order of type. To external peers LOCAL_PREF, ORIGINATOR_ID and
/// CLUSTER_LIST are never written (RFC 4271 s.5.1.5, RFC 4456 s.8), whatever the value holds.
void encode_attribute_list(const PathAttributes& attributes, const EncodeScope& scope, const UpdateContext& context,
                           EncodedAttributes& out);

}  // namespace minibgp::wire
