/// ForwarderRun: what a rim does with a Forwarder, over a FakeKernel: outputs are carried out, and what is reported is
/// kept for the test.
#pragma once

#include <fib/forwarder.h>
#include <tests/support/fake_kernel.h>

#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace minibgp::testing {

class ForwarderRun {
 public:
  /// Both outlive it.
  ForwarderRun(fib::Forwarder& forwarder, FakeKernel& kernel) : forwarder_(forwarder), kernel_(kernel) {
    kernel.attach(forwarder);
  }

  /// A turn of a loop, without what the kernel answers.
  void turn(Time now) {
    forwarder_.on_time(now);
    poll();
  }
  void poll() {
    while (auto output = forwarder_.poll()) std::visit([this](auto& what) { carry_out(what); }, *output);
  }
  /// So many turns, 10 ms apart; each takes all that the kernel has to say.
  void turns(int count, Time& now) {
    for (; count > 0; --count) {
      turn(now);
      while (kernel_.deliver(now)) poll();
      now += std::chrono::milliseconds{10};
    }
  }

  // What was reported last.
  std::vector<fib::OwnedTable> owned;
  std::optional<fib::Comparison> comparison;
  bool stopped = false;
  [[nodiscard]] std::vector<fib::NextHopState> take_next_hops() { return std::exchange(next_hops_, {}); }
  [[nodiscard]] std::vector<fib::NetworkChange> take_networks() { return std::exchange(networks_, {}); }

 private:
  void carry_out(fib::OwnedChanged& what) { owned = std::move(what.owned); }
  void carry_out(fib::NextHopBatch& what) { kernel_.send(what.ops); }
  void carry_out(fib::RouteBatch& what) { kernel_.send(what.ops); }
  void carry_out(fib::DumpRequest& what) { kernel_.dump(what); }
  void carry_out(fib::NextHopsChanged& what) {
    next_hops_.insert(next_hops_.end(), what.states.begin(), what.states.end());
  }
  void carry_out(fib::NetworkChange& what) { networks_.push_back(what); }
  void carry_out(fib::Comparison& what) { comparison = std::move(what); }
  void carry_out(fib::Stopped&) { stopped = true; }

  fib::Forwarder& forwarder_;
  FakeKernel& kernel_;
  std::vector<fib::NextHopState> next_hops_;
  std::vector<fib::NetworkChange> networks_;
};

}  // namespace minibgp::testing
