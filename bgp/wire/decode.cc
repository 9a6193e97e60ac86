// bgp/decode.h: the codec's functions behind public values.
#include <bgp/base/reader.h>
#include <bgp/base/writer.h>
#include <bgp/decode.h>
#include <bgp/wire/attribute.h>
#include <bgp/wire/capability.h>
#include <bgp/wire/message.h>
#include <bgp/wire/notification.h>
#include <bgp/wire/numbers.h>
#include <bgp/wire/open.h>
#include <bgp/wire/refresh.h>
#include <bgp/wire/update.h>

#include <algorithm>
#include <utility>

namespace minibgp {
namespace {

/// By type octet, and by index of MessageValue.
constexpr std::string_view kTypeNames[] = {"?", "OPEN", "UPDATE", "NOTIFICATION", "KEEPALIVE", "ROUTE-REFRESH"};

std::size_t max_message(const DecodeOptions& options) {
  return options.extended_messages ? wire::kMaxExtendedMessage : wire::kMaxMessage;
}

wire::UpdateContext context_of(const DecodeOptions& options) {
  wire::UpdateContext context;
  context.four_octet_as = options.four_octet_as;
  context.families = options.families;
  context.add_path_receive = options.add_path;
  context.ipv4_over_ipv6_next_hop = options.ipv4_over_ipv6_next_hop;
  context.peer_type = options.peer_type;
  context.accept_as_set = options.accept_as_set;
  context.max_message = max_message(options);
  return context;
}

/// The session ends with `error`.
void refuse(const wire::MessageError& error, const char* what, std::size_t offset, DecodedMessage& out) {
  out.verdict = MessageVerdict::session_reset;
  out.notification = error;
  out.findings.push_back({MessageVerdict::session_reset, error.code, error.subcode, 0, offset, what});
}

/// Lists the attributes of an UPDATE's body as far as their lengths are right. The verdict is decode_update()'s.
std::vector<AttributeOnWire> list_attributes(Bytes body) {
  std::vector<AttributeOnWire> list;
  base::Reader sections{body};
  // A length that is too large makes the reader fail, and the list stays empty.
  sections.skip(sections.u16());
  const std::uint16_t size = sections.u16();
  const std::size_t begin = wire::kHeaderSize + sections.offset();
  for (base::Reader reader{sections.take(size)}; !reader.empty();) {
    AttributeOnWire attribute;
    attribute.offset = begin + reader.offset();
    attribute.flags = reader.u8();
    attribute.type = reader.u8();
    const bool extended = (attribute.flags & wire::attr::kFlagExtended) != 0;
    attribute.value = reader.take(extended ? reader.u16() : reader.u8());
    attribute.name = wire::attribute_name(attribute.type);
    // What was read before stands: the list shows how far the lengths are right.
    if (reader.failed()) break;
    list.push_back(attribute);
  }
  return list;
}

void decode_update_body(Bytes body, const DecodeOptions& options, DecodedMessage& out) {
  wire::Update update;
  wire::decode_update(body, context_of(options), update);
  out.verdict = static_cast<MessageVerdict>(update.severity);
  for (const wire::AttrError& error : update.errors) {
    // A finding without a severity is a remark, to which no NOTIFICATION belongs.
    const std::uint8_t code = error.severity == wire::Severity::none ? std::uint8_t{0} : wire::notify::kUpdate;
    out.findings.push_back({static_cast<MessageVerdict>(error.severity), code, error.subcode, error.type,
                            wire::kHeaderSize + error.offset, error.what});
  }
  out.notification = std::move(update.notification);
  // The public value is the base of the decoder's, so the slice is what users see.
  out.value = static_cast<UpdateMessage&&>(update);
  out.attributes = list_attributes(body);
}

void decode_body(wire::MessageType type, Bytes body, const DecodeOptions& options, DecodedMessage& out) {
  switch (type) {
    case wire::MessageType::open:
      if (auto open = wire::decode_open(body))
        out.value = std::move(*open);
      else
        refuse(open.error(), "OPEN refused", wire::kHeaderSize, out);
      return;
    case wire::MessageType::update:
      return decode_update_body(body, options, out);
    case wire::MessageType::notification:
      out.value = wire::decode_notification(body);
      return;
    case wire::MessageType::keepalive:
      out.value = KeepaliveMessage{};
      return;
    case wire::MessageType::route_refresh:
      if (const auto refresh = wire::decode_refresh(body))
        out.value = *refresh;
      else
        refuse(refresh.error(), "ROUTE-REFRESH of a wrong length", wire::kHeaderSize, out);
      return;
  }
}

// --- Encoding -------------------------------------------------------------------------------------------------------

/// Prefixes of `family`, with path identifiers where the session has them.
void append_nlri(std::span<const Nlri> list, Family family, const DecodeOptions& options,
                 std::vector<std::uint8_t>& out) {
  for (const Nlri& nlri : list) {
    if (nlri.prefix.family != family) continue;
    base::Writer writer{out};
    if (options.add_path[static_cast<std::size_t>(family)]) writer.u32(nlri.path_id);
    out.resize(out.size() + wire::nlri_size(nlri.prefix));
    wire::store_nlri(out.data() + out.size() - wire::nlri_size(nlri.prefix), nlri.prefix);
  }
}

/// An attribute that holds prefixes. False: too long for its length field.
bool append_mp_attribute(std::uint8_t type, std::span<const std::uint8_t> value, std::vector<std::uint8_t>& out) {
  if (value.size() > 0xFFFF) return false;
  base::Writer writer{out};
  const bool extended = value.size() > 0xFF;
  writer.u8(extended ? wire::attr::kFlagOptional | wire::attr::kFlagExtended : wire::attr::kFlagOptional);
  writer.u8(type);
  if (extended)
    writer.u16(static_cast<std::uint16_t>(value.size()));
  else
    writer.u8(static_cast<std::uint8_t>(value.size()));
  writer.bytes(value);
  return true;
}

bool append_mp_reach(const UpdateMessage& update, const DecodeOptions& options, std::vector<std::uint8_t>& out) {
  const Family family = update.mp_announced.front().prefix.family;
  const NextHop& next_hop = update.mp_next_hop;
  std::vector<std::uint8_t> value;
  base::Writer writer{value};
  writer.u16(wire::afi_of(family));
  writer.u8(wire::kSafiUnicast);
  // RFC 2545 s.3: 32 octets, the link-local address behind the global one.
  const bool both = next_hop.address.family == Family::ipv6 && next_hop.link_local.is_set();
  writer.u8(static_cast<std::uint8_t>(next_hop.address.bytes().size() * (both ? 2 : 1)));
  writer.bytes(next_hop.address.bytes());
  if (both) writer.bytes(next_hop.link_local.bytes());
  // Reserved (RFC 4760 s.3).
  writer.u8(0);
  append_nlri(update.mp_announced, family, options, value);
  return append_mp_attribute(wire::attr::kMpReach, value, out);
}

bool append_mp_unreach(std::span<const Nlri> withdrawn, const DecodeOptions& options, std::vector<std::uint8_t>& out) {
  std::vector<std::uint8_t> value;
  base::Writer writer{value};
  writer.u16(wire::kAfiIpv6);
  writer.u8(wire::kSafiUnicast);
  append_nlri(withdrawn, Family::ipv6, options, value);
  return append_mp_attribute(wire::attr::kMpUnreach, value, out);
}

bool families_fit(const UpdateMessage& update) {
  const auto is_ipv4 = [](const Nlri& nlri) { return nlri.prefix.family == Family::ipv4; };
  if (!std::all_of(update.announced.begin(), update.announced.end(), is_ipv4)) return false;
  if (!update.announced.empty() && update.attributes.next_hop.address.family != Family::ipv4) return false;
  if (update.mp_announced.empty()) return true;
  const Family family = update.mp_announced.front().prefix.family;
  if (family == Family::ipv6 && update.mp_next_hop.address.family == Family::ipv4) return false;
  return std::all_of(update.mp_announced.begin(), update.mp_announced.end(),
                     [family](const Nlri& nlri) { return nlri.prefix.family == family; });
}

bool is_ipv6(const Nlri& nlri) { return nlri.prefix.family == Family::ipv6; }

Result<std::vector<std::uint8_t>, EncodeError> encode_update(const UpdateMessage& update,
                                                             const DecodeOptions& options) {
  std::vector<std::uint8_t> out;
  const bool announces = !update.announced.empty() || !update.mp_announced.empty();
  if (update.end_of_rib) {
    if (announces || !update.withdrawn.empty()) return unexpected(EncodeError::end_of_rib);
    wire::encode_end_of_rib(*update.end_of_rib, out);
    return out;
  }
  const bool has_attributes = update.attributes != PathAttributes{};
  if (!announces && !has_attributes && update.withdrawn.empty()) return unexpected(EncodeError::empty);
  if (!families_fit(update)) return unexpected(EncodeError::bad_family);

  // IPv4 has its own field; IPv6 goes into MP_UNREACH_NLRI.
  std::vector<std::uint8_t> withdrawn;
  append_nlri(update.withdrawn, Family::ipv4, options, withdrawn);
  std::vector<std::uint8_t> attributes;
  // MP_REACH_NLRI first (RFC 7606 s.5.1).
  bool fits = update.mp_announced.empty() || append_mp_reach(update, options, attributes);
  if (std::any_of(update.withdrawn.begin(), update.withdrawn.end(), is_ipv6))
    fits = append_mp_unreach(update.withdrawn, options, attributes) && fits;
  if (announces || has_attributes) {
    wire::EncodedAttributes list;
    // NEXT_HOP belongs to the prefixes of the NLRI field, which may be empty.
    const wire::EncodeScope scope{.next_hop = !update.announced.empty(), .partial = wire::PartialBit::as_given};
    wire::encode_attribute_list(update.attributes, scope, context_of(options), list);
    attributes.insert(attributes.end(), list.octets.begin(), list.octets.end());
  }

  const std::size_t begin = wire::begin_message(wire::MessageType::update, out);
  base::Writer writer{out};
  writer.u16(static_cast<std::uint16_t>(withdrawn.size()));
  writer.bytes(withdrawn);
  writer.u16(static_cast<std::uint16_t>(attributes.size()));
  writer.bytes(attributes);
  append_nlri(update.announced, Family::ipv4, options, out);
  // Nothing that fits a message has overflowed a length on the way.
  if (!fits || out.size() > max_message(options)) return unexpected(EncodeError::too_long);
  wire::end_message(begin, out);
  return out;
}

struct Encoder {
  const DecodeOptions& options;
  using Answer = Result<std::vector<std::uint8_t>, EncodeError>;

