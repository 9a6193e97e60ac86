/// Invariants: what must hold of a Setting. after_event() after every event; the others once all trouble has ended:
/// check_quiet() while peers announce, check_empty() when they announce nothing any more. What is wrong goes to
/// Setting::fail() with the number of the list in rig.h.
#pragma once

#include <tests/sim/gateway/setting.h>

#include <cstdint>
#include <set>

namespace bgplite::sim {

class Invariants {
 public:
  explicit Invariants(Setting& at) : at_(at) {}

  void after_event();
  void check_decisions();
  void check_promise();
  void check_quiet();
  void check_empty();

 private:
  void oppose();
  void watch_own();
  void watch_peers();
  void watch_sas(Setting::Peer& peer, std::size_t i) const;
  void watch_tunnel(Setting::Peer& peer, std::size_t i);
  void check_peers();
  void check_kernel();
  void check_progress();
  [[nodiscard]] bool waits_for_adoption(const minibgp::fib::RouteKey& key) const;
  void check_config();
  void check_sessions();
  void check_tunnels();
  void check_advertised();
  void check_fib();

  Setting& at_;
  Time look_at_{}, own_changed_{};
  std::set<Prefix> own_;
  SimulatedGateway::Counts at_second_, at_minute_;
  std::uint64_t writes_at_minute_ = 0;
  std::int64_t second_ = -1, minute_ = -1;
};

}  // namespace bgplite::sim
