#include <xfrm/vici/packet.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace minibgp::xfrm::vici {
namespace {

enum class Element : std::uint8_t {
  section_start = 1,
  section_end = 2,
  key_value = 3,
  list_start = 4,
  list_item = 5,
  list_end = 6,
};

/// A cursor over a payload; every read says whether there was enough.
class Cursor {
 public:
  explicit Cursor(Bytes bytes) : bytes_(bytes) {}
  [[nodiscard]] bool at_end() const { return bytes_.empty(); }
  [[nodiscard]] std::optional<std::uint8_t> octet() {
    if (bytes_.empty()) return std::nullopt;
    const std::uint8_t value = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return value;
  }
  /// Text behind a length of one octet (names) or two (values).
  [[nodiscard]] std::optional<std::string> text(std::size_t length_octets) {
    std::size_t length = 0;
    // Big-endian, as everything in vici.
    for (std::size_t i = 0; i < length_octets; ++i) {
      const auto digit = octet();
      if (!digit) return std::nullopt;
      length = length << 8U | *digit;
    }
    // A length behind the end of the packet is refused before anything is allocated.
    if (length > bytes_.size()) return std::nullopt;
    std::string value(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(length));
    bytes_ = bytes_.subspan(length);
    return value;
  }

 private:
  Bytes bytes_;
};

// Names may occur twice; the first one counts.
const Entry* find(std::span<const Entry> entries, Entry::Kind kind, std::string_view name) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.kind == kind && entry.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

class Encoder {
 public:
  // Room from the start: most packets fit, and g++ 12 takes growing the four octets at once for a write past them.
  Encoder() {
    out_.reserve(512);
    out_.resize(sizeof(std::uint32_t));
  }
  void octet(std::uint8_t value) { out_.push_back(value); }
  void name(std::string_view text) {
    if (text.size() > 0xFF) return fail(PacketError::name_too_long);
    octet(static_cast<std::uint8_t>(text.size()));
    out_.insert(out_.end(), text.begin(), text.end());
  }
  void value(std::string_view text) {
    if (text.size() > 0xFFFF) return fail(PacketError::name_too_long);
    octet(static_cast<std::uint8_t>(text.size() >> 8U));
    octet(static_cast<std::uint8_t>(text.size() & 0xFFU));
    out_.insert(out_.end(), text.begin(), text.end());
  }
  void section(const Section& section, std::size_t depth) {
    // The decoder has the same limit.
    if (depth > kDepthMax) return fail(PacketError::too_deep);
    for (const Entry& entry : section.entries()) {
      switch (entry.kind) {
        case Entry::Kind::value:
          element(Element::key_value, entry.name);
          value(entry.value);
          break;
        case Entry::Kind::list:
          element(Element::list_start, entry.name);
          for (const std::string& item : entry.items) {
            octet(static_cast<std::uint8_t>(Element::list_item));
            value(item);
          }
          octet(static_cast<std::uint8_t>(Element::list_end));
          break;
        case Entry::Kind::section:
          element(Element::section_start, entry.name);
          this->section(entry.section, depth + 1);
          octet(static_cast<std::uint8_t>(Element::section_end));
          break;
      }
    }
  }
  [[nodiscard]] Result<Frame, PacketError> finish() {
    const std::size_t length = out_.size() - kLengthOctets;
    if (!error_ && length > kFrameMax) error_ = PacketError::too_long;
    if (error_) return unexpected(*error_);
    for (std::size_t i = 0; i < kLengthOctets; ++i)
      out_[i] = static_cast<std::uint8_t>((length >> (24U - 8U * i)) & 0xFFU);
    return std::move(out_);
  }

 private:
  static constexpr std::size_t kLengthOctets = 4;
  void element(Element kind, std::string_view text) {
    octet(static_cast<std::uint8_t>(kind));
    name(text);
  }
  // The first error is kept; what is written after it is thrown away.
  void fail(PacketError error) {
    if (!error_) error_ = error;
  }
  Frame out_;  ///< The length, filled in at the end, and the packet.
  std::optional<PacketError> error_;
};

}  // namespace

void wipe(std::string& text) {
  text.resize(text.capacity());  // Never allocates: a moved-from string has its small buffer, and may have used it.
  // Through a volatile pointer, so that the compiler keeps stores to memory that is about to be freed.
  volatile char* const octets = text.data();
  for (std::size_t i = 0; i < text.size(); ++i) octets[i] = 0;
  text.clear();
}

Section& Section::add(std::string_view name, std::string_view value) {
  Entry& entry = entries_.emplace_back();
  entry.name = name;
  entry.value = value;
  return *this;
}

Section& Section::add_list(std::string_view name, std::vector<std::string> items) {
  Entry& entry = entries_.emplace_back();
  entry.kind = Entry::Kind::list;
  entry.name = name;
  entry.items = std::move(items);
  return *this;
}

Section& Section::add_section(std::string_view name, Section section) {
  Entry& entry = entries_.emplace_back();
  entry.kind = Entry::Kind::section;
  entry.name = name;
  entry.section = std::move(section);
  return *this;
}

std::string_view Section::value(std::string_view name) const {
  const Entry* entry = find(entries_, Entry::Kind::value, name);
  return entry ? std::string_view{entry->value} : std::string_view{};
}

std::optional<std::uint64_t> Section::number(std::string_view name, int base) const {
  const std::string_view text = value(name);
  std::uint64_t result = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return result;
}

