#include <bgp/base/dirty_set.h>
#include <bgp/base/flat_index.h>
#include <bgp/base/lpm_trie.h>
#include <bgp/base/slab.h>

#include <map>
#include <random>
#include <set>
#include <unordered_map>
#include <vector>

#include <gtest/gtest.h>
#include <testing/values.h>

namespace minibgp::base {
namespace {

using namespace testing::literals;

// --- Slab ----------------------------------------------------------------------------------------------------------

TEST(Slab, IdsStayAndRecordsAreFreshWhenReused) {
  Slab<int, 64> slab;
  const auto a = slab.insert();
  const auto b = slab.insert();
  slab[a] = 1;
  slab[b] = 2;
  slab.erase(a);
  EXPECT_FALSE(slab.contains(a));
  EXPECT_EQ(slab[b], 2);
  const auto c = slab.insert();
  EXPECT_EQ(c, a) << "a freed id is used again";
  EXPECT_EQ(slab[c], 0);
}

TEST(Slab, NextVisitsExactlyTheIdsInUse) {
  std::mt19937 random(7);
  Slab<int, 128> slab;
  std::set<std::uint32_t> used;
  for (int step = 0; step < 5000; ++step) {
    if (used.empty() || random() % 5 < 3) {
      used.insert(slab.insert());
    } else {
      auto at = used.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(random() % used.size()));
      slab.erase(*at);
      used.erase(at);
    }
    if (step % 500 != 0) continue;
    std::set<std::uint32_t> seen;
    for (auto id = slab.next(0); id < slab.bound(); id = slab.next(id + 1)) seen.insert(id);
    ASSERT_EQ(seen, used) << "step " << step;
    ASSERT_EQ(slab.size(), used.size());
  }
}

TEST(Slab, MemoryGoesWhenRecordsGo) {
  Slab<std::array<char, 100>, 64> slab;
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 6400; ++i) ids.push_back(slab.insert());
  const std::size_t full = slab.octets();
  for (const auto id : ids) slab.erase(id);
  EXPECT_EQ(slab.size(), 0U);
  EXPECT_LT(slab.octets(), full / 20);
}

TEST(SlabDeathTest, ErasingTwiceEndsTheProgram) {
  Slab<int> slab;
  const auto id = slab.insert();
  slab.erase(id);
  EXPECT_DEATH(slab.erase(id), "assertion failed");
}

// --- FlatIndex -----------------------------------------------------------------------------------------------------

/// Keys live in a vector, as records do; `spread` shortens the hash, so that probes collide.
struct Keys {
  std::vector<std::uint64_t> of_id;
  std::uint64_t spread = ~0ULL;
  [[nodiscard]] std::uint64_t hash(std::uint64_t key) const {
    key = (key ^ (key >> 31U)) * 0x9E3779B97F4A7C15U;
    return (key ^ (key >> 29U)) & spread;
  }
  [[nodiscard]] std::uint32_t find(const FlatIndex& index, std::uint64_t key) const {
    return index.find(hash(key), [&](std::uint32_t id) { return of_id[id] == key; });
  }
};

class FlatIndexOps : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(FlatIndexOps, AnswersLikeAMapAtEveryStep) {
  std::mt19937_64 random(3);
  Keys keys;
  keys.spread = GetParam();
  FlatIndex index;
  std::unordered_map<std::uint64_t, std::uint32_t> model;
  for (int step = 0; step < 20000; ++step) {
    const std::uint64_t key = random() % 3000;
    const auto known = model.find(key);
    ASSERT_EQ(keys.find(index, key), known == model.end() ? FlatIndex::kNotFound : known->second) << "step " << step;
    if (known == model.end() && random() % 3 != 0) {
      keys.of_id.push_back(key);
      const auto id = static_cast<std::uint32_t>(keys.of_id.size() - 1);
      index.insert(keys.hash(key), id, [&](std::uint32_t other) { return keys.hash(keys.of_id[other]); });
      model[key] = id;
    } else if (known != model.end() && random() % 2 == 0) {
      index.erase(keys.hash(key), known->second);
      model.erase(known);
    }
    ASSERT_EQ(index.size(), model.size());
  }
  for (const auto& [key, id] : model) ASSERT_EQ(keys.find(index, key), id);
}
INSTANTIATE_TEST_SUITE_P(HashQuality, FlatIndexOps, ::testing::Values(~0ULL, 0xFF000000000000FFULL, 0xFFULL));

