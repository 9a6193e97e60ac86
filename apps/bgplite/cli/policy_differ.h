/// Differ: routes through two versions of a configuration, and what these treat differently.
///
/// Import: a route goes through the import policy of the peer it came from. Export: it goes through the export policy
/// of every peer it would be advertised to, which is never the one it came from (RFC 4271 s.9.1.3) and, of one from an
/// internal peer, no other internal peer (but for reflection, RFC 4456). A peer that one version lacks gets and gives
/// nothing there.
#pragma once

#include <apps/bgplite/cli/policy_bench.h>
#include <apps/bgplite/cli/policy_verbs.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace bgplite::cli {

enum class Fate : std::uint8_t { now_accepted, now_rejected, changed };

struct Counts {
  std::size_t accepted_by_both = 0, rejected_by_both = 0, now_accepted = 0, now_rejected = 0, changed = 0;
  [[nodiscard]] std::size_t different() const { return now_accepted + now_rejected + changed; }
};

/// Differences of one kind: the same fate, peer, attributes and deciding terms.
struct DiffGroup {
  Fate fate{};
  std::string peer;           ///< As configured; empty: a policy by itself.
  std::string attributes;     ///< That differ: "local_pref, community"; of Fate::changed only.
  std::string before, after;  ///< "accepted by in / vpc (gw.yaml:10:7)".
  std::string first;          ///< The first prefix.
  std::size_t count = 0;
};

/// One difference.
struct Listed {
  std::string prefix;
  const DiffGroup* group = nullptr;
  std::vector<AttributeChange> changes;
};

struct DiffReport {
  Counts counts;
  std::size_t peers = 0;           ///< Compared with, where each route is put before several; otherwise 0.
  std::size_t own = 0;             ///< Our own announcements in a table for import policies.
  std::size_t not_advertised = 0;  ///< Pairs of a route and a peer that it is not advertised to whatever policies say.
  std::size_t without_peer = 0;    ///< Routes from peers that neither version has.
  std::string unknown_peer;        ///< The first of them, in words.
  std::optional<Diagnostic> own_as_unknown;
  std::vector<Listed> listed;
  std::deque<DiffGroup> groups;  ///< They stay where they are.
  [[nodiscard]] std::vector<const DiffGroup*> largest_first() const;
};

class Differ {
 public:
  /// All three outlive it.
  Differ(const PolicyBench& before, const PolicyBench& after, const DiffOptions& options);

  /// What --peer or --policy names in neither version.
  [[nodiscard]] std::optional<std::string> unknown_name() const { return unknown_name_; }
  void route(const PolicyRoute& route);
  [[nodiscard]] const DiffReport& report() const { return report_; }

 private:
  /// Where a route is judged in each version. Empty: the version has no such peer or policy.
  struct Pair {
    std::string peer;
    std::optional<Seat> before, after;
  };
  /// What one version makes of a route.
  struct Side {
    bool accepted = false;
    const minibgp::PathAttributes* result = nullptr;
    minibgp::DecidingTerm decided;
  };
  using Deciding = std::tuple<bool, std::string_view, std::string_view, std::uint32_t>;
  using GroupKey = std::tuple<const Pair*, Fate, std::string, Deciding, Deciding>;

  [[nodiscard]] Pair pair_at(const std::string& peer, std::string& error) const;
  [[nodiscard]] const Pair& pair_of_source(const std::string& peer);
  void import(const PolicyRoute& route);
  void export_to_all(const PolicyRoute& route);
  [[nodiscard]] bool advertises(const Pair& source, const Pair& target) const;
  void compare(const Pair& pair, const PolicyRoute& route);
  Side judge(const PolicyBench& bench, const std::optional<Seat>& seat, const PolicyRoute& route,
             minibgp::PathAttributes& scratch);
  void differs(const Pair& pair, const PolicyRoute& route, Fate fate, const Side& was, const Side& is);
  [[nodiscard]] minibgp::PolicyContext context_at(const PolicyBench& bench, const Seat& seat,
                                                  const PolicyRoute& route) const;
  [[nodiscard]] std::string side_text(const PolicyBench& bench, const std::optional<Seat>& seat,
                                      const Side& side) const;

  const PolicyBench& before_;
  const PolicyBench& after_;
  const DiffOptions& options_;
  minibgp::Direction direction_;
  std::optional<std::string> unknown_name_;
  std::optional<Pair> chosen_;           ///< By --peer or --policy.
  std::vector<Pair> targets_;            ///< Of an export to every peer.
  std::map<std::string, Pair> sources_;  ///< By the name that routes have for the peer they came from.
  std::map<std::string, Pair>::const_iterator last_source_ = sources_.end();
  minibgp::PathAttributes old_result_, new_result_;
  std::map<GroupKey, DiffGroup*> groups_;
  DiffReport report_;
};

}  // namespace bgplite::cli
