#include <bgp/base/reader.h>
#include <bgp/base/writer.h>
#include <bgp/wire/message.h>
#include <bgp/wire/nlri.h>
#include <bgp/wire/numbers.h>
#include <bgp/wire/refresh.h>

namespace minibgp::wire {
namespace {

constexpr std::size_t kRefreshSize = 4;

RefreshKind kind_of(std::uint8_t subtype) {
  switch (subtype) {
    case 0:
      return RefreshKind::request;
    case 1:
      return RefreshKind::begin;
    case 2:
      return RefreshKind::end;
    default:
      return RefreshKind::unknown;  // RFC 7313 s.5: ignored.
  }
}

/// RFC 7313 s.5: the NOTIFICATION carries the complete message, header included.
MessageError length_error(Bytes body) {
  // Built anew, because the body alone has come here.
  MessageError error{notify::kRefresh, notify::kInvalidMessageLength, {}};
  const std::size_t begin = begin_message(MessageType::route_refresh, error.data);
  error.data.insert(error.data.end(), body.begin(), body.end());
  end_message(begin, error.data);
  return error;
}

}  // namespace

Result<Refresh, MessageError> decode_refresh(Bytes body) {
  if (body.size() < kRefreshSize) return unexpected(length_error(body));
  Refresh refresh;
  refresh.kind = kind_of(body[2]);
  // RFC 7313 s.5 speaks of the two that demarcate; an ordinary request may have ORF entries behind it (RFC 5291).
  const bool demarcation = refresh.kind == RefreshKind::begin || refresh.kind == RefreshKind::end;
  if (demarcation && body.size() != kRefreshSize) return unexpected(length_error(body));
  // A family that we do not know is no error; the session ignores it.
  refresh.family = family_of(base::load_u16(body.data()), body[3]);
  return refresh;
}

void encode_refresh(Family family, RefreshKind kind, std::vector<std::uint8_t>& out) {
  const std::size_t begin = begin_message(MessageType::route_refresh, out);
  base::Writer writer{out};
  writer.u16(afi_of(family));
  writer.u8(static_cast<std::uint8_t>(kind));
  writer.u8(kSafiUnicast);
  end_message(begin, out);
}

}  // namespace minibgp::wire
