/// Table: prefix -> the paths of all peers. Keeps the paths in use in front and collects the routes where they changed.
/// It knows no sessions and no policy: who may say what, and what is accepted, was decided before set_path().
///
/// Exact match is a hash probe (UPDATEs need nothing else); ordered output is sorted when shown. Ids are stable, so
/// that dirty sets and what peers were told refer to routes by id. A route without paths stays until
/// every export group that advertised it withdrew it (see withdrawn()).
#pragma once

#include <bgp/base/dirty_set.h>
#include <bgp/base/flat_index.h>
#include <bgp/base/slab.h>
#include <bgp/rib/attr_table.h>
#include <bgp/rib/best_path.h>
#include <bgp/rib/layout.h>
#include <bgp/rib/multipath.h>
#include <bgp/rib/next_hop_index.h>
#include <bgp/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace minibgp::rib {

/// How many paths of one peer are received, accepted, and best; and how many its present session announced.
struct PeerCounts {
  std::uint32_t received = 0, accepted = 0, best = 0;
  std::uint32_t current = 0;  ///< Received, but for the stale ones.
};

class Table {
 public:
  Table(AttrTable& attributes, NextHopIndex& next_hops);
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  ~Table();

  /// Counts from the next reselection on; see reselect().
  void set_options(const SelectionOptions& options) { options_ = options; }
  /// Counts from the next reselection on. A peer must be set before its first path. Whether that differs from before.
  bool set_peer(PeerId peer, const PeerFacts& facts);
  [[nodiscard]] const PeerFacts& peer(PeerId peer) const { return peers_[index_of(peer)].facts; }
  [[nodiscard]] const PeerCounts& counts(PeerId peer) const { return peers_[index_of(peer)].counts; }

  struct PathKey {
    PeerId peer{};
    std::uint32_t path_id = 0;
  };
  /// Adds or replaces one path; it belongs to the peer's present epoch then. Takes references of its own. False: a
  /// route holds no more paths of that peer, or of all peers (Route::kPathsOfPeerMax, kPathsMax), and nothing was
  /// added.
  bool set_path(const Prefix& prefix, PathKey key, AttrId received, AttrId accepted);
  /// Whether there was such a path.
  bool remove_path(const Prefix& prefix, PathKey key);

  // Epochs: each path carries the number that its peer's epoch had when it was announced last. Numbers are compared
  // modulo 256; the speaker sees to it that paths never lie that far apart (EngineImpl::held()).

  /// From now on the paths of `peer` in `family` are old until announced again. Its answer is the epoch that begins. An
  /// epoch in which nothing was announced goes on: all paths are older than it already.
  std::uint8_t begin_epoch(PeerId peer, Family family) {
    PeerRecord& record = peers_[index_of(peer)];
    const auto i = static_cast<std::size_t>(family);
    if (std::exchange(record.announced[i], false)) ++record.epoch[i];
    return record.epoch[i];
  }
  /// A session of `peer` ended: what it announced is stale from now on.
  void begin_session(PeerId peer) {
    PeerRecord& record = peers_[index_of(peer)];
    for (const Family family : {Family::ipv4, Family::ipv6})
      record.session[static_cast<std::size_t>(family)] = begin_epoch(peer, family);
    record.counts.current = 0;
  }
  [[nodiscard]] std::uint8_t epoch(PeerId peer, Family family) const {
    return peers_[index_of(peer)].epoch[static_cast<std::size_t>(family)];
  }
  /// The epoch in which the present session began, or the next one will.
  [[nodiscard]] std::uint8_t session_epoch(PeerId peer, Family family) const {
    return peers_[index_of(peer)].session[static_cast<std::size_t>(family)];
  }
  [[nodiscard]] bool older(const Route& route, const Path& path, std::uint8_t epoch_kept) const {
    const std::uint8_t present = epoch(path.peer, route.prefix.family);
    return static_cast<std::uint8_t>(present - path.epoch) > static_cast<std::uint8_t>(present - epoch_kept);
  }
  /// An earlier session announced it, and the present one did not yet.
  [[nodiscard]] bool stale(const Route& route, const Path& path) const {
    return older(route, path, session_epoch(path.peer, route.prefix.family));
  }
  /// The way to its next hop is lost; as of now, whatever path_flag::kUnusable still says.
  [[nodiscard]] bool next_hop_lost(const Path& path) const {
    return path.accepted != kNoAttributes && next_hops_.lost(path.peer, attributes_.next_hop(path.accepted).address);
  }

  // One path of a route that a walk found; see next().
  void remove_path_at(RouteId id, std::uint32_t index);
  void set_accepted_at(RouteId id, std::uint32_t index, AttrId accepted);
  /// Reads the usability of the route's next hops again, and chooses again.
  void reselect(RouteId id);

