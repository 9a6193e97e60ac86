/// Forwarder: everything of fib/ that decides, in one pure machine: what is desired and what holds in, operations for
/// the kernel and news out. Deterministic; no sockets, no clock. The driver (fib/netlink/fib.cc) feeds it and carries
/// out its outputs; tests drive it with a fake kernel and virtual time.
///
/// Contract: one input(), route or answer of the kernel; then poll() until it returns nothing; then wait for the next
/// input or for next_deadline(): call on_time() then. Work left over from a turn makes next_deadline() "now".
///
/// Next hops go before routes: a dead next hop leaves its groups before any route is worked on.
///
/// Parts, each with a state of its own: next_hop_map.h and route_guard.h (what may be used), injector.h (what is
/// desired), next_hop_group.h and reconciler.h (what the kernel has of it), route_news.h (what the kernel says of
/// routes), dump_schedule.h (what is read again), table_ownership.h, watches.h, event_log.h, ending.h; report.h reads.
#pragma once

#include <bgp/log.h>
#include <fib/dump_schedule.h>
#include <fib/ending.h>
#include <fib/event_log.h>
#include <fib/injector.h>
#include <fib/inputs.h>
#include <fib/kernel_port.h>
#include <fib/next_hop_group.h>
#include <fib/next_hop_map.h>
#include <fib/options.h>
#include <fib/reconciler.h>
#include <fib/report.h>
#include <fib/route_news.h>
#include <fib/stages.h>
#include <fib/status.h>
#include <fib/table_ownership.h>
#include <fib/watches.h>

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace minibgp::fib {

// What poll() hands out. Views are valid until the next call of poll(), or until the batch is answered.

/// For KernelPort::send().
struct NextHopBatch {
  std::span<const NextHopOp> ops;
};
/// For KernelPort::send().
struct RouteBatch {
  std::span<const RouteOp> ops;
};
/// Where routes of ours are or may be: see FibObserver::on_owned_changed().
struct OwnedChanged {
  std::vector<OwnedTable> owned;
};
struct NextHopsChanged {
  std::vector<NextHopState> states;
};
/// The end of what input::Stop began. Nothing comes after it.
struct Stopped {};
using Output = std::variant<OwnedChanged, NextHopBatch, RouteBatch, DumpRequest, NextHopsChanged, NetworkChange,
                            Comparison, Stopped>;

/// Whether the input may take a next hop away: packets follow it until its groups have lost it.
[[nodiscard]] inline bool may_take_next_hop(const Input& input) {
  return std::holds_alternative<input::SetPeerUsable>(input) ||
         std::holds_alternative<input::SetInterfaceUsable>(input);
}

class Forwarder {
 public:
  /// `log` may be null; otherwise it outlives the forwarder.
  Forwarder(const FibOptions& options, LogSink* log, Time now);
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  void input(const Input& input, Time now);
  void input(const KernelNews& news, Time now);
  void on_route(const KernelRoute& route, Heard heard) { route_news_.on_route(route, heard, now_); }
  void on_route_gone(const KernelRoute& route) { route_news_.on_gone(route, now_); }
  void on_answers(std::span<const NextHopOp> batch, std::span<const OpError> errors, Time now);
  void on_answers(std::span<const RouteOp> batch, std::span<const OpError> errors, Time now);
  void on_time(Time now);
  /// What to do next; nothing: wait. Routes at most as many as a turn may have, which begins with on_time().
  [[nodiscard]] std::optional<Output> poll();
  /// The part of poll() that a failover waits for, ahead of everything else.
  [[nodiscard]] std::optional<NextHopBatch> poll_next_hops(Time now);
  [[nodiscard]] Time next_deadline() const;
  /// Asked for before each poll().
  void set_room(const Room& room) { room_ = room; }

  /// Where earlier runs wrote to. Before the first dump.
  void set_former(std::span<const OwnedTable> former);
  /// See Injector::set_claim().
  void set_claim(Injector::Claim claim) { injector_.set_claim(std::move(claim)); }
  /// See EventLog::set_port_name().
  void set_port_name(EventLog::PortName name) { log_.set_port_name(std::move(name)); }
  /// Nothing is desired any more, adopted routes included. Done when idle().
  void remove_everything();

  [[nodiscard]] FibStatus status() const;
  /// For as long as the forwarder lives.
  [[nodiscard]] Report report() const {
    return Report{{options_, forwardings_, map_, groups_, reconciler_, injector_, log_}};
  }
  [[nodiscard]] const NextHopMap& map() const { return map_; }
  [[nodiscard]] const FibOptions& options() const { return options_; }
  /// Members of groups that died so far.
  [[nodiscard]] std::uint64_t failovers() const { return counters_.failovers; }
  /// The kernel is as desired, as far as it can be, and nothing is on its way.
  [[nodiscard]] bool idle() const;
  /// Every consequence of the inputs so far is drawn.
  [[nodiscard]] bool settled() const;
  /// Whether poll() has routes without another input, given room.
  [[nodiscard]] bool has_work() const { return writing() && reconciler_.has_work(); }

 private:
  struct On;        ///< What each alternative of Input means.
  struct OnKernel;  ///< The same of KernelNews.

  void see(Time now) {
    now_ = std::max(now_, now);
    injector_.see(now_);
  }
  void settle();
  [[nodiscard]] bool is_due(Stage stage) const;
  void run(Stage stage);
  void settle_refusals();
  void settle_next_hops();
  void settle_objects();
  void begin_to_write();
  void finish_adoption();
  void forget_clean_tables();
  [[nodiscard]] std::span<const NextHopOp> next_next_hops();
  [[nodiscard]] std::span<const RouteOp> next_routes();
  /// What is desired goes to the kernel when enabled; what earlier runs left is removed in any case.
  [[nodiscard]] bool writing() const { return dumps_.ready() && (options_.enabled || !ownership_.former().empty()); }

  FibOptions options_;
  Time now_;
  EventLog log_;
  ForwardingTable forwardings_;
  NextHopMap map_;
  NextHopGroups groups_;
  Reconciler reconciler_;
  Injector injector_;
  TableOwnership ownership_;
  DumpSchedule dumps_;
  Stages stages_;
  RouteNews route_news_;
  Watches watches_;
  Ending ending_;
  Room room_;
  std::size_t routes_left_ = 0;  ///< Of this turn.
  Time adopt_until_ = kNever;    ///< Not before everything was read once.
  std::optional<Comparison> comparison_;
  FibCounters counters_;  ///< Those that no part has.
};

}  // namespace minibgp::fib
