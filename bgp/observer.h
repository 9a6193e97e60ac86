/// Observer: what a speaker tells your program.
#pragma once

#include <bgp/outputs.h>

#include <span>

namespace minibgp {

/// What a Speaker tells you. Called from its pump, after the input that caused it was worked on completely. Calling
/// back into the Speaker is allowed: what changes routes or sessions takes effect after the call returned, add_peer(),
/// update_peer(), set_options() and stop() at once. Destroying the Speaker is allowed as well; nothing is called
/// afterwards. Views are valid during the call, and no longer once a function that takes effect at once was called or
/// the Speaker was destroyed.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_peer_changed(const PeerChanged&) {}  ///< Every step of a session.
  virtual void on_end_of_rib(const EndOfRib&) {}       ///< The peer has sent all it has of a family.
  /// Once per turn of the loop; each prefix at most once.
  virtual void on_best_changed(std::span<const BestChange>) {}
  virtual void on_next_hop_interest(const NextHopInterest&) {}  ///< A next hop came into use or went out of it.
  virtual void on_restart_complete() {}                         ///< Every peer has come back, or the deferral is over.
};

}  // namespace minibgp
