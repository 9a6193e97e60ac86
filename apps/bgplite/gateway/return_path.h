/// ReturnPath: what to announce so that return traffic leaves a tunnel that was lost without a word. Pure.
///
/// The peer behind such a tunnel holds its session, and sends into the tunnel, until its own hold timer ends. Our own
/// networks split in two, told over the sessions that live, make its longest match move at once. They are taken back
/// when the tunnel carries traffic again, or when the peer has nothing left that leads there.
///
/// Not here: how a part is announced (LocalAttributes::audience, ::network_bits), and how a loss is noticed.
#pragma once

#include <bgp/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace bgplite {

/// So many peers may have parts announced to them: each has a bit of LocalAttributes::audience.
inline constexpr std::size_t kReturnPathPeersMax = 64;

/// What a peer's configuration says.
struct ReturnPathOptions {
  minibgp::Asn remote_as{};  ///< Tunnels to one AS lead to the same place.
  std::array<bool, minibgp::kFamilies> families{};
  std::array<std::uint8_t, minibgp::kFamilies> longest_bits{32, 128};  ///< No part is longer.
  std::uint32_t prefixes_max = UINT32_MAX;  ///< Announced to it in all; its own limit, or what its cloud takes.
  bool operator==(const ReturnPathOptions&) const = default;
};

class ReturnPath {
 public:
  /// Parts of our networks, and which peers each is for, as bits.
  using Parts = std::map<minibgp::Prefix, std::uint64_t>;

  /// A peer with `return_path: more_specifics`; again with other options: keeps its state. The answer is its bit; 0
  /// when all are taken, and it is not looked after then.
  std::uint64_t set_peer(const std::string& peer, const ReturnPathOptions& options);
  void remove_peer(const std::string& peer);
  [[nodiscard]] bool has(const std::string& peer) const { return peers_.count(peer) != 0; }

  /// `hold`: of the session; 0: it has none. `restart`: for how long after that the peer may keep our routes (RFC 4724,
  /// RFC 8538). Unknown peers: ignored, here and below.
  void on_established(const std::string& peer, minibgp::Duration hold, minibgp::Duration restart);
  void on_session_ended(const std::string& peer);
  /// Packets do not reach the peer any more. Counts when a session is up: nobody sends to a peer that said goodbye.
  void on_lost(const std::string& peer, minibgp::Time now);
  void on_found(const std::string& peer);
  /// Forgets losses that have lasted longer than any peer remembers.
  void on_time(minibgp::Time now);
  [[nodiscard]] minibgp::Time next_deadline() const;
  [[nodiscard]] bool any_lost() const;

  /// What is to be announced besides `own`, the networks announced now. `told(peer)`: how many prefixes the peer has
  /// from us, parts not counted. Networks come in order of `own` as long as both halves fit.
  template <typename Told>
  [[nodiscard]] Parts parts(std::span<const minibgp::Prefix> own, Told told) const;

 private:
  struct Peer {
    ReturnPathOptions options;
    std::uint64_t bit = 0;
    bool established = false;
    bool lost = false;
    minibgp::Duration memory{};  ///< How long the peer goes on sending to us without a word from us.
    minibgp::Time until{};       ///< While lost.
  };
  struct Receiver {
    const Peer* peer;
    std::size_t room;  ///< Prefixes that may still be announced to it.
  };
  [[nodiscard]] bool receives(const Peer& peer) const;
  [[nodiscard]] static Parts split(std::span<const minibgp::Prefix> own, std::vector<Receiver> receivers);

  std::map<std::string, Peer> peers_;
};

template <typename Told>
ReturnPath::Parts ReturnPath::parts(std::span<const minibgp::Prefix> own, Told told) const {
  std::vector<Receiver> receivers;
  for (const auto& [name, peer] : peers_) {
    if (!receives(peer)) continue;
    const std::size_t has = told(name);
    receivers.push_back({&peer, has < peer.options.prefixes_max ? peer.options.prefixes_max - has : 0});
  }
  return split(own, std::move(receivers));
}

}  // namespace bgplite
