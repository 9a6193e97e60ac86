#include <bgp/policy/as_path_regex.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>

namespace minibgp::policy {
namespace {

using Symbols = std::uint32_t;  // One bit per symbol.
constexpr Symbols kAll = (1U << AsPathRegex::kSymbols) - 1U;
constexpr Symbols bit(std::size_t symbol) { return 1U << symbol; }
constexpr Symbols kDelimiters = bit(AsPathRegex::kSpace) | bit(AsPathRegex::kComma) | bit(AsPathRegex::kOpen) |
                                bit(AsPathRegex::kClose) | bit(AsPathRegex::kRoundOpen) | bit(AsPathRegex::kRoundClose);

/// The expression as a tree; children by index, so that a copy of a subtree is an index too.
struct Node {
  enum class Kind : std::uint8_t { empty, symbols, begin, end, concat, alternate, repeat };
  Kind kind = Kind::empty;
  Symbols symbols = 0;
  std::uint32_t left = 0, right = 0;
  std::uint32_t min = 0, max = 0;  // Of repeat; max kUnbounded.
};
constexpr std::uint32_t kUnbounded = 0xFFFFFFFFU;
/// POSIX RE_DUP_MAX is 32767; nobody counts that far along an AS path.
constexpr std::uint32_t kRepeatMax = 255;
constexpr std::uint32_t kNestingMax = 64;

/// Recursive descent over POSIX extended syntax.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<std::uint32_t> parse() {
    const std::uint32_t root = alternatives(0);
    if (!error_ && at_ < text_.size()) fail("unmatched ')'");
    if (error_) return std::nullopt;
    return root;
  }
  std::vector<Node> nodes;
  [[nodiscard]] const RegexError& error() const { return *error_; }

 private:
  std::uint32_t add(const Node& node) {
    nodes.push_back(node);
    return static_cast<std::uint32_t>(nodes.size() - 1);
  }
  std::uint32_t symbols(Symbols set) { return add({Node::Kind::symbols, set}); }
  std::uint32_t join(Node::Kind kind, std::uint32_t left, std::uint32_t right) { return add({kind, 0, left, right}); }
  // Only the first error is kept. At the end of the text each loop stops by itself.
  std::uint32_t fail(std::string text) {
    if (!error_) error_ = RegexError{at_, std::move(text)};
    at_ = text_.size();
    return 0;
  }
  [[nodiscard]] bool more() const { return at_ < text_.size(); }
  [[nodiscard]] char peek() const { return text_[at_]; }

  std::uint32_t alternatives(std::uint32_t depth) {
    // Recursion is bounded by the depth of parentheses.
    if (depth > kNestingMax) return fail("parentheses nest too deeply");
    std::uint32_t left = sequence(depth);
    while (!error_ && more() && peek() == '|') {
      ++at_;
      left = join(Node::Kind::alternate, left, sequence(depth));
    }
    return left;
  }

  std::uint32_t sequence(std::uint32_t depth) {
    std::optional<std::uint32_t> all;
    while (!error_ && more() && peek() != '|' && peek() != ')') {
      const std::uint32_t next = repeated(depth);
      all = all ? join(Node::Kind::concat, *all, next) : next;
    }
    // Nothing matches: "()" and "a|" are allowed, as in POSIX.
    return all ? *all : add({});
  }

  std::uint32_t repeated(std::uint32_t depth) {
    std::uint32_t node = atom(depth);
    // Several in a row apply to what is before them: "a{2}*".
    while (!error_ && more()) {
      Node repeat{Node::Kind::repeat, 0, node};
      switch (peek()) {
        case '*':
          repeat.min = 0, repeat.max = kUnbounded;
          break;
        case '+':
          repeat.min = 1, repeat.max = kUnbounded;
          break;
        case '?':
          repeat.min = 0, repeat.max = 1;
          break;
        case '{':
          if (!bounds(repeat)) return 0;
          // bounds() has moved behind the brace already.
          node = add(repeat);
          continue;
        default:
          return node;
      }
      ++at_;
      node = add(repeat);
    }
    return node;
  }

