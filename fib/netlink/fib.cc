/// The Fib of fib/fib.h: a Forwarder, the kernel and a pump that carries out what the Forwarder hands out. Decides
/// nothing.
#include <fib/fib.h>
#include <fib/forwarder.h>
#include <fib/netlink/clock.h>
#include <fib/netlink/dry_port.h>
#include <fib/netlink/kernel.h>
#include <fib/netlink/pump.h>
#include <fib/netlink/table_locks.h>
#include <fib/netlink/turn_times.h>

#include <utility>
#include <variant>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace minibgp::fib {

using netlink::now;

class Fib::Impl : public std::enable_shared_from_this<Fib::Impl> {
 public:
  Impl(boost::asio::io_context& io, const FibOptions& options, FibObserver& observer, LogSink* log)
      : io_(io),
        observer_(observer),
        forwarder_(options, log, now()),
        pump_(io, forwarder_, now, [this](Output& output) { perform(output); }),
        kernel_(io, forwarder_, {[this] { on_kernel_heard(); }, [this](std::error_code error) { fail(error); }, now}),
        locks_(io, forwarder_) {
    if (options.dry_run) dry_ = std::make_unique<netlink::DryPort>(forwarder_, options.dry_run, now);
  }

  Result<void, std::error_code> start() {
    // Their routes are the kernel's own or other programs'.
    if (is_reserved_table(forwarder_.options().table))
      return unexpected(std::make_error_code(std::errc::invalid_argument));
    // Before the kernel is read: what is found must not be another process's.
    if (auto owned = dry_ ? Result<void, std::error_code>{} : locks_.take_own(); !owned) return owned;
    auto opened = kernel_.open();
    if (opened) started_ = true, pump_.turn();
    return opened;
  }

  /// What may take a next hop away is worked on at once: the kernel's groups have lost it when this returns. The rest
  /// waits until the caller returned to the loop.
  void input(const Input& input) {
    const Time began = now();
    forwarder_.input(input, began);
    if (!running()) return;
    // Only next hops: routes follow with the turn that is scheduled below.
    if (may_take_next_hop(input))
      while (const auto batch = forwarder_.poll_next_hops(now())) send(batch->ops, began);
    pump_.schedule();
  }

  void verify(std::function<void(const Comparison&)> done) {
    verifying_.push_back(std::move(done));
    input(input::Verify{});
  }

  void stop(std::function<void()> done) {
    stopped_ = std::move(done);
    if (!running()) return end();
    input(input::Stop{});
  }

  [[nodiscard]] FibStatus status() const {
    FibStatus status = forwarder_.status();
    times_.add_to(status.counters);
    return status;
  }
  [[nodiscard]] const Forwarder& forwarder() const { return forwarder_; }

 private:
  [[nodiscard]] bool running() const { return started_ && pump_.is_open(); }
  KernelPort& port() { return dry_ ? static_cast<KernelPort&>(*dry_) : kernel_; }

  void on_kernel_heard() {
    forwarder_.set_room(port().room());
    pump_.turn();
  }
  template <typename Ops>
  void send(Ops ops, Time began) {
    port().send(ops);
    times_.on_batch(now() - began, forwarder_.failovers());
    forwarder_.set_room(port().room());
  }
  void perform(Output& output) {
    // Not for the observers, which must not destroy us (FibObserver): the kernel's sockets may fail while we write.
    const auto keep_alive = shared_from_this();
    std::visit([this](const auto& what) { carry_out(what); }, output);
  }
  void carry_out(const OwnedChanged& changed) {
    if (dry_) return;
    locks_.keep_only(changed.owned);
    observer_.on_owned_changed(changed.owned);
  }
  void carry_out(const NextHopBatch& batch) { send(batch.ops, pump_.began()); }
  void carry_out(const RouteBatch& batch) { send(batch.ops, pump_.began()); }
  void carry_out(const DumpRequest& request) { kernel_.dump(request); }
  void carry_out(const NextHopsChanged& changed) { observer_.on_next_hops_changed(changed.states); }
  void carry_out(const NetworkChange& it) { observer_.on_network_changed(it.prefix, it.watch, it.present); }
  void carry_out(const Comparison& comparison) {
    // Taken out first: a caller may ask again from its callback.
    for (const auto& done : std::exchange(verifying_, {})) done(comparison);
  }
  void carry_out(const Stopped&) { end(); }

  void fail(std::error_code error) {
    if (!pump_.is_open()) return;
    // Nothing more is carried out after a failure.
    pump_.close();
    observer_.on_fib_failed(error);
    end();
  }
  void end() {
    pump_.close();
    // Posted, not called: the caller may destroy us in it.
    if (const auto done = std::exchange(stopped_, nullptr)) boost::asio::post(io_, done);
  }

  boost::asio::io_context& io_;
  FibObserver& observer_;
  Forwarder forwarder_;
  netlink::Pump<Forwarder, Output> pump_;
  netlink::Kernel kernel_;
  netlink::TableLocks locks_;
  std::unique_ptr<netlink::DryPort> dry_;
  netlink::TurnTimes times_;
  std::vector<std::function<void(const Comparison&)>> verifying_;
  std::function<void()> stopped_;
  bool started_ = false;
};

Fib::Fib(boost::asio::io_context& io, const FibOptions& options, FibObserver& observer, LogSink* log)
    : impl_(std::make_shared<Impl>(io, options, observer, log)) {}
Fib::~Fib() = default;

Result<void, std::error_code> Fib::start() { return impl_->start(); }

void Fib::input(const Input& input) { impl_->input(input); }
void Fib::verify(std::function<void(const Comparison&)> done) { impl_->verify(std::move(done)); }
void Fib::stop(std::function<void()> done) { impl_->stop(std::move(done)); }

FibStatus Fib::status() const { return impl_->status(); }
std::vector<RouteStatus> Fib::routes(const RouteFilter& filter) const {
  return impl_->forwarder().report().routes(filter);
}
void Fib::routes_part(const RouteFilter& filter, RouteCursor& at, std::size_t steps,
                      std::vector<RouteStatus>& found) const {
  impl_->forwarder().report().routes_part(filter, at, steps, found);
}
std::vector<GroupStatus> Fib::groups() const { return impl_->forwarder().report().groups(); }
std::vector<NextHopState> Fib::next_hops() const { return impl_->forwarder().report().next_hops(); }
std::vector<InterfaceStatus> Fib::interfaces() const { return impl_->forwarder().map().interfaces(); }
std::string Fib::interface_name(IfIndex index) const { return std::string(impl_->forwarder().map().name_of(index)); }
std::vector<MemoryUse> Fib::memory() const { return impl_->forwarder().report().memory(); }

}  // namespace minibgp::fib
