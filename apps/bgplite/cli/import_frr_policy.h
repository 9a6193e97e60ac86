/// FRR's route-maps and lists as values, and what they are in our language.
///
/// FRR tests an entry's matches against the route as earlier entries changed it (on-match next, call); we test the
/// route as it arrived. Where that could make a difference the line is reported.
#pragma once

#include <bgp/policy_definition.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace bgplite::cli {

/// A line split into words.
struct FrrLine {
  std::size_t number = 0;
  std::vector<std::string> words;
  [[nodiscard]] const std::string& at(std::size_t i) const;
  /// The words from `i` on, blank-separated.
  [[nodiscard]] std::string from(std::size_t i) const;
};

struct FrrListEntry {
  std::uint32_t sequence = 0;
  bool permit = true;
  std::vector<minibgp::PolicyMatch> matches;  ///< All hold for the entry; none: it matches everything.
};
/// prefix-list, as-path access-list, community-list...: the first entry that matches decides; none: no match.
struct FrrList {
  std::vector<FrrListEntry> entries;
  bool incomplete = false;  ///< An entry could not be carried over.
};

struct FrrMapEntry {
  bool permit = true;
  std::vector<FrrLine> lines;  ///< match, set, call, on-match, continue.
};
struct FrrMap {
  std::map<std::uint32_t, FrrMapEntry> entries;  ///< By sequence.
};

class FrrPolicies {
 public:
  using Report = std::function<void(std::size_t line, const std::string& why)>;
  explicit FrrPolicies(Report report) : report_(std::move(report)) {}

  /// Takes a line that defines a list, or reports it. False: it is none of these.
  bool list_line(const FrrLine& line);
  FrrMapEntry& map_entry(const std::string& name, std::uint32_t sequence, bool permit);

  /// The policy for a neighbor's route-map, or for one of its lists; made when first asked for.
  [[nodiscard]] std::string policy_for_map(const std::string& name);
  /// A condition that holds when FRR's list permits the route. `kind`: "prefix-list", "as-path", ...
  [[nodiscard]] minibgp::PolicyMatch permitted_by(const std::string& kind, const std::string& name);
  /// A policy made of terms written elsewhere.
  std::string add_policy(const std::string& wanted_name, std::vector<minibgp::PolicyTerm> terms);
  /// Everything made so far, and the maps nobody asked for.
  [[nodiscard]] minibgp::PolicyLibrary take();

 private:
  enum class As : std::uint8_t { policy, called };

  bool prefix_list(const FrrLine& line, minibgp::Family family);
  bool as_path_list(const FrrLine& line);
  bool community_list(const FrrLine& line, const std::string& kind);
  void add_entry(const std::string& kind, const std::string& name, FrrListEntry entry);
  [[nodiscard]] std::string make_map(const std::string& name, As as);
  /// An entry of a route-map as a term. Not usable: a line could not be carried over.
  struct MadeEntry {
    minibgp::PolicyTerm term;
    bool usable = true;
    bool goes_on = false;
  };
  void map_line(const FrrLine& line, const FrrMapEntry& entry, const std::string& next, const std::string& written,
                MadeEntry& made);
  void report_unusable(std::uint32_t sequence, const FrrMapEntry& entry) const;
  /// Whether a policy made so far has a condition on one of these attributes.
  [[nodiscard]] bool reads_one_of(const std::string& policy, const std::string& attributes) const;
  // One for each way a "match" line goes on. False: it was reported.
  using Matches = std::vector<minibgp::PolicyMatch>;
  [[nodiscard]] bool match_line(const FrrLine& line, Matches& into);
  bool match_list(const FrrLine& line, Matches& into, const std::string& kind, const std::string& name);
  bool match_community(const FrrLine& line, Matches& into);
  bool match_prefix_length(const FrrLine& line, Matches& into);
  bool match_number(const FrrLine& line, Matches& into);
  bool match_origin(const FrrLine& line, Matches& into);
  bool match_next_hop_address(const FrrLine& line, Matches& into);
  bool match_next_hop_list(const FrrLine& line, Matches& into);
  bool match_peer(const FrrLine& line, Matches& into);
  bool match_rpki(const FrrLine& line, Matches& into);
  bool refuse(const FrrLine& line, const std::string& why) const;
  [[nodiscard]] bool set_line(const FrrLine& line, std::vector<minibgp::PolicyEdit>& into);
  [[nodiscard]] bool delete_communities(const FrrLine& line, std::vector<minibgp::PolicyEdit>& into);
  [[nodiscard]] std::string unique_name(const std::string& wanted);

  Report report_;
  std::map<std::pair<std::string, std::string>, FrrList> lists_;  ///< By kind and name.
  std::map<std::string, FrrMap> maps_;
  minibgp::PolicyLibrary library_;
  std::set<std::string> names_;
  std::map<std::pair<std::string, std::string>, std::string> made_;  ///< Kind and FRR's name -> ours.
  std::set<std::string> making_;
};

}  // namespace bgplite::cli