  /// "{2}", "{2,}", "{2,5}".
  bool bounds(Node& repeat) {
    const std::size_t close = text_.find('}', at_);
    const std::string_view inside =
        close == std::string_view::npos ? std::string_view{} : text_.substr(at_ + 1, close - at_ - 1);
    const std::size_t comma = inside.find(',');
    const auto number = [](std::string_view digits) -> std::optional<std::uint32_t> {
      std::uint32_t value = 0;
      const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (digits.empty() || code != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
      return value;
    };
    const auto min = number(inside.substr(0, comma));
    const auto max = comma == std::string_view::npos ? min
                     : comma + 1 == inside.size()    ? std::optional{kUnbounded}
                                                     : number(inside.substr(comma + 1));
    if (!min || !max)
      return fail("'{' begins a repeat count such as {2,3}; write \\{ for the brace of an AS_SET"), false;
    if (*min > *max) return fail("repeat count goes backwards"), false;
    if (*min > kRepeatMax || (*max != kUnbounded && *max > kRepeatMax)) return fail("repeat count above 255"), false;
    repeat.min = *min;
    repeat.max = *max;
    at_ = close + 1;
    return true;
  }

  std::uint32_t atom(std::uint32_t depth) {
    const char c = peek();
    switch (c) {
      case '*':
      case '+':
      case '?':
      case '{':
        return fail(std::string("nothing to repeat before '") + c + "'");
      case '(': {
        ++at_;
        const std::uint32_t inside = alternatives(depth + 1);
        if (error_) return 0;
        if (!more() || peek() != ')') return fail("missing ')'");
        ++at_;
        return inside;
      }
      case '[':
        return bracket();
      case '.':
        ++at_;
        return symbols(kAll);
      case '^':
        ++at_;
        return add({Node::Kind::begin});
      case '$':
        ++at_;
        return add({Node::Kind::end});
      case '_': {
        ++at_;
        // As in FRR and Cisco: a delimiter, or one of the ends.
        const std::uint32_t edge = join(Node::Kind::alternate, add({Node::Kind::begin}), add({Node::Kind::end}));
        return join(Node::Kind::alternate, symbols(kDelimiters), edge);
      }
      case '\\': {
        if (at_ + 1 >= text_.size()) return fail("nothing after '\\'");
        const char escaped = text_[at_ + 1];
        if (escaped >= '1' && escaped <= '9') return fail("back-references are not supported");
        if (std::string_view("wWsSbB<>`'").find(escaped) != std::string_view::npos)
          return fail(std::string("'\\") + escaped + "' is not supported; use [0-9] or _");
        at_ += 2;
        return symbols(bit(AsPathRegex::symbol_of(escaped)));
      }
      default:
        ++at_;
        return symbols(bit(AsPathRegex::symbol_of(c)));
    }
  }

  /// "[0-9]", "[^ ]", "[[:digit:]]". `]` right after the opening is a member.
  std::uint32_t bracket() {
    const std::size_t opened = at_++;
    const bool negated = more() && peek() == '^';
    if (negated) ++at_;
    Symbols set = 0;
    for (bool first = true;; first = false) {
      if (!more()) {
        // The place of the error is where the bracket opens, not the end of the text.
        at_ = opened;
        return fail("missing ']'");
      }
      if (peek() == ']' && !first) break;
      if (text_.substr(at_, 2) == "[:") {
        if (!named_class(set)) return 0;
        continue;
      }
      const char low = text_[at_++];
      if (at_ + 1 < text_.size() && peek() == '-' && text_[at_ + 1] != ']') {
        const char high = text_[at_ + 1];
        if (low > high) return fail("range goes backwards");
        at_ += 2;
        for (int c = low; c <= high; ++c) set |= bit(AsPathRegex::symbol_of(static_cast<char>(c)));
      } else {
        // A '_' among the members stands for the delimiters, too.
        set |= low == '_' ? kDelimiters : bit(AsPathRegex::symbol_of(low));
      }
    }
    ++at_;
    // `other` stands for many characters; a set that names one of them does not exclude the rest.
    if (negated) set = (~set & kAll) | bit(AsPathRegex::kOther);
    return symbols(set);
  }

  bool named_class(Symbols& set) {
    // Symbols 0 to 9 are the digits.
    constexpr Symbols kDigits = 0x3FF;
    const std::size_t end = text_.find(":]", at_ + 2);
    const std::string_view name =
        end == std::string_view::npos ? std::string_view{} : text_.substr(at_ + 2, end - at_ - 2);
    if (name == "digit" || name == "alnum" || name == "xdigit") {
      set |= kDigits;
    } else if (name == "space" || name == "blank") {
      set |= bit(AsPathRegex::kSpace);
    } else if (name == "punct") {
      set |= kDelimiters & ~bit(AsPathRegex::kSpace);
    } else {
      return fail("unknown character class; [:digit:], [:space:] and [:punct:] occur in paths"), false;
    }
    at_ = end + 2;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::optional<RegexError> error_;
};

/// Thompson's automaton: each state has up to two empty moves, or consumes a symbol, or asserts a place.
struct Nfa {
  struct State {
    enum class Kind : std::uint8_t { split, symbols, begin, end, accept };
    Kind kind = Kind::split;
    Symbols symbols = 0;
    std::uint32_t next = kUnbounded, other = kUnbounded;
  };
  std::vector<State> states;
  bool too_large = false;
  std::uint32_t calls = 0;  // Repeats of nothing cost calls, not states: bound them as well.

  std::uint32_t add(State state) {
    // The index of an existing state is returned then; the caller gives up when it sees too_large.
    if (states.size() >= AsPathRegex::kPositionsMax) too_large = true;
    if (!too_large) states.push_back(state);
    return static_cast<std::uint32_t>(states.size() - 1);
  }

  /// Builds `node` so that it goes on to `then`; returns its entry.
  // From the end to the beginning: each part is built when it is known where it goes on.
  std::uint32_t build(const std::vector<Node>& nodes, std::uint32_t at, std::uint32_t then) {
    if (++calls > 64 * AsPathRegex::kPositionsMax) too_large = true;
    if (too_large) return then;
    const Node& node = nodes[at];
    switch (node.kind) {
      case Node::Kind::empty:
        return then;
      case Node::Kind::symbols:
        return add({State::Kind::symbols, node.symbols, then});
      case Node::Kind::begin:
        return add({State::Kind::begin, 0, then});
      case Node::Kind::end:
        return add({State::Kind::end, 0, then});
      case Node::Kind::concat:
        return build(nodes, node.left, build(nodes, node.right, then));
      case Node::Kind::alternate: {
        const std::uint32_t left = build(nodes, node.left, then);
        return add({State::Kind::split, 0, left, build(nodes, node.right, then)});
      }
      case Node::Kind::repeat:
        break;
    }
    // x{2,4} is xx(x(x)?)?, x{2,} is xxx*.
    std::uint32_t entry = then;
    if (node.max == kUnbounded) {
      // The state comes before its body, because the body goes back to it; its first move is set afterwards.
      const std::uint32_t loop = add({State::Kind::split, 0, kUnbounded, then});
      const std::uint32_t body = build(nodes, node.left, loop);
      if (!too_large) states[loop].next = body;
      entry = loop;
    } else {
      for (std::uint32_t i = node.min; i < node.max && !too_large; ++i)
        entry = add({State::Kind::split, 0, build(nodes, node.left, entry), then});
    }
    for (std::uint32_t i = 0; i < node.min && !too_large; ++i) entry = build(nodes, node.left, entry);
    return entry;
  }
};

}  // namespace

/// Subset construction. A state of the table is the set of automaton states that wait for a symbol or for the end.
class RegexBuilder {
 public:
  RegexBuilder(const Nfa& nfa, std::uint32_t entry) : nfa_(nfa), entry_(entry), mark_(nfa.states.size(), 0) {}

