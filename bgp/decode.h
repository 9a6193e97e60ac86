/// Messages for tools and tests: one message -> its values and the verdict of RFC 7606, and values -> one message. Asks
/// the same functions the speaker asks.
#pragma once

#include <bgp/messages.h>
#include <bgp/policy.h>
#include <bgp/result.h>
#include <bgp/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace minibgp {

/// What the two sides agreed on, as far as it changes the meaning of bytes. The defaults are today's usual session.
struct DecodeOptions {
  bool four_octet_as = true;               ///< RFC 6793.
  std::array<bool, kFamilies> add_path{};  ///< RFC 7911: path identifiers before each prefix.
  std::array<bool, kFamilies> families{true, true};
  bool ipv4_over_ipv6_next_hop = true;  ///< RFC 8950.
  PeerType peer_type = PeerType::ebgp;  ///< Of the sender.
  bool extended_messages = false;       ///< RFC 8654: up to 65 535 octets.
  bool accept_as_set = false;           ///< Instead of RFC 9774's treat-as-withdraw.
  bool operator==(const DecodeOptions&) const = default;
};

/// What a message costs its sender. Ordered: larger is worse (RFC 7606 s.2).
enum class MessageVerdict : std::uint8_t { ok, attribute_discard, treat_as_withdraw, session_reset };
/// "treat-as-withdraw".
[[nodiscard]] std::string_view to_text(MessageVerdict verdict);

/// One thing that is wrong, or worth a remark (cost `ok`).
struct Finding {
  MessageVerdict cost = MessageVerdict::ok;
  std::uint8_t code = 0, subcode = 0;  ///< The NOTIFICATION's, or what it would have been before RFC 7606.
  std::uint8_t attribute = 0;          ///< Type; 0: not about an attribute.
  std::size_t offset = 0;              ///< In the message, header included.
  std::string_view what;               ///< Static storage.
};

/// One attribute as it lies in the message, whether it was understood or not.
struct AttributeOnWire {
  std::uint8_t flags = 0;
  std::uint8_t type = 0;
  std::string_view name;   ///< "ORIGIN"; empty when unknown. Static storage.
  std::size_t offset = 0;  ///< In the message, header included.
  Bytes value;             ///< Points into the bytes that were decoded.
};

/// In the order of RFC 4271's type numbers; monostate where the header is wrong.
using MessageValue =
    std::variant<std::monostate, OpenMessage, UpdateMessage, NotificationMessage, KeepaliveMessage, RefreshMessage>;
/// "UPDATE"; "?" for none.
[[nodiscard]] std::string_view message_name(const MessageValue& value);
/// What the octets of one message say, and what RFC 4271 and RFC 7606 make of its mistakes.
struct DecodedMessage {
  /// How many octets the message takes. 0: the bytes end before it does, and only its header, if that, was read. With a
  /// wrong header: all of the bytes, because nobody knows where the next one begins.
  std::size_t octets = 0;
  std::string_view type = "?";  ///< Of the header: "OPEN", also when the value is none because the OPEN is refused.
  MessageValue value;
  MessageVerdict verdict = MessageVerdict::ok;
  NotificationMessage notification;  ///< What a speaker answers; code 0 without session_reset.
  std::vector<Finding> findings;
  std::vector<AttributeOnWire> attributes;  ///< Of an UPDATE.
};

/// Decodes the message at the front of `bytes`. Never reads past them; every input gives an answer.
[[nodiscard]] DecodedMessage decode_message(Bytes bytes, const DecodeOptions& options = {});
/// Why a message has no octets.
enum class EncodeError : std::uint8_t {
  no_message,  ///< The value is monostate.
  too_long,    ///< It does not fit one message of the allowed size.
  bad_family,  ///< A prefix or next hop is where its family cannot be, or MP_REACH_NLRI would have two.
  end_of_rib,  ///< End-of-RIB together with routes.
  empty,       ///< An UPDATE that says nothing: its bytes would mean End-of-RIB.
};
[[nodiscard]] std::string_view to_text(EncodeError error);  ///< For people.

/// One whole message, header included; decode_message() of it with the same options gives the value back. Attributes
/// are written as given (a Partial bit is not added), except those that peers of this type may not send. An UPDATE's
/// withdrawn IPv4 prefixes go into Withdrawn Routes. Without prefixes to announce, default attributes are not written.
[[nodiscard]] Result<std::vector<std::uint8_t>, EncodeError> encode_message(const MessageValue& value,
                                                                            const DecodeOptions& options = {});

/// "Cease / Administrative Shutdown".
[[nodiscard]] std::string to_text(const NotificationMessage& notification);
/// The shutdown communication (RFC 9003) with control characters and invalid UTF-8 escaped; empty without.
[[nodiscard]] std::string shutdown_communication(const NotificationMessage& notification);
/// "graceful restart"; empty when unknown. Static storage.
[[nodiscard]] std::string_view capability_text(std::uint8_t code);

}  // namespace minibgp
