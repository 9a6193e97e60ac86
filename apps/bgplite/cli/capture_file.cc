#include <apps/bgplite/cli/capture_file.h>
#include <bgp/text.h>

#include <algorithm>
#include <array>
#include <utility>

namespace bgplite::cli {
namespace {

using minibgp::Bytes;
using minibgp::Family;
using minibgp::IpAddress;

/// A cursor that knows the file's byte order. Reading past the end yields zeros and sets failed().
class Cursor {
 public:
  enum class Order : bool { little, big };
  Cursor(Bytes bytes, Order order) : bytes_(bytes), order_(order) {}

  Bytes take(std::size_t count) {
    // Once failed, always failed: callers read a whole header and ask once.
    if (count > bytes_.size()) failed_ = true;
    const Bytes taken = failed_ ? Bytes{} : bytes_.first(count);
    bytes_ = failed_ ? Bytes{} : bytes_.subspan(count);
    return taken;
  }
  std::uint32_t number(std::size_t octets) {
    const Bytes raw = take(octets);
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < raw.size(); ++i)
      // Order and place: the first octet is the highest in big endian.
      value = value << 8U | raw[order_ == Order::big ? i : raw.size() - 1 - i];
    return value;
  }
  [[nodiscard]] Bytes rest() const { return bytes_; }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  Bytes bytes_;
  Order order_;
  bool failed_ = false;
};

std::uint32_t big(Bytes bytes, std::size_t offset, std::size_t octets) {
  return Cursor{bytes.subspan(offset), Cursor::Order::big}.number(octets);
}

// Link types (LINKTYPE_*): where the IP packet begins.
// Some programs write the number of OpenBSD (14) or of the BSDs (12) for raw IP packets.
constexpr std::uint32_t kNull = 0, kEthernet = 1, kPpp = 9, kRawBsd = 12, kRawOpenBsd = 14, kRaw = 101, kLoop = 108,
                        kLinuxSll = 113, kIpv4 = 228, kIpv6 = 229, kNetfilterLog = 239, kLinuxSll2 = 276;

bool is_known_link(std::uint32_t link) {
  constexpr std::array kKnown = {kNull, kEthernet, kPpp,  kRawBsd, kRawOpenBsd,   kRaw,
                                 kLoop, kLinuxSll, kIpv4, kIpv6,   kNetfilterLog, kLinuxSll2};
  return std::find(kKnown.begin(), kKnown.end(), link) != kKnown.end();
}

/// The payload attribute (type 9) of a netfilter log packet. Lengths are in the byte order of the machine that wrote
/// it; a length that does not fit as little-endian is read as big-endian.
Bytes netfilter_payload(Bytes frame) {
  constexpr std::size_t kHeader = 4, kAttributeHeader = 4;
  constexpr std::uint32_t kPayload = 9;
  if (frame.size() < kHeader) return {};
  for (Bytes left = frame.subspan(kHeader); left.size() >= kAttributeHeader;) {
    // No field says which order it is; little-endian is what nearly all machines write.
    auto order = Cursor::Order::little;
    std::size_t length = Cursor{left, order}.number(2);
    if (length > left.size()) {
      order = Cursor::Order::big;
      length = Cursor{left, order}.number(2);
    }
    // A length of 0 would never end.
    if (length < kAttributeHeader || length > left.size()) return {};
    if (Cursor{left.subspan(2), order}.number(2) == kPayload)
      return left.subspan(kAttributeHeader, length - kAttributeHeader);
    // Attributes begin at multiples of four; the last one's padding may be cut.
    left = left.subspan(std::min((length + 3U) / 4U * 4U, left.size()));
  }
  return {};
}

/// The IP packet in a frame; empty when there is none.
Bytes ip_packet(std::uint32_t link, Bytes frame) {
  constexpr std::uint32_t kEtherIpv4 = 0x0800, kEtherIpv6 = 0x86DD, kVlan = 0x8100, kQinQ = 0x88A8;
  // Cut frames are short: nothing is behind the header then.
  const auto after = [frame](std::size_t head) { return frame.size() > head ? frame.subspan(head) : Bytes{}; };
  switch (link) {
    case kRaw:
    case kRawBsd:
    case kRawOpenBsd:
    case kIpv4:
    case kIpv6:
      return frame;
    case kNull:
    // The family in the byte order of the machine. The IP version says the same.
    case kLoop:
      return after(4);
    case kPpp:  // Address and control octets (FF 03) may be left out.
      return after(frame.size() > 1 && frame[0] == 0xFF && frame[1] == 0x03 ? 4 : 2);
    case kNetfilterLog:
      return netfilter_payload(frame);
    // LINUX_SLL has 16 octets in front, LINUX_SLL2 has 20.
    case kLinuxSll:
      return after(16);
    case kLinuxSll2:
      return after(20);
    case kEthernet:
      break;
    default:
      return {};
  }
  // Any number of VLAN tags may precede the type.
  // Behind the two addresses of 6 octets each.
  for (std::size_t at = 12; frame.size() >= at + 2; at += 4) {
    const std::uint32_t type = big(frame, at, 2);
    if (type == kEtherIpv4 || type == kEtherIpv6) return after(at + 2);
    if (type != kVlan && type != kQinQ) return {};
  }
  return {};
}

struct Segment {
  FlowKey key;
  std::uint32_t sequence = 0;
  bool syn = false;
  Bytes payload;
};

IpAddress address(Bytes octets) {
  IpAddress out;
  out.family = octets.size() == 4 ? Family::ipv4 : Family::ipv6;
  std::copy(octets.begin(), octets.end(), out.octets.begin());
  return out;
}

/// The TCP segment in an IP packet. None: another protocol, a fragment, or cut by the capture's length limit.
std::optional<Segment> tcp_segment(Bytes ip) {
  constexpr std::uint8_t kTcp = 6, kHopByHop = 0, kRouting = 43, kDestination = 60;
  Segment out;
  Bytes tcp;
  if (ip.size() >= 20 && ip[0] >> 4U == 4) {
    // In units of four octets.
    const std::size_t head = (ip[0] & 0xFU) * 4U;
    const std::size_t total = big(ip, 2, 2);  // Behind it is what Ethernet pads short frames with.
    // The flag "more fragments" and the offset: BGP's segments are not fragmented.
    const bool fragment = (big(ip, 6, 2) & 0x3FFFU) != 0;
    // Also a packet that the capture's length limit has cut, because a part of it would look like a gap.
    if (ip[9] != kTcp || fragment || head < 20 || total < head || ip.size() < total) return std::nullopt;
    out.key.source = address(ip.subspan(12, 4));
    out.key.destination = address(ip.subspan(16, 4));
    tcp = ip.subspan(head, total - head);
  } else if (ip.size() >= 40 && ip[0] >> 4U == 6) {
    const std::size_t length = big(ip, 4, 2);
    if (ip.size() < 40 + length) return std::nullopt;
    out.key.source = address(ip.subspan(8, 16));
    out.key.destination = address(ip.subspan(24, 16));
    tcp = ip.subspan(40, length);
    std::uint8_t next = ip[6];
    // Extension headers have the next one's number, their length in units of 8 octets without the first, then the rest.
    while (next == kHopByHop || next == kRouting || next == kDestination) {
      if (tcp.size() < 8 || tcp.size() < (tcp[1] + 1U) * 8U) return std::nullopt;
      next = tcp[0];
      tcp = tcp.subspan((tcp[1] + 1U) * 8U);
    }
    if (next != kTcp) return std::nullopt;
  }
  if (tcp.size() < 20) return std::nullopt;
  const std::size_t head = (tcp[12] >> 4U) * 4U;
  if (head < 20 || tcp.size() < head) return std::nullopt;
  // Both ports and the number have fixed places (RFC 9293 s.3.1).
  out.key.source_port = static_cast<std::uint16_t>(big(tcp, 0, 2));
  out.key.destination_port = static_cast<std::uint16_t>(big(tcp, 2, 2));
  out.sequence = big(tcp, 4, 4);
  out.syn = (tcp[13] & 0x02U) != 0;
  out.payload = tcp.subspan(head);
  return out;
}

/// One direction: what is in order is delivered at once, the rest waits for the gap to be filled.
struct Flow {
  struct Waiting {
    std::vector<std::uint8_t> octets;
    std::uint64_t time_us = 0;
  };
  std::uint32_t next = 0;  ///< Sequence number of the next octet to deliver.
  std::map<std::uint32_t, Waiting> waiting;
  std::size_t waiting_octets = 0;
  std::size_t gaps = 0, missing_octets = 0;
};

class Streams {
 public:
  Streams(const CaptureSink& sink, std::vector<std::string>& missing) : sink_(sink), missing_(missing) {}

