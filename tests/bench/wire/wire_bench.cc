// UPDATEs of a synthetic Internet table: octets to values, and values back to octets.
#include <bgp/base/assert.h>
#include <bgp/wire/message.h>
#include <bgp/wire/update.h>
#include <tests/bench/speaker/full_table.h>

#include <cstdint>
#include <span>
#include <vector>

#include <benchmark/benchmark.h>

namespace minibgp::bench {
namespace {

constexpr std::size_t kPrefixes = 100'000;

struct Stream {
  std::vector<std::uint8_t> octets;
  std::vector<Bytes> bodies;  ///< Of its UPDATEs.

  Stream() {
    TableOptions options;
    options.prefixes = kPrefixes;
    options.next_hop = IpAddress::v4(0x0A090101);
    octets = make_stream(options);
    for (Bytes rest{octets}; !rest.empty();) {
      const auto header = wire::decode_header(rest, wire::kMaxMessage);
      BGP_ASSERT(header.has_value());
      bodies.push_back(rest.subspan(wire::kHeaderSize, header->length - wire::kHeaderSize));
      rest = rest.subspan(header->length);
    }
  }
};

/// Per iteration: the whole table.
void count(benchmark::State& state, std::size_t octets) {
  const auto iterations = static_cast<std::int64_t>(state.iterations());
  state.SetItemsProcessed(iterations * static_cast<std::int64_t>(kPrefixes));
  state.SetBytesProcessed(iterations * static_cast<std::int64_t>(octets));
  state.counters["octets_per_prefix"] = static_cast<double>(octets) / static_cast<double>(kPrefixes);
}

void Decode(benchmark::State& state) {
  const Stream stream;
  const wire::UpdateContext context;
  wire::Update update;
  for (auto _ : state) {
    std::size_t prefixes = 0;
    for (const Bytes body : stream.bodies) {
      wire::decode_update(body, context, update);
      prefixes += update.announced.size();
    }
    BGP_ASSERT(prefixes == kPrefixes);
  }
  count(state, stream.octets.size());
}
BENCHMARK(Decode)->Unit(benchmark::kMillisecond);

void Encode(benchmark::State& state) {
  const Stream stream;
  const wire::UpdateContext context;
  std::vector<wire::Update> updates(stream.bodies.size());
  for (std::size_t i = 0; i < updates.size(); ++i) wire::decode_update(stream.bodies[i], context, updates[i]);
  wire::EncodedAttributes encoded;
  std::vector<std::uint8_t> out;
  std::vector<Prefix> prefixes;
  for (auto _ : state) {
    out.clear();
    for (const wire::Update& update : updates) {
      if (update.announced.empty()) continue;  // End-of-RIB
      prefixes.clear();
      for (const auto& announced : update.announced) prefixes.push_back(announced.prefix);
      wire::encode_attributes(update.attributes, Family::ipv4, context, encoded);
      const auto result =
          wire::encode_announce(encoded, update.attributes.next_hop, Family::ipv4, prefixes, context, out);
      BGP_ASSERT(result.taken == prefixes.size());
    }
    benchmark::DoNotOptimize(out.data());
  }
  count(state, out.size());
}
BENCHMARK(Encode)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace minibgp::bench
