/// VICI packets: strongSwan's control protocol on the wire (strongswan, src/libcharon/plugins/vici/README.md). A frame
/// is a 32-bit big-endian length and a packet; a packet is a type, for some types a name, and for some a message; a
/// message is a tree of sections, values and lists.
///
/// Pure. Decoding is bounds-checked and total: any bytes give a packet or an error. Not here: sockets (client.h) and
/// what the messages mean (ike_config.h, keeper.h).
#pragma once

#include <bgp/result.h>
#include <bgp/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minibgp::xfrm::vici {

/// Overwrites the text, with what its memory held beyond its end, and empties it.
void wipe(std::string& text);

/// Overwrites memory before it is given back.
template <typename T>
struct WipingAllocator {
  using value_type = T;
  WipingAllocator() = default;
  template <typename U>
  WipingAllocator(const WipingAllocator<U>&) {}  // NOLINT(google-explicit-constructor): allocators convert.
  [[nodiscard]] T* allocate(std::size_t count) { return std::allocator<T>{}.allocate(count); }
  void deallocate(T* memory, std::size_t count) {
    // Through a volatile pointer, so that the compiler keeps stores to memory that is about to be freed.
    volatile auto* octets = reinterpret_cast<volatile unsigned char*>(memory);
    for (std::size_t i = 0; i < count * sizeof(T); ++i) octets[i] = 0;
    std::allocator<T>{}.deallocate(memory, count);
  }
  bool operator==(const WipingAllocator&) const { return true; }
};

/// A whole frame, its length included. It may hold a key: no copy of it stays in freed memory.
using Frame = std::vector<std::uint8_t, WipingAllocator<std::uint8_t>>;

struct Entry;

/// One level of a message: named values, lists and sections in their order. A name occurs once. Values are overwritten
/// when it ends: they may be keys.
class Section {
 public:
  Section& add(std::string_view name, std::string_view value);
  Section& add_list(std::string_view name, std::vector<std::string> items);
  Section& add_section(std::string_view name, Section section);

  /// Empty when there is no such value; charon never sends an empty value where absence means something else.
  [[nodiscard]] std::string_view value(std::string_view name) const;
  [[nodiscard]] bool yes(std::string_view name) const { return value(name) == "yes"; }
  /// The value read as digits of `base`; nullopt when it is not there or not a number.
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view name, int base = 10) const;
  [[nodiscard]] std::span<const std::string> list(std::string_view name) const;
  /// nullptr when there is no such section.
  [[nodiscard]] const Section* section(std::string_view name) const;
  [[nodiscard]] std::span<const Entry> entries() const;
  [[nodiscard]] bool empty() const { return entries_.empty(); }

  bool operator==(const Section&) const;

 private:
  friend class Decoder;
  std::vector<Entry> entries_;
};

struct Entry {
  enum class Kind : std::uint8_t { value, list, section };
  Kind kind = Kind::value;
  std::string name;
  std::string value;               ///< Kind::value
  std::vector<std::string> items;  ///< Kind::list
  Section section;                 ///< Kind::section
  Entry() = default;
  Entry(const Entry&) = default;
  Entry(Entry&&) = default;
  Entry& operator=(const Entry&) = default;
  Entry& operator=(Entry&&) = default;
  ~Entry();  ///< Wipes value and items.
  bool operator==(const Entry&) const = default;
};

enum class PacketType : std::uint8_t {
  cmd_request = 0,
  cmd_response = 1,
  cmd_unknown = 2,
  event_register = 3,
  event_unregister = 4,
  event_confirm = 5,
  event_unknown = 6,
  event = 7,
};
[[nodiscard]] constexpr bool has_name(PacketType type) {
  return type == PacketType::cmd_request || type == PacketType::event_register ||
         type == PacketType::event_unregister || type == PacketType::event;
}
[[nodiscard]] constexpr bool has_message(PacketType type) {
  return type == PacketType::cmd_request || type == PacketType::cmd_response || type == PacketType::event;
}

struct Packet {
  PacketType type = PacketType::cmd_request;
  std::string name;
  Section message;
  bool operator==(const Packet&) const = default;
};

enum class PacketError : std::uint8_t {
  truncated,      ///< A length points past the end.
  unknown_type,   ///< Of a packet or an element.
  misplaced,      ///< A list item outside a list, a section inside one, an end without a beginning.
  unfinished,     ///< A section or list is never closed.
  too_deep,       ///< More than kDepthMax sections inside each other.
  trailing,       ///< Bytes after a packet that has no message.
  name_too_long,  ///< Encoding: a name has at most 255 octets, a value 65535.
  too_long,       ///< A frame of more than kFrameMax octets.
};
[[nodiscard]] std::string_view to_text(PacketError error);

/// charon's own limit for one packet (VICI_MESSAGE_SIZE_MAX).
inline constexpr std::size_t kFrameMax = 512U * 1024U;
/// charon nests at most four deep; the bound keeps a hostile peer off our stack.
inline constexpr std::size_t kDepthMax = 16;

/// `payload` is one frame without its length.
[[nodiscard]] Result<Packet, PacketError> decode_packet(Bytes payload);
[[nodiscard]] Result<Frame, PacketError> encode_packet(const Packet& packet);

/// Cuts a stream into frames.
class Framer {
 public:
  void feed(Bytes bytes);
  /// The next whole frame's payload, valid until the next feed(); nullopt: more bytes are needed. An error is final.
  [[nodiscard]] Result<std::optional<Bytes>, PacketError> next();
  void clear();

 private:
  std::vector<std::uint8_t> buffer_;
  std::size_t taken_ = 0;
};

}  // namespace minibgp::xfrm::vici
