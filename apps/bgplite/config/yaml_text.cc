#include <apps/bgplite/config/yaml_text.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include <yaml-cpp/eventhandler.h>

namespace bgplite {
namespace {

Diagnostic at(unsigned line, unsigned column, std::string text, std::string hint = {}) {
  return {{}, line, column, std::move(text), std::move(hint)};
}

Diagnostic at(const YAML::Mark& mark, std::string text, std::string hint = {}) {
  if (mark.is_null()) return at(0, 0, std::move(text), std::move(hint));
  return at(static_cast<unsigned>(mark.line + 1), static_cast<unsigned>(mark.column + 1), std::move(text),
            std::move(hint));
}

/// Beyond a limit. yaml-cpp passes it through, as it does its own.
struct Beyond {
  Diagnostic what;
};

/// Counts what a text means before a tree is made of it. Not YAML::LoadAll() for the documents: that makes documents
/// without end of a text such as ",".
class Counter final : public YAML::EventHandler {
 public:
  explicit Counter(const YamlLimits& limits) : limits_(limits) {}

  [[nodiscard]] std::size_t values() const { return values_; }
  /// Where the document begins.
  [[nodiscard]] const std::optional<YAML::Mark>& first() const { return first_; }

 private:
  void count(const YAML::Mark& mark, std::size_t values) {
    if (!first_) first_ = mark;
    values_ += values;
    if (values_ > limits_.values)
      // Aborts the parse: the limit is there so that the rest is never looked at.
      throw Beyond{at(mark, "more than " + std::to_string(limits_.values) + " values",
                      aliased_ ? "aliases count as often as they are used"
                               : "a long list belongs into a file that a set names: { file: PATH }")};
  }
  void open(const YAML::Mark& mark, YAML::anchor_t anchor) {
    count(mark, 1);
    // With the value itself, so that the difference at the end is the size of the whole.
    open_.emplace_back(anchor, values_ - 1);
    if (open_.size() > limits_.depth)
      throw Beyond{at(mark, "nested more than " + std::to_string(limits_.depth) + " levels deep")};
  }
  void close() {
    const auto [anchor, before] = open_.back();
    open_.pop_back();
    // Known only when the value is complete; an alias inside of it finds no size.
    if (anchor != 0) sizes_[anchor] = values_ - before;
  }
  void single(const YAML::Mark& mark, YAML::anchor_t anchor) {
    count(mark, 1);
    if (anchor != 0) sizes_[anchor] = 1;
  }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { single(mark, anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto size = sizes_.find(anchor);
    // yaml-cpp would build a tree with a cycle, and whoever walks it would not end.
    if (size == sizes_.end()) throw Beyond{at(mark, "an alias within what it stands for")};
    aliased_ = true;
    // An alias costs as much as what it stands for, because the tree is walked once for each use: nine lists of nine
    // aliases each would be 9^9 values ("billion laughs").
    count(mark, size->second);
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, const std::string&) override {
    single(mark, anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, anchor);
  }
  void OnMapEnd() override { close(); }

  const YamlLimits& limits_;
  std::size_t values_ = 0;
  bool aliased_ = false;
  std::vector<std::pair<YAML::anchor_t, std::size_t>> open_;  ///< Anchor, and the count before it.
  std::map<YAML::anchor_t, std::size_t> sizes_;
  std::optional<YAML::Mark> first_;
};

/// Looks for the mistakes that people make, in a text that yaml-cpp has refused. It need not understand all of YAML.
class Examiner {
 public:
  /// `line`: from 0, where yaml-cpp gave up.
  Examiner(const std::string& text, std::size_t line) : given_up_(line) {
    std::istringstream in{text};
    for (std::string one; std::getline(in, one);) lines_.push_back(std::move(one));
  }

