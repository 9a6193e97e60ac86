/// RouteRecords: each route that is desired or in the kernel, by key: the two columns "desired" and "kernel", and the
/// difference between them, which is needed(). Keeps the references to Forwardings, the routes of the targets and the
/// counts in step with the columns. What follows from a difference, and when, is the reconciler's.
#pragma once

#include <bgp/base/flat_index.h>
#include <bgp/base/slab.h>
#include <fib/forwarding.h>
#include <fib/kernel_port.h>
#include <fib/targets.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace minibgp::fib {

/// How we know of a route in the kernel.
enum class Heard : std::uint8_t { dumped, notified };

/// 32 octets: what one route costs, beside its 7 octets of the index.
struct RouteRecord {
  std::array<std::uint8_t, 16> octets{};
  std::uint8_t length_bits = 0;
  std::uint8_t family : 1 = 0;
  std::uint8_t in_flight : 1 = 0;
  std::uint8_t seen : 1 = 0;     ///< By the dump that runs, when equal to RouteRecords::mark_.
  std::uint8_t touched : 1 = 0;  ///< Written since the dump that runs began: the dump's word is older.
  std::uint8_t adopted : 1 = 0;  ///< Found in the kernel, not confirmed as desired so far.
  // Of RefusedRoutes:
  std::uint8_t parked : 1 = 0;   ///< Waits for an event.
  std::uint8_t waiting : 1 = 0;  ///< Backs off.
  std::uint8_t given_up : 1 = 0;
  std::uint8_t table = 0;  ///< Index of RouteRecords::tables_.
  /// Said to be gone, but perhaps before we wrote it last: it is removed once more before it is forgotten.
  std::uint8_t doubtful : 1 = 0;
  std::uint8_t contradicted : 1 = 0;  ///< News came while an operation was in flight: which was first?
  std::uint8_t truce : 1 = 0;         ///< Waits because another program undoes what we do: of ContestedRoutes.
  std::uint8_t twice : 1 = 0;         ///< The kernel has a second one of ours: both go, and one is made.
  std::uint8_t dumped : 1 = 0;        ///< As seen, by a dump's message and not by a notification.
  std::uint32_t metric = 0;
  TargetId target = kNoTarget;
  ForwardingId kernel = kNoForwarding;

  /// An operation of it may go to the kernel now.
  [[nodiscard]] bool is_free() const {
    return in_flight == 0 && parked == 0 && waiting == 0 && given_up == 0 && truce == 0;
  }
  /// There is nothing to remember of it.
  [[nodiscard]] bool is_empty() const {
    return target == kNoTarget && kernel == kNoForwarding && in_flight == 0 && doubtful == 0;
  }
};
static_assert(sizeof(RouteRecord) == 32);

class RouteRecords {
 public:
  using Id = std::uint32_t;
  static constexpr Id kNone = base::FlatIndex::kNotFound;
  /// Whether two different Forwardings are one in effect (next-hop groups of equal members); asked only where the ids
  /// differ.
  using Same = std::function<bool(ForwardingId kernel, ForwardingId desired)>;
  /// Through how many next hops of an earlier run's Forwarding packets still get.
  enum class Viable : std::uint8_t { none, some, all };
  using HowViable = std::function<Viable(ForwardingId kernel)>;

  /// `forwardings` outlives it.
  RouteRecords(ForwardingTable& forwardings, Same same, HowViable how_viable);

  // --- Records: ids are stable, and given again once the record is erased. O(1) each
  [[nodiscard]] Id find(const RouteKey& key) const;
  [[nodiscard]] Id find_or_add(const RouteKey& key);
  [[nodiscard]] RouteKey key_of(const RouteRecord& record) const;
  [[nodiscard]] RouteRecord& operator[](Id id) { return records_[id]; }
  [[nodiscard]] const RouteRecord& operator[](Id id) const { return records_[id]; }
  [[nodiscard]] bool contains(Id id) const { return records_.contains(id); }
  /// The first id in use from `from` on, and the end of all.
  [[nodiscard]] Id next(Id from) const { return records_.next(from); }
  [[nodiscard]] Id bound() const { return records_.bound(); }
  void erase(Id id);  ///< Of an empty record.

  // --- The columns
  void set_target(RouteRecord& record, TargetId target);
  void set_kernel(RouteRecord& record, ForwardingId kernel);  ///< Takes over one reference of `kernel`.
  [[nodiscard]] ForwardingId desired_of(const RouteRecord& record) const {
    return record.target == kNoTarget ? kNoForwarding : targets_.want_of(record.target);
  }
  [[nodiscard]] bool equal(ForwardingId kernel, ForwardingId desired) const {
    return kernel == desired || (kernel != kNoForwarding && desired != kNoForwarding && same_(kernel, desired));
  }
  /// What the kernel must be told about the route, if anything.
  [[nodiscard]] std::optional<RouteOp::Kind> needed(const RouteRecord& record) const;
  [[nodiscard]] Targets& targets() { return targets_; }
  [[nodiscard]] const Targets& targets() const { return targets_; }

  // --- Adoption: see Reconciler::finish_adoption()
  [[nodiscard]] bool adopting() const { return adopting_; }
  void adopt(RouteRecord& record);
  void confirm(RouteRecord& record);  ///< An adopted one is desired as it is, or not at all.
  void finish_adoption();             ///< Confirms each that is desired.

  // --- Dumps
  /// From now on no record is seen, and none is touched but those in flight.
  void begin_dump();
  [[nodiscard]] bool is_seen(const RouteRecord& record) const { return record.seen == mark_; }
  void see(RouteRecord& record) const { record.seen = mark_ & 1U; }
  /// The same for a dump's message; whether the dump has shown the route before.
  [[nodiscard]] bool see_dumped(RouteRecord& record) const;

  struct Counts {
    std::size_t desired = 0, installed = 0, adopted = 0;
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] std::size_t octets() const { return records_.octets(); }
  [[nodiscard]] std::size_t index_octets() const { return index_.octets(); }

 private:
  struct Table {
    std::uint32_t number = 0;
    std::uint32_t routes = 0;  ///< Records in it; 0: its place is free.
  };
  [[nodiscard]] std::uint64_t hash_of(const RouteKey& key, std::uint8_t table) const;
  [[nodiscard]] std::uint8_t table_index(std::uint32_t table) const;  ///< 0xFF: not known yet.

  ForwardingTable& forwardings_;
  Same same_;
  HowViable how_viable_;
  Targets targets_;
  base::Slab<RouteRecord> records_;
  base::FlatIndex index_;
  std::vector<Table> tables_;
  std::uint8_t mark_ = 0;  ///< 0 and 1 in turn, a dump each.
  bool adopting_ = true;
  Counts counts_;
};

}  // namespace minibgp::fib
