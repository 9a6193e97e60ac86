/// PeerTable: the peers that the speaker has, by their key in Config::peers and by the speaker's id, with what the
/// speaker was given of each. Pure.
#pragma once

#include <apps/bgplite/config/config.h>
#include <bgp/peer.h>
#include <bgp/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace bgplite {

class PeerTable {
 public:
  struct Peer {
    minibgp::PeerId id = minibgp::kLocalPeer;  ///< That: the speaker has not taken it, or not yet.
    // Of the options that the speaker has:
    std::uint64_t audience = 0;
    std::string tunnel;
    std::optional<minibgp::PeerOptions> enable_with;  ///< Added disabled, because its tunnel is down.
    [[nodiscard]] bool taken() const { return id != minibgp::kLocalPeer; }
  };
  using ByKey = std::map<std::string, Peer>;

  /// Makes it unless it is there.
  Peer& operator[](const std::string& key) { return peers_[key]; }
  [[nodiscard]] Peer* find(const std::string& key);
  [[nodiscard]] const Peer& at(const std::string& key) const { return peers_.at(key); }
  /// The speaker has it now.
  void take(Peer& peer, const std::string& key, minibgp::PeerId id);
  /// The answer is its id: kLocalPeer when the speaker has none.
  minibgp::PeerId remove(const std::string& key);

  [[nodiscard]] const std::string* key_of(minibgp::PeerId peer) const;  ///< Null: it is gone.
  [[nodiscard]] std::string name_of(minibgp::PeerId peer) const;        ///< Its key; "?": it is gone.
  /// By address, by name, or by its tunnel. Only peers that the speaker has.
  [[nodiscard]] std::optional<minibgp::PeerId> find(std::string_view name, const Config& config) const;

  [[nodiscard]] std::size_t size() const { return peers_.size(); }
  [[nodiscard]] ByKey::const_iterator begin() const { return peers_.begin(); }
  [[nodiscard]] ByKey::const_iterator end() const { return peers_.end(); }

 private:
  ByKey peers_;
  std::map<minibgp::PeerId, std::string> keys_;
};

}  // namespace bgplite
