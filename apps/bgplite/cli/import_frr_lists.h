/// FRR's lists (prefix, AS path, community, access) as conditions of our policy language. The first entry that matches
/// decides; no entry: no match. A list that cannot be translated whole is never a condition: what uses it refuses.
#pragma once

#include <apps/bgplite/cli/import_frr_lines.h>
#include <bgp/policy_definition.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bgplite::cli {

/// What is made: sets and policies, under names that are ours.
class FrrLibrary {
 public:
  /// A name that no set or policy has yet, as near to the wanted one as names may be.
  [[nodiscard]] std::string unique_name(const std::string& wanted);
  std::string add_policy(const std::string& wanted_name, std::vector<minibgp::PolicyTerm> terms, std::size_t line);
  /// Policies that our language refuses, being too long for instance, refuse everything from now on.
  void close_what_does_not_compile(FrrNotes& notes);
  minibgp::PolicyLibrary made;
  std::map<std::string, std::size_t> lines;  ///< The line that each policy comes from; 0: none.

 private:
  std::set<std::string> names_;
};

struct FrrListEntry {
  std::size_t line = 0;
  std::uint32_t sequence = 0;
  bool permit = true;
  std::vector<minibgp::PolicyMatch> matches;  ///< All hold for the entry; none: it matches everything.
};
struct FrrList {
  std::vector<FrrListEntry> entries;
  std::vector<std::size_t> descriptions;  ///< Lines without an entry.
  bool incomplete = false;                ///< An entry could not be translated.
  bool used = false;
};

class FrrLists {
 public:
  FrrLists(FrrNotes& notes, FrrLibrary& library) : notes_(notes), library_(library) {}

  /// Takes a line that defines a list. False: it is none of these.
  bool take(const FrrLine& line);

  enum class State : std::uint8_t {
    usable,
    undefined,   ///< FRR: matches nothing; a neighbor's list refuses everything.
    empty,       ///< FRR: a neighbor's list without entries permits everything.
    incomplete,  ///< Has an entry that could not be translated.
  };
  /// `kind`: "prefix-list", "ipv6 prefix-list", "access-list", "ipv6 access-list", "as-path", "community",
  /// "large-community" or "extcommunity". The list counts as used from now on.
  [[nodiscard]] State use(const std::string& kind, const std::string& name);
  /// A condition that holds when the list, which is usable, permits the route.
  [[nodiscard]] minibgp::PolicyMatch permitted_by(const std::string& kind, const std::string& name);
  [[nodiscard]] const FrrList* find(const std::string& kind, const std::string& name) const;
  /// Says of lists that nothing used that they have no effect.
  void finish();

 private:
  bool prefix_list(const FrrLine& line, minibgp::Family family);
  bool as_path_list(const FrrLine& line);
  bool community_list(const FrrLine& line, const std::string& kind);
  [[nodiscard]] bool communities(const FrrLine& line, std::size_t at, const std::string& kind, FrrListEntry& into);
  bool access_list(const FrrLine& line, minibgp::Family family);
  void taken_back(const FrrLine& line);
  [[nodiscard]] std::optional<minibgp::PolicyMatch> as_set(const std::string& kind, const std::string& name);
  void add_entry(const std::string& kind, const std::string& name, FrrListEntry entry);
  void incomplete(const std::string& kind, const std::string& name, const FrrLine& line, const std::string& why);

  FrrNotes& notes_;
  FrrLibrary& library_;
  std::map<std::pair<std::string, std::string>, FrrList> lists_;     ///< By kind and name.
  std::map<std::pair<std::string, std::string>, std::string> made_;  ///< Kind and FRR's name -> ours.
};

/// FRR's older spellings of well-known communities.
[[nodiscard]] std::optional<minibgp::CommunityPattern> frr_community(const std::string& text);
/// A condition that never holds.
[[nodiscard]] minibgp::PolicyMatch frr_never();

template <typename Condition>
minibgp::PolicyMatch frr_when(Condition condition) {
  return {std::move(condition), {}};
}

}  // namespace bgplite::cli
