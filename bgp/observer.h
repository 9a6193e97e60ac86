/// Observer: what a speaker tells your program.
#pragma once

#include <bgp/engine.h>

#include <span>

namespace minibgp {

/// What a Speaker tells you. Called from its pump, after the input that caused it was worked on completely. Calling back
/// into the Speaker is allowed: what changes routes or sessions takes effect after the call returned, add_peer() and
/// update_peer() at once. Views are valid during the call.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_peer_changed(const PeerChanged&) {}
  virtual void on_end_of_rib(const EndOfRib&) {}
  /// Once per turn of the loop; each prefix at most once.
  virtual void on_best_changed(std::span<const BestChange>) {}
  virtual void on_next_hop_interest(const NextHopInterest&) {}
  virtual void on_restart_complete() {}
};

}  // namespace minibgp
