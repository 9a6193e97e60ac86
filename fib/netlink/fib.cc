/// The Fib of fib/fib.h: a Forwarder, the kernel, one timer, and pump(), which carries out what the Forwarder hands
/// out. Decides nothing.
#include <fib/dry_run.h>
#include <fib/fib.h>
#include <fib/forwarder.h>
#include <fib/netlink/kernel.h>
#include <fib/netlink/owner_lock.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>
#include <variant>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace minibgp::fib {
namespace {

constexpr std::size_t kNextHopsPerBatch = 64;
/// stop() ends without success when nothing was removed for so long.
constexpr Duration kStopPatience = std::chrono::seconds{10};

Time now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return Time{std::chrono::duration_cast<Duration>(since)};
}

/// The name of the lock on the routes of a table and protocol. Other programs may use it to stay away.
std::string lock_name(std::uint32_t table, std::uint8_t protocol) {
  return "minibgp/routes/table " + std::to_string(table) + " protocol " + std::to_string(protocol);
}

/// The first netlink socket of a process has its process id as port; the others have numbers above all of them.
std::string port_text(std::uint32_t port_id) {
  constexpr std::uint32_t kPidMax = 1U << 22U;
  return port_id < kPidMax ? netlink::process_text(static_cast<int>(port_id))
                           : "another program (netlink port " + std::to_string(port_id) + ")";
}

/// Prints instead of writing: every operation succeeds.
class DryRun final : public KernelPort {
 public:
  DryRun(Forwarder& forwarder, std::function<void(std::string_view)> print)
      : forwarder_(forwarder), print_(std::move(print)) {}
  void send(std::span<const NextHopOp> batch) override {
    for (const NextHopOp& op : batch) print_(to_text(op, name_));
    forwarder_.on_answers(batch, {}, now());
  }
  void send(std::span<const RouteOp> batch) override {
    for (const RouteOp& op : batch) print_(to_text(op, forwarder_.options().protocol, name_));
    forwarder_.on_answers(batch, {}, now());
  }
  void dump(const DumpRequest&) override {}

 private:
  Forwarder& forwarder_;
  std::function<void(std::string_view)> print_;
  InterfaceName name_ = [this](IfIndex index) { return forwarder_.map().name_of(index); };
};

}  // namespace

class Fib::Impl : public std::enable_shared_from_this<Fib::Impl> {
 public:
  Impl(boost::asio::io_context& io, const FibOptions& options, FibObserver& observer, LogSink* log)
      : io_(io),
        observer_(observer),
        forwarder_(options, log, now()),
        timer_(io),
        kernel_(io, forwarder_,
                {[this] { pump(); }, [this](std::error_code error) { fail(error); }, [] { return now(); }}) {
    if (options.dry_run) dry_run_ = std::make_unique<DryRun>(forwarder_, options.dry_run);
    forwarder_.set_port_name(port_text);
  }

  Result<void, std::error_code> start() {
    if (auto owned = own_tables(); !owned) return owned;
    auto opened = kernel_.open();
    if (opened) started_ = true, pump();
    return opened;
  }

  [[nodiscard]] const Forwarder& forwarder() const { return forwarder_; }

  /// What may take a next hop away is worked on at once: the kernel's groups have lost it when this returns. The rest
  /// waits until the caller returned to the loop.
  void input(const Input& input) {
    const Time began = now();
    forwarder_.input(input, began);
    if (may_take_next_hop(input)) fail_over(began);
    schedule();
  }

  void verify(std::function<void(const Comparison&)> done) {
    verifying_.push_back(std::move(done));
    forwarder_.start_verify();
    schedule();
  }

  void stop(std::function<void()> done) {
    stopped_ = std::move(done);
    if (forwarder_.options().on_exit == FibOptions::OnExit::remove) {
      forwarder_.remove_everything();
    } else {
      finish_only_ = true;
    }
    stopping_ = true;
    if (!started_ || ended_) {
      end();
    } else {
      schedule();
    }
  }

  [[nodiscard]] FibStatus status() const {
    FibStatus status = forwarder_.status();
    status.counters.longest_turn_ns = longest_turn_.count();
    status.counters.last_failover_ns = last_failover_.count();
    return status;
  }

 private:
  Result<void, std::error_code> take_lock(std::uint32_t table, std::uint8_t protocol) {
    auto& lock = locks_[{table, protocol}];
    if (lock) return {};
    auto taken = netlink::OwnerLock::take(io_, lock_name(table, protocol));
    if (!taken) return unexpected(taken.error());
    lock = std::move(*taken);
    return {};
  }

  /// This run's table, and those of earlier runs that nobody owns now: what is in the others is not ours any more.
  Result<void, std::error_code> own_tables() {
    const FibOptions& options = forwarder_.options();
    if (is_reserved_table(options.table)) return unexpected(std::make_error_code(std::errc::invalid_argument));
    if (dry_run_) {
      forwarder_.set_former({});
      return {};
    }
    if (options.enabled)
      if (auto owned = take_lock(options.table, options.protocol); !owned) return owned;
    std::vector<OwnedTable> former = options.former;
    std::erase_if(former, [this](const OwnedTable& one) {
      return is_reserved_table(one.table) || !take_lock(one.table, one.protocol);
    });
    forwarder_.set_former(former);
    forwarder_.set_claim(
        [this](std::uint32_t table) { return take_lock(table, forwarder_.options().protocol).has_value(); });
    return {};
  }

