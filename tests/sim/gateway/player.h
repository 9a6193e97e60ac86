/// Player: carries the steps of a script out on a Setting.
#pragma once

#include <tests/sim/gateway/script.h>
#include <tests/sim/gateway/setting.h>

#include <cstddef>
#include <cstdint>

namespace bgplite::sim {

class Player {
 public:
  explicit Player(Setting& at) : at_(at) {}
  void play(const Step& step);
  /// Ends all trouble: from now on everything works.
  void calm();

 private:
  void play_peer(const Step& step);
  void play_tunnel(const Step& step);
  void play_kernel(const Step& step);
  void play_process(const Step& step);
  void play_operator(const Step& step);
  void heal(std::size_t i);
  void set_uplink(std::size_t i, bool carrier);
  void put_foreign(std::size_t i, const Prefix& prefix, std::uint32_t b);
  void remove_foreign();
  void remove_route(const minibgp::fib::RouteKey& key);
  void kernel_calm();
  void stop();
  void start();
  void apply(const Step& step);

  Setting& at_;
};

}  // namespace bgplite::sim
