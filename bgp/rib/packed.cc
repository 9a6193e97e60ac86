#include <bgp/base/assert.h>
#include <bgp/rib/packed.h>

#include <cstring>
#include <type_traits>

namespace minibgp::rib {
namespace {

// The first two octets say what follows, in this order. AS_PATH comes first after the next hop, so that it is found
// without walking the rest.
enum Bit : std::uint16_t {
  kOriginBits = 0x0003,
  kNextHopV6 = 0x0004,
  kLinkLocal = 0x0008,
  kMed = 0x0010,
  kLocalPref = 0x0020,
  kAtomicAggregate = 0x0040,
  kAggregator = 0x0080,
  kCommunities = 0x0100,
  kExtended = 0x0200,
  kLarge = 0x0400,
  kOriginator = 0x0800,
  kClusterList = 0x1000,
  kOtc = 0x2000,
  kUnknown = 0x4000,
  kLocal = 0x8000,
};

enum LocalBit : std::uint8_t {
  kWeight = 1,
  kEcmpWeight = 2,
  kMetric = 4,
  kTable = 8,
  kPrefsrc = 16,
  kPrefsrcV6 = 32,
  kNextHopChoice = 64,
  kAudience = 128,  // And network_bits.
};

/// Appends to a buffer that is known to be large enough.
class Packer {
 public:
  explicit Packer(std::uint8_t* at) : at_(at) {}
  template <typename T>
  void put(const T& value) {
    // Values with padding would hash and compare by octets that were never set.
    static_assert(std::has_unique_object_representations_v<T>);
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
  }
  template <typename T>
  void put_all(const std::vector<T>& values) {
    static_assert(std::has_unique_object_representations_v<T>);
    if (!values.empty()) std::memcpy(at_, values.data(), values.size() * sizeof(T));
    at_ += values.size() * sizeof(T);
  }
  /// Seven bits an octet, least significant first.
  void put_count(std::size_t count) {
    for (; count >= 0x80; count >>= 7U) *at_++ = static_cast<std::uint8_t>(count | 0x80U);
    *at_++ = static_cast<std::uint8_t>(count);
  }
  void put_octets(const std::uint8_t* octets, std::size_t count) {
    std::memcpy(at_, octets, count);
    at_ += count;
  }
  [[nodiscard]] std::uint8_t* at() const { return at_; }

