#include <apps/bgplite/config/reader.h>
#include <bgp/text.h>

#include <charconv>
#include <set>
#include <utility>

namespace bgplite {
namespace {

std::string quoted(const YAML::Node& node) {
  if (node.IsScalar()) return "'" + node.Scalar() + "'";
  if (node.IsSequence()) return "a list";
  if (node.IsMap()) return "a mapping";
  return "nothing";
}

struct Unit {
  std::string_view name;
  std::int64_t milliseconds;
};
/// Longest first, for to_text().
constexpr Unit kUnits[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};

std::vector<std::string_view> split(std::string_view words, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = words.find(separator);
    parts.push_back(words.substr(0, end));
    if (end == std::string_view::npos) return parts;
    words.remove_prefix(end + 1);
  }
}

}  // namespace

Place Places::of(std::string path) const {
  // The nearest key around it that was written: a key that is missing has no place of its own.
  while (true) {
    if (const auto found = at_.find(path); found != at_.end()) return found->second;
    if (path.empty()) return {};
    const std::size_t dot = path.rfind('.');
    path.resize(dot == std::string::npos ? 0 : dot);
  }
}

bool Places::written(std::string path) const {
  if (has(path)) return true;
  // A mapping above that was refused as a whole: its keys may be written and were not read.
  while (refused_.count(path) == 0) {
    if (path.empty()) return false;
    const std::size_t dot = path.rfind('.');
    path.resize(dot == std::string::npos ? 0 : dot);
  }
  return true;
}

Reader::Step::Step(Reader& reader, const std::string& key, const YAML::Node& at)
    : reader_(reader), length_(reader.path_.size()), name_at_(reader.name_at_) {
  // The root has no name, so the first key has no dot in front.
  if (!reader_.path_.empty()) reader_.path_ += '.';
  reader_.name_at_ = reader_.path_.size();
  reader_.path_ += key;
  reader_.places_.set(reader_.path_, reader_.place(at));
}

Place Reader::place(const YAML::Node& node) const {
  const YAML::Mark mark = node.Mark();
  if (mark.is_null()) return {file_, 0, 0};
  return {file_, static_cast<unsigned>(mark.line + 1), static_cast<unsigned>(mark.column + 1)};
}

void Reader::error(const YAML::Node& node, std::string text, std::string hint) {
  diagnostics_.error(place(node), std::move(text), std::move(hint));
}

void Reader::warning(const YAML::Node& node, std::string text, std::string hint) {
  diagnostics_.warning(place(node), std::move(text), std::move(hint));
}

void Reader::entries(const YAML::Node& node,
                     const std::function<void(const std::string&, const YAML::Node&, const YAML::Node&)>& entry) {
  if (node.IsNull()) return;  // "tunnels:" with nothing under it.
  if (!node.IsMap()) {
    const std::string what = path_.empty() ? "the file" : "'" + path_.substr(name_at_) + "'";
    error(node, what + " must be a mapping of keys to values, not " + quoted(node));
    places_.refuse(path_);
    return;
  }
  std::set<std::string> seen;
  for (const auto& one : node) {
    if (!one.first.IsScalar()) {
      error(one.first, "a key must be a word, not " + quoted(one.first));
      continue;
    }
    const std::string& name = one.first.Scalar();
    // yaml-cpp does not merge: the values would be missing without a word.
    if (name == "<<") {
      error(one.first, "merge keys are not supported", "write the values under 'defaults', they apply to every peer");
      continue;
    }
    // yaml-cpp keeps both and does not complain.
    if (!seen.insert(name).second) {
      error(one.first, "key '" + name + "' is given twice", "remove one of them");
      continue;
    }
    entry(name, one.first, one.second);
  }
}

void In::wrong(const YAML::Node& at, const std::string& wanted, std::string hint) const {
  reader.error(at, "'" + std::string{key.name} + "' must be " + wanted + ", not " + quoted(at), std::move(hint));
}

std::optional<std::string> In::scalar() const {
  if (node.IsScalar()) return node.Scalar();
  wrong(node, "a single value");
  return std::nullopt;
}

void In::flag(bool& into) const {
  if (node.IsScalar()) {
    const std::string& text = node.Scalar();
    if (text == "true" || text == "yes" || text == "on") return void(into = true);
    if (text == "false" || text == "no" || text == "off") return void(into = false);
  }
  wrong(node, "true or false");
}

std::optional<std::int64_t> In::integer_value() const {
  std::int64_t number = 0;
  const std::string range = std::to_string(key.min) + ".." + std::to_string(key.max);
  const std::string text = node.IsScalar() ? node.Scalar() : "";
  // The number must be the whole text: "10s" is no integer.
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed == std::errc::result_out_of_range || text.empty() || end != text.data() + text.size() ||
      failed != std::errc{}) {
    wrong(node, "a number " + range);
    return std::nullopt;
  }
  if (number < key.min || number > key.max) {
    reader.error(node, "'" + std::string{key.name} + "' is out of range: " + text, "allowed is " + range);
    return std::nullopt;
  }
  return number;
}

