// The whole speaker without sockets: tables in and out again, in the shapes that the outside bench runs with daemons.
#include <tests/bench/speaker/full_table.h>
#include <tests/support/policy_builder.h>

#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace minibgp::bench {
namespace {

/// Octets per prefix, table by table.
void count_memory(benchmark::State& state, const Engine& engine, std::size_t prefixes) {
  std::size_t total = 0;
  for (const MemoryUse& use : engine.memory()) {
    state.counters["octets: " + std::string{use.what}] =
        static_cast<double>(use.octets) / static_cast<double>(prefixes);
    total += use.octets;
  }
  state.counters["octets"] = static_cast<double>(total) / static_cast<double>(prefixes);
}

TableOptions table(std::size_t prefixes, std::uint32_t sender) {
  TableOptions options;
  options.prefixes = prefixes;
  options.attribute_seed = 1 + sender * 131;
  options.order_seed = sender;
  options.first_as = Asn{65001 + sender};
  options.next_hop = IpAddress::v4(0x0A090101 + sender);
  return options;
}

/// Arguments: prefixes, senders, receivers.
void InAndOut(benchmark::State& state) {
  const auto prefixes = static_cast<std::size_t>(state.range(0));
  const auto senders = static_cast<std::size_t>(state.range(1));
  std::vector<std::vector<std::uint8_t>> streams;
  for (std::uint32_t i = 0; i < senders; ++i) streams.push_back(make_stream(table(prefixes, i)));
  std::unique_ptr<Bed> bed;
  for (auto _ : state) {
    state.PauseTiming();
    bed.reset();
    bed = std::make_unique<Bed>(senders, static_cast<std::size_t>(state.range(2)));
    state.ResumeTiming();
    bed->play(streams);
  }
  state.counters["ns_per_path"] =
      benchmark::Counter(static_cast<double>(prefixes * senders) * static_cast<double>(state.iterations()) / 1e9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["MB_sent"] = static_cast<double>(bed->octets_sent()) / 1e6;
  state.counters["best_changes"] = static_cast<double>(bed->best_changes());
  count_memory(state, bed->engine(), prefixes);
}
BENCHMARK(InAndOut)
    ->Args({100'000, 1, 1})
    ->Args({1'000'000, 1, 1})
    ->Args({100'000, 8, 1})
    ->Args({100'000, 1, 20})
    ->Unit(benchmark::kMillisecond);

/// Ten kinds of bogons, long prefixes and paths, reserved ASNs, blackholes, far MEDs; then marks by community, origin
/// and neighbor: what tests/bench/policy_target.py gives the daemons. Every route passes the refusals, so it meets all
/// terms.
std::shared_ptr<const Policy> twenty_terms() {
  using namespace testing;
  std::vector<PolicyTerm> terms;
  const auto refuse = [&terms](auto condition) {
    terms.push_back(term("", {when(std::move(condition))}, {}, TermVerdict::reject));
  };
  for (const char* bogon : {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
                            "172.16.0.0/12", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"})
    refuse(prefix_in({std::string{bogon} + " orlonger"}));
  refuse(prefix_in({"0.0.0.0/0 ge 25"}));
  refuse(match::AsPathLength{{51, 0xFFFFFFFFU}});
  refuse(asns_in<match::AsPathContains>({"65536..65551"}));
  refuse(asns_in<match::AsPathContains>({"64198..64495", "64496..64511"}));
  refuse(community_in({"65535:666"}));
  refuse(match::MedIs{NumberRange{100'000, 0xFFFFFFFFU}});
  const auto mark = [&terms](auto condition, auto action, TermVerdict verdict = TermVerdict::next) {
    terms.push_back(term("", {when(std::move(condition))}, {then(std::move(action))}, verdict));
  };
  mark(community_in({"174:*"}), local_pref(80));
  mark(match::OriginIs{Origin::incomplete}, communities(edit::ListOp::add, {"65000:2"}));
  mark(asns_in<match::NeighborAs>({"64000..64010"}), edit::Med{NumberChange{NumberChange::Op::set, 50}});
  mark(community_in({"*:100"}), edit::Weight{}, TermVerdict::accept);
  terms.push_back(term("", {}, {}, TermVerdict::accept));
  return *Policy::compile(library_of(std::move(terms)), "p");
}

/// Argument: 1 with a policy of twenty terms on import and on export, 0 without.
void InAndOutPolicy(benchmark::State& state) {
  const std::vector<std::vector<std::uint8_t>> stream{make_stream(table(1'000'000, 0))};
  const auto policy = state.range(0) != 0 ? twenty_terms() : Policy::accept_all();
  std::unique_ptr<Bed> bed;
  for (auto _ : state) {
    state.PauseTiming();
    bed.reset();
    bed = std::make_unique<Bed>(1, 1, policy);
    state.ResumeTiming();
    bed->play(stream);
  }
  state.counters["best_changes"] = static_cast<double>(bed->best_changes());
}
BENCHMARK(InAndOutPolicy)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void Withdraw(benchmark::State& state) {
  const auto prefixes = static_cast<std::size_t>(state.range(0));
  const std::vector<std::vector<std::uint8_t>> announced{make_stream(table(prefixes, 0))};
  const std::vector<std::vector<std::uint8_t>> withdrawn{make_withdrawal(table(prefixes, 0))};
  std::unique_ptr<Bed> bed;
  for (auto _ : state) {
    state.PauseTiming();
    bed.reset();
    bed = std::make_unique<Bed>(1, 1);
    bed->play(announced);
    state.ResumeTiming();
    bed->play(withdrawn);
  }
  count_memory(state, bed->engine(), prefixes);  // What stays when everything was withdrawn.
}
BENCHMARK(Withdraw)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace minibgp::bench