 private:
  std::uint8_t* at_;
};

class Unpacker {
 public:
  explicit Unpacker(Bytes octets) : at_(octets.data()), end_(octets.data() + octets.size()) {}
  template <typename T>
  T get() {
    T value{};
    BGP_DCHECK(at_ + sizeof value <= end_);
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  template <typename T>
  void get_all(std::size_t count, std::vector<T>& out) {
    BGP_DCHECK(at_ + count * sizeof(T) <= end_);
    out.resize(count);
    if (count != 0) std::memcpy(static_cast<void*>(out.data()), at_, count * sizeof(T));
    at_ += count * sizeof(T);
  }
  std::size_t get_count() {
    std::size_t count = 0;
    for (unsigned shift = 0;; shift += 7) {
      BGP_DCHECK(at_ < end_);
      const std::uint8_t octet = *at_++;
      count |= static_cast<std::size_t>(octet & 0x7FU) << shift;
      if (octet < 0x80) return count;
    }
  }
  void get_octets(std::uint8_t* out, std::size_t count) {
    std::memcpy(out, at_, count);
    at_ += count;
  }
  void skip(std::size_t count) { at_ += count; }
  [[nodiscard]] const std::uint8_t* at() const { return at_; }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

std::size_t packed_bound(const PathAttributes& a) {
  // 128 octets for all that has a fixed size and for the counts of the lists.
  std::size_t size = 128 + a.as_path.segments.size() * 5 + a.as_path.asns.size() * 4 + a.communities.size() * 4 +
                     a.extended_communities.size() * 8 + a.large_communities.size() * 12 + a.cluster_list.size() * 4;
  for (const UnknownAttribute& unknown : a.unknown) size += unknown.value.size() + 8;
  return size;
}

std::uint16_t bits_of(const PathAttributes& a) {
  unsigned bits = static_cast<unsigned>(a.origin) & kOriginBits;
  if (a.next_hop.address.family == Family::ipv6) bits |= kNextHopV6;
  if (a.next_hop.link_local != IpAddress{}) bits |= kLinkLocal;
  if (a.med) bits |= kMed;
  if (a.local_pref) bits |= kLocalPref;
  if (a.atomic_aggregate) bits |= kAtomicAggregate;
  if (a.aggregator) bits |= kAggregator;
  if (!a.communities.empty()) bits |= kCommunities;
  if (!a.extended_communities.empty()) bits |= kExtended;
  if (!a.large_communities.empty()) bits |= kLarge;
  if (a.originator_id) bits |= kOriginator;
  if (!a.cluster_list.empty()) bits |= kClusterList;
  if (a.only_to_customer) bits |= kOtc;
  if (!a.unknown.empty()) bits |= kUnknown;
  if (a.local != LocalAttributes{}) bits |= kLocal;
  return static_cast<std::uint16_t>(bits);
}

void pack_local(const LocalAttributes& local, Packer& out) {
  unsigned bits = 0;
  if (local.weight != 0) bits |= kWeight;
  if (local.ecmp_weight != 0) bits |= kEcmpWeight;
  if (local.fib_metric) bits |= kMetric;
  if (local.fib_table) bits |= kTable;
  if (local.fib_prefsrc) bits |= kPrefsrc;
  if (local.fib_prefsrc && local.fib_prefsrc->family == Family::ipv6) bits |= kPrefsrcV6;
  if (local.next_hop != NextHopChoice::by_rule) bits |= kNextHopChoice;
  if (local.audience != 0 || local.network_bits != 0) bits |= kAudience;
  out.put(static_cast<std::uint8_t>(bits));
  // The order here and in unpack_local_part() is the format.
  if (local.weight != 0) out.put(local.weight);
  if (local.ecmp_weight != 0) out.put(local.ecmp_weight);
  if (local.fib_metric) out.put(*local.fib_metric);
  if (local.fib_table) out.put(*local.fib_table);
  if (local.fib_prefsrc) out.put_octets(local.fib_prefsrc->octets.data(), 16);
  if (local.next_hop != NextHopChoice::by_rule) out.put(static_cast<std::uint8_t>(local.next_hop));
  if ((bits & kAudience) != 0) {
    out.put(local.audience);
    out.put(local.network_bits);
  }
}

void unpack_local_part(Unpacker& in, LocalAttributes& out) {
  const auto bits = in.get<std::uint8_t>();
  if ((bits & kWeight) != 0) out.weight = in.get<std::uint32_t>();
  if ((bits & kEcmpWeight) != 0) out.ecmp_weight = in.get<std::uint16_t>();
  if ((bits & kMetric) != 0) out.fib_metric = in.get<std::uint32_t>();
  if ((bits & kTable) != 0) out.fib_table = in.get<std::uint32_t>();
  if ((bits & kPrefsrc) != 0) {
    IpAddress address;
    address.family = (bits & kPrefsrcV6) != 0 ? Family::ipv6 : Family::ipv4;
    in.get_octets(address.octets.data(), 16);
    out.fib_prefsrc = address;
  }
  if ((bits & kNextHopChoice) != 0) out.next_hop = static_cast<NextHopChoice>(in.get<std::uint8_t>());
  if ((bits & kAudience) != 0) {
    out.audience = in.get<std::uint64_t>();
    out.network_bits = in.get<std::uint8_t>();
  }
}

std::size_t next_hop_octets(std::uint16_t bits) {
  return ((bits & kNextHopV6) != 0 ? 16U : 4U) + ((bits & kLinkLocal) != 0 ? 17U : 0U);
}

}  // namespace

void pack(const PathAttributes& attributes, std::vector<std::uint8_t>& out) {
  // Room for the worst case first, cut below: the packer itself checks nothing.
  out.resize(packed_bound(attributes));
  Packer packer{out.data()};
  const std::uint16_t bits = bits_of(attributes);
  packer.put(bits);
  packer.put_octets(attributes.next_hop.address.octets.data(), (bits & kNextHopV6) != 0 ? 16 : 4);
  if ((bits & kLinkLocal) != 0) {
    packer.put(static_cast<std::uint8_t>(attributes.next_hop.link_local.family));
    packer.put_octets(attributes.next_hop.link_local.octets.data(), 16);
  }
  // Segments before numbers: packed_as_path() finds the end of the path by the second count.
  packer.put_count(attributes.as_path.segments.size());
  for (const AsPath::Segment& segment : attributes.as_path.segments) {
    packer.put(static_cast<std::uint8_t>(segment.type));
    packer.put_count(segment.count);
  }
  packer.put_count(attributes.as_path.asns.size());
  packer.put_all(attributes.as_path.asns);
  if (attributes.med) packer.put(*attributes.med);
  if (attributes.local_pref) packer.put(*attributes.local_pref);
  if (attributes.aggregator) packer.put(*attributes.aggregator);
  const auto put_list = [&packer](const auto& list) {
    if (list.empty()) return;
    packer.put_count(list.size());
    packer.put_all(list);
  };
  put_list(attributes.communities);
  put_list(attributes.extended_communities);
  put_list(attributes.large_communities);
  if (attributes.originator_id) packer.put(*attributes.originator_id);
  put_list(attributes.cluster_list);
  if (attributes.only_to_customer) packer.put(*attributes.only_to_customer);
  if (!attributes.unknown.empty()) {
    packer.put_count(attributes.unknown.size());
    for (const UnknownAttribute& unknown : attributes.unknown) {
      packer.put(unknown.flags);
      packer.put(unknown.type);
      packer.put_count(unknown.value.size());
      packer.put_all(unknown.value);
    }
  }
  if ((bits & kLocal) != 0) pack_local(attributes.local, packer);
  out.resize(static_cast<std::size_t>(packer.at() - out.data()));
}

void unpack(Bytes octets, PathAttributes& out) {
  // The lists are resized below rather than emptied here: what they held has mostly the size that comes.
  out.med.reset();
  out.local_pref.reset();
  out.aggregator.reset();
  out.originator_id.reset();
  out.only_to_customer.reset();
  out.next_hop = {};
  out.local = {};
  Unpacker in{octets};
  const auto bits = in.get<std::uint16_t>();
  // Each optional attribute was reset above, so only those that are there are written.
  out.origin = static_cast<Origin>(bits & kOriginBits);
  if ((bits & kNextHopV6) != 0) out.next_hop.address.family = Family::ipv6;
  in.get_octets(out.next_hop.address.octets.data(), (bits & kNextHopV6) != 0 ? 16 : 4);
  if ((bits & kLinkLocal) != 0) {
    out.next_hop.link_local.family = static_cast<Family>(in.get<std::uint8_t>());
    in.get_octets(out.next_hop.link_local.octets.data(), 16);
  }
  out.as_path.segments.resize(in.get_count());
  for (AsPath::Segment& segment : out.as_path.segments) {
    segment.type = static_cast<AsPath::SegmentType>(in.get<std::uint8_t>());
    segment.count = static_cast<std::uint16_t>(in.get_count());
  }
  in.get_all(in.get_count(), out.as_path.asns);
  if ((bits & kMed) != 0) out.med = in.get<std::uint32_t>();
  if ((bits & kLocalPref) != 0) out.local_pref = in.get<std::uint32_t>();
  out.atomic_aggregate = (bits & kAtomicAggregate) != 0;
  if ((bits & kAggregator) != 0) out.aggregator = in.get<Aggregator>();
  const auto get_list = [&in, bits](Bit bit, auto& list) { in.get_all((bits & bit) != 0 ? in.get_count() : 0, list); };
  get_list(kCommunities, out.communities);
  get_list(kExtended, out.extended_communities);
  get_list(kLarge, out.large_communities);
  if ((bits & kOriginator) != 0) out.originator_id = in.get<RouterId>();
  get_list(kClusterList, out.cluster_list);
  if ((bits & kOtc) != 0) out.only_to_customer = in.get<Asn>();
  // Shrinking keeps the buffers of the entries that stay.
  out.unknown.resize((bits & kUnknown) != 0 ? in.get_count() : 0);
  if ((bits & kUnknown) != 0) {
    for (UnknownAttribute& unknown : out.unknown) {
      unknown.flags = in.get<std::uint8_t>();
      unknown.type = in.get<std::uint8_t>();
      in.get_all(in.get_count(), unknown.value);
    }
  }
  if ((bits & kLocal) != 0) unpack_local_part(in, out.local);
}

Bytes packed_as_path(Bytes octets) {
  Unpacker in{octets};
  in.skip(next_hop_octets(in.get<std::uint16_t>()));
  const std::uint8_t* const begin = in.at();
  for (std::size_t segments = in.get_count(); segments > 0; --segments) {
    // The type. The count of the segment is not needed: all numbers follow in one list.
    in.skip(1);
    static_cast<void>(in.get_count());
  }
  in.skip(in.get_count() * sizeof(Asn));
  return Bytes{begin, in.at()};
}

std::uint64_t hash_octets(Bytes octets) {
  // Eight octets at a time, multiply and fold: what counts here is speed on some forty octets and well-mixed high bits.
  constexpr std::uint64_t kFirst = 0x9E3779B97F4A7C15U;
  constexpr std::uint64_t kSecond = 0xD6E8FEB86659FD93U;
  std::uint64_t hash = octets.size() * kFirst;
  const std::uint8_t* at = octets.data();
  std::size_t left = octets.size();
  const auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * kSecond;
    hash ^= hash >> 32U;
  };
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    mix(word);
  }
  std::uint64_t tail = 0;
  if (left != 0) std::memcpy(&tail, at, left);
  // The constant tells an empty tail from a word of zeros; the length is in the first value of the hash.
  mix(tail ^ kFirst);
  hash *= kSecond;
  return hash ^ (hash >> 32U);
}

}  // namespace minibgp::rib
