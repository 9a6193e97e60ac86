/// Pump: runs one machine of the contract `input(event, now)`, `poll()`, `next_deadline()`, `on_time(now)`: an input
/// goes in, every effect is performed in order, and one timer waits for the next deadline. An input that comes while an
/// effect is performed is taken at once; its effects come after those that wait.
#pragma once

#include <bgp/types.h>

#include <algorithm>
#include <functional>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace bgplite {

/// Threads: the io_context's. `machine` outlives the pump.
template <typename Machine, typename Effect>
class Pump {
 public:
  using Clock = std::function<minibgp::Time()>;
  using Perform = std::function<void(Effect&)>;
  Pump(boost::asio::io_context& io, Machine& machine, Clock clock, Perform perform)
      : machine_(machine), clock_(std::move(clock)), perform_(std::move(perform)), timer_(io) {}

  template <typename Event>
  void input(Event event) {
    machine_.input(std::move(event), clock_());
    run();
  }

 private:
  void run() {
    if (std::exchange(running_, true)) return;
    while (auto effect = machine_.poll()) perform_(*effect);
    running_ = false;
    arm();
  }
  void arm() {
    const minibgp::Time next = machine_.next_deadline();
    if (next == std::exchange(armed_, next)) return;
    timer_.cancel();
    if (next == minibgp::kNever) return;
    timer_.expires_after(std::max(next - clock_(), minibgp::Duration{}));
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      armed_ = minibgp::kNever;
      machine_.on_time(clock_());
      run();
    });
  }

  Machine& machine_;
  Clock clock_;
  Perform perform_;
  boost::asio::steady_timer timer_;
  minibgp::Time armed_ = minibgp::kNever;
  bool running_ = false;
};

}  // namespace bgplite
