/// EventLog: the log lines of a Forwarder. What can come by the thousand (repairs, routes that are held back, contests,
/// foreign routes in front of ours) has a budget of lines each, and what was left out is counted in one more line.
#pragma once

#include <bgp/log.h>
#include <bgp/types.h>
#include <fib/contested_routes.h>
#include <fib/injector.h>
#include <fib/kernel_port.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace minibgp::fib {

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

class EventLog {
 public:
  using PortName = std::function<std::string(std::uint32_t port_id)>;

  /// `sink` may be null; otherwise it outlives the log.
  explicit EventLog(LogSink* sink) : sink_(sink) {}
  /// Says who a netlink port is: "process 4711 (ip)".
  void set_port_name(PortName name) { port_name_ = std::move(name); }
  [[nodiscard]] std::string port_text(std::uint32_t port_id) const;

  void write(LogLevel level, std::string_view line) const;
  /// A route of ours was changed by `by`, and is repaired.
  void repaired(const RouteKey& key, std::string_view what, const Intrusion& by, Time now);
  /// A dump has shown that so many are gone.
  void missing(std::size_t count, Time now);
  /// A foreign route came in front of one of ours.
  void ahead(const RouteKey& key, const std::string& what, Time now);
  void contests(std::span<const Contest> contests, Time now);
  void held(const Injector::HeldNews& news, Time now);
  /// The kernel refused operations of a batch: one line until `calm()`, because show tells each.
  void refused(std::span<const RouteOp> batch, std::span<const OpError> errors);
  /// It refuses no route any more.
  void calm() { refusal_written_ = false; }
  void refused(const NextHopOp& op, const OpError& error) const;
  /// How many lines were left out, where a window is over.
  void summarize(Time now);

 private:
  [[nodiscard]] bool wants(LogLevel level) const;
  void write(LineBudget& budget, LogLevel level, std::string_view line, Time now);

  LogSink* sink_;
  PortName port_name_;
  LineBudget repairs_, held_, contests_, ahead_;
  bool refusal_written_ = false;
};

}  // namespace minibgp::fib
