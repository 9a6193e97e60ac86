/// Peering: one peer at run time. Plain state; what happens to it is in peering.cc (sessions), restart.cc (graceful
/// restart and refresh) and engine.cc (turns).
#pragma once

#include <bgp/peer.h>
#include <bgp/session/connector.h>
#include <bgp/session/negotiation.h>
#include <bgp/session/session.h>
#include <bgp/speaker/import.h>
#include <bgp/types.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace minibgp::speaker {

/// One TCP connection of a peer.
struct Connection {
  ConnId id{};
  PeerId peer{};
  IpAddress local_address;
  LinkAddresses link;
  std::unique_ptr<session::Session> session;
  Time held_until{};        ///< A collision may keep it in OpenConfirm until then.
  bool write_told = false;  ///< Write was handed out and not answered by on_sent() yet.
  bool ended = false;       ///< Down was polled: only outgoing() is still asked.
};

struct Peering {
  Peering(PeerId peer, const PeerOptions& given, std::uint64_t seed)
      : id(peer), options(given), connector(given, seed) {}

  PeerId id{};
  PeerOptions options;  ///< Read by sessions: stays where it is.
  session::Connector connector;
  std::vector<Connection*> connections;  ///< At most two, those that ended not included.
  Connection* established = nullptr;
  bool enabled = true;    ///< By the operator.
  bool removing = false;  ///< Its paths are leaving; then the id is free.

  // What is shown.
  PeerState state = PeerState::idle;
  Time since{};
  DownReason last_down = DownReason::none;
  std::string last_down_detail;
  bool last_down_matters = false;  ///< It ended a session, or the peer or we said why there is none.
  std::uint8_t last_code = 0, last_subcode = 0;
  Counters counters;  ///< Of sessions that ended.

  // Of the session that is, or was last, established.
  session::Negotiated negotiated;
  ImportRules import_rules;
  LinkAddresses link;
  std::array<bool, kFamilies> end_of_rib_received{};
  std::array<bool, kFamilies> refreshing{};             ///< Between BoRR and EoRR (RFC 7313 s.4).
  std::array<std::uint8_t, kFamilies> refresh_epoch{};  ///< That began with BoRR.
  bool early_refresh_logged = false;
  bool limit_warned = false;

  // RFC 4724: the peer restarts and we keep its routes.
  std::array<bool, kFamilies> stale{};
  Time stale_until = kNever;  ///< Its routes go then: restart timer, or no End-of-RIB came.

  Time over_limit_since = kNever;  ///< Idle because of import_limit since then.
  /// When that ends by itself.
  [[nodiscard]] Time enable_at() const {
    const std::uint32_t after_s = options.import_limit.restart_after_s;
    return over_limit_since == kNever || after_s == 0 ? kNever : over_limit_since + std::chrono::seconds{after_s};
  }

  // Why there is no session: what was logged last of attempts that did not reach Established.
  std::string logged_failure;
  Time failure_logged_at = kNever;
  Time refusal_logged_at = kNever;  ///< Of incoming connections.

  [[nodiscard]] bool any_stale() const { return stale[0] || stale[1]; }
};

}  // namespace minibgp::speaker
