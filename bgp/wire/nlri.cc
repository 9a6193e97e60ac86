#include <bgp/base/reader.h>
#include <bgp/base/writer.h>
#include <bgp/wire/nlri.h>

#include <cstring>

namespace minibgp::wire {
namespace {

/// 224.0.0.0/4 or ff00::/8 or inside: never a unicast destination. A prefix that merely covers it (0.0.0.0/0) is fine.
bool is_multicast(const Prefix& prefix) {
  if (prefix.family == Family::ipv4)
    return prefix.length_bits >= 4 && prefix.octets[0] >= 224 && prefix.octets[0] < 240;
  return prefix.length_bits >= 8 && prefix.octets[0] == 0xFF;
}

/// `octets` holds the prefix's whole octets and is followed by nothing we may read.
void copy_masked(const std::uint8_t* octets, std::size_t count, Prefix& prefix) {
  std::memcpy(prefix.octets.data(), octets, count);
  // RFC 4271 s.4.3: the bits behind the prefix mean nothing. Cleared, so that equal prefixes compare equal.
  if (const unsigned rest = prefix.length_bits % 8U; rest != 0)
    prefix.octets[count - 1] = static_cast<std::uint8_t>(prefix.octets[count - 1] & (0xFFU << (8U - rest)));
}

}  // namespace

NlriOutcome decode_nlri(Bytes field, Family family, PathIds path_ids, std::vector<Nlri>& out) {
  NlriOutcome outcome;
  const std::uint8_t* const begin = field.data();
  const std::uint8_t* const end = begin + field.size();
  const std::uint8_t max_bits = address_bits(family);
  const std::size_t head = path_ids == PathIds::present ? kPathIdSize + 1 : 1;
  const std::uint8_t* at = begin;
  while (at != end) {
    outcome.offset = static_cast<std::uint32_t>(at - begin);
    const auto left = static_cast<std::size_t>(end - at);
    // The next octets belong to no prefix for certain, so the first fault ends the field.
    if (left < head) {
      outcome.fault = NlriFault::overrun;
      return outcome;
    }
    // In place, and taken out again if it is bad: this loop runs for each prefix of each UPDATE.
    Nlri& nlri = out.emplace_back();
    if (path_ids == PathIds::present) nlri.path_id = base::load_u32(at);
    at += head;
    nlri.prefix.length_bits = at[-1];
    nlri.prefix.family = family;
    const std::size_t octets = (nlri.prefix.length_bits + 7U) / 8U;
    if (nlri.prefix.length_bits > max_bits || octets > left - head) {
      outcome.fault = nlri.prefix.length_bits > max_bits ? NlriFault::length : NlriFault::overrun;
      out.pop_back();
      return outcome;
    }
    if (octets != 0) copy_masked(at, octets, nlri.prefix);
    at += octets;
    // Ignored, not refused: the rest of the field is still right.
    if (is_multicast(nlri.prefix)) {
      out.pop_back();
      ++outcome.ignored;
    }
  }
  return outcome;
}

std::uint8_t* store_nlri(std::uint8_t* at, const Prefix& prefix) {
  *at = prefix.length_bits;
  const std::size_t octets = (prefix.length_bits + 7U) / 8U;
  std::memcpy(at + 1, prefix.octets.data(), octets);
  return at + 1 + octets;
}

}  // namespace minibgp::wire
