#include <bgp/base/reader.h>
#include <bgp/base/writer.h>
#include <bgp/wire/message.h>
#include <bgp/wire/numbers.h>

#include <algorithm>

namespace minibgp::wire {
namespace {

constexpr std::size_t kMarkerSize = 16;

/// Smallest and largest whole message of a type (RFC 4271 s.4; RFC 8654 s.4: OPEN and KEEPALIVE do not grow).
struct LengthRule {
  std::size_t min;
  std::size_t max;
};

/// Index is the type octet. A minimum of 0 marks a type that does not exist.
constexpr std::array<LengthRule, 6> kLengths = {{
    {0, 0},
    {29, kMaxMessage},          // OPEN
    {23, kMaxExtendedMessage},  // UPDATE
    {21, kMaxExtendedMessage},  // NOTIFICATION
    {19, 19},                   // KEEPALIVE
    {23, kMaxExtendedMessage},  // ROUTE-REFRESH: 23, more with ORF entries (RFC 5291)
}};

MessageError bad_length(std::uint16_t length) {
  return {notify::kHeader,
          notify::kBadLength,
          {static_cast<std::uint8_t>(length >> 8U), static_cast<std::uint8_t>(length & 0xFFU)}};
}

}  // namespace

Result<Header, MessageError> decode_header(Bytes bytes, std::size_t max_message) {
  if (bytes.size() < kHeaderSize) return unexpected(MessageError{notify::kHeader, notify::kBadLength, {}});
  // All 16 octets of the marker are ones.
  // Both halves are ones exactly when their conjunction is.
  if ((base::load_u64(bytes.data()) & base::load_u64(bytes.data() + 8)) != ~std::uint64_t{0})
    return unexpected(MessageError{notify::kHeader, notify::kNotSynchronized, {}});

  const std::uint16_t length = base::load_u16(bytes.data() + kMarkerSize);
  const std::uint8_t type = bytes[kMarkerSize + 2];
  if (length < kHeaderSize || length > max_message) return unexpected(bad_length(length));
  // The type before its own bounds, the general bounds before the type: the order of RFC 4271 s.6.1.
  if (type >= kLengths.size() || kLengths[type].min == 0)
    return unexpected(MessageError{notify::kHeader, notify::kBadType, {type}});
  if (length < kLengths[type].min || length > kLengths[type].max) return unexpected(bad_length(length));
  return Header{length, static_cast<MessageType>(type)};
}

std::size_t begin_message(MessageType type, std::vector<std::uint8_t>& out) {
  const std::size_t begin = out.size();
  out.resize(begin + kHeaderSize);
  std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(begin), kMarkerSize, std::uint8_t{0xFF});
  out[begin + kMarkerSize + 2] = static_cast<std::uint8_t>(type);
  return begin;
}

void end_message(std::size_t begin, std::vector<std::uint8_t>& out) {
  base::store_u16(&out[begin + kMarkerSize], static_cast<std::uint16_t>(out.size() - begin));
}

void encode_keepalive(std::vector<std::uint8_t>& out) { end_message(begin_message(MessageType::keepalive, out), out); }

}  // namespace minibgp::wire