  Result<AsPathRegex, RegexError> build() {
    add_fixed();
    const Closure first = closure({entry_}, Place::begin);
    regex_.start_ = state_of(first, Place::begin);
    // `sets_` grows while it is walked. The first two rows are kMatched and kFailed.
    for (std::size_t at = 2; at < sets_.size(); ++at) {
      if (sets_.size() > AsPathRegex::kStatesMax)
        return unexpected(RegexError{0, "the expression is too complex (its automaton has more than 4096 states)"});
      expand(at);
    }
    return std::move(regex_);
  }

 private:
  enum class Place : std::uint8_t { begin, middle };
  struct Closure {
    std::vector<std::uint32_t> waiting;  // Sorted; the entry, from where a search may begin anew, is always implied.
    bool accepts = false;                // Reached acceptance already.
    bool accepts_at_end = false;
  };

  void add_fixed() {
    // In this order: the numbers of the two rows are kMatched and kFailed.
    for (const bool matched : {true, false}) {
      std::array<AsPathRegex::State, AsPathRegex::kSymbols> row{};
      row.fill(matched ? AsPathRegex::kMatched : AsPathRegex::kFailed);
      regex_.next_.push_back(row);
      regex_.accepts_at_end_.push_back(matched);
      sets_.emplace_back();
    }
  }

