#include <apps/bgplite/gateway/options.h>
#include <apps/bgplite/gateway/return_traffic.h>

#include <chrono>

namespace bgplite {

using minibgp::LogArea;
using minibgp::LogLevel;
using minibgp::PeerState;
using minibgp::Time;

std::uint64_t ReturnTraffic::set_peer(const std::string& key, const Config& config, const PeerConfig& peer) {
  if (peer.return_path.more_specifics) return path_.set_peer(key, return_path_options(config, peer));
  path_.remove_peer(key);
  return 0;
}

void ReturnTraffic::note_session(minibgp::PeerId peer, const Config& config) {
  const std::string* const key = my_.peers.key_of(peer);
  const auto status = my_.view.session(peer);
  if (key == nullptr || !status) return;
  if (status->state != PeerState::established) return path_.on_session_ended(*key);
  const minibgp::PeerOptions& options = config.peers.at(*key).options;
  // A helper keeps our routes after the hold timer, and sends to us for that much longer (RFC 4724, RFC 8538).
  const bool kept = status->graceful_restart && options.graceful_restart == minibgp::GracefulRestart::full;
  path_.on_established(*key, std::chrono::seconds{status->hold_s},
                       std::chrono::seconds{kept ? options.restart_time_s : 0});
}

void ReturnTraffic::note_reachable(const std::string& key, bool reachable, Time now) {
  reachable ? path_.on_found(key) : path_.on_lost(key, now);
}

void ReturnTraffic::update(Time now) {
  if (stopped_ || (!path_.any_lost() && my_.announcements.parts().empty())) return;
  path_.on_time(now);
  const auto announced_to = [this](const std::string& key) -> std::size_t {
    const PeerTable::Peer& peer = my_.peers.at(key);
    const auto status = my_.view.session(peer.id);
    return my_.announcements.without_parts(key, peer.audience, status ? status->prefixes_announced : 0);
  };
  const auto parts = path_.parts(my_.announcements.own_prefixes(), announced_to);
  if (!my_.announcements.set_parts(parts)) return;
  my_.effects.log(LogLevel::warning, LogArea::session,
                  parts.empty() ? "networks are not announced in halves any more: the lost tunnel is back, or its peer "
                                  "has forgotten it"
                                : "a tunnel is lost and its peer does not know: " + std::to_string(parts.size()) +
                                      " halves of our networks announced over the sessions that live");
}

}  // namespace bgplite