std::span<const std::string> Section::list(std::string_view name) const {
  const Entry* entry = find(entries_, Entry::Kind::list, name);
  return entry ? std::span<const std::string>{entry->items} : std::span<const std::string>{};
}

const Section* Section::section(std::string_view name) const {
  const Entry* entry = find(entries_, Entry::Kind::section, name);
  return entry ? &entry->section : nullptr;
}

std::span<const Entry> Section::entries() const { return entries_; }

bool Section::operator==(const Section& other) const { return entries_ == other.entries_; }

Entry::~Entry() {
  wipe(value);
  for (std::string& item : items) wipe(item);
}

std::string_view to_text(PacketError error) {
  switch (error) {
    case PacketError::truncated:
      return "truncated";
    case PacketError::unknown_type:
      return "unknown packet or element type";
    case PacketError::misplaced:
      return "element where it may not be";
    case PacketError::unfinished:
      return "section or list not closed";
    case PacketError::too_deep:
      return "sections nested too deep";
    case PacketError::trailing:
      return "bytes after the packet";
    case PacketError::name_too_long:
      return "name or value too long (255 and 65535 octets)";
    case PacketError::too_long:
      return "frame too long (512 KiB)";
  }
  return "?";
}

/// Reads the elements of one message. Iterative over an explicit stack: depth is data of the sender.
class Decoder {
 public:
  [[nodiscard]] static Result<Section, PacketError> message(Cursor cursor) {
    struct Open {
      std::string name;
      Section section;
    };
    // The outermost section is always open and has no name.
    std::vector<Open> open(1);
    std::optional<Entry> list;
    while (!cursor.at_end()) {
      const auto element = static_cast<Element>(*cursor.octet());
      // Inside of a list only items and its end may occur.
      if (list && element != Element::list_item && element != Element::list_end)
        return unexpected(PacketError::misplaced);
      switch (element) {
        case Element::section_start: {
          auto name = cursor.text(1);
          if (!name) return unexpected(PacketError::truncated);
          if (open.size() > kDepthMax) return unexpected(PacketError::too_deep);
          open.push_back(Open{std::move(*name), {}});
          break;
        }
        case Element::section_end: {
          // Nothing but the outermost one is open.
          if (open.size() == 1) return unexpected(PacketError::misplaced);
          Open done = std::move(open.back());
          open.pop_back();
          open.back().section.add_section(done.name, std::move(done.section));
          break;
        }
        case Element::key_value: {
          const auto name = cursor.text(1);
          const auto value = name ? cursor.text(2) : std::nullopt;
          if (!value) return unexpected(PacketError::truncated);
          open.back().section.add(*name, *value);
          break;
        }
        case Element::list_start: {
          auto name = cursor.text(1);
          if (!name) return unexpected(PacketError::truncated);
          list.emplace();
          list->name = std::move(*name);
          break;
        }
        case Element::list_item: {
          if (!list) return unexpected(PacketError::misplaced);
          auto value = cursor.text(2);
          if (!value) return unexpected(PacketError::truncated);
          list->items.push_back(std::move(*value));
          break;
        }
        case Element::list_end: {
          if (!list) return unexpected(PacketError::misplaced);
          open.back().section.add_list(list->name, std::move(list->items));
          list.reset();
          break;
        }
        default:
          return unexpected(PacketError::unknown_type);
      }
    }
    if (list || open.size() != 1) return unexpected(PacketError::unfinished);
    return std::move(open.front().section);
  }
};

Result<Packet, PacketError> decode_packet(Bytes payload) {
  Cursor cursor{payload};
  const auto type = cursor.octet();
  if (!type) return unexpected(PacketError::truncated);
  // The types are consecutive and end with `event`.
  if (*type > static_cast<std::uint8_t>(PacketType::event)) return unexpected(PacketError::unknown_type);
  Packet packet;
  packet.type = static_cast<PacketType>(*type);
  if (has_name(packet.type)) {
    auto name = cursor.text(1);
    if (!name) return unexpected(PacketError::truncated);
    packet.name = std::move(*name);
  }
  if (!has_message(packet.type)) {
    if (!cursor.at_end()) return unexpected(PacketError::trailing);
    return packet;
  }
  auto message = Decoder::message(cursor);
  if (!message) return unexpected(message.error());
  packet.message = std::move(*message);
  return packet;
}

Result<Frame, PacketError> encode_packet(const Packet& packet) {
  Encoder encoder;
  encoder.octet(static_cast<std::uint8_t>(packet.type));
  if (has_name(packet.type)) encoder.name(packet.name);
  if (has_message(packet.type)) encoder.section(packet.message, 0);
  return encoder.finish();
}

void Framer::feed(Bytes bytes) {
  // Moved once for each read, not once for each packet.
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(taken_));
  taken_ = 0;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<Bytes>, PacketError> Framer::next() {
  const Bytes rest = Bytes{buffer_}.subspan(taken_);
  if (rest.size() < 4) return std::nullopt;
  const std::size_t length =
      std::size_t{rest[0]} << 24U | std::size_t{rest[1]} << 16U | std::size_t{rest[2]} << 8U | std::size_t{rest[3]};
  // Checked before it is waited for: a wrong length would make us collect octets without end.
  if (length > kFrameMax) return unexpected(PacketError::too_long);
  if (rest.size() - 4 < length) return std::nullopt;
  taken_ += 4 + length;
  return rest.subspan(4, length);
}

void Framer::clear() {
  buffer_.clear();
  taken_ = 0;
}

}  // namespace minibgp::xfrm::vici
