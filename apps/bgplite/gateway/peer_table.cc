#include <apps/bgplite/gateway/peer_table.h>
#include <bgp/text.h>

namespace bgplite {

using minibgp::PeerId;

PeerTable::Peer* PeerTable::find(const std::string& key) {
  const auto found = peers_.find(key);
  return found == peers_.end() ? nullptr : &found->second;
}

void PeerTable::take(Peer& peer, const std::string& key, PeerId id) {
  peer.id = id;
  keys_[id] = key;
}

PeerId PeerTable::remove(const std::string& key) {
  const auto found = peers_.find(key);
  if (found == peers_.end()) return minibgp::kLocalPeer;
  const PeerId id = found->second.id;
  peers_.erase(found);
  // kLocalPeer if the speaker has not given an id yet; erasing that changes nothing.
  keys_.erase(id);
  return id;
}

const std::string* PeerTable::key_of(PeerId peer) const {
  const auto key = keys_.find(peer);
  return key == keys_.end() ? nullptr : &key->second;
}

std::string PeerTable::name_of(PeerId peer) const {
  const std::string* key = key_of(peer);
  return key == nullptr ? std::string{"?"} : *key;
}

std::optional<PeerId> PeerTable::find(std::string_view name, const Config& config) const {
  const auto known = [this](const std::string& key) -> std::optional<PeerId> {
    const auto found = peers_.find(key);
    if (found == peers_.end() || !found->second.taken()) return std::nullopt;
    return found->second.id;
  };
  if (name.empty()) return std::nullopt;  // It is what peers without a name have.
  // The key in the configuration is the first meaning of a name.
  if (const auto found = known(std::string{name})) return found;
  // Peers are few and names are typed by people: no second index to be kept right.
  for (const auto& [key, peer] : peers_) {
    const minibgp::PeerOptions& options = config.peers.at(key).options;
    if (peer.taken() && (options.name == name || (!options.tunnel.empty() && options.tunnel == name))) return peer.id;
  }
  // Another spelling of the same IPv6 address.
  const auto address = minibgp::parse_address(name);
  return address ? known(to_text(*address)) : std::nullopt;
}

}  // namespace bgplite
