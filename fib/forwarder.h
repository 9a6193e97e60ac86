/// Forwarder: everything of fib/ that decides, in one pure machine: what is desired and what holds in, operations for
/// the kernel and news out. Deterministic; no sockets, no clock. The driver (fib/netlink/fib.cc) feeds it and carries
/// out its outputs; tests drive it with a fake kernel and virtual time.
///
/// Contract: one input(), or word of the kernel (on_*()); then poll() until it returns nothing; then wait for the next
/// input or for next_deadline(): call on_time() then. Work left over from a turn makes next_deadline() "now".
///
/// Next hops go before routes: a dead next hop leaves its groups before any route is worked on.
#pragma once

#include <bgp/log.h>
#include <bgp/snapshots.h>
#include <fib/injector.h>
#include <fib/inputs.h>
#include <fib/kernel_port.h>
#include <fib/next_hop_group.h>
#include <fib/next_hop_map.h>
#include <fib/options.h>
#include <fib/reconciler.h>
#include <fib/status.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace minibgp::fib {

/// The parts of the kernel's state that are dumped on their own.
enum class DumpPart : std::uint8_t { links, next_hops, routes };

struct NetworkChange {
  Prefix prefix;
  NetworkWatch watch = NetworkWatch::exact_route;
  bool present = false;
};

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

/// At most so many lines in a time, and how many more there would have been.
class LineBudget {
 public:
  static constexpr unsigned kLines = 10;
  static constexpr Duration kWindow = std::chrono::seconds{10};
  [[nodiscard]] bool take(Time now) {
    if (now - began_ >= kWindow && missed_ == 0) {
      began_ = now;
      written_ = 0;
    }
    if (written_ < kLines) return ++written_, true;
    ++missed_;
    return false;
  }
  void miss(std::size_t count) { missed_ += count; }
  /// Lines that were left out in the window that is over.
  [[nodiscard]] std::size_t take_missed(Time now) { return now - began_ >= kWindow ? std::exchange(missed_, 0) : 0; }

 private:
  Time began_{};
  unsigned written_ = 0;
  std::size_t missed_ = 0;
};

class Forwarder {
 public:
  /// `log` may be null; otherwise it outlives the forwarder.
  Forwarder(const FibOptions& options, LogSink* log, Time now);
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  void input(const Input& input, Time now);
  /// What to do next; nothing: wait. Routes at most as many as a turn may have, which begins with on_time().
  [[nodiscard]] std::optional<Output> poll();
  [[nodiscard]] Time next_deadline() const;
  [[nodiscard]] FibStatus status() const;
  void on_time(Time now);
  /// Whether the port takes another batch of routes: asked before each poll().
  void set_room_for_routes(bool room) { room_for_routes_ = room; }

  /// Where earlier runs wrote to. Before the first dump.
  void set_former(std::span<const OwnedTable> former);
  /// See Injector::set_claim().
  void set_claim(Injector::Claim claim) { injector_.set_claim(std::move(claim)); }
  /// Says who a netlink port is, for the log: "process 4711 (ip)".
  void set_port_name(std::function<std::string(std::uint32_t port_id)> name) { port_name_ = std::move(name); }
  /// Nothing is desired any more, adopted routes included. Done when idle().
  void remove_everything();

  // --- Kernel -----------------------------------------------------------------------------------------------------
  void on_link(const LinkInfo& link);
  void on_link_gone(IfIndex index);
  void on_address(const AddressInfo& address);
  void on_address_gone(const AddressInfo& address);
  void on_route(const KernelRoute& route, Heard heard);
  void on_route_gone(const KernelRoute& route);
  void on_next_hop(const KernelNextHop& next_hop);
  void on_next_hop_gone(NextHopId id);
  /// Notifications were lost: everything is read again.
  void on_overrun();
  void begin_dump(DumpPart part);
  /// `complete` false: the kernel's table changed while it was read; what was not seen may still be there.
  void end_dump(DumpPart part, bool complete, Time now);
  /// The kernel has no next-hop objects: routes carry their next hops themselves from now on.
  void no_next_hop_objects();

