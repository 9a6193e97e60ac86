// The whole speaker without sockets: tables in and out again, in the shapes that the outside bench runs with daemons.
#include <tests/bench/speaker/full_table.h>

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