std::optional<std::chrono::milliseconds> In::duration_value(std::chrono::milliseconds unit) const {
  const auto read = node.IsScalar() ? parse_duration(node.Scalar()) : std::nullopt;
  if (!read) {
    wrong(node, "a duration", "write a number with ms, s, m, h or d: 30s");
    return std::nullopt;
  }
  // Seconds where the option has no finer unit; rounding would give another value than the one that was written.
  if (read->count() % unit.count() != 0) {
    reader.error(node, "'" + std::string{key.name} + "' must be whole seconds, not '" + node.Scalar() + "'");
    return std::nullopt;
  }
  if (read->count() < key.min || read->count() > key.max) {
    reader.error(node, "'" + std::string{key.name} + "' is out of range: " + node.Scalar(),
                 "allowed is " + to_text(std::chrono::milliseconds{key.min}) + ".." +
                     to_text(std::chrono::milliseconds{key.max}));
    return std::nullopt;
  }
  return read;
}

void In::duration(std::chrono::seconds& into) const {
  if (const auto read = duration_value(std::chrono::seconds{1}))
    into = std::chrono::duration_cast<std::chrono::seconds>(*read);
}

void In::duration(std::chrono::milliseconds& into) const {
  if (const auto read = duration_value(std::chrono::milliseconds{1})) into = *read;
}

std::optional<std::size_t> In::choice_index() const {
  const std::vector<std::string_view> words = split(key.choices, '|');
  if (node.IsScalar()) {
    for (std::size_t i = 0; i < words.size(); ++i)
      if (node.Scalar() == words[i]) return i;
  }
  std::string wanted;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i != 0) wanted += i + 1 == words.size() ? " or " : ", ";
    wanted += words[i];
  }
  wrong(node, wanted, node.IsScalar() ? did_you_mean(node.Scalar(), words) : "");
  return std::nullopt;
}

void In::text(std::string& into) const {
  const auto read = scalar();
  if (!read) return;
  for (const char c : *read) {
    // What is written here comes out again in log lines, in file names and in requests to other programs.
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      return reader.error(node, "'" + std::string{key.name} + "' must not hold control characters");
  }
  if (static_cast<std::int64_t>(read->size()) > key.max)
    return reader.error(node, "'" + std::string{key.name} + "' is longer than " + std::to_string(key.max) + " octets");
  into = *read;
}

void In::texts(std::vector<std::string>& into) const {
  if (!node.IsSequence()) {
    std::string one;
    text(one);
    into.clear();
    if (!one.empty()) into.push_back(one);
    return;
  }
  into.clear();
  for (const auto& item : node) {
    std::string one;
    In{reader, item, key}.text(one);
    // Empty after an error, which was reported.
    if (!one.empty()) into.push_back(one);
  }
}

void In::asn(minibgp::Asn& into) const {
  const auto text = scalar();
  if (!text) return;
  const auto read = minibgp::parse_asn(*text);
  // AS 0 is reserved (RFC 7607).
  if (!read || *read == minibgp::Asn{0}) return wrong(node, "an AS number 1..4294967295");
  if (*read == minibgp::Asn{23456})
    return reader.error(node, "AS 23456 is AS_TRANS, which is reserved", "give the real AS number (RFC 6793)");
  into = *read;
}

void In::asn(std::optional<minibgp::Asn>& into) const {
  minibgp::Asn read{};
  asn(read);
  // 0 after an error.
  if (read != minibgp::Asn{0}) into = read;
}

void In::router_id(minibgp::RouterId& into) const {
  const auto text = scalar();
  if (!text) return;
  const auto read = minibgp::parse_router_id(*text);
  if (!read || *read == minibgp::RouterId{0}) return wrong(node, "an identifier written like an IPv4 address");
  into = *read;
}

void In::address(minibgp::IpAddress& into) const {
  const auto text = scalar();
  if (!text) return;
  const auto read = minibgp::parse_address(*text);
  if (!read) return wrong(node, "an IP address");
  into = *read;
}

void In::addresses(std::vector<minibgp::IpAddress>& into) const {
  into.clear();
  const auto one = [&](const YAML::Node& item) {
    minibgp::IpAddress read;
    In{reader, item, key}.address(read);
    if (read.is_set()) into.push_back(read);
  };
  if (!node.IsSequence()) return one(node);
  for (const auto& item : node) one(item);
}

void In::prefix(minibgp::Prefix& into) const {
  const auto text = scalar();
  if (!text) return;
  if (const auto read = minibgp::parse_prefix(*text)) return void(into = *read);
  // Reading with the bits masked tells the one mistake from all others, and gives the hint.
  if (const auto masked = minibgp::parse_prefix(*text, minibgp::HostBits::mask))
    return reader.error(node, "'" + *text + "' has bits set beyond its length",
                        "the prefix is " + minibgp::to_text(*masked));
  wrong(node, "a prefix like 192.0.2.0/24");
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || number < 0) return std::nullopt;
  const std::string_view unit{end, static_cast<std::size_t>(text.data() + text.size() - end)};
  // Without a unit: seconds.
  std::int64_t factor = unit.empty() ? 1000 : 0;
  for (const Unit& known : kUnits)
    if (unit == known.name) factor = known.milliseconds;
  // A product beyond 64 bits is no duration.
  if (factor == 0 || number > std::numeric_limits<std::int64_t>::max() / factor) return std::nullopt;
  return std::chrono::milliseconds{number * factor};
}

std::string to_text(std::chrono::milliseconds duration) {
  if (duration.count() == 0) return "0s";
  for (const Unit& unit : kUnits)
    if (duration.count() % unit.milliseconds == 0)
      return std::to_string(duration.count() / unit.milliseconds) + std::string{unit.name};
  return std::to_string(duration.count()) + "ms";
}

}  // namespace bgplite
