// The table against a naive model that keeps every path in a list and chooses from scratch, and the laws that decide()
// must obey. Seeded: a failure names the seed that replays it.
#include <bgp/rib/attr_table.h>
#include <bgp/rib/next_hop_index.h>
#include <bgp/rib/table.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>
#include <testing/random.h>

namespace minibgp::rib {
namespace {

using testing::Random;
using testing::Seed;

constexpr std::uint16_t kPeers = 6;

PeerFacts facts_of(std::uint16_t peer) {
  return {peer % 3 != 0, RouterId{100U - peer}, IpAddress::v4(0xC0000200U + peer), 100};
}

/// Few values per field, so that every rule gets to decide.
PathAttributes random_attributes(Random& random) {
  PathAttributes a;
  a.as_path.append_sequence(Asn{65001 + static_cast<std::uint32_t>(random.below(3))});
  if (random.one_in(2)) a.as_path.append_sequence(Asn{65010});
  a.next_hop.address = IpAddress::v4(0x0A000001U + static_cast<std::uint32_t>(random.below(4)));
  if (random.one_in(2)) a.med = static_cast<std::uint32_t>(random.below(3));
  if (random.one_in(4)) a.local_pref = 100 + static_cast<std::uint32_t>(random.below(2));
  if (random.one_in(5)) a.origin = Origin::incomplete;
  if (random.one_in(5)) a.originator_id = RouterId{static_cast<std::uint32_t>(95 + random.below(4))};
  if (random.one_in(8)) a.local.weight = 1;
  return a;
}

// --- decide() ------------------------------------------------------------------------------------------------------

class DecideLaws : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(DecideLaws, AntisymmetricAndTransitiveWithinOneNeighbor) {
  SCOPED_TRACE(::testing::Message() << "seed=" << GetParam());
  Random random{Seed{GetParam()}};
  AttrTable attributes;
  std::vector<PeerFacts> peers;
  for (std::uint16_t i = 0; i < kPeers; ++i) peers.push_back(facts_of(i));
  std::vector<Candidate> candidates;
  for (std::uint32_t i = 0; i < 24; ++i) {
    Candidate made;
    made.attrs = &attributes.hot(attributes.intern(random_attributes(random)));
    made.peer_id = PeerId{static_cast<std::uint16_t>(random.below(kPeers))};
    made.peer = &peers[static_cast<std::size_t>(made.peer_id)];
    made.path_id = i;
    made.igp_cost = static_cast<std::uint32_t>(random.below(2));
    candidates.push_back(made);
  }
  for (const bool always : {false, true}) {
    const DecideOptions options{always, false};
    for (const Candidate& a : candidates) {
      for (const Candidate& b : candidates) {
        const Verdict forward = decide(a, b, options);
        const Verdict backward = decide(b, a, options);
        ASSERT_EQ(forward.rule, backward.rule);
        ASSERT_EQ(forward.rule == Rule::same, &a == &b);
        if (&a != &b) {
          ASSERT_NE(forward.first_wins, backward.first_wins);
        }
        for (const Candidate& c : candidates) {
          const bool one_neighbor =
              a.attrs->neighbor_as == b.attrs->neighbor_as && b.attrs->neighbor_as == c.attrs->neighbor_as;
          if (!always && !one_neighbor) continue;
          if (decide(a, b, options).first_wins && decide(b, c, options).first_wins) {
            ASSERT_TRUE(decide(a, c, options).first_wins);
          }
        }
      }
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, DecideLaws, ::testing::Range<std::uint64_t>(1, 31));

// --- Table ---------------------------------------------------------------------------------------------------------

struct ModelPath {
  AttrId accepted{};
  bool usable = true;
  std::uint32_t cost = 0;
};
using PathName = std::tuple<std::uint16_t, std::uint32_t>;  ///< Peer, path id.
using ModelRoute = std::map<PathName, ModelPath>;

class Model {
 public:
  Model(const AttrTable& attributes, const SelectionOptions& options) : attributes_(attributes), options_(options) {
    for (std::uint16_t i = 0; i < kPeers; ++i) peers_.push_back(facts_of(i));
  }

  /// The paths in use, by definition: no candidate of the best's neighbor beats it there, no other neighbor's best
  /// beats it; and the rest of the set by the rules up to cost.
  [[nodiscard]] std::vector<PathName> in_use(const ModelRoute& route) const {
    std::vector<std::pair<PathName, Candidate>> all;
    for (const auto& [name, path] : route)
      if (path.accepted != kNoAttributes && path.usable) all.emplace_back(name, candidate(name, path));
    const auto beats = [&](const Candidate& a, const Candidate& b) { return decide(a, b, options_.decide).first_wins; };
    const auto neighbor = [](const Candidate& c) { return c.attrs->neighbor_as; };
    std::vector<std::pair<PathName, Candidate>> winners;
    for (const auto& path : all) {
      const bool beaten = std::any_of(all.begin(), all.end(), [&](const auto& other) {
        return (neighbor(other.second) == neighbor(path.second) || options_.decide.always_compare_med) &&
               beats(other.second, path.second);
      });
      if (!beaten) winners.push_back(path);
    }
    std::vector<PathName> chosen;
    for (const auto& path : winners) {
      const bool beaten = std::any_of(winners.begin(), winners.end(),
                                      [&](const auto& other) { return beats(other.second, path.second); });
      if (!beaten) chosen.push_back(path.first);
    }
    if (chosen.empty() || options_.maximum_paths == 1) return chosen;
    const auto best = std::find_if(all.begin(), all.end(), [&](const auto& path) { return path.first == chosen[0]; });
    std::vector<std::pair<PathName, Candidate>> set;
    for (const auto& path : all) {
      if (path.first == best->first) continue;
      if (decide(path.second, best->second, options_.decide).rule <= Rule::igp_cost) continue;
      const bool loses_by_med = std::any_of(all.begin(), all.end(), [&](const auto& other) {
        if (neighbor(other.second) != neighbor(path.second)) return false;
        const Verdict verdict = decide(other.second, path.second, options_.decide);
        return verdict.first_wins && verdict.rule <= Rule::med;
      });
      if (loses_by_med) continue;
      const bool same_path = attributes_.load(route.at(path.first).accepted).as_path ==
                             attributes_.load(route.at(best->first).accepted).as_path;
      if (options_.multipath == Multipath::exact && !same_path) continue;
      if (options_.multipath == Multipath::neighbor_as && neighbor(path.second) != neighbor(best->second)) continue;
      set.push_back(path);
    }
    std::sort(set.begin(), set.end(), [&](const auto& a, const auto& b) { return beats(a.second, b.second); });
    std::set<std::pair<std::uint16_t, std::uint32_t>> used{{std::get<0>(best->first), best->second.attrs->next_hop}};
    for (const auto& [name, path] : set) {
      if (chosen.size() == options_.maximum_paths) break;
      if (used.insert({std::get<0>(name), path.attrs->next_hop}).second) chosen.push_back(name);
    }
    return chosen;
  }

 private:
  [[nodiscard]] Candidate candidate(const PathName& name, const ModelPath& path) const {
    Candidate made;
    made.attrs = &attributes_.hot(path.accepted);
    made.peer = &peers_[std::get<0>(name)];
    made.peer_id = PeerId{std::get<0>(name)};
    made.path_id = std::get<1>(name);
    made.igp_cost = path.cost;
    return made;
  }

  const AttrTable& attributes_;
  SelectionOptions options_;
  std::vector<PeerFacts> peers_;
};

class TableEqualsModel : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(TableEqualsModel, AfterEveryOperation) {
  SCOPED_TRACE(::testing::Message() << "seed=" << GetParam());
  Random random{Seed{GetParam()}};
  SelectionOptions options;
  options.maximum_paths = GetParam() % 2 == 0 ? 1 : static_cast<std::uint8_t>(1 + random.below(4));
  options.multipath = static_cast<Multipath>(random.below(3));
  options.decide.always_compare_med = random.one_in(4);

  AttrTable attributes;
  NextHopIndex next_hops;
  Table table{attributes, next_hops};
  table.set_options(options);
  for (std::uint16_t i = 0; i < kPeers; ++i) table.set_peer(PeerId{i}, facts_of(i));
  const Model model{attributes, options};
  std::map<Prefix, ModelRoute> routes;
  std::map<std::pair<std::uint16_t, IpAddress>, NextHopIndex::State> states;
  std::map<Prefix, std::vector<std::pair<PathName, AttrId>>> told;  // As a listener to changes knows it.

  const auto apply_states = [&](std::uint16_t peer, ModelPath& path) {
    if (path.accepted == kNoAttributes) return;
    const auto state = states.find({peer, attributes.next_hop(path.accepted).address});
    path.usable = state == states.end() || state->second.usable;
    path.cost = state == states.end() ? 0 : state->second.cost;
  };
  for (int step = 0; step < 400; ++step) {
    const Prefix prefix =
        Prefix::of(IpAddress::v4(0x0A000000U + static_cast<std::uint32_t>(random.below(8)) * 256), 24);
    const auto peer = static_cast<std::uint16_t>(random.below(kPeers));
    const auto path_id = static_cast<std::uint32_t>(random.below(2));
    const std::size_t action = random.below(10);
    if (action < 6) {
      const AttrId received = attributes.intern(random_attributes(random));
      const AttrId accepted = random.one_in(6) ? kNoAttributes : received;
      table.set_path(prefix, {PeerId{peer}, path_id}, received, accepted);
      ModelPath& path = routes[prefix][{peer, path_id}];
      path = {accepted, true, 0};
      apply_states(peer, path);
      attributes.release(received);
    } else if (action < 9) {
      const bool known = routes[prefix].erase({peer, path_id}) == 1;
      ASSERT_EQ(table.remove_path(prefix, {PeerId{peer}, path_id}), known);
    } else {
      const IpAddress address = IpAddress::v4(0x0A000001U + static_cast<std::uint32_t>(random.below(4)));
      const NextHopIndex::State state{!random.one_in(3), static_cast<std::uint32_t>(random.below(2))};
      states[{peer, address}] = state;
      static_cast<void>(next_hops.set(PeerId{peer}, address, state));
      for (RouteId id = table.next(RouteId{0}); id < table.end();
           id = table.next(RouteId{static_cast<std::uint32_t>(id) + 1}))
        table.reselect(id);
      for (auto& [known, paths] : routes)
        for (auto& [name, path] : paths) apply_states(std::get<0>(name), path);
    }

    std::set<Prefix> changed;
    while (!table.changed().empty()) {
      const RouteId id{table.changed().take()};
      const Route& route = table.route(id);
      ASSERT_TRUE(changed.insert(route.prefix).second);
      auto& heard = told[route.prefix];
      heard.clear();
      for (std::uint32_t i = 0; i < route.path_count && i < route.best; ++i)
        heard.push_back(
            {{static_cast<std::uint16_t>(route.path(i).peer), route.path(i).path_id}, route.path(i).accepted});
      if (route.path_count == 0) table.set_withdrawals_due(id, 0);
    }
    std::size_t with_paths = 0;
    for (const auto& [known, paths] : routes) {
      with_paths += paths.empty() ? 0U : 1U;
      std::vector<std::pair<PathName, AttrId>> expected;
      for (const PathName& name : model.in_use(paths)) expected.emplace_back(name, paths.at(name).accepted);
      ASSERT_EQ(told[known], expected) << "step " << step << ": whoever follows the changes knows the truth";
    }
    ASSERT_EQ(table.route_count(), with_paths);
  }
  for (std::uint16_t peer = 0; peer < kPeers; ++peer) {
    std::uint32_t received = 0;
    std::uint32_t accepted = 0;
    std::uint32_t best = 0;
    for (const auto& [prefix, paths] : routes) {
      for (const auto& [name, path] : paths) {
        if (std::get<0>(name) != peer) continue;
        ++received;
        accepted += path.accepted != kNoAttributes ? 1U : 0U;
      }
      const auto chosen = model.in_use(paths);
      best += !chosen.empty() && std::get<0>(chosen[0]) == peer ? 1U : 0U;
    }
    EXPECT_EQ(table.counts(PeerId{peer}).received, received);
    EXPECT_EQ(table.counts(PeerId{peer}).accepted, accepted);
    EXPECT_EQ(table.counts(PeerId{peer}).best, best);
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, TableEqualsModel, ::testing::Range<std::uint64_t>(1, 201));

// --- Order of arrival ----------------------------------------------------------------------------------------------

class OrderOfArrival : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(OrderOfArrival, DoesNotChangeThePathsInUse) {
  SCOPED_TRACE(::testing::Message() << "seed=" << GetParam());
  Random random{Seed{GetParam()}};
  SelectionOptions options;
  options.maximum_paths = static_cast<std::uint8_t>(1 + random.below(8));
  options.multipath = static_cast<Multipath>(random.below(3));
  options.decide.always_compare_med = random.one_in(4);
  AttrTable attributes;
  std::vector<std::pair<Table::PathKey, AttrId>> paths;
  NextHopIndex next_hops;
  for (std::uint16_t peer = 0; peer < kPeers; ++peer) {
    for (std::uint32_t path_id = 0; path_id < 1 + random.below(2); ++path_id) {
      // Close calls only: equal but for what MED, the kind of peer and the cost say.
      PathAttributes a;
      a.as_path.append_sequence(Asn{65001 + static_cast<std::uint32_t>(random.below(3))});
      a.next_hop.address = IpAddress::v4(0x0A000001U + static_cast<std::uint32_t>(random.below(6)));
      a.med = static_cast<std::uint32_t>(random.below(2));
      paths.push_back({{PeerId{peer}, path_id}, attributes.intern(a)});
      static_cast<void>(
          next_hops.set(PeerId{peer}, a.next_hop.address, {true, static_cast<std::uint32_t>(random.below(2))}));
    }
  }
  const Prefix prefix = Prefix::of(IpAddress::v4(0x0A000000U), 24);
  std::vector<PathName> first;
  for (int order = 0; order < 40; ++order) {
    for (std::size_t i = paths.size(); i > 1; --i) std::swap(paths[i - 1], paths[random.below(i)]);
    Table table{attributes, next_hops};
    table.set_options(options);
    for (std::uint16_t i = 0; i < kPeers; ++i) table.set_peer(PeerId{i}, facts_of(i));
    for (const auto& [key, id] : paths) table.set_path(prefix, key, id, id);
    std::vector<PathName> in_use;
    const Route& route = table.route(*table.find(prefix));
    for (std::uint32_t i = 0; i < route.best; ++i)
      in_use.emplace_back(static_cast<std::uint16_t>(route.path(i).peer), route.path(i).path_id);
    if (order == 0) first = in_use;
    ASSERT_EQ(in_use, first) << "order " << order;
    for (const auto& [key, id] : paths) table.remove_path(prefix, key);
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, OrderOfArrival, ::testing::Range<std::uint64_t>(1, 301));

}  // namespace
}  // namespace minibgp::rib
