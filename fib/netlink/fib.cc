/// The Fib of fib/fib.h: a Forwarder, the kernel and one timer. Inputs go in, then pump() carries out what the
/// Forwarder hands out. Decides nothing.
#include <fib/fib.h>
#include <fib/forwarder.h>
#include <fib/netlink/dry_port.h>
#include <fib/netlink/kernel.h>
#include <fib/netlink/owner_lock.h>
#include <fib/netlink/table_locks.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace minibgp::fib {
namespace {

constexpr std::size_t kNextHopsPerBatch = 64;

Time now() { return Time{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())}; }

}  // namespace

class Fib::Impl : public std::enable_shared_from_this<Fib::Impl> {
 public:
  Impl(boost::asio::io_context& io, const FibOptions& options, FibObserver& observer, LogSink* log)
      : io_(io),
        observer_(observer),
        forwarder_(options, log, now()),
        timer_(io),
        kernel_(io, forwarder_, {[this] { pump(); }, [this](std::error_code error) { fail(error); }, now}),
        locks_(io, forwarder_) {
    if (options.dry_run) dry_ = std::make_unique<netlink::DryPort>(forwarder_, options.dry_run, now);
    forwarder_.set_port_name(netlink::port_text);
  }

  Result<void, std::error_code> start() {
    if (is_reserved_table(forwarder_.options().table))
      return unexpected(std::make_error_code(std::errc::invalid_argument));
    if (dry_) {
      forwarder_.set_former({});
    } else if (auto owned = locks_.take_own(); !owned) {
      return owned;
    }
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
    if (!started_ || ended_) return end();
    input(input::Stop{});
  }

  [[nodiscard]] FibStatus status() const {
    FibStatus status = forwarder_.status();
    status.counters.longest_turn_ns = longest_turn_.count();
    status.counters.last_failover_ns = last_failover_.count();
    return status;
  }

 private:
  KernelPort& port() { return dry_ ? static_cast<KernelPort&>(*dry_) : kernel_; }

  void schedule() {
    if (!started_ || ended_ || std::exchange(scheduled_, true)) return;
    boost::asio::post(io_, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->scheduled_ = false;
      self->pump();
    });
  }

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
    while (!ended_) {
      forwarder_.set_room_for_routes(port().has_room());
      const auto output = forwarder_.poll();
      if (!output) return arm_timer();
      std::visit([this](const auto& what) { carry_out(what); }, *output);
    }
  }

  void carry_out(const OwnedChanged& changed) {
    if (dry_) return;
    locks_.keep_only(changed.owned);
    observer_.on_owned_changed(changed.owned);
  }
  void carry_out(const NextHopBatch& batch) {
    port().send(batch.ops);
    longest_turn_ = std::max(longest_turn_, now() - began_);
    if (forwarder_.failovers() != failovers_before_) last_failover_ = now() - began_;
  }
  void carry_out(const RouteBatch& batch) {
    port().send(batch.ops);
    longest_turn_ = std::max(longest_turn_, now() - began_);
  }
  void carry_out(const DumpRequest& request) { kernel_.dump(request); }
  void carry_out(const NextHopsChanged& changed) { observer_.on_next_hops_changed(changed.states); }
  void carry_out(const NetworkChange& it) { observer_.on_network_changed(it.prefix, it.watch, it.present); }
  void carry_out(const Comparison& comparison) {
    for (const auto& done : std::exchange(verifying_, {})) done(comparison);
  }
  void carry_out(const Stopped&) { end(); }

  void arm_timer() {
    timer_.cancel();
    const Time next = forwarder_.next_deadline();
    if (next == kNever) return;
    timer_.expires_at(std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(next.time_since_epoch())));
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      if (const auto self = weak.lock(); self && !error) self->pump();
    });
  }

  void fail(std::error_code error) {
    if (std::exchange(ended_, true)) return;
    timer_.cancel();
    observer_.on_fib_failed(error);
    if (stopped_) end();
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
  netlink::TableLocks locks_;
  std::unique_ptr<netlink::DryPort> dry_;
  std::vector<std::function<void(const Comparison&)>> verifying_;
  std::function<void()> stopped_;
  Time began_{};  ///< Of this turn.
  std::uint64_t failovers_before_ = 0;
  Duration longest_turn_{}, last_failover_{};
  bool started_ = false, scheduled_ = false, ended_ = false;
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
