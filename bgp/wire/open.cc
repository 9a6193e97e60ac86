#include <bgp/base/reader.h>
#include <bgp/base/writer.h>
#include <bgp/wire/capability.h>
#include <bgp/wire/message.h>
#include <bgp/wire/numbers.h>
#include <bgp/wire/open.h>

namespace minibgp::wire {
namespace {

constexpr std::uint8_t kVersion4 = 4;
constexpr std::uint8_t kParameterCapabilities = 2;
constexpr std::uint8_t kParameterExtended = 255;  ///< Marks the form of RFC 9072.
constexpr std::size_t kMaxShortParameters = 255;
constexpr std::size_t kBodyHead = 10;  ///< Version to Optional Parameters Length.

MessageError open_error(std::uint8_t subcode, std::vector<std::uint8_t> data = {}) {
  return {notify::kOpen, subcode, std::move(data)};
}

/// A recognized but broken parameter has subcode 0, unspecific (RFC 4271 s.6.2).
MessageError malformed() { return open_error(0); }

/// The capabilities of one parameter (RFC 5492 s.4).
bool decode_capabilities(Bytes parameter, Capabilities& out) {
  for (base::Reader reader{parameter}; !reader.empty();) {
    const std::uint8_t code = reader.u8();
    const Bytes value = reader.take(reader.u8());
    if (reader.failed() || !decode_capability(code, value, out)) return false;
  }
  return true;
}

enum class ParameterForm : std::uint8_t { classic, extended };

Result<void, MessageError> decode_parameters(Bytes parameters, ParameterForm form, Capabilities& out) {
  // Several Capabilities parameters are as good as one with all of them (RFC 5492 s.4).
  for (base::Reader reader{parameters}; !reader.empty();) {
    const std::uint8_t type = reader.u8();
    const Bytes value = reader.take(form == ParameterForm::extended ? reader.u16() : reader.u8());
    if (reader.failed()) return unexpected(malformed());
    if (type != kParameterCapabilities) return unexpected(open_error(notify::kUnsupportedParameter));
    if (!decode_capabilities(value, out)) return unexpected(malformed());
  }
  return {};
}

/// Finds the parameters and their form. RFC 9072 s.2: a first parameter of type 255 says "extended", whatever the short
/// length field holds; that field is then ignored unless it is 0, which means no parameters.
Result<void, MessageError> decode_optional(Bytes rest, std::uint8_t short_length, Capabilities& out) {
  base::Reader reader{rest};
  if (short_length == 0) {
    if (!rest.empty()) return unexpected(malformed());
    return {};
  }
  if (!rest.empty() && rest[0] == kParameterExtended) {
    reader.skip(1);
    const std::uint16_t length = reader.u16();
    if (reader.failed() || reader.remaining() != length) return unexpected(malformed());
    return decode_parameters(reader.take_rest(), ParameterForm::extended, out);
  }
  if (reader.remaining() != short_length) return unexpected(malformed());
  return decode_parameters(reader.take_rest(), ParameterForm::classic, out);
}

}  // namespace

Result<Open, MessageError> decode_open(Bytes body) {
  base::Reader reader{body};
  Open open;
  open.version = reader.u8();
  open.asn_field = reader.u16();
  open.hold_time_s = reader.u16();
  open.router_id = RouterId{reader.u32()};
  const std::uint8_t parameters_length = reader.u8();
  if (reader.failed()) return unexpected(malformed());
  // The data is the largest version we speak (RFC 4271 s.6.2).
  if (open.version != kVersion4) return unexpected(open_error(notify::kVersion, {0, kVersion4}));

  const auto parameters = decode_optional(body.subspan(kBodyHead), parameters_length, open.capabilities);
  if (!parameters) return unexpected(parameters.error());

  // The capability is authoritative where it is sent, even if it contradicts the 2-octet field (as BIRD has it):
  // negotiation compares it with the configuration, which is what matters.
  open.asn = open.capabilities.four_octet_as.value_or(Asn{open.asn_field});
  if (open.asn == Asn{} || open.asn_field == 0) return unexpected(open_error(notify::kBadPeerAs));  // RFC 7607 s.2
  if (open.hold_time_s == 1 || open.hold_time_s == 2) return unexpected(open_error(notify::kHoldTime));
  // RFC 6286 s.2.1: any number but 0, also one that would be a multicast or broadcast address.
  if (open.router_id == RouterId{}) return unexpected(open_error(notify::kBadIdentifier));
  return open;
}

void encode_open(const Open& open, std::vector<std::uint8_t>& out) {
  std::vector<std::uint8_t> capabilities;
  encode_capabilities(open.capabilities, capabilities);

  const std::size_t begin = begin_message(MessageType::open, out);
  base::Writer writer{out};
  writer.u8(open.version);
  writer.u16(open.asn_field);
  writer.u16(open.hold_time_s);
  writer.u32(static_cast<std::uint32_t>(open.router_id));
  // Each of the parameters has a type and a length in front.
  const std::size_t short_size = capabilities.empty() ? 0 : 2 + capabilities.size();
  if (short_size <= kMaxShortParameters) {
    writer.u8(static_cast<std::uint8_t>(short_size));
    if (short_size != 0) {
      writer.u8(kParameterCapabilities);
      writer.u8(static_cast<std::uint8_t>(capabilities.size()));
    }
  } else {
    // RFC 9072 s.2: both octets are 255, then the real length in two.
    writer.u8(kParameterExtended);
    writer.u8(kParameterExtended);
    writer.u16(static_cast<std::uint16_t>(3 + capabilities.size()));
    writer.u8(kParameterCapabilities);
    writer.u16(static_cast<std::uint16_t>(capabilities.size()));
  }
  writer.bytes(capabilities);
  end_message(begin, out);
}

}  // namespace minibgp::wire
