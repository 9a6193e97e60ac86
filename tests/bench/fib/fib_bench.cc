// Desired routes to the kernel's bytes without the kernel: reconciling, and writing the messages of a batch.
#include <fib/forwarding.h>
#include <fib/netlink/message.h>
#include <fib/netlink/route_codec.h>
#include <fib/reconciler.h>

#include <array>
#include <cstdint>
#include <span>

#include <benchmark/benchmark.h>

namespace minibgp::fib {
namespace {

constexpr std::size_t kBatch = 1024;
constexpr std::uint8_t kProtocol = 155;

RouteKey key_of(std::size_t number) {
  return {Prefix::of(IpAddress::v4(static_cast<std::uint32_t>((0x10000U + number) << 8U)), 24), kMainTable, 20};
}

Forwarding by_object(std::uint32_t id) {
  Forwarding out;
  out.next_hop = NextHopId{id};
  return out;
}

/// A Reconciler whose kernel began empty and has only what it is told.
struct Bed {
  ForwardingTable forwardings;
  Reconciler reconciler{forwardings, [](ForwardingId, ForwardingId) { return false; },
                        [](const RouteKey&) { return Foreign::none; },
                        [](ForwardingId) { return RouteRecords::Viable::all; }};

  Bed() { reconciler.finish_adoption(); }
};

/// Everything that is due, each batch answered with success; its messages into `writer` when there is one.
std::size_t drain(Reconciler& reconciler, netlink::MessageWriter* writer) {
  std::size_t done = 0;
  while (!reconciler.idle()) {
    const std::span<const RouteOp> batch = reconciler.next_batch(kBatch, Time{});
    if (writer != nullptr) {
      writer->clear();
      std::uint32_t sequence = 0;
      for (const RouteOp& op : batch) netlink::append_route(*writer, op, kProtocol, ++sequence);
      benchmark::DoNotOptimize(writer->bytes().data());
    }
    reconciler.on_answers(batch, {}, Time{});
    done += batch.size();
  }
  return done;
}

/// Arguments: routes, whether their messages are written too.
void Install(benchmark::State& state) {
  const auto routes = static_cast<std::size_t>(state.range(0));
  netlink::MessageWriter writer;
  double octets = 0;
  for (auto _ : state) {
    Bed bed;
    Reconciler& reconciler = bed.reconciler;
    const TargetId target = reconciler.targets().make(bed.forwardings.intern(by_object(1)));
    for (std::size_t i = 0; i < routes; ++i) reconciler.set(key_of(i), target);
    if (drain(reconciler, state.range(1) != 0 ? &writer : nullptr) != routes) state.SkipWithError("routes are missing");
    octets = static_cast<double>(reconciler.record_octets() + reconciler.index_octets());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(static_cast<std::size_t>(state.iterations()) * routes));
  state.counters["octets_per_route"] = octets / static_cast<double>(routes);
}
BENCHMARK(Install)->Args({100'000, 0})->Args({1'000'000, 0})->Args({100'000, 1})->Unit(benchmark::kMillisecond);

/// One set of next hops becomes another under all routes: what the failover message leaves to be put right afterwards.
void Retarget(benchmark::State& state) {
  const auto routes = static_cast<std::size_t>(state.range(0));
  Bed bed;
  Reconciler& reconciler = bed.reconciler;
  const std::array wants{bed.forwardings.intern(by_object(1)), bed.forwardings.intern(by_object(2))};
  const TargetId target = reconciler.targets().make(wants[0]);
  for (std::size_t i = 0; i < routes; ++i) reconciler.set(key_of(i), target);
  drain(reconciler, nullptr);
  std::size_t turn = 0;
  for (auto _ : state) {
    reconciler.targets().set(target, wants[++turn % wants.size()]);
    if (drain(reconciler, nullptr) != routes) state.SkipWithError("routes are missing");
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(static_cast<std::size_t>(state.iterations()) * routes));
}
BENCHMARK(Retarget)->Arg(100'000)->Unit(benchmark::kMillisecond);

/// A whole table that the kernel has as desired is compared with its dump: the audit, and a restart.
void Audit(benchmark::State& state) {
  const auto routes = static_cast<std::size_t>(state.range(0));
  Bed bed;
  Reconciler& reconciler = bed.reconciler;
  const Forwarding want = by_object(1);
  const TargetId target = reconciler.targets().make(bed.forwardings.intern(want));
  for (std::size_t i = 0; i < routes; ++i) reconciler.set(key_of(i), target);
  drain(reconciler, nullptr);
  for (auto _ : state) {
    reconciler.begin_dump();
    for (std::size_t i = 0; i < routes; ++i) reconciler.on_kernel_route(key_of(i), want, Heard::dumped);
    reconciler.end_dump(true);
    if (drain(reconciler, nullptr) != 0) state.SkipWithError("a route was touched");
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(static_cast<std::size_t>(state.iterations()) * routes));
}
BENCHMARK(Audit)->Arg(100'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace minibgp::fib