  /// Follows the empty moves from `from`; end assertions hold for accepts_at_end only.
  Closure closure(const std::vector<std::uint32_t>& from, Place place) {
    Closure result;
    // Twice: once with end assertions closed, once with them open.
    follow(from, place, false, result);
    Closure at_end;
    follow(from, place, true, at_end);
    result.accepts_at_end = at_end.accepts;
    std::sort(result.waiting.begin(), result.waiting.end());
    return result;
  }

  void follow(const std::vector<std::uint32_t>& from, Place place, bool at_end, Closure& into) {
    // A new number marks all states as not visited, so that the marks need not be cleared.
    ++round_;
    stack_ = from;
    while (!stack_.empty()) {
      const std::uint32_t at = stack_.back();
      stack_.pop_back();
      if (mark_[at] == round_) continue;
      mark_[at] = round_;
      const Nfa::State& state = nfa_.states[at];
      switch (state.kind) {
        case Nfa::State::Kind::accept:
          into.accepts = true;
          break;
        case Nfa::State::Kind::symbols:
          into.waiting.push_back(at);
          break;
        case Nfa::State::Kind::begin:
          if (place == Place::begin) stack_.push_back(state.next);
          break;
        case Nfa::State::Kind::end:
          // It stays in the set, because it waits for the end.
          into.waiting.push_back(at);
          if (at_end) stack_.push_back(state.next);
          break;
        case Nfa::State::Kind::split:
          stack_.push_back(state.next);
          stack_.push_back(state.other);
          break;
      }
    }
  }

  AsPathRegex::State state_of(const Closure& closure, Place place) {
    // Once matched, always matched: a search looks for any place in the path.
    if (closure.accepts) return AsPathRegex::kMatched;
    if (closure.waiting.empty() && !closure.accepts_at_end) return AsPathRegex::kFailed;
    const auto key = std::pair{closure.waiting, std::pair{closure.accepts_at_end, place}};
    const auto [found, added] = numbers_.emplace(key, static_cast<AsPathRegex::State>(sets_.size()));
    if (added) {
      sets_.push_back(closure.waiting);
      regex_.next_.emplace_back();
      regex_.accepts_at_end_.push_back(closure.accepts_at_end);
    }
    return found->second;
  }

