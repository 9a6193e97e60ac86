/// The lines of a frr.conf: their words, the block that each belongs to, and the record of what became of each. A line
/// is carried over, listed, or without effect; there is no fourth fate. Not here: what the lines mean.
#pragma once

#include <apps/bgplite/cli/import.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
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
  /// Whether the line begins with these words; each is a whole word.
  [[nodiscard]] bool starts(std::string_view with) const;
  /// The line without its leading "no".
  [[nodiscard]] FrrLine without_no() const;
};

/// The whole text must be a number from 0 to 2^32-1.
[[nodiscard]] std::optional<std::uint32_t> frr_number(std::string_view text);

/// `text` with what follows a word that announces a secret ("password") replaced.
[[nodiscard]] std::string without_secrets(std::string_view text);

/// One value and the line that gives it.
struct FrrValue {
  std::string text;
  std::size_t line = 0;
  bool again = false;  ///< It replaces an earlier line's.
};

/// What became of each line.
class FrrNotes {
 public:
  /// `text`: empty where the line itself must not be shown.
  void add_line(std::size_t number, std::string_view text);
  /// The result has what the line says, unless it is listed as well.
  void carried(std::size_t line);
  void no_effect(std::size_t line, std::string_view why);
  /// `why`: "reason; consequence".
  void list(std::size_t line, const std::string& why);
  /// As list(); and because of it routes are refused that FRR accepted or announced.
  void closes(std::size_t line, const std::string& why);
  [[nodiscard]] bool listed(std::size_t line) const { return lines_.at(line).listed; }
  /// Of a value that is what holds without its line.
  void same(const FrrValue& value, std::string_view why);
  /// Whether the result is what it is because of the line.
  [[nodiscard]] bool effective(std::size_t line) const;
  /// The lists, in their order. Lines of which nothing was said are listed as not understood.
  void finish(Imported& into);

 private:
  struct Record {
    std::string text;
    bool carried = false, listed = false;
    std::string no_effect;
  };
  void add(std::size_t line, const std::string& why, bool closes);

  std::map<std::size_t, Record> lines_;
  std::vector<Imported::Left> left_;
  std::map<std::pair<std::size_t, std::string>, std::size_t> said_;  ///< Line and reason -> where in left_.
};

/// Values by key, where the last line holds. Lines whose value is replaced, repeated or never asked for have no effect.
class FrrValues {
 public:
  void set(const std::string& key, std::string value, std::size_t line, FrrNotes& notes);
  [[nodiscard]] const FrrValue* find(const std::string& key) const;
  /// The value for the result. Nothing: no line gives it.
  [[nodiscard]] const FrrValue* use(const std::string& key);
  void used(const std::string& key) { used_[key] = true; }
  /// Says of the lines that gave what was not used that they have no effect.
  void finish(std::string_view why, FrrNotes& notes) const;
  [[nodiscard]] const std::map<std::string, FrrValue>& all() const { return values_; }

 private:
  std::map<std::string, FrrValue> values_;
  std::map<std::string, bool> used_;
};

enum class FrrBlock : std::uint8_t { top, router, family, route_map, interface, other };

/// Follows the blocks as vtysh does when it reads a file: a block ends with its "exit", with the next block, or with a
/// line that only the top level knows.
class FrrBlocks {
 public:
  /// The block that the line belongs to or, of a line that opens one, the new block. Structure is noted here.
  struct Place {
    FrrBlock block = FrrBlock::top;
    std::string name;           ///< The line that opened the block.
    std::size_t line = 0;       ///< Its number.
    bool opens = false;         ///< This line opens it.
    bool structure = false;     ///< An "exit": nothing is left to read.
    bool ends_another = false;  ///< Opening it ended a block other than those around it.
  };
  Place enter(const FrrLine& line);

 private:
  struct Open {
    FrrBlock block;
    std::string name, closer;
    std::size_t line;
  };
  [[nodiscard]] bool close(const std::string& word);
  [[nodiscard]] std::optional<Place> open(const FrrLine& line);

  std::vector<Open> open_;
  std::string asn_;  ///< Of the first "router bgp": FRR has one instance without a VRF.
};

/// Defaults differ between versions and profiles of FRR, and from Quagga's.
class FrrDialect {
 public:
  /// Takes "frr version" and "frr defaults". False: it is neither.
  bool take(const FrrLine& line, FrrNotes& notes);
  /// Comments say who wrote a file.
  void comment(std::string_view text);

  [[nodiscard]] bool datacenter() const { return datacenter_; }
  [[nodiscard]] bool quagga() const { return written_by_vty_ && !major_; }
  /// The answer depends on a version that the file does not give.
  [[nodiscard]] bool guessed() const { return !major_ && !quagga(); }
  [[nodiscard]] bool before(unsigned major, unsigned minor) const;
  [[nodiscard]] bool ebgp_requires_policy() const;
  [[nodiscard]] bool network_import_check() const;
  [[nodiscard]] bool enforce_first_as() const;
  [[nodiscard]] bool multipath() const { return !quagga(); }
  [[nodiscard]] bool helps_restarting_peers() const { return !quagga(); }
  /// The line of "frr version" where a file without it would be taken for another version; 0: none.
  [[nodiscard]] std::size_t version_line() const { return written_by_vty_ ? 0 : version_line_; }

 private:
  std::optional<unsigned> major_;
  unsigned minor_ = 0;
  std::size_t version_line_ = 0;
  bool datacenter_ = false, written_by_vty_ = false;
};

}  // namespace bgplite::cli
