// What one path costs in the RIB, in time and octets: interning attributes, deciding, the table.
#include <bgp/rib/attr_table.h>
#include <bgp/rib/best_path.h>
#include <bgp/rib/next_hop_index.h>
#include <bgp/rib/table.h>

#include <cstdint>
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

namespace minibgp::rib {
namespace {

constexpr std::size_t kSets = 50'000;

PathAttributes attributes_of(std::mt19937_64& random, std::uint32_t next_hop) {
  PathAttributes out;
  for (std::size_t hops = 1 + random() % 7; hops > 0; --hops)
    out.as_path.append_sequence(Asn{static_cast<std::uint32_t>(1000 + random() % 60000)});
  out.next_hop.address = IpAddress::v4(0xC0000200U + next_hop);
  for (std::size_t n = random() % 6; n > 0; --n)
    out.communities.push_back(Community{static_cast<std::uint32_t>(random() % 0xFF000000U)});
  std::sort(out.communities.begin(), out.communities.end());
  return out;
}

std::vector<PathAttributes> attribute_sets(std::uint32_t peer) {
  std::mt19937_64 random(peer);
  std::vector<PathAttributes> out;
  for (std::size_t i = 0; i < kSets; ++i) out.push_back(attributes_of(random, peer));
  return out;
}

Prefix prefix_of(std::size_t number) {
  return Prefix::of(IpAddress::v4(static_cast<std::uint32_t>((0x10000U + number) << 8U)), 24);
}

/// Attribute sets nobody had, and the same again: what the first and each further UPDATE with them costs.
void InternNew(benchmark::State& state) {
  const auto sets = attribute_sets(1);
  double octets = 0;
  for (auto _ : state) {
    AttrTable table;
    for (const PathAttributes& set : sets) benchmark::DoNotOptimize(table.intern(set));
    octets = static_cast<double>(table.octets());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kSets));
  state.counters["octets_per_set"] = octets / static_cast<double>(kSets);
}
BENCHMARK(InternNew)->Unit(benchmark::kMillisecond);

void InternKnown(benchmark::State& state) {
  const auto sets = attribute_sets(1);
  AttrTable table;
  std::vector<AttrId> held;
  for (const PathAttributes& set : sets) held.push_back(table.intern(set));
  for (auto _ : state) {
    for (const PathAttributes& set : sets) table.release(table.intern(set));
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kSets));
}
BENCHMARK(InternKnown)->Unit(benchmark::kMillisecond);

void Decide(benchmark::State& state) {
  const auto sets = attribute_sets(1);
  AttrTable table;
  std::vector<AttrId> ids;
  for (const PathAttributes& set : sets) ids.push_back(table.intern(set));
  const PeerFacts one{true, RouterId{1}, IpAddress::v4(0xC0000201), 100};
  const PeerFacts other{true, RouterId{2}, IpAddress::v4(0xC0000202), 100};
  std::size_t i = 0;
  for (auto _ : state) {
    const Candidate a{&table.hot(ids[i]), &one, PeerId{1}, 0, 0, false};
    i = i + 1 == kSets ? 0 : i + 1;
    const Candidate b{&table.hot(ids[i]), &other, PeerId{2}, 0, 0, false};
    benchmark::DoNotOptimize(decide(a, b, {}));
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(Decide);

/// Arguments: prefixes, peers that announce each of them. Counts a path as an item, and its octets beside its
/// attributes.
void TableInsert(benchmark::State& state) {
  const auto prefixes = static_cast<std::size_t>(state.range(0));
  const auto peers = static_cast<std::uint16_t>(state.range(1));
  AttrTable attributes;
  std::vector<std::vector<AttrId>> ids(peers);
  for (std::uint16_t peer = 0; peer < peers; ++peer)
    for (const PathAttributes& set : attribute_sets(peer + 1U)) ids[peer].push_back(attributes.intern(set));
  double octets = 0;
  for (auto _ : state) {
    NextHopIndex next_hops;
    next_hops.set_tracking(NextHopTracking::assume_usable);
    Table table{attributes, next_hops};
    for (std::uint16_t peer = 0; peer < peers; ++peer) {
      table.set_peer(PeerId{peer}, PeerFacts{true, RouterId{peer + 1U}, IpAddress::v4(0xC0000201U + peer), 100});
      for (std::size_t i = 0; i < prefixes; ++i) {
        const AttrId id = ids[peer][i / 4 % kSets];
        table.set_path(prefix_of(i), {PeerId{peer}, 0}, id, id);
      }
    }
    octets = static_cast<double>(table.route_octets() + table.index_octets() + table.more_octets());
    state.PauseTiming();
    while (!table.changed().empty()) (void)table.changed().take();
    state.ResumeTiming();
  }
  const auto paths = prefixes * peers;
  state.SetItemsProcessed(static_cast<std::int64_t>(static_cast<std::size_t>(state.iterations()) * paths));
  state.counters["octets_per_path"] = octets / static_cast<double>(paths);
}
BENCHMARK(TableInsert)->Args({100'000, 1})->Args({1'000'000, 1})->Args({100'000, 8})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace minibgp::rib
