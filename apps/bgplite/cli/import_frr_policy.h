/// FRR's route-maps as policies of our language. What an entry says and we cannot makes the entry refuse what its other
/// conditions match: a route never gets further than in FRR.
///
/// FRR tests an entry's matches against the route as earlier entries changed it (on-match next, call); we test the
/// route as it arrived. A match on what an earlier entry may have changed counts as one that we cannot say.
#pragma once

#include <apps/bgplite/cli/import_frr_lists.h>
#include <bgp/policy_definition.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace bgplite::cli {

struct FrrMapEntry {
  std::size_t line = 0;
  bool permit = true;
  std::vector<FrrLine> lines;  ///< match, set, call, on-match, continue.
};
struct FrrMap {
  std::map<std::uint32_t, FrrMapEntry> entries;  ///< By sequence.
  std::vector<std::size_t> not_read;             ///< Lines of it that were no entry: it refuses everything.
};

/// The conditions of "match" lines.
class FrrMatches {
 public:
  explicit FrrMatches(FrrLists& lists) : lists_(lists) {}
  using Matches = std::vector<minibgp::PolicyMatch>;
  /// Adds what the line says. Otherwise why it cannot be said; empty: it was added.
  [[nodiscard]] std::string add(const FrrLine& line, Matches& into);

 private:
  std::string by_list(const std::string& kind, const std::string& name, Matches& into);
  std::string address(const FrrLine& line, Matches& into);
  std::string community(const FrrLine& line, Matches& into);
  std::string as_path(const FrrLine& line, Matches& into);
  std::string prefix_length(const FrrLine& line, Matches& into);
  std::string number(const FrrLine& line, Matches& into);
  std::string origin(const FrrLine& line, Matches& into);
  std::string next_hop(const FrrLine& line, Matches& into);
  std::string peer(const FrrLine& line, Matches& into);

  FrrLists& lists_;
};

enum class FrrSet : std::uint8_t {
  carried,
  harmless,  ///< Cannot be said, and no filter depends on it.
  unsaid,    ///< Cannot be said: the entry refuses.
};
/// Adds what a "set" line says.
[[nodiscard]] FrrSet frr_set_line(const FrrLine& line, FrrLists& lists, std::vector<minibgp::PolicyEdit>& into);
/// The attribute that a match line reads or a set line writes; the same letter is the same attribute, a blank none.
[[nodiscard]] char frr_attribute_of(const FrrLine& line);

class FrrPolicies {
 public:
  FrrPolicies(FrrNotes& notes, FrrLists& lists, FrrLibrary& library)
      : notes_(notes), lists_(lists), library_(library), matches_(lists) {}

  /// A line that opens an entry, and each line of it.
  void begin_entry(const FrrLine& line);
  void entry_line(const FrrLine& line);
  /// A line that should have opened an entry, or takes one back: the route-map refuses everything.
  void not_an_entry(const FrrLine& line);

  [[nodiscard]] bool defined(const std::string& name) const { return maps_.count(name) != 0; }
  /// The policy for a neighbor's route-map, made when first asked for.
  [[nodiscard]] std::string policy_for_map(const std::string& name);
  /// Whether entries of the policy refuse what they could not translate. For maps that were asked for.
  [[nodiscard]] bool refuses_more(const std::string& name) const { return closed_.count(name) != 0; }
  /// The one action of a route-map that sets a source address and nothing else; nothing: it does more.
  [[nodiscard]] std::string source_set_by(const std::string& name) const;
  /// Makes what was not asked for, so that no policy is lost.
  void finish();

 private:
  enum class As : std::uint8_t { policy, called };
  /// A route-map, or what of it follows from an entry on.
  struct Part {
    std::string name;
    std::uint32_t from = 0;
    As as = As::policy;
    std::string written;  ///< Attributes that were changed before it is reached.
    [[nodiscard]] auto key() const { return std::tie(name, from, as, written); }
    bool operator<(const Part& other) const { return key() < other.key(); }
  };
  struct Made;  // One entry as terms.

  [[nodiscard]] std::string make(const Part& part);
  [[nodiscard]] Made make_entry(const Part& part, std::uint32_t sequence, const FrrMapEntry& entry);
  void read_line(const FrrLine& line, const Part& part, const FrrMapEntry& entry, Made& made);
  void read_jump(const FrrLine& line, const FrrMapEntry& entry, std::uint32_t sequence, Made& made);
  [[nodiscard]] static std::string command_of(const FrrLine& line);
  void list(std::size_t line, const std::string& why);
  void write_jump(const Part& part, Made& made);
  void say_closed(const Part& part, std::uint32_t sequence, const FrrMapEntry& entry, const Made& made);
  [[nodiscard]] std::string written_by(const std::string& name, std::set<std::string>& seen) const;

  FrrNotes& notes_;
  FrrLists& lists_;
  FrrLibrary& library_;
  FrrMatches matches_;
  std::map<std::string, FrrMap> maps_;
  FrrMapEntry* entry_ = nullptr;
  std::map<Part, std::string> made_;
  std::set<std::string> making_, closed_;
  unsigned depth_ = 0;
  std::map<std::string, std::size_t> written_out_;  ///< Of each route-map, entries that follow goals of jumps.
  bool asked_for_ = true;                           ///< What is made now is used by a neighbor.
};

}  // namespace bgplite::cli