  /// For inputs that may wait until the caller returned to the loop.
  void schedule() {
    if (scheduled_ || !started_ || ended_) return;
    scheduled_ = true;
    boost::asio::post(io_, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->scheduled_ = false;
      self->pump();
    });
  }

  KernelPort& port() { return dry_run_ ? static_cast<KernelPort&>(*dry_run_) : kernel_; }

  void fail_over(Time began) {
    const std::uint64_t before = forwarder_.failovers();
    forwarder_.settle(began);
    if (!started_ || ended_) return;
    for (auto batch = forwarder_.next_next_hop_batch(kNextHopsPerBatch, began); !batch.empty();
         batch = forwarder_.next_next_hop_batch(kNextHopsPerBatch, now())) {
      port().send(batch);
      forwarder_.settle(now());
    }
    if (forwarder_.failovers() != before) last_failover_ = now() - began;
  }

  void pump() {
    if (!started_ || ended_) return;
    const auto keep_alive = shared_from_this();  // Observers may destroy us.
    began_ = now();
    failovers_before_ = forwarder_.failovers();
    forwarder_.on_time(began_);
    for (;;) {
      forwarder_.set_room_for_routes(!finish_only_ && port().has_room());
      const auto output = forwarder_.poll();
      if (!output) break;
      std::visit([this](const auto& what) { carry_out(what); }, *output);
      if (ended_) return;
    }
    const bool finished = finish_only_ ? kernel_.quiet() : forwarder_.idle();
    if (stopping_ && (finished || gave_up_waiting())) {
      end();
      return;
    }
    arm_timer();
  }

  /// Before anything is written to a new table, so that a crash does not forget it.
  void carry_out(const OwnedChanged& changed) {
    if (dry_run_) return;
    std::erase_if(locks_, [&](const auto& item) {
      return std::none_of(changed.owned.begin(), changed.owned.end(), [&](const OwnedTable& one) {
        return item.first == std::pair{one.table, one.protocol};
      });
    });
    observer_.on_owned_changed(changed.owned);
  }
  void carry_out(const NextHopBatch& batch) {
    port().send(batch.ops);
    const Duration took = now() - began_;
    if (forwarder_.failovers() != failovers_before_) last_failover_ = took;
    longest_turn_ = std::max(longest_turn_, took);
  }
  void carry_out(const RouteBatch& batch) {
    port().send(batch.ops);
    longest_turn_ = std::max(longest_turn_, now() - began_);
  }
  void carry_out(const DumpRequest& request) { kernel_.dump(request); }
  void carry_out(const NextHopsChanged& changed) { observer_.on_next_hops_changed(changed.states); }
  void carry_out(const NetworkChange& change) {
    observer_.on_network_changed(change.prefix, change.watch, change.present);
  }
  void carry_out(const Comparison& comparison) {
    for (const auto& done : std::exchange(verifying_, {})) done(comparison);
  }

  /// Routes the kernel refuses to remove must not keep the program from ending; many routes may.
  bool gave_up_waiting() {
    const std::size_t left = forwarder_.status().installed;
    if (stop_until_ == kNever || left != left_at_stop_) {
      left_at_stop_ = left;
      stop_until_ = now() + kStopPatience;
    }
    return now() >= stop_until_;
  }

  void arm_timer() {
    const Time next = std::min(forwarder_.next_deadline(), stop_until_);
    if (next == kNever) {
      timer_.cancel();
      return;
    }
    timer_.expires_at(std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(next.time_since_epoch())));
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      if (error) return;
      if (const auto self = weak.lock()) self->pump();
    });
  }

  void fail(std::error_code error) {
    if (std::exchange(ended_, true)) return;
    timer_.cancel();
    observer_.on_fib_failed(error);
    if (stopping_) end();
  }

  void end() {
    ended_ = true;
    timer_.cancel();
    if (const auto done = std::exchange(stopped_, nullptr)) boost::asio::post(io_, done);
  }

  boost::asio::io_context& io_;
  FibObserver& observer_;
  Forwarder forwarder_;
  boost::asio::steady_timer timer_;
  netlink::Kernel kernel_;
  std::unique_ptr<DryRun> dry_run_;
  std::map<std::pair<std::uint32_t, std::uint8_t>, std::unique_ptr<netlink::OwnerLock>> locks_;
  std::vector<std::function<void(const Comparison&)>> verifying_;
  std::function<void()> stopped_;
  Time stop_until_ = kNever;
  std::size_t left_at_stop_ = 0;
  Time began_{};  ///< Of this turn.
  std::uint64_t failovers_before_ = 0;
  Duration longest_turn_{}, last_failover_{};
  bool started_ = false, scheduled_ = false, stopping_ = false, finish_only_ = false, ended_ = false;
};

Fib::Fib(boost::asio::io_context& io, const FibOptions& options, FibObserver& observer, LogSink* log)
    : impl_(std::make_shared<Impl>(io, options, observer, log)) {}
Fib::~Fib() = default;

Result<void, std::error_code> Fib::start() { return impl_->start(); }

void Fib::input(const Input& input) { impl_->input(input); }
void Fib::verify(std::function<void(const Comparison&)> done) { impl_->verify(std::move(done)); }
void Fib::stop(std::function<void()> done) { impl_->stop(std::move(done)); }

FibStatus Fib::status() const { return impl_->status(); }
std::vector<RouteStatus> Fib::routes(const RouteFilter& filter) const { return impl_->forwarder().routes(filter); }
std::vector<GroupStatus> Fib::groups() const { return impl_->forwarder().groups(); }
std::vector<NextHopState> Fib::next_hops() const { return impl_->forwarder().next_hops(); }
std::vector<InterfaceStatus> Fib::interfaces() const { return impl_->forwarder().map().interfaces(); }
std::string Fib::interface_name(IfIndex index) const { return std::string(impl_->forwarder().map().name_of(index)); }
std::vector<MemoryUse> Fib::memory() const { return impl_->forwarder().memory(); }

}  // namespace minibgp::fib
