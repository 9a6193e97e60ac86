/// DryPort: prints what would be written to the kernel; every operation succeeds at once, and nothing is read.
#pragma once

#include <fib/dry_run.h>
#include <fib/forwarder.h>
#include <fib/kernel_port.h>

#include <functional>
#include <span>
#include <string_view>
#include <utility>

namespace minibgp::netlink {

class DryPort final : public fib::KernelPort {
 public:
  /// `forwarder` outlives it. What earlier runs left is not touched. `print` is called in the middle of a batch: it
  /// must neither call back into the Forwarder nor destroy the port.
  DryPort(fib::Forwarder& forwarder, std::function<void(std::string_view)> print, std::function<Time()> now)
      : forwarder_(forwarder), print_(std::move(print)), now_(std::move(now)) {
    forwarder.set_former({});
  }
  void send(std::span<const fib::NextHopOp> batch) override {
    for (const fib::NextHopOp& op : batch) print_(to_text(op, name_));
    forwarder_.on_answers(batch, {}, now_());
  }
  void send(std::span<const fib::RouteOp> batch) override {
    for (const fib::RouteOp& op : batch) print_(to_text(op, forwarder_.options().protocol, name_));
    forwarder_.on_answers(batch, {}, now_());
  }
  void dump(const fib::DumpRequest&) override {}

 private:
  fib::Forwarder& forwarder_;
  std::function<void(std::string_view)> print_;
  std::function<Time()> now_;
  fib::InterfaceName name_ = [this](fib::IfIndex index) { return forwarder_.map().name_of(index); };
};

}  // namespace minibgp::netlink
