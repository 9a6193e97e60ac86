/// Injector: best paths, static routes and the program's own routes in; desired routes out: table, metric, preferred
/// source, set of next hops. What the guard (route_guard.h) refuses is held back with its reason.
///
/// A set of next hops is a set: the same next hop from two peers, or from two sessions with one router, counts once,
/// with the largest of its weights.
///
/// Each distinct set of (source, next hop, weight) is kept once, with one target of the reconciler; what a set is in
/// the kernel right now is a pure function of its usable next hops, computed again when one of them changes.
#pragma once

#include <bgp/base/slab.h>
#include <fib/inputs.h>
#include <fib/next_hop_group.h>
#include <fib/next_hop_map.h>
#include <fib/options.h>
#include <fib/reconciler.h>
#include <fib/route_guard.h>
#include <fib/static_routes.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace minibgp::fib {

class Injector {
 public:
  struct Options {
    std::uint32_t table = kMainTable;
    std::uint32_t metric = kDefaultMetric;
    PreferredSource preferred_source;
    bool operator==(const Options&) const = default;
  };
  /// All outlive it. `use` says whether routes refer to next-hop objects or carry their next hops themselves; objects
  /// that an earlier run left are looked up and released either way.
  enum class Objects : std::uint8_t { used, unused };
  Injector(const Options& options, NextHopMap& map, NextHopGroups& groups, Objects use, ForwardingTable& forwardings,
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
  void set_allowed(std::uint32_t allowed) { guard_.set_allowed(allowed); }
  /// The kernel's other routes, its addresses or the peers changed: judges again what is held back, and what the change
  /// may concern.
  void review_guard();
  /// Asked before a table is used for the first time; false: another process owns it, and its routes are held back.
  /// Asked in the middle of a change: must not call back into the injector.
  using Claim = std::function<bool(std::uint32_t table)>;
  void set_claim(Claim claim) { claim_ = std::move(claim); }
  /// False: another process owns the table.
  bool use_table(std::uint32_t table);
  /// Asks again for the tables that another process owned; whether one is ours now.
  bool claim_again();
  /// Routes that were held back since the last call: some of them, and how many there were in all.
  struct HeldNews {
    std::vector<std::pair<Prefix, GuardVerdict>> some;
    std::size_t count = 0;
  };
  static constexpr std::size_t kHeldNewsKept = 4;
  [[nodiscard]] HeldNews take_held_news() { return std::exchange(held_news_, {}); }

  // --- What holds -------------------------------------------------------------------------------------------------
  /// The next hops that changed: takes the dead ones out of the kernel's groups, then settles what each set is now.
  /// Returns how many members of groups died.
  std::size_t on_next_hops_changed(std::span<const NextHopMap::Change> changes);
  /// Groups changed or went, local addresses did, or next_deadline() came: settle every set again.
  void settle_sets();
  /// A learned route whose last next hop becomes unusable, or whose peer is removed, stays as it is at most so long,
  /// while the kernel has a place for it. The speaker hears of it in the same turn and names another path or withdraws
  /// the route, which takes it several turns for a large table; a route that left first would be missing until then.
  static constexpr Duration kReselection = std::chrono::milliseconds{200};
  [[nodiscard]] Time next_deadline() const { return reselected_by_; }
  void see(Time now) { now_ = now; }
  /// Gives back sets and groups nobody uses any more. Once per turn.
  void collect();
  /// From now on without next-hop objects.
  void give_up_groups();  ///< The kernel has none.
  [[nodiscard]] bool kernel_has_objects() const { return groups_ != nullptr; }
  [[nodiscard]] bool uses_objects() const { return use_groups_; }

  // --- Reading ----------------------------------------------------------------------------------------------------
  struct Held {
    std::uint32_t set = 0;
    Refusal refusal = Refusal::none;
    std::string detail;
  };
  [[nodiscard]] const std::map<RouteKey, Held>& held() const { return held_; }
  /// Static routes that the guard refuses.
  [[nodiscard]] const std::map<RouteKey, Held>& refused_static() const { return refused_static_; }
  [[nodiscard]] bool is_static(const RouteKey& key) const { return fixed_.contains(key); }
  [[nodiscard]] const std::set<std::uint32_t>& tables() const { return tables_; }
  /// Whether something is desired in the table, or may be.
  [[nodiscard]] bool uses(std::uint32_t table) const;
  void drop_table(std::uint32_t table) { tables_.erase(table); }
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
    std::uint32_t held = 0;       ///< Routes that are held back, hence no routes of the target.
    Time reselected_by = kNever;  ///< No next hop is usable; its routes stay until then: see kReselection.
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
  [[nodiscard]] bool waits_for_speaker(NextHopSet& set);
  [[nodiscard]] IpAddress preferred_source(const NextHopSet& set) const;
  [[nodiscard]] RouteKey key_for(const BestChange& change) const;
  void learn(const RouteKey& key, SetIndex set);
  void forget(const RouteKey& key);
  void desire(const RouteKey& key, SetIndex set);
  void hold(const RouteKey& key, SetIndex set, GuardVerdict why);
  void note_held(const Prefix& prefix, const GuardVerdict& why);
  bool unhold(const RouteKey& key);
  bool let_go(std::map<RouteKey, Held>& from, const RouteKey& key);
  void fix(const RouteKey& key, SetIndex set, bool from_program);
  void unfix(const RouteKey& key);
  [[nodiscard]] GuardVerdict verdict_of_table(std::uint32_t table) const;
  [[nodiscard]] GuardVerdict verdict_of(const RouteKey& key) const;
  [[nodiscard]] GuardVerdict verdict_of_static(const RouteKey& key, SetIndex set) const;
  void drop_set(SetIndex index);

  Options options_;
  NextHopMap& map_;
  NextHopGroups* groups_;  ///< Null: the kernel has none.
  bool use_groups_;
  ForwardingTable& forwardings_;
  Reconciler& reconciler_;
  RouteGuard guard_;
  Claim claim_;

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
  std::vector<RouteKey> static_keys_;  ///< Of fixed_, those that they are.
  std::map<RouteKey, Held> refused_static_;
  std::set<std::uint32_t> tables_;
  std::set<std::uint32_t> denied_tables_;  ///< Another process owns them.
  HeldNews held_news_;
  bool new_table_ = false;
  Time now_{};
  Time reselected_by_ = kNever;  ///< The earliest of the sets'.
  std::vector<GroupMember> scratch_;
};

}  // namespace minibgp::fib