  void on_frame(std::uint32_t link, Bytes frame, std::uint64_t time_us) {
    if (!is_known_link(link)) {
      ++unknown_links_[link];
      return;
    }
    const auto segment = tcp_segment(ip_packet(link, frame));
    if (!segment) return;
    // Looked up before the entry may be made below.
    const auto known = flows_.find(segment->key);
    // A SYN begins a connection, unless it is a SYN that was repeated. A capture may also begin in the middle of one.
    // A SYN takes one number of the sequence (RFC 9293 s.3.4).
    const bool begins = known == flows_.end() || (segment->syn && segment->sequence + 1 != known->second.next);
    if (begins) {
      // What waited of the old connection belongs in front of the new one.
      if (known != flows_.end()) end(segment->key, known->second);
      Flow fresh;
      fresh.next = segment->sequence + (segment->syn ? 1U : 0U);
      flows_[segment->key] = std::move(fresh);
      sink_.begin(segment->key);
    }
    Flow& flow = flows_[segment->key];
    if (segment->payload.empty()) return;
    accept(segment->key, flow, segment->sequence + (segment->syn ? 1U : 0U), segment->payload, time_us);
    deliver_waiting(segment->key, flow);
    // Memory is bounded: a capture may have lost the one packet that everything waits for.
    if (flow.waiting_octets > kMaxWaiting) skip_gaps(segment->key, flow);
  }

