/// ModelCharon: charon, the kernel's SAs and the peers' ends of them, as a TunnelKeeper sees them: requests and their
/// answers as VICI values, events, SAs that come and go. It knows what a peer has, which the keeper has to find out.
///
/// Simplified: a negotiation takes one round of tick(); DPD gives a silent peer up after kPatience; a peer accepts what
/// it is asked for unless it refuses everything.
#pragma once

#include <bgp/types.h>
#include <xfrm/ike_port.h>
#include <xfrm/inputs.h>
#include <xfrm/tunnel_table.h>
#include <xfrm/vici/keeper.h>
#include <xfrm/vici/packet.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace bgplite::sim {

class ModelCharon {
 public:
  /// A peer that does not answer is given up after this; DPD, or a negotiation.
  static constexpr std::chrono::seconds kPatience{60};
  static constexpr std::chrono::seconds kSeen{5};
  /// The SAs of before a rekey stay beside their successors so long.
  static constexpr std::chrono::milliseconds kOverlap{100};

  struct Tunnel {
    minibgp::IpAddress local, remote;
    bool reachable = true;  ///< The path through the Internet.
    bool uplink = true;     ///< Our device has its carrier.
    minibgp::Time refused_until{};
    minibgp::Time works_since = minibgp::kNever;  ///< Packets pass.
    /// Requests were repeated again and again: what follows from that may take until then.
    minibgp::Time doubted_until{};
  };
  enum class Event : std::uint8_t { told, lost };  ///< Whether charon's word of it reaches the keeper.

  /// `tell` gets what the kernel and charon say; `changed` is called with each tunnel whose SAs changed.
  ModelCharon(std::function<void(const minibgp::xfrm::Input&)> tell, std::function<void(std::size_t)> changed);

  std::vector<Tunnel> tunnels;

  // charon's own life
  void start();
  void crash();  ///< The kernel's SAs stay.
  [[nodiscard]] bool running() const { return running_; }
  /// Its answer to one of a TunnelKeeper's requests.
  [[nodiscard]] minibgp::xfrm::IkeReply answer(const minibgp::xfrm::vici::IkeRequest& request, minibgp::Time now);
  /// What goes on by itself: negotiations, DPD, the ends of what was rekeyed. Called again and again.
  void tick(minibgp::Time now);

  // What the peers do
  void rekey(std::size_t tunnel, Event event, minibgp::Time now);
  void delete_by_peer(std::size_t tunnel, Event event);
  void forget(std::size_t tunnel);  ///< Without a word.
  /// charon repeats a request of its own, or notes that the peer repeats one.
  void repeat(std::size_t tunnel, bool ours);

  // The kernel
  void dump_sas() const;
  void delete_sa(const minibgp::xfrm::SaKey& key);

  // What there is
  [[nodiscard]] bool passes(std::size_t tunnel) const;  ///< The SAs of both ends fit, and the path between them works.
  [[nodiscard]] bool has_pair(std::size_t tunnel) const;        ///< That the peer has, too.
  [[nodiscard]] bool has_known_pair(std::size_t tunnel) const;  ///< And charon.
  [[nodiscard]] bool answers(std::size_t tunnel, minibgp::Time now) const { return running_ && works(tunnel, now); }
  [[nodiscard]] bool knows_pair(std::size_t tunnel) const;    ///< charon does, whatever the peer has.
  [[nodiscard]] bool has_ike(std::size_t tunnel) const;       ///< The same of an IKE_SA.
  [[nodiscard]] std::size_t pairs(std::size_t tunnel) const;  ///< In the kernel, dead ones included.
  [[nodiscard]] std::size_t ikes(std::size_t tunnel) const;
  [[nodiscard]] const std::set<std::string>& connections() const { return connections_; }
  /// How often SAs were initiated beside others that had worked for kSeen.
  [[nodiscard]] std::uint64_t needless() const { return needless_; }

 private:
  struct Ike {
    std::uint32_t id = 0;
    std::size_t tunnel = 0;
    minibgp::xfrm::vici::Section form;  ///< The connection that it was made from.
    std::vector<std::uint32_t> children;
    bool established = false;
    bool peer_has = true;
    minibgp::Time heard{};  ///< The peer answered last.
  };
  struct Pair {
    std::uint32_t id = 0;
    std::size_t tunnel = 0;
    bool peer_has = true;
    minibgp::Time until = minibgp::kNever;  ///< A rekey's old one.
  };

  void event(std::string_view name, const minibgp::xfrm::vici::Section& message) const;
  void log(const Ike& ike, std::string_view text) const;
  [[nodiscard]] minibgp::xfrm::vici::Section child(std::size_t tunnel, std::uint32_t id) const;
  [[nodiscard]] minibgp::xfrm::vici::Section view(const Ike& ike) const;
  [[nodiscard]] minibgp::xfrm::vici::Section list(const Ike& ike) const;
  [[nodiscard]] minibgp::xfrm::Sa sa(const Pair& pair, minibgp::xfrm::SaDirection direction) const;
  [[nodiscard]] bool works(std::size_t tunnel, minibgp::Time now) const;
  void initiate(std::size_t tunnel, minibgp::Time now);
  void terminate(const minibgp::xfrm::vici::Section& message);
  void add_child(Ike& ike);
  void end_child(Ike& ike, std::uint32_t id, Event event);
  void end(std::uint32_t ike, Event event);
  void remove_pair(std::uint32_t id);
  [[nodiscard]] std::vector<std::uint32_t> ids(std::size_t tunnel) const;

  std::function<void(const minibgp::xfrm::Input&)> tell_;
  std::function<void(std::size_t)> changed_;
  bool running_ = true;
  std::uint32_t next_id_ = 1;
  std::set<std::string> connections_, keys_;
  std::vector<minibgp::xfrm::vici::Section> forms_;  ///< Of the loaded connections, by tunnel.
  std::vector<Ike> ikes_;
  std::vector<Pair> pairs_;
  std::uint64_t needless_ = 0;
};

}  // namespace bgplite::sim
