#include <apps/bgplite/gateway/return_path.h>

#include <algorithm>
#include <set>
#include <utility>

namespace bgplite {
namespace {

using minibgp::Duration;
using minibgp::Prefix;
using minibgp::Time;

/// The lower and the upper half.
std::pair<Prefix, Prefix> halves(const Prefix& whole) {
  const auto length = static_cast<std::uint8_t>(whole.length_bits + 1);
  minibgp::IpAddress upper = whole.address();
  // The first bit behind the prefix.
  upper.octets[whole.length_bits / 8U] |= static_cast<std::uint8_t>(0x80U >> (whole.length_bits % 8U));
  return {Prefix::of(whole.address(), length), Prefix::of(upper, length)};
}

}  // namespace

std::uint64_t ReturnPath::set_peer(const std::string& peer, const ReturnPathOptions& options) {
  if (const auto known = peers_.find(peer); known != peers_.end()) {
    known->second.options = options;
    return known->second.bit;
  }
  std::uint64_t taken = 0;
  for (const auto& [name, other] : peers_) taken |= other.bit;
  // All 64 bits are in use: the peer gets no parts.
  if (~taken == 0) return 0;
  const std::uint64_t bit = ~taken & (taken + 1);  // The lowest that is free.
  Peer made;
  made.options = options;
  made.bit = bit;
  peers_.emplace(peer, made);
  return bit;
}

void ReturnPath::remove_peer(const std::string& peer) { peers_.erase(peer); }

void ReturnPath::on_established(const std::string& name, Duration hold, Duration restart) {
  const auto peer = peers_.find(name);
  if (peer == peers_.end()) return;
  // A session that was up already keeps its loss: only a new one shows that the tunnel works.
  if (!std::exchange(peer->second.established, true)) peer->second.lost = false;
  // A hold time of 0 never ends, so such a peer never forgets.
  peer->second.memory = hold == Duration{} ? Duration::max() : hold + restart;
}

void ReturnPath::on_session_ended(const std::string& name) {
  const auto peer = peers_.find(name);
  if (peer != peers_.end()) peer->second.established = false;
}

void ReturnPath::on_lost(const std::string& name, Time now) {
  const auto peer = peers_.find(name);
  // A peer that has no session sends nothing through the tunnel.
  if (peer == peers_.end() || !peer->second.established || peer->second.lost) return;
  peer->second.lost = true;
  peer->second.until = peer->second.memory == Duration::max() ? minibgp::kNever : now + peer->second.memory;
}

void ReturnPath::on_found(const std::string& name) {
  const auto peer = peers_.find(name);
  if (peer != peers_.end()) peer->second.lost = false;
}

void ReturnPath::on_time(Time now) {
  for (auto& [name, peer] : peers_) {
    // A session that is up longer than that is heard in one direction only: it stays lost.
    if (peer.lost && !peer.established && now >= peer.until) peer.lost = false;
  }
}

Time ReturnPath::next_deadline() const {
  Time next = minibgp::kNever;
  for (const auto& [name, peer] : peers_)
    if (peer.lost && !peer.established) next = std::min(next, peer.until);
  return next;
}

bool ReturnPath::any_lost() const {
  return std::any_of(peers_.begin(), peers_.end(), [](const auto& entry) { return entry.second.lost; });
}

bool ReturnPath::receives(const Peer& peer) const {
  if (!peer.established || peer.lost) return false;
  return std::any_of(peers_.begin(), peers_.end(), [&](const auto& entry) {
    // Another session of the same AS: only there the longer prefixes draw the traffic.
    return entry.second.lost && entry.second.options.remote_as == peer.options.remote_as;
  });
}

ReturnPath::Parts ReturnPath::split(std::span<const Prefix> own, std::vector<Receiver> receivers) {
  Parts parts;
  if (receivers.empty()) return parts;
  const std::set<Prefix> whole{own.begin(), own.end()};
  for (const Prefix& network : own) {
    // A host route has no halves.
    if (network.length_bits >= minibgp::address_bits(network.family)) continue;
    const auto [lower, upper] = halves(network);
    // A half that is a network of its own is announced already, and by its own rules.
    std::vector<Prefix> wanted;
    for (const Prefix& half : {lower, upper})
      if (whole.count(half) == 0) wanted.push_back(half);
    const auto family = static_cast<std::size_t>(network.family);
    for (Receiver& receiver : receivers) {
      const ReturnPathOptions& options = receiver.peer->options;
      if (!options.families[family] || lower.length_bits > options.longest_bits[family]) continue;
      // Both halves or none: one alone would leave half of the traffic where it is.
      if (receiver.room < wanted.size()) continue;
      receiver.room -= wanted.size();
      for (const Prefix& half : wanted) parts[half] |= receiver.peer->bit;
    }
  }
  return parts;
}

}  // namespace bgplite
