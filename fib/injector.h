/// Injector: best paths, static routes and the program's own routes in; desired routes out: table, metric, preferred
/// source, set of next hops. And the guard: learned routes that would take over a path this host itself stands on are
/// refused with a reason.
///
/// Each distinct set of (source, next hop, weight) is kept once, with one target of the reconciler; what a set is in
/// the kernel right now is a pure function of its usable next hops, computed again when one of them changes.
#pragma once

#include <bgp/base/slab.h>
#include <fib/fib.h>
#include <fib/next_hop_group.h>
#include <fib/next_hop_map.h>
#include <fib/reconciler.h>
#include <fib/static_routes.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace minibgp::fib {

/// Why the guard refuses a prefix.
struct GuardVerdict {
  Refusal refusal = Refusal::none;
  std::string detail;
};

class Injector {
 public:
  struct Options {
    std::uint32_t table = kMainTable;
    std::uint32_t metric = kDefaultMetric;
    PreferredSource preferred_source;
    bool operator==(const Options&) const = default;
  };
  /// All outlive it. `groups` is null where routes carry their next hops themselves.
  Injector(const Options& options, NextHopMap& map, NextHopGroups* groups, ForwardingTable& forwardings,
           Reconciler& reconciler);

  // --- Desired ----------------------------------------------------------------------------------------------------
  void on_best_changed(std::span<const BestChange> changes);
  void set_static_routes(std::span<const StaticRoute> routes);
  void set_route(const RouteKey& key, std::span<const Via> vias);
  void remove_route(const RouteKey& key);
  void set_options(const Options& options);
  /// Nothing is desired any more.
  void clear();

  // --- Guard ------------------------------------------------------------------------------------------------------
  void set_underlay_endpoints(std::span<const IpAddress> endpoints);
  void set_own_networks(std::span<const Prefix> networks);
  [[nodiscard]] GuardVerdict guard(const Prefix& prefix) const;
  /// The kernel's other routes changed: judge again what is refused, and what covers something guarded.
  void review_guard();

  // --- What holds -------------------------------------------------------------------------------------------------
  /// The next hops that changed: takes the dead ones out of the kernel's groups, then settles what each set is now.
  /// Returns how many members of groups died.
  std::size_t on_next_hops_changed(std::span<const NextHopMap::Change> changes);
  /// Groups changed or went, or local addresses did: settle every set again.
  void settle_sets();
  /// Gives back sets and groups nobody uses any more. Once per turn.
  void collect();
  /// From now on without next-hop objects.
  void give_up_groups();

  // --- Reading ----------------------------------------------------------------------------------------------------
  struct Held {
    std::uint32_t set = 0;
    Refusal refusal = Refusal::none;
    std::string detail;
  };
  [[nodiscard]] const std::map<RouteKey, Held>& held() const { return held_; }
  [[nodiscard]] bool is_static(const RouteKey& key) const { return fixed_.contains(key); }
  [[nodiscard]] const std::set<std::uint32_t>& tables() const { return tables_; }
  /// A table was added since the last call: the kernel's routes of ours in it are not known yet.
  [[nodiscard]] bool take_new_table() { return std::exchange(new_table_, false); }
  [[nodiscard]] std::vector<Via> vias_of(const Forwarding& forwarding) const;
  [[nodiscard]] std::size_t set_count() const { return sets_.size() - 1; }

 private:
  struct NextHopSet {
    std::vector<SetMember> members;  ///< Sorted: what makes it this set, with family and source below.
    std::vector<NextHopRef> refs;    ///< Beside members.
    IpAddress preferred_source;      ///< Asked for by policy; unset: by the options.
    Family family = Family::ipv4;
    TargetId target = kNoTarget;
    std::uint32_t held = 0;  ///< Routes that are held back, hence no routes of the target.
  };
  using SetIndex = std::uint32_t;  ///< 0: none.
  /// Routes that go before learned ones: the operator's and the program's.
  struct Fixed {
    SetIndex set = 0;
    bool from_program = false;
  };

  [[nodiscard]] SetIndex set_for(Family family, std::vector<SetMember> members, const IpAddress& preferred_source);
  [[nodiscard]] SetIndex set_for(const BestChange& change);
  [[nodiscard]] bool as_last(const BestChange& change, const IpAddress& preferred_source) const;
  void settle(NextHopSet& set, NextHopId hint);
  [[nodiscard]] IpAddress preferred_source(const NextHopSet& set) const;
  [[nodiscard]] RouteKey key_for(const BestChange& change) const;
  void learn(const RouteKey& key, SetIndex set);
  void forget(const RouteKey& key);
  void desire(const RouteKey& key, SetIndex set);
  void hold(const RouteKey& key, SetIndex set, GuardVerdict why);
  bool unhold(const RouteKey& key);
  void fix(const RouteKey& key, SetIndex set, bool from_program);
  void unfix(const RouteKey& key);
  void use_table(std::uint32_t table);
  void drop_set(SetIndex index);

  Options options_;
  NextHopMap& map_;
  NextHopGroups* groups_;
  ForwardingTable& forwardings_;
  Reconciler& reconciler_;

  base::Slab<NextHopSet, 64> sets_;
  std::unordered_multimap<std::size_t, SetIndex> by_content_;
  std::unordered_map<std::uint32_t, SetIndex> by_target_;
  SetIndex last_set_ = 0;  ///< Of the last change: neighbors in a table mostly share it.
  std::vector<BestPath> last_paths_;
  IpAddress last_source_;
  Family last_family_ = Family::ipv4;
  std::vector<SetIndex> maybe_unused_;

  std::map<RouteKey, Held> held_;
  std::map<RouteKey, Fixed> fixed_;
  std::map<Prefix, RouteKey> unusual_;  ///< Learned routes whose policy gave them another table or metric.
  std::vector<StaticRoute> static_routes_;
  std::vector<IpAddress> endpoints_;
  std::vector<Prefix> own_networks_;
  std::set<std::uint32_t> tables_;
  bool new_table_ = false;
  std::vector<GroupMember> scratch_;
};

}  // namespace minibgp::fib