  std::optional<Diagnostic> find() {
    // Stops at the first mistake: what follows one is mostly its consequence.
    for (line_ = 0; line_ < lines_.size() && !found_; ++line_) {
      const std::string& line = lines_[line_];
      const std::size_t begin = line.find_first_not_of(" \t\r");
      if (begin == std::string::npos) continue;
      // Within quotes or brackets the indentation says nothing.
      if (quote_ == 0 && open_.empty()) {
        if (begin > literal_) continue;  // Within a block of text.
        literal_ = std::string::npos;
        if (line[begin] == '#') continue;
        // Only before the first character of the value: later ones separate, which is allowed.
        if (line.find('\t') < begin) return at(row(line_), column(line.find('\t')), kTab, kBlanks);
        // Before note(), which would take the line's own indentation as one of the levels.
        if (line_ == given_up_)
          if (auto wrong = indentation(begin)) return wrong;
        note(begin);
      }
      scan(begin);
    }
    if (found_) return found_;
    // A quotation mark that is open hides the brackets behind it, so it is the first mistake.
    if (quote_ != 0)
      return at(row(quoted_.first), column(quoted_.second),
                std::string{"the quotation mark "} + quote_ + " is never closed");
    // Nothing that this class knows: the message of yaml-cpp remains.
    if (open_.empty()) return std::nullopt;
    return at(row(open_.back().line), column(open_.back().column),
              std::string{"'"} + open_.back().bracket + "' is never closed",
              std::string{"'"} + closing() + "' is missing");
  }

 private:
  struct Open {
    char bracket;
    std::size_t line, column;
  };
  struct Level {
    std::size_t indentation, line;
  };
  static constexpr const char* kTab = "a tab: YAML is indented with blanks";
  static constexpr const char* kBlanks = "two blanks a level";

  static unsigned row(std::size_t line) { return static_cast<unsigned>(line + 1); }
  static unsigned column(std::size_t column) { return static_cast<unsigned>(column + 1); }
  [[nodiscard]] char closing() const { return open_.back().bracket == '{' ? '}' : ']'; }

  /// The line without a comment and blanks at its end.
  [[nodiscard]] std::string_view content(std::size_t line) const {
    // A '#' begins a comment only behind a blank: "a#b" is text.
    std::string_view text = lines_[line];
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '#' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\t')) text = text.substr(0, i);
    return text.substr(0, text.find_last_not_of(" \t\r") + 1);
  }

  void note(std::size_t begin) {
    // Deeper levels end with the first line that begins before them.
    while (!levels_.empty() && levels_.back().indentation > begin) levels_.pop_back();
    if (levels_.empty() || levels_.back().indentation < begin) levels_.push_back({begin, line_});
    previous_ = line_;
    // What follows the dash of a list is a level of its own.
    const std::string& line = lines_[line_];
    while (begin + 1 < line.size() && line[begin] == '-' && line[begin + 1] == ' ') {
      begin = line.find_first_not_of(' ', begin + 1);
      if (begin == std::string::npos) return;
      levels_.push_back({begin, line_});
    }
  }

  /// What is wrong with the line that yaml-cpp gave up at, by the lines above it.
  [[nodiscard]] std::optional<Diagnostic> indentation(std::size_t begin) const {
    if (levels_.empty()) return std::nullopt;
    const std::string_view above = content(previous_);
    // Behind these a deeper level, or a block of text, may begin.
    const bool opens = above.back() == ':' || above.back() == '-' || above.back() == '|' || above.back() == '>';
    const bool list = above.substr(above.find_first_not_of(' ')).substr(0, 1) == "-";
    const Level& level = levels_.back();
    // "key" instead of "key:" and a deeper or equal line behind it.
    if (!opens && !list && above.find(": ") == std::string_view::npos && begin >= level.indentation)
      return at(row(previous_), column(level.indentation), "a key without ':' behind it");
    if (begin > level.indentation && !opens) return mismatch(begin, level);
    const auto same = [&](const Level& one) { return one.indentation == begin; };
    // A line that goes back to a level that is there is indented well, so that the mistake is another one.
    if (begin > level.indentation || std::any_of(levels_.begin(), levels_.end(), same)) return std::nullopt;
    const auto deeper = [&](const Level& one) { return one.indentation > begin; };
    return mismatch(begin, *std::find_if(levels_.begin(), levels_.end(), deeper));
  }

  [[nodiscard]] Diagnostic mismatch(std::size_t begin, const Level& level) const {
    return at(row(line_), column(begin),
              "this line is indented by " + blanks(begin) + ", line " + std::to_string(level.line + 1) + " above by " +
                  blanks(level.indentation),
              "what belongs together begins in the same column");
  }
  static std::string blanks(std::size_t count) { return std::to_string(count) + (count == 1 ? " blank" : " blanks"); }

