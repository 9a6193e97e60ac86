/// Pump: runs one machine of the contract `input(event, now)`, `poll()`, `next_deadline()`, `on_time(now)`: an input
/// goes in, every output is performed in order, and one timer waits for the next deadline. An input that comes while an
/// output is performed is taken at once; its outputs come after those that wait. One for all rims: it knows nothing of
/// the kernel.
#pragma once

#include <bgp/types.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace minibgp::netlink {

/// Threads: the io_context's. `machine` outlives the pump. What performs an output may destroy the pump if it keeps
/// itself alive until it returns.
template <typename Machine, typename Output>
class Pump {
 public:
  using Clock = std::function<Time()>;
  using Perform = std::function<void(Output&)>;
  Pump(boost::asio::io_context& io, Machine& machine, Clock clock, Perform perform)
      : io_(io), machine_(machine), clock_(std::move(clock)), perform_(std::move(perform)), timer_(io) {}
  ~Pump() { close(); }
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

  /// Takes the input and performs what follows.
  template <typename Event>
  void input(Event event) {
    machine_.input(std::move(event), clock_());
    run();
  }
  /// A turn now: the time, and what follows from it and from inputs that were given to the machine itself.
  void turn() {
    machine_.on_time(clock_());
    run();
  }
  /// A turn when the caller has returned to the loop: one, however often it is asked for.
  void schedule() {
    if (!*open_ || std::exchange(scheduled_, true)) return;
    boost::asio::post(io_, [this, open = open_] {
      if (!*open) return;
      scheduled_ = false;
      turn();
    });
  }
  /// Performs nothing any more.
  void close() {
    *open_ = false;
    timer_.cancel();
  }
  [[nodiscard]] bool is_open() const { return *open_; }
  /// When what is performed now began.
  [[nodiscard]] Time began() const { return began_; }

 private:
  void run() {
    if (!*open_ || std::exchange(running_, true)) return;
    const auto open = open_;  // The members may be gone when a performed output returns.
    began_ = clock_();
    while (*open) {
      auto output = machine_.poll();
      if (!output) break;
      perform_(*output);
    }
    if (!*open) return;
    running_ = false;
    arm();
  }
  void arm() {
    const Time next = machine_.next_deadline();
    if (next == std::exchange(armed_, next)) return;
    timer_.cancel();
    if (next == kNever) return;
    timer_.expires_after(std::max(next - clock_(), Duration{}));
    timer_.async_wait([this, open = open_](const boost::system::error_code& error) {
      if (error || !*open) return;
      armed_ = kNever;
      turn();
    });
  }

  boost::asio::io_context& io_;
  Machine& machine_;
  Clock clock_;
  Perform perform_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<bool> open_ = std::make_shared<bool>(true);  ///< Shared with handlers that wait in the loop.
  Time armed_ = kNever;
  Time began_{};
  bool running_ = false, scheduled_ = false;
};

}  // namespace minibgp::netlink
