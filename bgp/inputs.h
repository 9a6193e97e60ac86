/// What an Engine is given, as values: each input is one of these, so that a run can be kept and played again. Inputs
/// that have an answer (a PeerId, a ConnId, a refusal) are functions of the engine.
#pragma once

#include <bgp/path.h>
#include <bgp/peer.h>
#include <bgp/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

namespace minibgp {

/// The interface that owns the local address of a connection. A session cannot know by itself what our next hop of the
/// other address family is (IPv6 routes over an IPv4 session, IPv4 routes over an IPv6 one without RFC 8950), nor
/// whether the peer is on that interface's link (RFC 2545 s.3).
struct LinkAddresses {
  IpAddress ipv4;          ///< Of the interface; unset: it has none.
  IpAddress ipv6;          ///< A global one of the interface; unset: it has none.
  std::uint32_t link = 0;  ///< A number for the interface, if the peer is on its link; 0: it is not, or unknown.
  constexpr auto operator<=>(const LinkAddresses&) const = default;
};

/// The alternatives of Input. What each does is said at the function of Engine with its name.
namespace input {

/// Engine::remove_peer().
struct RemovePeer {
  PeerId peer{};
};
/// Engine::enable_peer().
struct EnablePeer {
  PeerId peer{};
};
/// Engine::disable_peer().
struct DisablePeer {
  PeerId peer{};
  std::string reason;  ///< Shutdown communication (RFC 9003).
};
/// Engine::reset_peer().
struct ResetPeer {
  PeerId peer{};
  std::string reason;  ///< Shutdown communication (RFC 9003).
};
/// Engine::refresh_peer().
struct RefreshPeer {
  PeerId peer{};
  Direction direction = Direction::import;
};
/// Engine::set_transport_usable().
struct SetTransport {
  PeerId peer{};
  bool usable = true;
};
/// Engine::set_next_hop().
struct SetNextHop {
  PeerId peer{};
  IpAddress next_hop;
  bool usable = true;
  std::uint32_t cost = 0;
};
/// Engine::set_protected_addresses().
struct SetProtectedAddresses {
  std::vector<IpAddress> addresses;
};
/// Engine::announce().
struct Announce {
  Prefix prefix;
  PathAttributes attributes;
};
/// Engine::withdraw().
struct Withdraw {
  Prefix prefix;
};
/// Engine::on_connected().
struct Connected {
  ConnId conn{};
  IpAddress local;
};
/// Engine::set_link_addresses().
struct SetLinkAddresses {
  ConnId conn{};
  LinkAddresses addresses;
};
/// Engine::on_received().
struct Received {
  ConnId conn{};
  Bytes bytes;  ///< Read during the call only.
};
/// Engine::on_sent().
struct Sent {
  ConnId conn{};
  std::size_t count = 0;
};
/// Engine::on_closed().
struct Closed {
  ConnId conn{};
  std::error_code reason;
};
/// Engine::on_time().
struct TimePassed {};
/// Engine::stop().
struct Stop {  /// keep: without NOTIFICATION where graceful restart was negotiated.
  enum class How : std::uint8_t { cease, keep } how = How::cease;
  std::string reason;  ///< Shutdown communication (RFC 9003).
};

}  // namespace input

/// One input of an Engine.
using Input = std::variant<input::RemovePeer, input::EnablePeer, input::DisablePeer, input::ResetPeer,
                           input::RefreshPeer, input::SetTransport, input::SetNextHop, input::SetProtectedAddresses,
                           input::Announce, input::Withdraw, input::Connected, input::SetLinkAddresses, input::Received,
                           input::Sent, input::Closed, input::TimePassed, input::Stop>;

}  // namespace minibgp