  [[nodiscard]] std::optional<RouteId> find(const Prefix& prefix) const;
  [[nodiscard]] const Route& route(RouteId id) const { return routes_[number(id)]; }
  /// Fetches what set_path() and find() touch first into the cache.
  void prefetch(const Prefix& prefix) const { index_.prefetch(hash_of(prefix)); }
  void prefetch(RouteId id) const { routes_.prefetch(number(id)); }
  [[nodiscard]] bool contains(RouteId id) const { return routes_.contains(number(id)); }
  /// First route at or after `from`, without paths or not; end() when there is none.
  [[nodiscard]] RouteId next(RouteId from) const { return RouteId{routes_.next(number(from))}; }
  [[nodiscard]] RouteId end() const { return RouteId{routes_.bound()}; }
  /// Routes with at least one path.
  [[nodiscard]] std::size_t route_count() const { return routes_.size() - without_paths_; }
  [[nodiscard]] std::size_t path_count() const { return path_count_; }

  /// Routes whose paths in use changed since they were taken from here.
  [[nodiscard]] base::DirtySet& changed() { return changed_; }
  [[nodiscard]] bool changed_empty() const { return changed_.empty(); }

  // A route without paths stays until every export group that advertised it withdrew it: the last one frees the id.
  void set_withdrawals_due(RouteId id, std::uint32_t groups);
  void add_withdrawal_due(RouteId id);
  void withdrawn(RouteId id);

  [[nodiscard]] Candidate candidate(const Route& route, std::uint32_t index) const;
  [[nodiscard]] const SelectionOptions& options() const { return options_; }
  [[nodiscard]] std::size_t route_octets() const { return routes_.octets(); }
  [[nodiscard]] std::size_t index_octets() const { return index_.octets() + changed_.octets(); }
  [[nodiscard]] std::size_t more_octets() const { return more_paths_ * sizeof(Path); }

 private:
  struct PeerRecord {
    PeerFacts facts;
    PeerCounts counts;
    std::array<std::uint8_t, kFamilies> epoch{}, session{};
    std::array<bool, kFamilies> announced{};  ///< In the present epoch.
  };
  /// What identifies a path in use, to see whether a selection changed anything.
  struct InUse {
    PeerId peer{};
    std::uint32_t path_id = 0;
    AttrId accepted{};
    bool operator==(const InUse&) const = default;
  };

  [[nodiscard]] static constexpr std::uint32_t number(RouteId id) { return static_cast<std::uint32_t>(id); }
  /// kLocalPeer lies at the end of the number space; its record is the first.
  [[nodiscard]] static constexpr std::size_t index_of(PeerId peer) {
    return static_cast<std::uint16_t>(static_cast<std::uint16_t>(peer) + 1U);
  }
  [[nodiscard]] Route& mutable_route(RouteId id) { return routes_[number(id)]; }
  /// The path was announced just now.
  void renew(const Route& route, Path& path) {
    PeerRecord& record = peers_[index_of(path.peer)];
    const auto family = static_cast<std::size_t>(route.prefix.family);
    record.announced[family] = true;
    path.epoch = record.epoch[family];
  }

  [[nodiscard]] std::uint32_t add_slot(Route& route);
  void remove_slot(Route& route, std::uint32_t index);
  void take_path(Path& path, AttrId received, AttrId accepted);
  void drop_path(const Path& path);
  [[nodiscard]] bool eligible(const Path& path) const {
    return path.accepted != kNoAttributes && (path.flags & path_flag::kUnusable) == 0;
  }
  void read_usability(Path& path) const;
  void select_after_change(RouteId id, Route& route, std::uint32_t index, bool fresh);
  void select_all(RouteId id, Route& route);
  void put_in_front(RouteId id, Route& route, std::uint32_t index);
  void save_in_use(const Route& route);
  void after_removal(RouteId id, Route& route, bool was_in_use);

  AttrTable& attributes_;
  NextHopIndex& next_hops_;
  SelectionOptions options_;
  base::Slab<Route> routes_;
  base::FlatIndex index_;
  base::DirtySet changed_;
  std::vector<PeerRecord> peers_;
  std::size_t path_count_ = 0, more_paths_ = 0, without_paths_ = 0;
  Selection selection_;
  std::vector<InUse> in_use_;  ///< Before a selection.
  std::vector<Candidate> candidates_;
  std::vector<std::uint32_t> slots_;  ///< Of candidates_: which path.
  std::vector<Path> ordered_;
};

}  // namespace minibgp::rib
