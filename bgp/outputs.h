/// What the speaker hands out, as values: connections to make and to use, sessions and best paths that changed. Engine
/// hands them out through poll(), Speaker through Observer.
#pragma once

#include <bgp/path.h>
#include <bgp/peer.h>
#include <bgp/types.h>

#include <cstdint>
#include <span>
#include <variant>

namespace minibgp {

/// A path that is in use: the best or one of its equal-cost companions.
struct BestPath {
  PeerId peer{};
  AttrId attributes{};
  NextHop next_hop;
  std::uint16_t weight = 1;  ///< Relative share among the companions.
};

/// The paths in use for one prefix changed. `paths` empty: none is (withdrawn, or our own announcement won).
struct BestChange {
  Prefix prefix;
  std::span<const BestPath> paths;
  const LocalAttributes* local = nullptr;  ///< Of the best path; null when there is none.
};

/// Open a TCP connection; answer with on_connected() or on_closed().
struct Dial {
  ConnId conn{};
  PeerId peer{};
};
/// outgoing(conn) has bytes; report progress with on_sent().
struct Write {
  ConnId conn{};
};
/// Close the socket; do not call on_closed() for it. flush: after what outgoing() still holds (a NOTIFICATION) was sent
/// or 1 s passed. Before the next poll(), take it: outgoing() and on_sent() until it is empty. Then the ConnId is gone.
struct Close {
  ConnId conn{};
  enum class How : std::uint8_t { flush, at_once } how = How::flush;
};
struct PeerChanged {
  PeerId peer{};
  PeerState from{}, to{};
  DownReason reason = DownReason::none;
};  ///< A session changed its state; observers see every step.
struct EndOfRib {
  PeerId peer{};
  Family family{};
};  ///< The peer has sent all it has of one family (RFC 4724 s.2), and BestChanged was handed out for all of it.
/// Next hops the speaker begins or ceases to depend on (NextHopTracking::tracked): answer with set_next_hop().
struct NextHopInterest {
  PeerId peer{};
  IpAddress next_hop;
  bool wanted = true;
};
/// Each prefix at most once; at most Limits' routes per turn.
struct BestChanged {
  std::span<const BestChange> changes;
};
/// Every enabled peer sent End-of-RIB, or `restart_deferral` passed since the start: adopted kernel state that the
/// BestChanged so far did not confirm may go. Once per Engine.
struct RestartComplete {};
/// What poll() hands out.
using Output = std::variant<Dial, Write, Close, PeerChanged, EndOfRib, NextHopInterest, BestChanged, RestartComplete>;

}  // namespace minibgp
