#include <bgp/base/assert.h>
#include <bgp/policy/prefix_set.h>

#include <algorithm>
#include <bit>
#include <unordered_map>

namespace minibgp::policy {
namespace {

/// Fewer leading bits than the first leave a search, whose every step the processor guesses wrong half the time, to
/// most addresses; more than the last cost more cache than they save of it.
constexpr std::uint32_t kDirectoryBitsMin = 10;
constexpr std::uint32_t kDirectoryBitsMax = 20;

std::uint64_t load(const Prefix& prefix, std::size_t from) {
  std::uint64_t value = 0;
  // Big-endian, so that numbers compare as the octets do.
  for (std::size_t i = 0; i < 8; ++i) value = value << 8U | prefix.octets[from + i];
  return value;
}

/// Rows by content, so that equal ones are stored once.
class RowTable {
 public:
  // Row 0 is all zeros: outside of every range.
  explicit RowTable(std::size_t width) : width_(width) { intern(std::vector<std::uint64_t>(width, 0)); }

  std::uint32_t intern(const std::vector<std::uint64_t>& content) {
    std::uint64_t hash = 0x9E3779B97F4A7C15U;
    for (const std::uint64_t word : content) {
      hash = (hash ^ word) * 0xD6E8FEB86659FD93U;
      hash ^= hash >> 32U;
    }
    const auto [first, last] = by_hash_.equal_range(hash);
    for (auto at = first; at != last; ++at) {
      const auto begin = bits_.begin() + static_cast<std::ptrdiff_t>(at->second * width_);
      if (std::equal(content.begin(), content.end(), begin)) return at->second;
    }
    const auto row = static_cast<std::uint32_t>(bits_.size() / width_);
    bits_.insert(bits_.end(), content.begin(), content.end());
    by_hash_.emplace(hash, row);
    return row;
  }
  std::vector<std::uint64_t> take() { return std::move(bits_); }

 private:
  std::size_t width_;
  std::vector<std::uint64_t> bits_;
  std::unordered_multimap<std::uint64_t, std::uint32_t> by_hash_;
};

struct Entry {
  PrefixRange range;
  std::size_t list = 0;
};

}  // namespace

PrefixIndex::V6::Key PrefixIndex::V6::key_of(const Prefix& prefix) { return {load(prefix, 0), load(prefix, 8)}; }

PrefixIndex::V6::Key PrefixIndex::V6::last_of(Key first, std::uint8_t length) {
  // All bits behind the prefix are ones.
  const auto ones_after = [](unsigned bits) { return bits >= 64 ? 0 : ~std::uint64_t{0} >> bits; };
  return {first.high | ones_after(length), first.low | (length <= 64 ? ~std::uint64_t{0} : ones_after(length - 64U))};
}

PrefixIndex::PrefixIndex(std::span<const std::span<const PrefixRange>> lists) {
  BGP_ASSERT(lists.size() <= kListsMax);  // The compiler's pack() begins another index at that number.
  v4_.build(lists, Family::ipv4);
  v6_.build(lists, Family::ipv6);
}

/// Prefixes are nested or apart, so one pass over them in order of (address, length) with a stack of those that are
/// open meets every step of the function exactly once.
template <typename Traits>
void PrefixIndex::Steps<Traits>::build(std::span<const std::span<const PrefixRange>> lists, Family family) {
  constexpr std::size_t kWords = Traits::kLengthWords;
  std::vector<Entry> entries;
  for (std::size_t list = 0; list < lists.size(); ++list)
    for (const PrefixRange& range : lists[list])
      if (range.prefix.family == family) entries.push_back({range, list});
  // A prefix comes before all that it covers.
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.range.prefix.octets != b.range.prefix.octets ? a.range.prefix.octets < b.range.prefix.octets
                                                          : a.range.prefix.length_bits < b.range.prefix.length_bits;
  });

  struct Open {
    Key last;
    std::vector<std::uint64_t> content;
    Row row;
  };
  RowTable rows(lists.size() * kWords);
  std::vector<Open> open;
  open.push_back({Key{}, std::vector<std::uint64_t>(lists.size() * kWords, 0), 0});  // Outside of every range.
  const auto step_at = [this](const Key& from, Row row) {
    // Of two steps at one key the later one holds. A step to the same row says nothing.
    if (!steps.empty() && steps.back().from == from) steps.pop_back();
    if (steps.empty() || steps.back().row != row) steps.push_back({from, row});
  };
  // A range that ends gives way to the one around it, from the key behind its last one on.
  const auto close_until = [&](const auto& ended) {
    while (open.size() > 1 && ended(open.back().last)) {
      const Key last = open.back().last;
      open.pop_back();
      if (!Traits::is_last(last)) step_at(Traits::next(last), open.back().row);
    }
  };
  for (std::size_t i = 0; i < entries.size();) {
    const Prefix& prefix = entries[i].range.prefix;
    const Key first = Traits::key_of(prefix);
    close_until([&](const Key& last) { return last < first; });
    // What covers a prefix holds inside of it as well.
    Open next{Traits::last_of(first, prefix.length_bits), open.back().content, 0};
    for (; i < entries.size() && entries[i].range.prefix == prefix; ++i)
      // Each length that the range allows is one bit of its list's field.
      for (unsigned length = entries[i].range.ge; length <= entries[i].range.le; ++length)
        next.content[entries[i].list * kWords + length / 64U] |= std::uint64_t{1} << (length % 64U);
    next.row = rows.intern(next.content);
    step_at(first, next.row);
    open.push_back(std::move(next));
  }
  close_until([](const Key&) { return true; });
  steps.shrink_to_fit();
  lengths = {rows.take(), lists.size()};
  if (steps.empty()) return;

  // The directory is indexed by the leading bits, counted from the first step, so that sparse sets do not waste it.
  base = Traits::leading(steps.front().from);
  const std::uint64_t spread = Traits::leading(steps.back().from) - base;
  const auto wanted =
      // About one slot for each step.
      std::clamp(static_cast<std::uint32_t>(std::bit_width(steps.size())), kDirectoryBitsMin, kDirectoryBitsMax);
  const auto spread_bits = static_cast<std::uint32_t>(std::bit_width(spread));
  shift = spread_bits > wanted ? spread_bits - wanted : 0;
  directory.assign((spread >> shift) + 2, 0);
  std::size_t at = 0;
  for (std::size_t slot = 0; slot < directory.size(); ++slot) {
    // directory[slot]: the first step that lies behind the slot; the one looked for is before it.
    while (at < steps.size() && (Traits::leading(steps[at].from) - base) >> shift <= slot) ++at;
    directory[slot] = static_cast<std::uint32_t>(at);
  }
}

std::size_t PrefixIndex::octets() const {
  const auto of = [](const auto& steps) {
    return steps.steps.size() * sizeof(steps.steps[0]) + steps.directory.size() * sizeof(std::uint32_t) +
           steps.lengths.bits.size() * sizeof(std::uint64_t);
  };
  return of(v4_) + of(v6_);
}

}  // namespace minibgp::policy
