/// Tunnels of the configuration as VICI messages: load-conn and load-shared, in strongSwan's words; and what can be
/// said about them before charon sees them. Pure.
///
/// Not here: when they are sent (keeper.h).
#pragma once

#include <bgp/result.h>
#include <xfrm/tunnel.h>
#include <xfrm/vici/packet.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace minibgp::xfrm::vici {

/// Connections and secrets that begin so are ours: loaded, and unloaded when their tunnel is gone, also after a restart
/// of ours that forgot them.
inline constexpr std::string_view kOurPrefix = "bgplite-";

/// charon's name for the tunnel's connection: ours, or the one to watch. Empty: unknown, find it by if_id.
[[nodiscard]] std::string connection_name(const TunnelOptions& tunnel);

/// Forms of one connection do the same and differ for charon, in as many seconds of over_time; 0 is as configured. When
/// asked to initiate, charon looks for an IKE_SA of an equal configuration and adds a child to that one, also when its
/// peer has long forgotten it (charon.reuse_ikesa). With another form loaded it makes a new IKE_SA beside the old.
using ConnectionForm = std::uint32_t;
/// Forms are smaller or equal: an IKE_SA that cannot be renewed ends at most so many seconds later.
inline constexpr ConnectionForm kConnectionForms = 600;
/// The argument of load-conn. `tunnel.ike` must be set.
[[nodiscard]] Section load_conn_message(const TunnelOptions& tunnel, ConnectionForm form = 0);
/// The argument of load-shared.
[[nodiscard]] Section load_shared_message(const TunnelOptions& tunnel, std::string_view key);
/// Identities the key is for: both ends', as charon will compare them.
[[nodiscard]] std::vector<std::string> key_owners(const IkeOptions& ike);

enum class KeyError : std::uint8_t { empty, bad_hex, bad_base64 };
[[nodiscard]] std::string_view to_text(KeyError error);
/// The key in a PSK file: its first line without the line end, "0x" and "0s" decoded as swanctl does.
[[nodiscard]] Result<std::string, KeyError> parse_key(std::string_view file_text);

struct Complaint {
  enum class Weight : std::uint8_t { warning, error } weight = Weight::warning;
  std::string_view key;  ///< The key it is about: "ike.local_ts".
  std::string text;
  std::string_view hint;  ///< What to write instead; may be empty.
  bool missing = false;   ///< The key is not there.
  bool operator==(const Complaint&) const = default;
};
/// What is wrong with a tunnel's ike section: an error charon would refuse or a combination that cannot work, a warning
/// for what works badly.
[[nodiscard]] std::vector<Complaint> check(const TunnelOptions& tunnel);

/// charon takes a proposal whose algorithm no plugin implements, and then fails to negotiate it. `algorithms` is the
/// answer to get-algorithms. One sentence for each algorithm missing, with the plugins that have it.
[[nodiscard]] std::vector<std::string> missing_algorithms(const IkeOptions& ike, const Section& algorithms);

/// How charon repeats an unanswered request: strongswan.conf charon.retransmit_*, for all connections alike.
struct Retransmission {
  double timeout_s = 4.0;
  double base = 1.8;
  unsigned tries = 5;
};
/// From the first request to giving up: the sum of timeout * base^i for i in 0..tries; 165 s by default.
[[nodiscard]] std::chrono::milliseconds give_up_after(const Retransmission& retransmission);
/// How long a silently dead peer stays unnoticed by IKE alone: the DPD delay and then the retransmissions.
[[nodiscard]] std::chrono::milliseconds worst_detection(const IkeOptions& ike, const Retransmission& retransmission);

}  // namespace minibgp::xfrm::vici
