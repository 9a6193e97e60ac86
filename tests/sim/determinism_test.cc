/// The same inputs give the same outputs, byte for byte: a lively world is run twice, and what its speakers say to each
/// other is compared as octets with their times. The digest is printed; tests/replay/determinism_test.py compares that
/// of two compilers.
#include <bgp/text.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <testing/world.h>

namespace minibgp::testing {
namespace {

using namespace std::chrono_literals;

struct Digest {
  std::uint64_t value = 0xCBF29CE484222325U;  ///< FNV-1a.
  std::size_t octets = 0;
  void add(Bytes bytes) {
    for (const std::uint8_t octet : bytes) value = (value ^ octet) * 0x100000001B3U;
    octets += bytes.size();
  }
  void add(std::uint64_t number) {
    std::vector<std::uint8_t> bytes;
    for (unsigned shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<std::uint8_t>(number >> shift));
    add(bytes);
  }
  bool operator==(const Digest&) const = default;
};

[[nodiscard]] Digest run(std::uint64_t seed) {
  World world{Seed{seed}};
  Digest digest;
  world.tap([&](const Node& from, const Node& to, Bytes bytes) {
    digest.add(static_cast<std::uint64_t>(world.now().time_since_epoch().count()));
    digest.add(static_cast<std::uint64_t>(from.router_id()) << 32U | static_cast<std::uint64_t>(to.router_id()));
    digest.add(bytes);
  });
  Node& a = world.add_node({.as = 65001, .maximum_paths = 4});
  Node& b = world.add_node({.as = 65002});
  Node& c = world.add_node({.as = 65002});
  Node& d = world.add_node({.as = 65003});
  LinkOptions options;
  options.jitter = 30ms;
  Link& link = world.connect(a, b, options);
  world.connect(a, c, options);
  world.connect(b, c, options);
  world.connect(b, d, options);
  world.connect(c, d, options);
  for (std::uint32_t i = 0; i < 500; ++i) {
    PathAttributes attributes;
    attributes.med = i % 7;
    attributes.communities = {Community{0xFDE90000U + i % 31}};
    (i % 3 == 0 ? a : d).announce(Prefix::of(IpAddress::v4(0x14000000U + (i << 8U)), 24), attributes);
  }
  world.run_for(30s);
  link.reset();
  d.kill();
  world.run_for(60s);
  d.start(Node::Forwarding::preserved);
  for (std::uint32_t i = 0; i < 500; i += 5) a.withdraw(Prefix::of(IpAddress::v4(0x14000000U + (i << 8U)), 24));
  world.run_for(200s);
  for (const auto& node : world.nodes()) digest.add(node->engine().route_count());
  return digest;
}

TEST(Determinism, TwoRunsOfTheSameInputsSayTheSameBytes) {
  const Digest first = run(42);
  EXPECT_GT(first.octets, 30'000U) << "the world is not lively";
  EXPECT_EQ(first, run(42));
  EXPECT_NE(first, run(43)) << "the seed changes nothing";
  std::printf("digest %016llx of %zu octets\n", static_cast<unsigned long long>(first.value), first.octets);
}

}  // namespace
}  // namespace minibgp::testing
