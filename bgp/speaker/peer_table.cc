#include <bgp/speaker/peer_table.h>

#include <algorithm>
#include <utility>

namespace minibgp::speaker {

/// SplitMix64: one independent seed per connection and peer, all from the speaker's own.
std::uint64_t PeerTable::next_seed() {
  seed_ += 0x9E3779B97F4A7C15U;
  std::uint64_t mixed = seed_;
  mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
  return mixed ^ (mixed >> 31U);
}

Peering* PeerTable::find(PeerId peer) const {
  const auto index = static_cast<std::size_t>(peer);
  return index < peers_.size() ? peers_[index].get() : nullptr;
}

Peering* PeerTable::find_kept(PeerId peer) const {
  Peering* const peering = find(peer);
  return peering == nullptr || peering->removing ? nullptr : peering;
}

Peering* PeerTable::find_sender(const IpAddress& from, std::string_view device) const {
  for (const auto& peering : peers_) {
    if (peering == nullptr || peering->removing || peering->options.address != from) continue;
    // A link-local address means something on its link only.
    if (from.is_link_local_v6() && peering->options.device != device) continue;
    return peering.get();
  }
  return nullptr;
}

bool PeerTable::is_taken(const PeerOptions& options, const Peering* self) const {
  return std::any_of(peers_.begin(), peers_.end(), [&](const auto& other) {
    return other != nullptr && other.get() != self && !other->removing && other->options.address == options.address &&
           other->options.device == options.device;
  });
}

Result<Peering*, ApiError> PeerTable::add(const PeerOptions& options) {
  if (is_taken(options, nullptr)) return unexpected(ApiError::duplicate_peer);
  const auto free = static_cast<std::size_t>(std::find(peers_.begin(), peers_.end(), nullptr) - peers_.begin());
  if (free >= static_cast<std::size_t>(kLocalPeer) - 1) return unexpected(ApiError::too_many_peers);
  if (free == peers_.size()) peers_.emplace_back();
  peers_[free] = std::make_unique<Peering>(PeerId{static_cast<std::uint16_t>(free)}, options, next_seed());
  return peers_[free].get();
}

void PeerTable::begin_removal(Peering& peering) {
  peering.removing = true;
  ++removing_;
}

void PeerTable::free_removed(const rib::Table& table, rib::NextHopIndex& next_hops) {
  if (removing_ == 0) return;
  for (auto& peering : peers_) {
    if (peering == nullptr || !peering->removing) continue;
    if (table.counts(peering->id).received != 0 || !peering->connections.empty()) continue;
    // A connection that ended still reads the options until its Close was taken.
    const bool read = std::any_of(connections_.begin(), connections_.end(),
                                  [&](const auto& entry) { return entry.second->peer == peering->id; });
    if (read) continue;
    next_hops.forget(peering->id);
    peering.reset();
    --removing_;
  }
}

Connection* PeerTable::find(ConnId conn) const {
  const auto at = connections_.find(conn);
  return at == connections_.end() ? nullptr : at->second.get();
}

Connection& PeerTable::connect(Peering& peering, session::Session::Side side, const IpAddress& local,
                               const session::LocalIdentity& identity, Time now) {
  const ConnId id{next_conn_++};
  auto connection = std::make_unique<Connection>();
  connection->id = id;
  connection->peer = peering.id;
  connection->local_address = local;
  connection->session = std::make_unique<session::Session>(id, side, peering.options, identity, next_seed(), now);
  peering.connections.push_back(connection.get());
  return *connections_.emplace(id, std::move(connection)).first->second;
}

Close PeerTable::drop_silently(Connection& connection) const {
  connection.ended = true;
  std::erase(find(connection.peer)->connections, &connection);
  return {connection.id, Close::How::at_once};
}

void PeerTable::forget_closed() {
  for (const ConnId conn : closing_) connections_.erase(conn);
  closing_.clear();
}

}  // namespace minibgp::speaker
