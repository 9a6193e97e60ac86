/// PeerTable: the peers by id and their connections by id. A removed peer keeps its id until its paths have left and no
/// connection reads its options any more; a connection that ended stays until its Close was taken.
#pragma once

#include <bgp/outputs.h>
#include <bgp/peer.h>
#include <bgp/result.h>
#include <bgp/rib/next_hop_index.h>
#include <bgp/rib/table.h>
#include <bgp/speaker/peering.h>
#include <bgp/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

namespace minibgp::speaker {

class PeerTable {
 public:
  using Connections = std::map<ConnId, std::unique_ptr<Connection>>;

  /// `seed`: of the seeds of its peers and connections.
  explicit PeerTable(std::uint64_t seed) : seed_(seed) {}

  // Peers. Null: there is none.
  [[nodiscard]] Peering* find(PeerId peer) const;
  /// Null also when the peer is being removed.
  [[nodiscard]] Peering* find_kept(PeerId peer) const;
  /// Whose an incoming connection is.
  [[nodiscard]] Peering* find_sender(const IpAddress& from, std::string_view device) const;
  /// Whether a peer other than `self` has the address on the device.
  [[nodiscard]] bool is_taken(const PeerOptions& options, const Peering* self) const;
  [[nodiscard]] Result<Peering*, ApiError> add(const PeerOptions& options);
  void begin_removal(Peering& peering);
  /// Frees the ids of removed peers where nothing is left of them. Cheap when none is being removed.
  void free_removed(const rib::Table& table, rib::NextHopIndex& next_hops);
  /// Calls visit(Peering&) for each peer, those that are being removed included.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = 0; i < peers_.size(); ++i)
      if (peers_[i] != nullptr) visit(*peers_[i]);
  }
  /// Whether test(Peering&) holds for each.
  template <typename Test>
  [[nodiscard]] bool all(Test test) const {
    for (const auto& peering : peers_)
      if (peering != nullptr && !test(*peering)) return false;
    return true;
  }

  // Connections.
  [[nodiscard]] Connection* find(ConnId conn) const;
  Connection& connect(Peering& peering, session::Session::Side side, const IpAddress& local,
                      const session::LocalIdentity& identity, Time now);
  [[nodiscard]] const Connections& connections() const { return connections_; }
  /// Ends a connection on which nothing was said; the Close is to be handed out.
  [[nodiscard]] Close drop_silently(Connection& connection) const;
  /// The session goes at the next forget_closed().
  void close(ConnId conn) { closing_.push_back(conn); }
  void forget_closed();
  /// A connection that has bytes to send, for Write; each is named once until its bytes were sent.
  template <typename Tell>
  void tell_writes(Tell tell) {
    for (const auto& [id, connection] : connections_) {
      if (connection->ended || connection->write_told || connection->session->outgoing().empty()) continue;
      connection->write_told = true;
      tell(Write{id});
    }
  }

 private:
  [[nodiscard]] std::uint64_t next_seed();

  std::uint64_t seed_;
  std::vector<std::unique_ptr<Peering>> peers_;  ///< By PeerId.
  std::size_t removing_ = 0;                     ///< Peers whose paths or connections are still leaving.
  Connections connections_;
  std::uint32_t next_conn_ = 1;
  std::vector<ConnId> closing_;
};

}  // namespace minibgp::speaker
