/// Failovers: the last times that a tunnel was lost, and how long each took; for `show tunnels` and metrics.
#pragma once

#include <bgp/types.h>
#include <xfrm/tunnel.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>

namespace bgplite {

struct Failover {
  std::chrono::system_clock::time_point at;
  std::string tunnel;
  minibgp::xfrm::Reason reason{};
  /// From being told to the kernel having taken the tunnel out of all its next-hop groups.
  minibgp::Duration moved{};
  /// How long echo probes had not been answered then; unset where others noticed it.
  std::optional<minibgp::Duration> silent;
};

class Failovers {
 public:
  static constexpr std::size_t kKept = 16;  ///< More than a screen has room for beside the tunnels.

  void add(Failover failover) {
    all_.push_back(std::move(failover));
    if (all_.size() > kKept) all_.pop_front();
  }
  /// What it took the kernel to lose an interface, or to have it again, the last time.
  void note_move(minibgp::Duration took) { last_move_ = took; }
  [[nodiscard]] minibgp::Duration last_move() const { return last_move_; }
  /// Oldest first.
  [[nodiscard]] const std::deque<Failover>& all() const { return all_; }

 private:
  std::deque<Failover> all_;
  minibgp::Duration last_move_{};
};

}  // namespace bgplite
