/// Diagnostic: one mistake of the operator, with the place to look and what to write instead. Reading a configuration
/// collects all of them and changes nothing; text for people is made here, once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bgplite {

/// error: the file is refused. warning: it works, but probably not as meant; `bgplite check` shows it, `run` logs it.
enum class Severity : unsigned char { error, warning };

/// A place in a text file. line and column count from 1; line 0: the file as a whole.
struct Place {
  std::string file;
  unsigned line = 0;
  unsigned column = 0;
  bool operator==(const Place&) const = default;
};

struct Diagnostic {
  std::string file;
  unsigned line = 0;    ///< From 1; 0: the file as a whole.
  unsigned column = 0;  ///< From 1.
  std::string text;     ///< What is wrong, without a full stop: "unknown key 'neighbours'".
  std::string hint;     ///< What to do: "did you mean 'peers'?". May be empty.
  Severity severity = Severity::error;
  bool operator==(const Diagnostic&) const = default;
};

/// "gw.yaml:3:5: error: unknown key 'asm' (did you mean 'asn'?)", without a newline.
[[nodiscard]] std::string to_text(const Diagnostic& diagnostic);

/// What a reader collects. Sorted by place on request.
class Diagnostics {
 public:
  void error(const Place& place, std::string text, std::string hint = {});
  void warning(const Place& place, std::string text, std::string hint = {});
  void add(Diagnostic diagnostic) { all_.push_back(std::move(diagnostic)); }

  [[nodiscard]] bool has_errors() const;
  [[nodiscard]] bool empty() const { return all_.empty(); }
  [[nodiscard]] const std::vector<Diagnostic>& all() const { return all_; }
  /// By file, line and column; those of one place in the order found, equal ones once.
  void sort();
  /// One line each, in the present order.
  [[nodiscard]] std::string to_text() const;

 private:
  std::vector<Diagnostic> all_;
};

/// The candidate that is a typing mistake away from `word`; empty: there is none.
[[nodiscard]] std::string_view nearest_of(std::string_view word, const std::vector<std::string_view>& candidates);

/// " (did you mean 'asn'?)" as a hint: the candidate nearest to `word` by edit distance, when it is near enough to be a
/// typing mistake; otherwise empty.
[[nodiscard]] std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace bgplite
