/// Netlink messages as bytes: a reader that never looks past the end, and an appender that builds batches of messages.
/// Knows headers, attributes and the kernel's answers; not what any message means. Pure: no sockets.
/// Everything is in host order, as netlink has it, but for what a message itself defines otherwise (addresses).
#pragma once

#include <bgp/types.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include <linux/netlink.h>

namespace minibgp::netlink {

/// One message of a datagram. Valid as long as the datagram's bytes.
struct Message {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t sequence = 0;
  std::uint32_t port_id = 0;  ///< Of the socket whose request caused it; 0: the kernel itself.
  Bytes payload;              ///< Without the header.
};

/// Cuts a datagram into messages. A message that claims to be longer than the datagram ends the walk.
class MessageReader {
 public:
  explicit MessageReader(Bytes datagram) : rest_(datagram) {}
  [[nodiscard]] std::optional<Message> next() {
    if (rest_.size() < sizeof(nlmsghdr)) return std::nullopt;
    nlmsghdr header;
    std::memcpy(&header, rest_.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > rest_.size()) return std::nullopt;
    const Message message{header.nlmsg_type, header.nlmsg_flags, header.nlmsg_seq, header.nlmsg_pid,
                          rest_.subspan(sizeof header, header.nlmsg_len - sizeof header)};
    const std::size_t aligned = NLMSG_ALIGN(header.nlmsg_len);
    rest_ = rest_.subspan(aligned < rest_.size() ? aligned : rest_.size());
    return message;
  }

 private:
  Bytes rest_;
};

/// One attribute. The type comes without the nested and byte-order flags.
struct Attribute {
  std::uint16_t type = 0;
  Bytes value;

  /// The value as a trivially copyable T; nothing when it is shorter.
  template <typename T>
  [[nodiscard]] std::optional<T> as() const {
    static_assert(std::is_trivially_copyable_v<T>);
    if (value.size() < sizeof(T)) return std::nullopt;
    T result;
    std::memcpy(&result, value.data(), sizeof result);
    return result;
  }
  /// The value as text, up to its terminating zero.
  [[nodiscard]] std::string_view text() const {
    const std::string_view all(reinterpret_cast<const char*>(value.data()), value.size());
    return all.substr(0, all.find('\0'));
  }
};

/// Walks attributes; an attribute that claims to be longer than what holds it ends the walk.
class AttributeReader {
 public:
  explicit AttributeReader(Bytes attributes) : rest_(attributes) {}
  /// The attributes behind a fixed header of `header_bytes` octets.
  AttributeReader(Bytes payload, std::size_t header_bytes)
      : rest_(payload.size() > NLMSG_ALIGN(header_bytes) ? payload.subspan(NLMSG_ALIGN(header_bytes)) : Bytes{}) {}
  [[nodiscard]] std::optional<Attribute> next() {
    if (rest_.size() < sizeof(nlattr)) return std::nullopt;
    nlattr header;
    std::memcpy(&header, rest_.data(), sizeof header);
    if (header.nla_len < sizeof header || header.nla_len > rest_.size()) return std::nullopt;
    const Attribute attribute{static_cast<std::uint16_t>(header.nla_type & NLA_TYPE_MASK),
                              rest_.subspan(sizeof header, header.nla_len - sizeof header)};
    const std::size_t aligned = NLA_ALIGN(header.nla_len);
    rest_ = rest_.subspan(aligned < rest_.size() ? aligned : rest_.size());
    return attribute;
  }