TEST(FlatIndex, CostsLittleMoreThanFiveOctetsPerSlotAndNothingWhenEmpty) {
  Keys keys;
  FlatIndex index;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    keys.of_id.push_back(i);
    index.insert(keys.hash(i), i, [&](std::uint32_t other) { return keys.hash(keys.of_id[other]); });
  }
  EXPECT_LT(index.octets(), 100'000U * 16);
  for (std::uint32_t i = 0; i < 100'000; ++i) index.erase(keys.hash(i), i);
  EXPECT_EQ(index.octets(), 0U);
}

// --- DirtySet ------------------------------------------------------------------------------------------------------

TEST(DirtySet, TakesEachIdOnceInOrderOfAdding) {
  DirtySet set;
  EXPECT_TRUE(set.add(5));
  EXPECT_TRUE(set.add(1000));
  EXPECT_FALSE(set.add(5));
  EXPECT_TRUE(set.contains(5));
  EXPECT_EQ(set.take(), 5U);
  EXPECT_FALSE(set.contains(5));
  EXPECT_TRUE(set.add(5)) << "it may change again while the rest waits";
  EXPECT_EQ(set.take(), 1000U);
  EXPECT_EQ(set.take(), 5U);
  EXPECT_TRUE(set.empty());
}

TEST(DirtySet, IsBoundedByTheNumberOfIdsHoweverOftenTheyChange) {
  DirtySet set;
  for (std::uint32_t round = 0; round < 1000; ++round) {
    for (std::uint32_t id = 0; id < 1000; ++id) set.add(id);
    for (int i = 0; i < 500; ++i) static_cast<void>(set.take());
  }
  EXPECT_EQ(set.size(), 500U);
  EXPECT_LT(set.octets(), 64U * 1024);
}

// --- LpmTrie -------------------------------------------------------------------------------------------------------

TEST(LpmTrie, TheLongestCoveringPrefixAnswers) {
  LpmTrie<int> trie;
  trie.insert("10.0.0.0/8"_prefix, 8);
  trie.insert("10.1.0.0/16"_prefix, 16);
  trie.insert("0.0.0.0/0"_prefix, 0);
  trie.insert("2001:db8::/32"_prefix, 32);
  EXPECT_EQ(*trie.lookup("10.1.2.3"_ip), 16);
  EXPECT_EQ(*trie.lookup("10.2.0.1"_ip), 8);
  EXPECT_EQ(*trie.lookup("192.0.2.1"_ip), 0);
  EXPECT_EQ(*trie.lookup("2001:db8::1"_ip), 32);
  EXPECT_EQ(trie.lookup("2001:db9::1"_ip), nullptr);
  EXPECT_EQ(*trie.covering("10.1.0.0/16"_prefix), 16);
  EXPECT_EQ(*trie.covering("10.0.0.0/12"_prefix), 8);
}

TEST(LpmTrie, AgreesWithLookingAtEveryPrefix) {
  std::mt19937 random(11);
  LpmTrie<Prefix> trie;
  std::set<Prefix> model;
  for (int step = 0; step < 4000; ++step) {
    const Prefix prefix = Prefix::of(IpAddress::v4(random() & 0xF0F0F0F0U), static_cast<std::uint8_t>(random() % 33));
    if (random() % 3 != 0) {
      trie.insert(prefix, prefix);
      model.insert(prefix);
    } else {
      ASSERT_EQ(trie.erase(prefix), model.erase(prefix) == 1);
    }
    ASSERT_EQ(trie.size(), model.size());
    const IpAddress address = IpAddress::v4(random() & 0xF0F0F0F0U);
    const Prefix* best = nullptr;
    for (const Prefix& known : model)
      if (known.contains(address) && (best == nullptr || known.length_bits > best->length_bits)) best = &known;
    const Prefix* const found = trie.lookup(address);
    ASSERT_EQ(found == nullptr, best == nullptr);
    if (best != nullptr) {
      ASSERT_EQ(*found, *best);
    }
  }
}

}  // namespace
}  // namespace minibgp::base
