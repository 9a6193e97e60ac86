#include <apps/bgplite/cli/import_frr_lines.h>
#include <apps/bgplite/cli/import_frr_words.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <sstream>

namespace bgplite::cli {
namespace {

/// What follows these words on a line is a secret.
constexpr std::string_view kSecretWords[] = {
    "password", "secret", "key-string", "authentication-key", "md5", "message-digest-key", "string", "authentication"};
constexpr std::string_view kNotShown = "(not shown)";

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::istringstream in{std::string(text)};
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

}  // namespace

const std::string& FrrLine::at(std::size_t i) const {
  static const std::string none;
  return i < words.size() ? words[i] : none;
}

std::string FrrLine::from(std::size_t i) const {
  std::string text;
  for (; i < words.size(); ++i) text += (text.empty() ? "" : " ") + words[i];
  return text;
}

bool FrrLine::starts(std::string_view with) const {
  std::size_t i = 0;
  while (!with.empty()) {
    const std::size_t end = std::min(with.find(' '), with.size());
    if (at(i++) != with.substr(0, end)) return false;
    with.remove_prefix(std::min(end + 1, with.size()));
  }
  return true;
}

FrrLine FrrLine::without_no() const {
  FrrLine rest = *this;
  if (!rest.words.empty() && rest.words[0] == "no") rest.words.erase(rest.words.begin());
  return rest;
}

std::optional<std::uint32_t> frr_number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string without_secrets(std::string_view text) {
  std::string shown;
  const std::vector<std::string> words = words_of(text);
  for (std::size_t i = 0; i < words.size(); ++i) {
    shown += (shown.empty() ? "" : " ") + words[i];
    const bool community = words[i] == "community" && words[0] == "snmp-server";
    const bool secret = std::any_of(std::begin(kSecretWords), std::end(kSecretWords),
                                    [&](std::string_view word) { return words[i].ends_with(word); });
    if ((secret || community) && i + 1 < words.size()) return shown + " " + std::string{kNotShown};
  }
  return shown;
}

// --- FrrNotes --------------------------------------------------------------------------------------------------------

void FrrNotes::add_line(std::size_t number, std::string_view text) {
  lines_[number] = Record{without_secrets(text), false, false, {}};
}

void FrrNotes::carried(std::size_t line) { lines_.at(line).carried = true; }

void FrrNotes::no_effect(std::size_t line, std::string_view why) { lines_.at(line).no_effect = why; }

void FrrNotes::same(const FrrValue& value, std::string_view why) {
  if (!value.again) no_effect(value.line, why);
}

bool FrrNotes::effective(std::size_t line) const {
  const Record& record = lines_.at(line);
  return record.carried && !record.listed && record.no_effect.empty();
}

void FrrNotes::list(std::size_t line, const std::string& why) { add(line, why, false); }

void FrrNotes::closes(std::size_t line, const std::string& why) { add(line, why, true); }

void FrrNotes::add(std::size_t line, const std::string& why, bool closes) {
  Record& record = lines_.at(line);
  record.listed = true;
  // A route-map that two neighbors use is translated twice, and says the same twice.
  const auto [known, fresh] = said_.emplace(std::pair{line, why}, left_.size());
  if (!fresh) {
    left_[known->second].closes = left_[known->second].closes || closes;
    return;
  }
  left_.push_back({line, record.text, why, closes});
}

void FrrNotes::finish(Imported& into) {
  for (const auto& [number, record] : lines_) {
    if (record.listed) continue;
    if (!record.no_effect.empty()) {
      into.without_effect.push_back({number, record.text, record.no_effect});
    } else if (!record.carried) {
      list(number, "not understood; nothing of it is in the result");
    }
  }
  std::stable_sort(left_.begin(), left_.end(), [](const Imported::Left& a, const Imported::Left& b) {
    return a.closes != b.closes ? a.closes : a.line < b.line;
  });
  into.left_out = std::move(left_);
}

// --- FrrValues -------------------------------------------------------------------------------------------------------

void FrrValues::set(const std::string& key, std::string value, std::size_t line, FrrNotes& notes) {
  notes.carried(line);
  FrrValue& known = values_[key];
  if (known.line != 0 && known.line != line) {
    const bool same = known.text == value;
    notes.no_effect(known.line, "line " + std::to_string(line) + (same ? " says the same" : " replaces it"));
    if (same) notes.no_effect(line, "line " + std::to_string(known.line) + " says the same");
  }
  const bool again = known.line != 0 && known.text != value;
  known = {std::move(value), line, again};
}

const FrrValue* FrrValues::find(const std::string& key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

const FrrValue* FrrValues::use(const std::string& key) {
  const FrrValue* found = find(key);
  if (found != nullptr) used_[key] = true;
  return found;
}

void FrrValues::finish(std::string_view why, FrrNotes& notes) const {
  // One line may give several values.
  std::map<std::size_t, bool> of_line;
  for (const auto& [key, value] : values_) {
    bool& used = of_line[value.line];
    used = used || used_.count(key) != 0;
  }
  for (const auto& [line, used] : of_line)
    if (!used) notes.no_effect(line, why);
}

// --- FrrBlocks -------------------------------------------------------------------------------------------------------

FrrBlocks::Place FrrBlocks::enter(const FrrLine& line) {
  const std::string& first = line.at(0);
  if (close(first)) return {FrrBlock::top, {}, 0, false, true, false};
  if (const auto opened = open(line)) return *opened;
  const std::string inside = open_.empty() ? std::string{} : open_.back().name;
  if (frr_top_level(inside, line)) open_.clear();
  if (open_.empty()) return {};
  return {open_.back().block, open_.back().name, open_.back().line, false, false, false};
}

/// "exit" ends the innermost block, "exit-vrf" and the like the block that they name, "end" all.
bool FrrBlocks::close(const std::string& word) {
  if (word == "end") {
    open_.clear();
    return true;
  }
  if (word == "exit" || word == "quit") {
    if (!open_.empty()) open_.pop_back();
    return true;
  }
  if (!word.starts_with("exit-")) return false;
  for (std::size_t i = open_.size(); i-- > 0;) {
    if (open_[i].closer != word) continue;
    open_.resize(i);
    break;
  }
  return true;
}

std::optional<FrrBlocks::Place> FrrBlocks::open(const FrrLine& line) {
  const std::size_t before = open_.size();
  std::optional<FrrOpener> opener;
  // The innermost block that knows the line; those inside it have ended.
  for (std::size_t i = open_.size(); i-- > 0 && !opener;)
    if ((opener = frr_opener(open_[i].name, line))) open_.resize(i + 1);
  if (!opener && (opener = frr_opener("", line))) open_.clear();
  if (!opener) return std::nullopt;
  const bool ended = open_.size() != before;
  if (opener->block == FrrBlock::router) {
    if (asn_.empty()) asn_ = line.at(2);
    if (line.at(2) != asn_) opener->block = FrrBlock::other;
  }
  open_.push_back({opener->block, line.from(0), std::string{opener->closer}, line.number});
  return Place{opener->block, open_.back().name, line.number, true, false, ended};
}

// --- FrrDialect ------------------------------------------------------------------------------------------------------

bool FrrDialect::take(const FrrLine& line, FrrNotes& notes) {
  if (line.starts("frr version")) {
    const std::string& text = line.at(2);
    unsigned major = 0, minor = 0;
    const char* const end = text.data() + text.size();
    const auto [dot, failed] = std::from_chars(text.data(), end, major);
    if (failed != std::errc{}) return notes.list(line.number, "no version; the defaults of FRR 9.1 are taken"), true;
    if (dot != end && *dot == '.') static_cast<void>(std::from_chars(dot + 1, end, minor));
    version_line_ = line.number;
    major_ = major;
    minor_ = minor;
    notes.carried(line.number);
    return true;
  }
  if (!line.starts("frr defaults")) return false;
  datacenter_ = line.at(2) == "datacenter";
  if (datacenter_) {
    notes.carried(line.number);
  } else if (line.at(2) == "traditional") {
    notes.no_effect(line.number, "the profile that holds without it");
  } else {
    notes.list(line.number, "this profile is not known; the defaults of 'traditional' are taken");
  }
  return true;
}

void FrrDialect::comment(std::string_view text) {
  // "write file" puts it first; since FRR 3 a "frr version" follows.
  if (text.find("Zebra configuration saved from vty") != std::string_view::npos) written_by_vty_ = true;
}

bool FrrDialect::before(unsigned major, unsigned minor) const {
  if (quagga()) return true;
  return major_ && (*major_ < major || (*major_ == major && minor_ < minor));
}

bool FrrDialect::ebgp_requires_policy() const { return !datacenter_ && !before(7, 4); }
bool FrrDialect::network_import_check() const { return datacenter_ || !before(7, 4); }
bool FrrDialect::enforce_first_as() const { return !before(9, 1); }

}  // namespace bgplite::cli