  void finish() {
    for (auto& [key, flow] : flows_) end(key, flow);
    for (const auto& [link, packets] : unknown_links_)
      missing_.push_back(std::to_string(packets) + " packets of link type " + std::to_string(link) +
                         " were not read; capture on the interface itself (tcpdump -i NAME), or convert the file");
  }

 private:
  /// What waits behind a gap of one flow. More is a capture that lost packets for good.
  static constexpr std::size_t kMaxWaiting = std::size_t{16} << 20U;

  /// From `a` to `b`, around the end of the sequence space.
  // The signed difference is right as long as both are within half the space of each other.
  static std::int32_t distance(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(b - a); }

  /// The waiting segment that comes next in the sequence space, which may have begun anew at 0.
  static auto first_waiting(Flow& flow) {
    // Segments that overlap what was delivered are at most half the sequence space behind.
    const auto at = flow.waiting.lower_bound(flow.next - 0x80000000U);
    return at == flow.waiting.end() ? flow.waiting.begin() : at;
  }

  void deliver_waiting(const FlowKey& key, Flow& flow) {
    while (!flow.waiting.empty()) {
      const auto first = first_waiting(flow);
      if (distance(flow.next, first->first) > 0) break;  // A gap.
      // Taken out first, because accept() may put something into the list.
      const auto [sequence, held] = std::move(*first);
      flow.waiting.erase(first);
      flow.waiting_octets -= held.octets.size();
      accept(key, flow, sequence, held.octets, held.time_us);
    }
  }

  /// The capture will not fill the gaps any more: delivers what follows them.
  void skip_gaps(const FlowKey& key, Flow& flow) {
    while (!flow.waiting.empty()) {
      const std::uint32_t sequence = first_waiting(flow)->first;
      ++flow.gaps;
      // In numbers without sign, so that the end of the space is passed as well.
      flow.missing_octets += sequence - flow.next;
      flow.next = sequence;
      sink_.gap(key);
      deliver_waiting(key, flow);
    }
  }