  Answer operator()(std::monostate) const { return unexpected(EncodeError::no_message); }
  Answer operator()(const UpdateMessage& update) const { return encode_update(update, options); }
  Answer operator()(const OpenMessage& open) const {
    for (const RawCapability& raw : open.capabilities.unknown)
      if (raw.value.size() > 0xFF) return unexpected(EncodeError::too_long);
    return checked([&open](auto& out) { wire::encode_open(open, out); }, wire::kMaxMessage);
  }
  Answer operator()(const NotificationMessage& notification) const {
    if (notification.data.size() > wire::kMaxMessage - wire::kHeaderSize - 2) return unexpected(EncodeError::too_long);
    return checked([&notification](auto& out) { wire::encode_notification(notification, out); }, wire::kMaxMessage);
  }
  Answer operator()(const KeepaliveMessage&) const {
    return checked([](auto& out) { wire::encode_keepalive(out); }, wire::kMaxMessage);
  }
  Answer operator()(const RefreshMessage& refresh) const {
    if (!refresh.family || refresh.kind == RefreshKind::unknown) return unexpected(EncodeError::bad_family);
    return checked([&refresh](auto& out) { wire::encode_refresh(*refresh.family, refresh.kind, out); },
                   wire::kMaxMessage);
  }

  template <typename Append>
  static Answer checked(Append append, std::size_t max) {
    std::vector<std::uint8_t> out;
    append(out);
    if (out.size() > max) return unexpected(EncodeError::too_long);
    return out;
  }
};

}  // namespace

DecodedMessage decode_message(Bytes bytes, const DecodeOptions& options) {
  DecodedMessage out;
  // Not a fault of the sender: more bytes may come.
  if (bytes.size() < wire::kHeaderSize) {
    out.findings.push_back({MessageVerdict::ok, 0, 0, 0, bytes.size(), "the bytes end inside the header"});
    return out;
  }
  const auto header = wire::decode_header(bytes, max_message(options));
  if (!header) {
    out.octets = bytes.size();
    // Where RFC 4271 s.6.1 looks: marker, length, type.
    constexpr std::size_t kOffsets[] = {0, 0, 16, 18};
    refuse(header.error(), "wrong message header", kOffsets[header.error().subcode], out);
    return out;
  }
  if (header->length > bytes.size()) {
    out.findings.push_back({MessageVerdict::ok, 0, 0, 0, bytes.size(), "the bytes end inside the message"});
    return out;
  }
  out.octets = header->length;
  out.type = kTypeNames[static_cast<std::size_t>(header->type)];
  decode_body(header->type, bytes.subspan(wire::kHeaderSize, header->length - wire::kHeaderSize), options, out);
  return out;
}

Result<std::vector<std::uint8_t>, EncodeError> encode_message(const MessageValue& value, const DecodeOptions& options) {
  return std::visit(Encoder{options}, value);
}

std::string_view to_text(MessageVerdict verdict) {
  constexpr std::string_view kNames[] = {"ok", "attribute-discard", "treat-as-withdraw", "session-reset"};
  return kNames[static_cast<std::size_t>(verdict)];
}

std::string_view message_name(const MessageValue& value) { return kTypeNames[value.index()]; }

std::string_view to_text(EncodeError error) {
  switch (error) {
    case EncodeError::no_message:
      return "no message";
    case EncodeError::too_long:
      return "too long for one message";
    case EncodeError::bad_family:
      return "a prefix or next hop of the wrong address family";
    case EncodeError::end_of_rib:
      return "End-of-RIB together with routes";
    case EncodeError::empty:
      return "an UPDATE that says nothing";
  }
  return "";
}

std::string to_text(const NotificationMessage& notification) { return wire::to_text(notification); }
std::string shutdown_communication(const NotificationMessage& notification) {
  return wire::shutdown_text(notification);
}
std::string_view capability_text(std::uint8_t code) { return wire::capability_name(code); }

}  // namespace minibgp