  // --- The parts of poll(), for callers with an order or batches of their own ----------------------------------------
  /// Draws the consequences of the inputs so far, each stage once. Cheap when there were none.
  void settle(Time now);
  /// Nothing is left for settle() to do.
  [[nodiscard]] bool settled() const;
  [[nodiscard]] std::span<const NextHopOp> next_next_hop_batch(std::size_t limit, Time now);
  [[nodiscard]] std::span<const RouteOp> next_route_batch(std::size_t limit, Time now);
  void on_answers(std::span<const NextHopOp> batch, std::span<const OpError> errors, Time now);
  void on_answers(std::span<const RouteOp> batch, std::span<const OpError> errors, Time now);
  /// What to read again from the kernel now; nothing while a dump runs.
  [[nodiscard]] DumpRequest take_dump_request(Time now);
  [[nodiscard]] std::vector<NextHopState> take_next_hop_changes();
  [[nodiscard]] std::vector<NetworkChange> take_network_changes();
  /// Where routes of ours are or may be, when that changed since the last call: see FibObserver::on_owned_changed().
  [[nodiscard]] std::optional<std::vector<OwnedTable>> take_owned_change();
  /// Whether next_*_batch() has something without another input.
  [[nodiscard]] bool has_work() const { return writing() && reconciler_.has_work(); }
  /// The kernel is as desired, as far as it can be, and nothing is on its way.
  [[nodiscard]] bool idle() const;
  /// Members of groups that died so far.
  [[nodiscard]] std::uint64_t failovers() const { return counters_.failovers; }
  /// Compares everything now; the differences found by the dump that begins next are collected.
  void start_verify();
  [[nodiscard]] std::optional<Comparison> take_comparison() { return std::exchange(comparison_done_, std::nullopt); }

  // --- Reading ----------------------------------------------------------------------------------------------------
  [[nodiscard]] std::vector<RouteStatus> routes(const FibRouteFilter& filter) const;
  [[nodiscard]] std::vector<GroupStatus> groups() const;
  [[nodiscard]] std::vector<NextHopState> next_hops() const;
  [[nodiscard]] const NextHopMap& map() const { return map_; }
  [[nodiscard]] std::vector<MemoryUse> memory() const;
  [[nodiscard]] const FibOptions& options() const { return options_; }
  [[nodiscard]] bool uses_next_hop_objects() const { return use_groups_; }

 private:
  /// Stages of settle(), in their order. What one finds out makes later ones due, never an earlier one: so each runs
  /// once, and settle() ends.
  enum class Stage : std::uint8_t {
    refusals,   ///< Next hops that the kernel refused, or may take again.
    next_hops,  ///< Each next hop is resolved again; the dead ones leave their groups.
    objects,    ///< Groups that lost members or went.
    guard,      ///< The kernel's other routes, addresses or peers changed.
    sets,       ///< What each set of next hops is in the kernel.
    parked,     ///< Operations that waited for something outside to change.
  };
  static constexpr Stage kStages[] = {Stage::refusals, Stage::next_hops, Stage::objects,
                                      Stage::guard,    Stage::sets,      Stage::parked};
  static constexpr unsigned bit(Stage stage) { return 1U << static_cast<unsigned>(stage); }
  void mark(Stage stage, bool due = true) {
    if (due) due_ |= bit(stage);
  }
  [[nodiscard]] bool is_due(Stage stage) const;
  void run(Stage stage);
  [[nodiscard]] bool has_ended();
  void settle_refusals();
  void settle_next_hops();
  void settle_objects();
  void settle_guard();

  void on(const input::SetOptions& in);
  void on(const input::BestChanged& in);
  void on(const input::SetPeer& in);
  void on(const input::RemovePeer& in);
  void on(const input::SetPeerUsable& in);
  void on(const input::SetStaticRoutes& in);
  void on(const input::SetRoute& in);
  void on(const input::RemoveRoute& in);
  void on(const input::SetInterfaceUsable& in);
  void on(const input::SetInterfaceSuspect& in);
  void on(const input::ForgetInterface& in);
  void on(const input::SetUnderlayEndpoints& in);
  void on(const input::SetOwnNetworks& in);
  void on(const input::WatchNextHop& in);
  void on(const input::UnwatchNextHop& in);
  void on(const input::WatchNetwork& in);
  void on(const input::UnwatchNetwork& in);
  void on(const input::FinishAdoption&) { finish_adoption(); }
  void on(const input::Stop& in);
  void finish_adoption();

