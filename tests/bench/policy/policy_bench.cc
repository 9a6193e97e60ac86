/// Routes judged per second by policies of 1, 10 and 100 terms over prefix sets of 10, 10 000 and 1 000 000 entries:
/// one million routes each, in the order of a routing table and shuffled. Also: how long a set of a million takes to
/// load.
#include <bgp/policy.h>
#include <bgp/text.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace minibgp {
namespace {

constexpr std::uint32_t kRoutes = 1'000'000;

/// Distinct /24s spread over the unicast space, ascending.
std::vector<Prefix> prefixes(std::size_t count) {
  std::vector<Prefix> all;
  const std::uint32_t first = 1U << 16U;  // 1.0.0.0/24, in /24s.
  const std::uint32_t last = 223U << 16U;
  for (std::size_t i = 0; i < count; ++i) {
    const auto slot = static_cast<std::uint32_t>(first + static_cast<std::uint64_t>(last - first) * i / count);
    all.push_back(Prefix::of(IpAddress::v4(slot << 8U), 24));
  }
  return all;
}

struct Route {
  Prefix prefix;
  std::uint32_t attributes;
};

/// A million /24s.
const std::vector<Route>& routes(bool shuffled) {
  static const auto make = [](bool shuffle) {
    std::mt19937 random(1);
    std::vector<Route> all;
    for (const Prefix& prefix : prefixes(kRoutes)) all.push_back({prefix, static_cast<std::uint32_t>(random() % 1000)});
    if (shuffle) std::shuffle(all.begin(), all.end(), random);
    return all;
  };
  static const std::vector<Route> in_order = make(false);
  static const std::vector<Route> mixed = make(true);
  return shuffled ? mixed : in_order;
}

const std::vector<PathAttributes>& attributes() {
  static const std::vector<PathAttributes> all = [] {
    std::vector<PathAttributes> made(1000);
    for (std::uint32_t i = 0; i < made.size(); ++i) {
      for (std::uint32_t hop = 0; hop < 4; ++hop) made[i].as_path.append_sequence(Asn{64512 + (i * 7 + hop) % 1000});
      for (std::uint32_t c = 0; c < 5; ++c) made[i].communities.push_back(Community{(65000U << 16U) + i + c * 1000});
      made[i].next_hop.address = IpAddress::v4(0xC0000201U);
    }
    return made;
  }();
  return all;
}

PolicyLibrary library(std::size_t terms, std::size_t entries) {
  PolicyLibrary made;
  NamedSet<PrefixRange> set{"set", {}, {}};
  // Every route is in every set, by the first entry, so that sets of all sizes cost the terms the same; the others cut
  // the space into as many pieces as there are entries.
  set.items.push_back({Prefix{}, 0, 24, {}});
  for (const Prefix& prefix : prefixes(entries - 1)) set.items.push_back({prefix, 25, 32, {}});
  made.prefix_sets.push_back(std::move(set));
  PolicyDefinition policy{"p", {}, {}};
  match::PrefixIn in_set;
  in_set.sets = {{"set", {}}};
  // Terms in front of the last look at the set and at a community that no route has.
  for (std::uint32_t i = 0; i + 1 < terms; ++i) {
    match::CommunityIn mark;
    mark.items.push_back({(64999U << 16U) + i, 0xFFFFFFFFU, {}});
    policy.terms.push_back({"", {{in_set, {}}, {mark, {}}}, {}, std::nullopt, TermVerdict::reject, {}});
  }
  policy.terms.push_back({"", {{in_set, {}}}, {}, std::nullopt, TermVerdict::accept, {}});
  made.policies.push_back(std::move(policy));
  return made;
}

void judge(benchmark::State& state, bool shuffled) {
  const auto terms = static_cast<std::size_t>(state.range(0));
  const auto entries = static_cast<std::size_t>(state.range(1));
  const auto policy = Policy::compile(library(terms, entries), "p").value();
  const std::vector<PathAttributes>& sets = attributes();
  const std::vector<Route>& table = routes(shuffled);
  std::size_t accepted = 0;
  for (auto _ : state) {
    accepted = 0;
    for (const Route& route : table) {
      PolicyContext context;
      context.prefix = route.prefix;
      accepted += policy->judge(sets[route.attributes], context).accepted ? 1 : 0;
    }
    benchmark::DoNotOptimize(accepted);
  }
  state.SetItemsProcessed(state.iterations() * kRoutes);
  state.counters["accepted"] = static_cast<double>(accepted);
}

void in_table_order(benchmark::State& state) { judge(state, false); }
void shuffled(benchmark::State& state) { judge(state, true); }

void arguments(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"terms", "entries"})->Unit(benchmark::kMillisecond);
  for (const int terms : {1, 10, 100})
    for (const int entries : {10, 10'000, 1'000'000}) bench->Args({terms, entries});
}
BENCHMARK(in_table_order)->Apply(arguments);
BENCHMARK(shuffled)->Apply(arguments);

/// Text of a million prefixes to a policy that can be asked: the limit is two seconds.
void load_a_million(benchmark::State& state) {
  std::vector<std::string> lines;
  for (const Prefix& prefix : prefixes(1'000'000)) lines.push_back(to_text(prefix));
  for (auto _ : state) {
    PolicyLibrary loaded = library(1, 2);
    loaded.prefix_sets[0].items.clear();
    for (const std::string& line : lines) loaded.prefix_sets[0].items.push_back(parse_prefix_range(line).value());
    const auto policy = Policy::compile(loaded, "p");
    benchmark::DoNotOptimize(policy.has_value());
  }
}
BENCHMARK(load_a_million)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
}  // namespace minibgp