  void end(const FlowKey& key, Flow& flow) {
    skip_gaps(key, flow);
    if (flow.gaps == 0) return;
    missing_.push_back(end_text(key.source, key.source_port) + " -> " +
                       end_text(key.destination, key.destination_port) + ": the capture misses " +
                       std::to_string(flow.missing_octets) + " octets in " + std::to_string(flow.gaps) +
                       " gaps; behind each, decoding goes on at the next message");
  }

  void accept(const FlowKey& key, Flow& flow, std::uint32_t sequence, Bytes payload, std::uint64_t time_us) {
    const std::int32_t ahead = distance(flow.next, sequence);
    if (ahead > 0) {
      auto& place = flow.waiting[sequence];
      if (place.octets.size() >= payload.size()) return;  // Repeated; a repetition may also carry more.
      flow.waiting_octets += payload.size() - place.octets.size();
      place = {{payload.begin(), payload.end()}, time_us};
      return;
    }
    // A repetition may begin before what was delivered and end behind it: only its new end counts.
    // In 64 bits: -INT32_MIN does not fit into 32.
    const auto repeated = static_cast<std::size_t>(-static_cast<std::int64_t>(ahead));
    if (repeated >= payload.size()) return;
    payload = payload.subspan(repeated);
    flow.next += static_cast<std::uint32_t>(payload.size());
    sink_.octets(key, payload, time_us);
  }