  struct WatchedNextHop {
    NextHopRef ref{};
    std::uint32_t users = 0;
  };
  struct WatchedNetwork {
    bool present = false;
    bool reported = false;
  };
  /// What is desired goes to the kernel when enabled; what earlier runs left is removed in any case.
  [[nodiscard]] bool writing() const { return ready_ && (options_.enabled || !former_.empty()); }
  [[nodiscard]] bool in_our_tables(const RouteKey& key) const { return injector_.tables().contains(key.table); }
  /// Whether a run of ours wrote the route, this one or an earlier one.
  [[nodiscard]] bool written_by_us(const KernelRoute& route) const;
  void on_foreign_route(const KernelRoute& route, Heard heard);
  void look_for_clean_tables();
  void compare();
  [[nodiscard]] std::string text_of_port(std::uint32_t port_id) const;
  void log_bounded(LineBudget& budget, LogLevel level, std::string_view line);
  void log_news();
  [[nodiscard]] bool same(ForwardingId kernel, ForwardingId desired) const;
  [[nodiscard]] Reconciler::Viable how_viable(ForwardingId kernel) const;
  [[nodiscard]] bool present(const Prefix& prefix, NetworkWatch watch) const;
  [[nodiscard]] NextHopState state_of(PeerId peer, const IpAddress& next_hop, const Resolution& resolution) const;
  [[nodiscard]] RouteStatus status_of(const Reconciler::View& view) const;
  void on_link_or_address(bool changed);
  void note_repair(const RouteKey& key, std::string_view what, const Intrusion& by);
  void note_ahead(const RouteKey& key, const std::string& what);
  void log(LogLevel level, std::string_view line) const;

  FibOptions options_;
  LogSink* log_;
  ForwardingTable forwardings_;
  NextHopMap map_;
  std::uint32_t id_base_;  ///< Of next-hop ids; as the table was at the start.
  NextHopGroups groups_;
  Reconciler reconciler_;
  Injector injector_;

  bool ready_ = false;  ///< Everything was read once.
  bool use_groups_;     ///< Routes refer to next-hop objects.
  bool kernel_has_objects_ = true;
  std::vector<OwnedTable> former_;  ///< Of earlier runs, not clean yet, and not what this one uses.
  std::vector<OwnedTable> owned_;   ///< As told last.
  bool owned_changed_ = true;
  std::vector<RouteKey> replaced_unseen_;  ///< Ours that the running dump has not shown, though a foreign one.
  std::function<std::string(std::uint32_t)> port_name_;
  Time now_{};
  LineBudget repairs_logged_, held_logged_, contests_logged_, ahead_logged_;
  unsigned due_ = 0;  ///< Stages.
  bool room_for_routes_ = true;
  std::size_t routes_left_ = 0;  ///< Of this turn.
  DumpRequest wanted_;           ///< Dumps still to ask for.
  unsigned dumps_running_ = 0;
  Time next_dump_at_{};  ///< Not before; see take_dump_request().
  Time dump_began_{};
  Time next_audit_ = kNever;
  Time adopt_until_ = kNever;
  bool adoption_over_ = false;
  std::map<std::pair<PeerId, IpAddress>, WatchedNextHop> watched_;
  std::map<std::pair<Prefix, NetworkWatch>, WatchedNetwork> networks_;
  std::vector<NextHopState> next_hop_changes_;
  std::vector<NetworkChange> network_changes_;
  std::optional<Comparison> comparing_, comparison_done_;
  bool verify_wanted_ = false;
  FibCounters counters_;
  bool refusal_logged_ = false;
  /// finishing: what was begun, and nothing else. over: nothing is handed out any more.
  enum class End : std::uint8_t { none, finishing, removing, over } end_ = End::none;
  Time end_at_ = kNever;         ///< The end when nothing more was removed until then.
  std::size_t left_at_end_ = 0;  ///< Routes, when that was set.
};

}  // namespace minibgp::fib
