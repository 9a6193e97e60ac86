/// Speaker: a BGP-4 speaker (RFC 4271) that lives inside your program, on your boost::asio::io_context.
#pragma once

#include <bgp/engine.h>
#include <bgp/observer.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

namespace minibgp {

namespace net {
class Driver;
}
/// Where connections are taken.
struct ListenOptions {
  bool enabled = true;
  IpAddress address;  ///< Unset: every address of both families.
  std::uint16_t port = 179;
  std::string device;  ///< SO_BINDTODEVICE; empty: none.
};

/// Threads:  none of its own; create, use and destroy it on the io_context's thread.
/// Lifetime: `io`, `observer` and `log` (which may be null) must outlive it. Destruction sends Cease / Administrative
///           Shutdown where a session is up and does not wait for delivery; see stop().
/// Errors:   returned, never thrown. A misbehaving peer is not an error of yours: see Observer::on_peer_changed().
class Speaker {
 public:
  /// With options that validate() refuses it takes no peers.
  Speaker(boost::asio::io_context& io, const SpeakerOptions& options, Observer& observer, LogSink* log = nullptr);
  ~Speaker();
  Speaker(const Speaker&) = delete;
  Speaker& operator=(const Speaker&) = delete;

  /// Opens one more listening socket. May be called for several addresses. The error is the kernel's (address in use,
  /// permission denied below port 1024 without CAP_NET_BIND_SERVICE); nothing has changed then.
  [[nodiscard]] Result<void, std::error_code> listen(const ListenOptions& options);
  /// Takes over a connected TCP socket that you accepted. On error (no such peer) you still own it.
  [[nodiscard]] Result<void, std::error_code> adopt_socket(int fd);
  /// The session begins at once unless passive or disabled.
  [[nodiscard]] Result<PeerId, ApiError> add_peer(const PeerOptions& options);
  [[nodiscard]] Result<void, ApiError> update_peer(PeerId peer, const PeerOptions& options);  ///< As Engine's.
  /// Inputs without an answer, as values or by the functions below, which are Engine's. From within a callback of the
  /// Observer they take effect after it returned.
  void input(Input input);
  /// Ends the session; forgets its routes.
  void remove_peer(PeerId peer) { input(input::RemovePeer{peer}); }
  /// After disable_peer().
  void enable_peer(PeerId peer) { input(input::EnablePeer{peer}); }
  /// Stays down; the reason is sent (RFC 9003).
  void disable_peer(PeerId peer, std::string_view reason = {}) { input(input::DisablePeer{peer, std::string{reason}}); }
  /// Comes back by itself.
  void reset_peer(PeerId peer, std::string_view reason = {}) { input(input::ResetPeer{peer, std::string{reason}}); }
  /// As Engine's.
  void refresh_peer(PeerId peer, Direction direction = Direction::import) {
    input(input::RefreshPeer{peer, direction});
  }
  /// False: do not dial, end what is up.
  void set_transport_usable(PeerId peer, bool usable) { input(input::SetTransport{peer, usable}); }
  /// As Engine's.
  void set_next_hop(PeerId peer, const IpAddress& next_hop, bool usable, std::uint32_t cost = 0) {
    input(input::SetNextHop{peer, next_hop, usable, cost});
  }
  [[nodiscard]] Result<void, ApiError> set_options(const SpeakerOptions& options);  ///< As Engine's.
  /// Replaces the addresses that policies know as IKE endpoints (PolicyContext::covers_ike_endpoint).
  void set_protected_addresses(std::vector<IpAddress> addresses) {
    input(input::SetProtectedAddresses{std::move(addresses)});
  }

  /// Originates `prefix` toward every peer whose export policy accepts it (without a policy, an eBGP peer gets nothing:
  /// RFC 8212). Replaces an earlier announcement of `prefix`. An unset next hop becomes the session's own address.
  void announce(const Prefix& prefix, const PathAttributes& attributes = {}) {
    input(input::Announce{prefix, attributes});
  }
  /// No effect if not announced.
  void withdraw(const Prefix& prefix) { input(input::Withdraw{prefix}); }

  /// Ends every session; `done` runs when the sockets are closed (at most about 1 s later). It is called from the loop
  /// and may destroy the Speaker; it is not called when the Speaker is destroyed before the sockets are closed.
  void stop(Engine::Stop how, std::string_view reason, std::function<void()> done);

  /// Snapshots and status reads; see Engine.
  [[nodiscard]] const Engine& engine() const;
  /// The speaker's clock now, to put the Times of a PeerStatus in relation.
  [[nodiscard]] Time now() const;

 private:
  std::shared_ptr<net::Driver> driver_;
};

}  // namespace minibgp