 private:
  Bytes rest_;
};

/// The fixed header T at the front of a payload; nothing when the payload is shorter.
template <typename T>
[[nodiscard]] std::optional<T> fixed_header(Bytes payload) {
  return Attribute{0, payload}.as<T>();
}

/// The kernel's answer to one request.
struct Answer {
  std::uint32_t sequence = 0;
  int error = 0;          ///< A positive errno; 0: done.
  std::string_view text;  ///< The kernel's own explanation (extended ACK); often empty. Valid as the datagram is.
};

/// Reads NLMSG_ERROR and NLMSG_DONE (the end of a dump, whose error it carries); nothing for other messages.
[[nodiscard]] inline std::optional<Answer> parse_answer(const Message& message) {
  if (message.type != NLMSG_ERROR && message.type != NLMSG_DONE) return std::nullopt;
  Answer answer{message.sequence, 0, {}};
  const auto code = fixed_header<std::int32_t>(message.payload);
  // The smallest number has no positive counterpart; the kernel never sends it.
  if (code && *code < 0) answer.error = -std::max(*code, -std::numeric_limits<std::int32_t>::max());
  if ((message.flags & NLM_F_ACK_TLVS) == 0) return answer;
  std::size_t skip = sizeof(std::int32_t);
  if (message.type == NLMSG_ERROR) {
    // The refused request follows the code: only its header when NETLINK_CAP_ACK is on, all of it otherwise.
    skip = sizeof(nlmsgerr);
    const auto error = fixed_header<nlmsgerr>(message.payload);
    if (error && (message.flags & NLM_F_CAPPED) == 0) skip = sizeof(std::int32_t) + NLMSG_ALIGN(error->msg.nlmsg_len);
  }
  AttributeReader attributes(message.payload, skip);
  while (const auto attribute = attributes.next())
    if (attribute->type == NLMSGERR_ATTR_MSG) answer.text = attribute->text();
  return answer;
}

/// Appends messages to one growing buffer that is kept between batches: begin(), attributes, end(), and again.
/// Offsets, not pointers, so growth is harmless.
class MessageWriter {
 public:
  void clear() { bytes_.clear(); }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] Bytes bytes() const { return bytes_; }  ///< Valid until the next call that appends or clears.

  /// Opens a message with the fixed header `fixed`.
  template <typename Fixed>
  void begin(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence, const Fixed& fixed) {
    message_ = bytes_.size();
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = flags;
    header.nlmsg_seq = sequence;
    append(&header, sizeof header);
    append(&fixed, sizeof fixed);
  }
  /// Closes the message. Messages need no padding behind them: every part is padded already.
  void end() { store<std::uint32_t>(message_, static_cast<std::uint32_t>(bytes_.size() - message_)); }

  void put(std::uint16_t type, Bytes value) {
    const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), type};
    append(&header, sizeof header);
    append(value.data(), value.size());
  }
  template <typename T>
  void put(std::uint16_t type, const T& value) {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>);
    put(type, Bytes{reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
  }
  void put_text(std::uint16_t type, std::string_view text) {
    const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + text.size() + 1), type};
    append(&header, sizeof header);
    const std::size_t at = bytes_.size();
    bytes_.resize(at + NLA_ALIGN(text.size() + 1));
    if (!text.empty()) std::memcpy(bytes_.data() + at, text.data(), text.size());
  }
  /// Opens a nested attribute; close it with end_nested() and the offset returned here.
  [[nodiscard]] std::size_t begin_nested(std::uint16_t type, std::uint16_t flag = NLA_F_NESTED) {
    const std::size_t at = bytes_.size();
    const nlattr header{0, static_cast<std::uint16_t>(type | flag)};
    append(&header, sizeof header);
    return at;
  }
  void end_nested(std::size_t at) { store<std::uint16_t>(at, static_cast<std::uint16_t>(bytes_.size() - at)); }

  /// Raw octets inside an attribute (rtnexthop and its like); padded to four.
  std::size_t append(const void* data, std::size_t count) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + NLA_ALIGN(count));
    if (count != 0) std::memcpy(bytes_.data() + at, data, count);
    return at;
  }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  template <typename T>
  void store(std::size_t at, const T& value) {
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }
  /// Sets a flag of the message that was begun last: NLM_F_ACK on the end of a batch.
  void add_flags(std::uint16_t flags) {
    const std::size_t at = message_ + offsetof(nlmsghdr, nlmsg_flags);
    std::uint16_t present = 0;
    std::memcpy(&present, bytes_.data() + at, sizeof present);
    store(at, static_cast<std::uint16_t>(present | flags));
  }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t message_ = 0;
};

}  // namespace minibgp::netlink