  const CaptureSink& sink_;
  std::vector<std::string>& missing_;
  std::map<FlowKey, Flow> flows_;
  std::map<std::uint32_t, std::size_t> unknown_links_;  ///< Packets by link type.
};

constexpr std::uint32_t kMicro = 0xA1B2C3D4, kNano = 0xA1B23C4D, kSectionHeader = 0x0A0D0D0A, kByteOrder = 0x1A2B3C4D;

std::optional<std::string> read_pcap(Bytes file, Streams& streams) {
  const std::uint32_t magic = big(file, 0, 4);
  // The magic number is the file's first; read as big endian, it tells the order of the rest.
  const auto order = magic == kMicro || magic == kNano ? Cursor::Order::big : Cursor::Order::little;
  Cursor cursor{file, order};
  const bool nano = cursor.number(4) == kNano;
  cursor.take(16);                                            // Version, zone, accuracy, snap length.
  const std::uint32_t link = cursor.number(4) & 0x0FFFFFFFU;  // Above it are bits about frame check sequences.
  if (cursor.failed()) return "the file header is cut";
  while (!cursor.empty()) {
    const std::uint64_t seconds = cursor.number(4);
    const std::uint32_t fraction = cursor.number(4);
    const std::uint32_t captured = cursor.number(4);
    // The length on the wire, which may be more than what was captured.
    cursor.take(4);
    const Bytes frame = cursor.take(captured);
    if (cursor.failed()) return "the last packet is cut";
    // The fraction counts microseconds or nanoseconds, by the magic number.
    streams.on_frame(link, frame, seconds * 1'000'000U + (nano ? fraction / 1000U : fraction));
  }
  return std::nullopt;
}

/// What an Interface Description Block says. Resolution: the option if_tsresol, otherwise microseconds.
struct Interface {
  std::uint32_t link = 0;
  std::uint64_t ticks_per_second = 1'000'000;
};

Interface read_interface(Bytes body, Cursor::Order order) {
  constexpr std::uint32_t kResolution = 9;
  Cursor cursor{body, order};
  Interface out;
  out.link = cursor.number(2);
  // Two octets of nothing, and the snap length.
  cursor.take(6);
  while (!cursor.empty()) {
    const std::uint32_t code = cursor.number(2);
    const std::uint32_t length = cursor.number(2);
    // Options are padded to four octets.
    const Bytes value = cursor.take((length + 3U) / 4U * 4U);
    if (code == 0 || cursor.failed()) break;
    if (code != kResolution || value.empty()) continue;
    const bool binary = (value[0] & 0x80U) != 0;
    // A larger exponent would overflow 64 bits; no clock is that fine.
    // The exponent is of ten or, with the highest bit, of two.
    const unsigned exponent = std::min(value[0] & 0x7FU, binary ? 62U : 18U);
    out.ticks_per_second = 1;
    for (unsigned i = 0; i < exponent; ++i) out.ticks_per_second *= binary ? 2 : 10;
  }
  return out;
}

std::uint64_t microseconds(std::uint64_t ticks, std::uint64_t per_second) {
  // Whole seconds by integers, since ticks times a million may overflow.
  return ticks / per_second * 1'000'000U + static_cast<std::uint64_t>(static_cast<long double>(ticks % per_second) *
                                                                      1e6L / static_cast<long double>(per_second));
}

std::optional<std::string> read_pcapng(Bytes file, Streams& streams) {
  constexpr std::uint32_t kInterface = 1, kSimple = 3, kEnhanced = 6;
  std::vector<Interface> interfaces;
  auto order = Cursor::Order::big;
  while (!file.empty()) {
    if (file.size() < 12) return "the last block is cut";
    // The magic number of a section is the same in both orders, so that it can be read before the order is known.
    if (big(file, 0, 4) == kSectionHeader) {
      order = big(file, 8, 4) == kByteOrder ? Cursor::Order::big : Cursor::Order::little;
      interfaces.clear();  // Numbers of interfaces count within a section.
    }
    Cursor cursor{file, order};
    const std::uint32_t type = cursor.number(4);
    const std::uint32_t length = cursor.number(4);
    // 12 octets: type, length, and the length again at the end.
    if (length < 12 || length % 4 != 0) return "a block of an impossible length";
    if (length > file.size()) return "the last block is cut";
    const Bytes body = file.subspan(8, length - 12);
    file = file.subspan(length);
    Cursor block{body, order};
    if (type == kInterface) interfaces.push_back(read_interface(body, order));
    if (type == kEnhanced) {
      const std::uint32_t interface = block.number(4);
      const std::uint64_t high = block.number(4);
      const std::uint64_t ticks = high << 32U | block.number(4);
      const std::uint32_t captured = block.number(4);
      // The length on the wire.
      block.take(4);
      const Bytes frame = block.take(captured);
      if (block.failed() || interface >= interfaces.size()) return "a packet block that contradicts itself";
      const Interface& from = interfaces[interface];
      streams.on_frame(from.link, frame, microseconds(ticks, from.ticks_per_second));
    }
    if (type == kSimple && !interfaces.empty()) {
      // No time and no captured length: both are cut to what is there.
      const std::size_t original = block.number(4);
      streams.on_frame(interfaces[0].link, block.rest().first(std::min(original, block.rest().size())), 0);
    }
  }
  return std::nullopt;
}

}  // namespace

FlowKey reversed(const FlowKey& key) { return {key.destination, key.source, key.destination_port, key.source_port}; }

std::string end_text(const IpAddress& address, std::uint16_t port) {
  const std::string text = minibgp::to_text(address);
  const std::string host = address.family == Family::ipv6 ? "[" + text + "]" : text;
  return host + ":" + std::to_string(port);
}

bool is_capture(Bytes file) {
  if (file.size() < 4) return false;
  // pcapng's number reads the same in both orders.
  const std::uint32_t magic = big(file, 0, 4);
  const std::uint32_t swapped = __builtin_bswap32(magic);
  return magic == kSectionHeader || magic == kMicro || magic == kNano || swapped == kMicro || swapped == kNano;
}

std::optional<std::string> read_capture(Bytes file, const CaptureSink& sink, std::vector<std::string>& missing) {
  Streams streams{sink, missing};
  auto error = big(file, 0, 4) == kSectionHeader ? read_pcapng(file, streams) : read_pcap(file, streams);
  // Also after an error: what was read up to there is delivered.
  streams.finish();
  return error;
}

}  // namespace bgplite::cli