  void expand(std::size_t at) {
    for (std::size_t symbol = 0; symbol < AsPathRegex::kSymbols; ++symbol) {
      std::vector<std::uint32_t> moved{entry_};  // A search may begin at every character.
      for (const std::uint32_t state : sets_[at])
        if ((nfa_.states[state].symbols & bit(symbol)) != 0) moved.push_back(nfa_.states[state].next);
      const AsPathRegex::State next = state_of(closure(moved, Place::middle), Place::middle);
      regex_.next_[at][symbol] = next;
    }
  }

  const Nfa& nfa_;
  std::uint32_t entry_;
  std::vector<std::uint32_t> mark_;
  std::uint32_t round_ = 0;
  std::vector<std::uint32_t> stack_;
  std::vector<std::vector<std::uint32_t>> sets_;
  std::map<std::pair<std::vector<std::uint32_t>, std::pair<bool, Place>>, AsPathRegex::State> numbers_;
  AsPathRegex regex_;
};

Result<AsPathRegex, RegexError> AsPathRegex::compile(std::string_view expression) {
  Parser parser(expression);
  const auto root = parser.parse();
  if (!root) return unexpected(parser.error());
  Nfa nfa;
  const std::uint32_t accept = nfa.add({Nfa::State::Kind::accept});
  const std::uint32_t entry = nfa.build(parser.nodes, *root, accept);
  if (nfa.too_large) return unexpected(RegexError{0, "the expression is too long once its repeats are written out"});
  return RegexBuilder(nfa, entry).build();
}

/// A place in the table, fed one symbol after the other.
class AsPathRegex::Walk {
 public:
  explicit Walk(const AsPathRegex& regex) : regex_(regex), state_(regex.start_) {}
  void feed(std::size_t symbol) { state_ = regex_.next_[state_][symbol]; }
  void feed(Asn asn) {
    std::array<char, 10> digits{};
    const auto [end, code] =
        std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<std::uint32_t>(asn));
    static_cast<void>(code);  // Ten digits hold every 32-bit number.
    for (const char* digit = digits.data(); digit != end; ++digit) feed(static_cast<std::size_t>(*digit - '0'));
  }
  // The two fixed rows lead to themselves, so nothing that follows changes the answer.
  [[nodiscard]] bool decided() const { return state_ <= kFailed; }
  [[nodiscard]] bool end() const { return regex_.accepts_at_end_[state_]; }

 private:
  const AsPathRegex& regex_;
  State state_;
};

bool AsPathRegex::matches(const AsPath& path) const {
  Walk walk(*this);
  std::size_t at = 0;
  bool first_segment = true;
  for (const AsPath::Segment& segment : path.segments) {
    if (!first_segment) walk.feed(kSpace);
    first_segment = false;
    const bool set = segment.type == AsPath::SegmentType::set;
    if (set) walk.feed(kOpen);
    // Members of a set in ascending order without sorting a copy: each time the least above the last. Sets are short.
    std::optional<Asn> last;
    for (std::size_t i = 0; i < segment.count && !walk.decided(); ++i) {
      Asn asn = path.asns[at + i];
      if (set) {
        std::optional<Asn> least;
        for (std::size_t j = 0; j < segment.count; ++j) {
          const Asn member = path.asns[at + j];
          if ((!last || member > *last) && (!least || member < *least)) least = member;
        }
        if (!least) break;  // The rest are repetitions.
        asn = *least;
        last = asn;
      }
      if (i != 0) walk.feed(set ? kComma : kSpace);
      walk.feed(asn);
    }
    if (walk.decided()) return walk.end();
    if (set) walk.feed(kClose);
    at += segment.count;
  }
  return walk.end();
}

bool AsPathRegex::matches(std::string_view text) const {
  Walk walk(*this);
  for (const char c : text) walk.feed(symbol_of(c));
  return walk.end();
}

}  // namespace minibgp::policy
