/// Neighbors and peer-groups of "router bgp": what their lines say, and the peers that follow from it. What a filter of
/// one direction says and we cannot closes that direction of the peer.
#pragma once

#include <apps/bgplite/cli/import_frr_policy.h>
#include <apps/bgplite/cli/import_frr_router.h>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bgplite::cli {

struct FrrNeighbor {
  std::string name;
  std::vector<std::size_t> lines;
  bool is_group = false;
  /// Session settings by key; those of a family behind "4 " or "6 ".
  FrrValues values;
  std::array<bool, kFrrFamilies> default_active{};  ///< What "bgp default" said when the neighbor began.
};

class FrrNeighbors {
 public:
  FrrNeighbors(FrrNotes& notes, const FrrDialect& dialect, FrrRouter& router, FrrLists& lists, FrrPolicies& policies,
               FrrLibrary& library)
      : notes_(notes), dialect_(dialect), router_(router), lists_(lists), policies_(policies), library_(library) {}

  /// "neighbor NAME ..." and "no neighbor NAME ...".
  void take(const FrrLine& line, std::size_t family);

  /// "peers:", and what kinds of peers there are.
  [[nodiscard]] std::string yaml(FrrRouter::Facts& facts);

 private:
  using Families = std::array<bool, kFrrFamilies>;
  enum class Direction : std::uint8_t { in, out };
  /// A peer while it is written.
  struct Peer {
    FrrNeighbor& own;
    FrrNeighbor* group = nullptr;
    std::string name;
    bool internal = false;
    Families active{};
    std::map<std::string, std::string> keys, timers;
  };

  // --- Reading: import_frr_neighbors.cc ---
  [[nodiscard]] FrrNeighbor& neighbor(const FrrLine& words);
  [[nodiscard]] bool by_table(const FrrLine& words, bool no, FrrNeighbor& into, std::size_t family);
  [[nodiscard]] bool by_word(const FrrLine& words, bool no, FrrNeighbor& into, std::size_t family);
  void remote_as(const FrrLine& words, FrrNeighbor& into);
  void timers(const FrrLine& words, FrrNeighbor& into);
  void local_as(const FrrLine& words, FrrNeighbor& into);
  void local_role(const FrrLine& words, FrrNeighbor& into);
  void password(const FrrLine& words, FrrNeighbor& into);
  void maximum_prefix(const FrrLine& words, FrrNeighbor& into, std::size_t family);
  void filter(const FrrLine& words, bool no, FrrNeighbor& into, std::size_t family);
  [[nodiscard]] bool closing(const FrrLine& words, FrrNeighbor& into, std::size_t family);

  // --- Writing: import_frr_peer.cc ---
  [[nodiscard]] const FrrValue* value(Peer& peer, const std::string& key);
  [[nodiscard]] const FrrValue* family_value(Peer& peer, const std::string& key, std::size_t family);
  [[nodiscard]] bool flag(Peer& peer, const std::string& key, bool fallback);
  void leave_out(const FrrNeighbor& neighbor, const std::string& why);
  [[nodiscard]] std::optional<std::string> peer_yaml(FrrNeighbor& neighbor, FrrRouter::Facts& facts);
  [[nodiscard]] Families active_families(Peer& peer);
  void session_keys(Peer& peer);
  void external_keys(Peer& peer);
  void source(Peer& peer);
  void peer_timers(Peer& peer);
  void family_keys(Peer& peer);
  void family_flag(Peer& peer, const std::string& key, bool when_they_differ);
  void allow_as_in(Peer& peer);
  void limits(Peer& peer, const std::string& word, const std::string& key);
  [[nodiscard]] std::string families_yaml(const Peer& peer) const;

  // --- Policies of a peer: import_frr_peer_policy.cc ---
  struct Plan;  // What one family's filters of a direction say.
  [[nodiscard]] std::string policies_yaml(Peer& peer);
  [[nodiscard]] Plan plan_of(Peer& peer, Direction direction, std::size_t family);
  void add_list(Peer& peer, Plan& plan, Direction direction, std::size_t family, const std::string& word);
  void add_map(Peer& peer, Plan& plan, Direction direction, std::size_t family);
  void close(Peer& peer, Plan& plan, Direction direction, std::size_t family);
  [[nodiscard]] std::string policy(Peer& peer, Direction direction, const std::vector<Plan>& plans);

  FrrNotes& notes_;
  const FrrDialect& dialect_;
  FrrRouter& router_;
  FrrLists& lists_;
  FrrPolicies& policies_;
  FrrLibrary& library_;
  std::map<std::string, FrrNeighbor> neighbors_;
};

}  // namespace bgplite::cli
