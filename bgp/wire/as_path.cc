#include <bgp/base/reader.h>
#include <bgp/base/writer.h>
#include <bgp/wire/as_path.h>
#include <bgp/wire/numbers.h>

#include <algorithm>

namespace minibgp::wire {
namespace {

constexpr std::size_t kSegmentHeader = 2;
constexpr std::size_t kMaxSegment = 255;
constexpr std::uint8_t kSet = 1, kSequence = 2, kConfedSequence = 3, kConfedSet = 4;

enum class Confederation : bool { refuse, skip };

/// Where `path` takes `count` more ASNs: the last segment when both are sequences, else a new one. Returns their place.
Asn* extend(AsPath& path, AsPath::SegmentType type, std::size_t count) {
  const bool merge = type == AsPath::SegmentType::sequence && !path.segments.empty() &&
                     path.segments.back().type == AsPath::SegmentType::sequence;
  if (!merge) path.segments.push_back({type, 0});
  AsPath::Segment& segment = path.segments.back();
  segment.count = static_cast<std::uint16_t>(segment.count + count);
  const std::size_t old = path.asns.size();
  path.asns.resize(old + count);
  return path.asns.data() + old;
}

AsPathFault decode_segments(Bytes value, AsWidth width, Confederation confederation, AsPath& out) {
  const std::uint8_t* at = value.data();
  const std::uint8_t* const end = at + value.size();
  const auto octets = static_cast<std::size_t>(width);
  while (at != end) {
    if (static_cast<std::size_t>(end - at) < kSegmentHeader) return AsPathFault::overrun;
    const std::uint8_t type = at[0];
    // A count of AS numbers, not of octets.
    const std::size_t count = at[1];
    at += kSegmentHeader;
    const bool confed = type == kConfedSequence || type == kConfedSet;
    // RFC 5065 s.5: from outside of a confederation these segments are an error.
    if (confed && confederation == Confederation::refuse) return AsPathFault::confederation;
    // RFC 7606 s.7.2 names these three: unknown type, overrun and a segment of length 0.
    if (!confed && type != kSet && type != kSequence) return AsPathFault::segment_type;
    if (count == 0) return AsPathFault::empty_segment;
    if (count * octets > static_cast<std::size_t>(end - at)) return AsPathFault::overrun;
    // In AS4_PATH they are removed, and the attribute is used (RFC 6793 s.6).
    if (confed) {
      at += count * octets;
      continue;
    }
    // kMaxAsPathLength bounds what one path costs; segment.count then cannot overflow either.
    if (out.asns.size() + count > kMaxAsPathLength) return AsPathFault::too_long;

    Asn* to = extend(out, static_cast<AsPath::SegmentType>(type), count);
    bool zero = false;
    for (std::size_t i = 0; i < count; ++i, at += octets) {
      const std::uint32_t asn = width == AsWidth::four ? base::load_u32(at) : base::load_u16(at);
      // RFC 7607 s.2. Collected instead of tested in the loop, which runs over each number of each UPDATE.
      zero |= asn == 0;
      *to++ = Asn{asn};
    }
    if (zero) return AsPathFault::as_zero;
  }
  return AsPathFault::none;
}

/// Keeps the leading `hops` of `path`, counted as the decision process does: a set is one.
void keep_leading(AsPath& path, std::uint32_t hops) {
  std::size_t asns = 0;
  std::size_t segments = 0;
  while (segments < path.segments.size() && hops > 0) {
    AsPath::Segment& segment = path.segments[segments++];
    if (segment.type == AsPath::SegmentType::set) {
      --hops;
    } else {
      segment.count = static_cast<std::uint16_t>(std::min<std::uint32_t>(segment.count, hops));
      hops -= segment.count;
    }
    asns += segment.count;
  }
  path.segments.resize(segments);
  path.asns.resize(asns);
}

}  // namespace

const char* to_text(AsPathFault fault) {
  switch (fault) {
    case AsPathFault::none:
      return "";
    case AsPathFault::overrun:
      return "a segment does not end with the attribute";
    case AsPathFault::empty_segment:
      return "a segment without AS numbers";
    case AsPathFault::segment_type:
      return "an unknown segment type";
    case AsPathFault::confederation:
      return "a confederation segment from outside of the confederation";
    case AsPathFault::as_zero:
      return "AS 0";
    case AsPathFault::too_long:
      return "more than 1024 AS numbers";
  }
  return "";
}

AsPathFault decode_as_path(Bytes value, AsWidth width, AsPath& out) {
  return decode_segments(value, width, Confederation::refuse, out);
}

AsPathFault merge_as4_path(Bytes value, AsPath& path) {
  // 2-octet peers are rare enough for a temporary.
  AsPath tail;
  if (const AsPathFault fault = decode_segments(value, AsWidth::four, Confederation::skip, tail);
      fault != AsPathFault::none)
    return fault;
  const std::uint32_t hops = path.length();
  const std::uint32_t tail_hops = tail.length();
  // RFC 6793 s.4.2.3: AS_PATH shorter than AS4_PATH means that AS4_PATH is not from this path: it is ignored.
  if (tail.empty() || hops < tail_hops) return AsPathFault::none;
  // What 2-octet speakers have put in front, then the part that they could not read.
  keep_leading(path, hops - tail_hops);
  const Asn* from = tail.asns.data();
  for (const AsPath::Segment& segment : tail.segments) {
    std::copy_n(from, segment.count, extend(path, segment.type, segment.count));
    from += segment.count;
  }
  return AsPathFault::none;
}

bool needs_as4_path(const AsPath& path) {
  return std::any_of(path.asns.begin(), path.asns.end(),
                     [](Asn asn) { return static_cast<std::uint32_t>(asn) > 0xFFFF; });
}

std::size_t as_path_size(const AsPath& path, AsWidth width) {
  std::size_t size = path.asns.size() * static_cast<std::size_t>(width);
  // Sequences are kept merged and may be longer than a segment can be on the wire.
  for (const AsPath::Segment& segment : path.segments)
    size += (segment.count + kMaxSegment - 1) / kMaxSegment * kSegmentHeader;
  return size;
}

std::uint8_t* store_as_path(std::uint8_t* at, const AsPath& path, AsWidth width) {
  const Asn* from = path.asns.data();
  for (const AsPath::Segment& segment : path.segments) {
    for (std::size_t left = segment.count; left > 0;) {
      const std::size_t count = std::min(left, kMaxSegment);
      left -= count;
      at = base::store_u8(at, static_cast<std::uint8_t>(segment.type));
      at = base::store_u8(at, static_cast<std::uint8_t>(count));
      for (std::size_t i = 0; i < count; ++i) {
        const auto asn = static_cast<std::uint32_t>(*from++);
        at = width == AsWidth::four ? base::store_u32(at, asn)
                                    : base::store_u16(at, asn > 0xFFFF ? kAsTrans : static_cast<std::uint16_t>(asn));
      }
    }
  }
  return at;
}

bool has_set(const AsPath& path) {
  return std::any_of(path.segments.begin(), path.segments.end(),
                     [](const AsPath::Segment& segment) { return segment.type == AsPath::SegmentType::set; });
}

}  // namespace minibgp::wire