  /// Brackets and quotation marks of the line, from `from` on.
  void scan(std::size_t from) {
    const std::string& line = lines_[line_];
    bool begins = true;  // A value may begin here.
    // The quotation mark and the brackets that are open come from the lines before.
    for (std::size_t i = from; i < line.size() && !found_; ++i) {
      const char c = line[i];
      const char before = i == 0 ? ' ' : line[i - 1];
      // Only double quotes know the escape with a backslash.
      if (quote_ == '"' && c == '\\') {
        ++i;
      } else if (quote_ != 0) {
        if (c != quote_) continue;
        // Two in a row are one, within single quotes.
        if (c == '\'' && i + 1 < line.size() && line[i + 1] == '\'') {
          ++i;
        } else {
          quote_ = 0, begins = false;
        }
      } else if (c == '#' && (before == ' ' || before == '\t' || i == 0)) {
        return;
      } else if (c == ' ' || c == '\t' || c == '\r') {
        continue;
      } else if ((c == '\'' || c == '"') && begins) {
        // Elsewhere a quotation mark is a character like others: it's.
        quote_ = c, quoted_ = {line_, i};
      } else if ((c == '{' || c == '[') && (begins || !open_.empty())) {
        // Within brackets a value may begin anywhere; outside, "a{b" is text.
        open_.push_back({c, line_, i});
        begins = true;
      } else if ((c == '}' || c == ']') && !open_.empty()) {
        if (c != closing()) {
          found_ = at(row(open_.back().line), column(open_.back().column),
                      std::string{"'"} + open_.back().bracket + "' is closed by '" + c + "' in line " +
                          std::to_string(line_ + 1));
          return;
        }
        open_.pop_back();
        begins = false;
      } else if (c == '|' || c == '>') {
        // What follows of the line is an indication such as "|-2", then lines of text come.
        if (begins && open_.empty() && line.find_first_not_of("+-0123456789 \r", i + 1) == std::string::npos)
          literal_ = from;
        begins = false;
      } else {
        // A ',' separates within brackets only; ':' and '-' only before a blank or the end.
        const bool parts = c == ',' ? !open_.empty() : (c == ':' || c == '-') && next_is_blank(line, i);
        begins = parts;
      }
    }
  }
  static bool next_is_blank(const std::string& line, std::size_t i) {
    return i + 1 >= line.size() || line[i + 1] == ' ' || line[i + 1] == '\t' || line[i + 1] == '\r';
  }

  std::vector<std::string> lines_;
  std::size_t given_up_;
  std::size_t line_ = 0;
  std::size_t previous_ = 0;                 ///< The last line that means something.
  std::size_t literal_ = std::string::npos;  ///< Lines deeper than this are text. npos: none is.
  std::vector<Open> open_;
  std::vector<Level> levels_;
  char quote_ = 0;
  std::pair<std::size_t, std::size_t> quoted_;  ///< Where it began.
  std::optional<Diagnostic> found_;
};

Diagnostic explain(const std::string& text, const YAML::Exception& exception) {
  const YAML::Mark& mark = exception.mark;
  // -1 has no line: yaml-cpp knew no place.
  const std::size_t line = mark.is_null() ? std::string::npos : static_cast<std::size_t>(mark.line);
  if (auto found = Examiner{text, line}.find()) return *found;
  return at(mark, "not valid YAML: " + exception.msg);
}

}  // namespace

YamlText read_yaml(const std::string& text, const YamlLimits& limits) {
  YamlText read;
  try {
    std::istringstream in{text};
    YAML::Parser parser{in};
    // The same text is parsed twice: the events cost no memory, and the tree is built only of what is within the
    // limits.
    Counter counter{limits};
    const bool any = parser.HandleNextDocument(counter);
    read.values = counter.values();
    // Only to see whether there is one: it is neither read nor kept.
    Counter second{limits};
    if (any && parser.HandleNextDocument(second))
      read.mistake = at(second.first().value_or(YAML::Mark{}),
                        "a second document after '---' (write it into a file of its own and include that)");
    read.root = YAML::Load(text);
  } catch (const YAML::Exception& exception) {
    read.root.reset();
    read.mistake = explain(text, exception);
  } catch (const Beyond& beyond) {
    read.mistake = beyond.what;
  }
  return read;
}

}  // namespace bgplite
