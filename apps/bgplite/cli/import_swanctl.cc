#include <apps/bgplite/cli/import_swanctl.h>
#include <apps/bgplite/config/reader.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <list>
#include <optional>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

namespace bgplite::cli {
namespace {

struct Value {
  std::string key, text;
  std::size_t line = 0;
};

struct Section {
  std::string name;
  std::size_t line = 0;
  std::vector<Value> values;
  std::list<Section> sections;
  std::vector<std::string> parents{};  ///< "NAME : PARENT, PARENT {": paths of sections whose settings it has, too.
  bool is_parent = false;

  [[nodiscard]] const Value* find(std::string_view key) const {
    // Of a key that is given twice the last one holds.
    for (auto one = values.rbegin(); one != values.rend(); ++one)
      if (one->key == key) return &*one;
    return nullptr;
  }
  [[nodiscard]] std::string text(std::string_view key, const char* fallback = "") const {
    const Value* value = find(key);
    return value == nullptr ? std::string{fallback} : value->text;
  }
};

struct Include {
  std::string text;
  std::size_t line = 0;
};

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    std::string_view part = text.substr(0, end);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

/// strongSwan's settings: sections in braces, `key = value` to the end of the line, `#` begins a comment. As in its
/// own lexer, words of a value are joined by one blank, and quotes may hold anything.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  minibgp::Result<Section, std::string> run() {
    Section root;
    if (auto read = section(root, 0); !read) return minibgp::unexpected(read.error());
    return root;
  }
  [[nodiscard]] const std::vector<Include>& includes() const { return includes_; }

 private:
  /// swanctl's own sections are five deep: connections, one of them, its children, one of them, its options.
  static constexpr unsigned kDepthMax = 32;

  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  char next() {
    if (text_[at_] == '\n') ++line_;
    return text_[at_++];
  }
  void skip_comment() {
    while (!at_end() && text_[at_] != '\n') ++at_;
  }
  /// Blanks and comments; line ends too.
  void skip() {
    while (!at_end()) {
      if (text_[at_] == '#') {
        skip_comment();
      } else if (std::isspace(static_cast<unsigned char>(text_[at_])) != 0) {
        next();
      } else {
        return;
      }
    }
  }
  [[nodiscard]] static std::string wrong(std::size_t line, const std::string& text) {
    return std::to_string(line) + ": " + text;
  }

  minibgp::Result<void, std::string> section(Section& into, unsigned depth) {
    if (depth > kDepthMax) return minibgp::unexpected(wrong(line_, "sections nest too deeply"));
    // For the error: the line of the '{', not the end of the file.
    const std::size_t opened = line_;
    while (true) {
      skip();
      if (at_end()) {
        if (depth == 0) return {};
        return minibgp::unexpected(wrong(opened, "'{' without its '}'"));
      }
      if (text_[at_] == '}') {
        next();
        if (depth != 0) return {};
        return minibgp::unexpected(wrong(line_, "'}' without its '{'"));
      }
      const std::size_t line = line_;
      std::string name = word("#{}=\n");
      if (name.empty()) return minibgp::unexpected(wrong(line, "a name was expected"));
      if (name.starts_with("include ") && (at_end() || text_[at_] != '{')) {
        includes_.push_back({name, line});
        continue;
      }
      skip();
      if (name.starts_with("conn ") || name.starts_with("config setup"))
        return minibgp::unexpected(wrong(line, "this is ipsec.conf, the older form; write it as swanctl.conf first"));
      if (at_end() || (text_[at_] != '{' && text_[at_] != '='))
        return minibgp::unexpected(wrong(line, "'=' or '{' was expected after a name"));
      std::vector<std::string> parents;
      if (const std::size_t colon = name.find(':'); colon != std::string::npos && text_[at_] == '{') {
        parents = split(name.substr(colon + 1));
        name.resize(colon);
        while (!name.empty() && std::isspace(static_cast<unsigned char>(name.back())) != 0) name.pop_back();
        if (name.empty() || parents.empty()) return minibgp::unexpected(wrong(line, "a name was expected at ':'"));
      }
      if (next() == '=') {
        auto read = value();
        if (!read) return minibgp::unexpected(read.error());
        into.values.push_back({std::move(name), std::move(*read), line});
        continue;
      }
      // Of two sections with one name the second adds to the first.
      auto same = std::find_if(into.sections.begin(), into.sections.end(),
                               [&](const Section& one) { return one.name == name; });
      if (same == into.sections.end()) {
        into.sections.push_back({std::move(name), line, {}, {}});
        same = std::prev(into.sections.end());
      }
      same->parents.insert(same->parents.end(), parents.begin(), parents.end());
      if (auto read = section(*same, depth + 1); !read) return read;
    }
  }

  std::string word(std::string_view until) {
    std::string text;
    while (!at_end() && until.find(text_[at_]) == std::string_view::npos) text += next();
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.pop_back();
    return text;
  }

  minibgp::Result<std::string, std::string> value() {
    std::string text;
    bool blank = false;
    const auto begin_word = [&] {
      if (std::exchange(blank, false) && !text.empty()) text += ' ';
    };
    while (!at_end() && text_[at_] != '\n' && text_[at_] != '#' && text_[at_] != '}') {
      if (text_[at_] == '"') {
        begin_word();
        const std::size_t line = line_;
        next();
        while (!at_end() && text_[at_] != '"') {
          if (text_[at_] == '\\' && at_ + 1 < text_.size()) next();
          text += next();
        }
        if (at_end()) return minibgp::unexpected(wrong(line, "a text without its closing quote"));
        next();
      } else if (std::isspace(static_cast<unsigned char>(text_[at_])) != 0) {
        next();
        blank = true;
      } else {
        begin_word();
        text += next();
      }
    }
    return text;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::vector<Include> includes_;
};

/// Gives sections what their parents have and they have not. A parent is named by its path from the root.
class Inheritance {
 public:
  explicit Inheritance(Section& root) : root_(root) {}

  minibgp::Result<void, std::string> run() { return settle(root_); }

 private:
  Section* find(std::string_view path) {
    Section* at = &root_;
    while (at != nullptr && !path.empty()) {
      const std::size_t dot = std::min(path.find('.'), path.size());
      Section* below = nullptr;
      for (Section& one : at->sections)
        if (one.name == path.substr(0, dot)) below = &one;
      at = below;
      path.remove_prefix(std::min(dot + 1, path.size()));
    }
    return at;
  }

  /// No section is its own parent, nor is one that it stands in.
  minibgp::Result<void, std::string> settle(Section& section) {
    settling_.insert(&section);
    for (const std::string& path : std::exchange(section.parents, {})) {
      Section* const parent = find(path);
      if (parent == nullptr || settling_.count(parent) != 0)
        return minibgp::unexpected(std::to_string(section.line) + ": there is no section '" + path + "' to take from");
      if (auto settled = settle(*parent); !settled) return settled;
      parent->is_parent = true;
      add(section, *parent);
    }
    for (Section& one : section.sections)
      if (auto settled = settle(one); !settled) return settled;
    settling_.erase(&section);
    return {};
  }

  /// What `from` has and `into` has not; sections of one name are joined.
  static void add(Section& into, const Section& from) {
    std::vector<Value> values;
    for (const Value& value : from.values)
      if (into.find(value.key) == nullptr) values.push_back(value);
    into.values.insert(into.values.begin(), values.begin(), values.end());
    for (const Section& one : from.sections) {
      const auto same = std::find_if(into.sections.begin(), into.sections.end(),
                                     [&](const Section& own) { return own.name == one.name; });
      if (same == into.sections.end()) {
        into.sections.push_back(one);
      } else {
        add(*same, one);
      }
    }
  }

  Section& root_;
  std::set<const Section*> settling_;
};

/// As YAML: quoted where it could be taken for something else.
std::string scalar(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view{"-_./+"}.find(c) != std::string_view::npos;
  });
  if (plain && text.front() != '-') return text;
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string scalars(const std::vector<std::string>& all) {
  if (all.size() == 1) return scalar(all.front());
  std::string text;
  for (const std::string& one : all) text += (text.empty() ? "" : ", ") + scalar(one);
  return "[" + text + "]";
}

/// What swanctl.conf's word for a setting is here, and how its value is written.
enum class Kind : unsigned char { text, texts, flag, time, number, action };
struct Row {
  std::string_view theirs, ours;
  Kind kind;
  /// strongSwan's default where ours is another: written when the file says nothing.
  std::string_view fallback = {};
};
constexpr Row kConnection[] = {
    {"version", "version", Kind::number},
    {"proposals", "proposals", Kind::texts},
    {"encap", "encap", Kind::flag},
    {"mobike", "mobike", Kind::flag},
    {"dpd_delay", "dpd_delay", Kind::time, "0s"},
    {"dpd_timeout", "dpd_timeout", Kind::time},
    {"rekey_time", "rekey_time", Kind::time},
    {"reauth_time", "reauth_time", Kind::time},
    {"over_time", "over_time", Kind::time},
    {"keyingtries", "keyingtries", Kind::number},
    {"unique", "unique", Kind::text},
};
constexpr Row kChild[] = {
    {"esp_proposals", "esp_proposals", Kind::texts},
    {"local_ts", "local_ts", Kind::texts},
    {"remote_ts", "remote_ts", Kind::texts},
    {"priority", "priority", Kind::number},
    {"replay_window", "replay_window", Kind::number},
    {"start_action", "start_action", Kind::action, "none"},
    {"dpd_action", "dpd_action", Kind::action, "clear"},
    {"close_action", "close_action", Kind::action, "none"},
};
constexpr Row kChildTimes[] = {
    {"rekey_time", "rekey_time", Kind::time},
    {"life_time", "life_time", Kind::time},
};
constexpr std::string_view kActions[] = {"start", "trap", "none", "restart", "clear"};

/// Settings that have no place here, and why.
struct Refused {
  std::string_view key, why;
};
constexpr Refused kNotConnection[] = {
    {"vips", "virtual addresses: give the tunnel an 'address'"},
    {"pools", "virtual addresses: give the tunnel an 'address'"},
};
constexpr Refused kNotChild[] = {
    {"updown", "routes are bgplite's: write 'static_routes', or a 'peer' for BGP"},
    {"ah_proposals", "only ESP is known here"},
};

class SwanctlImporter {
 public:
  SwanctlImporter(const Section& root, const std::vector<Include>& includes) : root_(root) {
    for (const Include& include : includes) leave(include.line, include.text, "import each of these files, too");
    for (const Section& section : root.sections)
      if (section.name == "secrets") secrets_ = &section;
  }

  Imported run() {
    std::string tunnels;
    for (const Section& section : root_.sections) {
      if (section.name == "connections") {
        for (const Section& connection : section.sections) {
          const bool template_only = connection.is_parent && connection.text("remote_addrs").empty();
          if (template_only) {
            leave(connection.line, connection.name, "others take their settings from it; no tunnel is made of it");
          } else {
            tunnels += tunnel(connection);
          }
        }
      } else if (section.name != "secrets" && !section.is_parent) {
        leave(section.line, section.name, "charon keeps these; leave them in swanctl.conf");
      }
    }
    secrets();
    std::stable_sort(left_.begin(), left_.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
    if (tunnels.empty()) return {{}, std::move(left_)};
    return {
        "# swanctl.conf does not know a tunnel's address: ADDRESS/30, underlay: { device: DEVICE, gateway: "
        "ADDRESS }\n"
        "# and, for BGP, peer: { address: ADDRESS, asn: NUMBER }. mobike is off where it was not written.\n"
        "tunnels:\n" +
            tunnels,
        std::move(left_)};
  }

 private:
  void leave(std::size_t line, std::string text, std::string why) {
    left_.push_back({line, std::move(text), std::move(why)});
  }
  void leave(const Value& value, std::string why) { leave(value.line, value.key + " = " + value.text, std::move(why)); }

  /// The value as ours is written; nothing: it is none of its kind, and listed.
  std::optional<std::string> written(const Row& row, const Value& value) {
    switch (row.kind) {
      case Kind::text:
        return scalar(value.text);
      case Kind::texts:
        return scalars(split(value.text));
      case Kind::flag: {
        std::string word = value.text;
        for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        for (const char* yes : {"yes", "true", "1", "enabled"})
          if (word == yes) return "true";
        for (const char* no : {"no", "false", "0", "disabled"})
          if (word == no) return "false";
        break;
      }
      case Kind::time:
        if (const auto time = parse_duration(value.text); time && time->count() % 1000 == 0)
          return std::to_string(time->count() / 1000) + "s";
        break;
      case Kind::number:
        if (const auto read = number(value.text)) return std::to_string(*read);
        break;
      case Kind::action:
        if (std::find(std::begin(kActions), std::end(kActions), value.text) != std::end(kActions)) return value.text;
        break;
    }
    leave(value, "not understood as a value of " + std::string{row.ours});
    return std::nullopt;
  }

  static std::optional<std::uint32_t> number(std::string_view text) {
    int base = 10;
    if (text.starts_with("0x")) base = 16, text.remove_prefix(2);
    std::uint32_t read = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), read, base);
    if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return read;
  }

  /// `done`: keys that were taken care of.
  template <std::size_t N>
  std::string rows(const Section& from, const Row (&table)[N], const std::string& indent, std::set<std::string>& done) {
    std::string text;
    for (const Row& row : table) {
      const Value* value = from.find(row.theirs);
      done.insert(std::string{row.theirs});
      if (value == nullptr) {
        if (!row.fallback.empty()) text += indent + std::string{row.ours} + ": " + std::string{row.fallback} + "\n";
      } else if (value->text == "0" && row.theirs == "version") {
        leave(*value, "imported as version 2");
      } else if (const auto ours = written(row, *value)) {
        text += indent + std::string{row.ours} + ": " + *ours + "\n";
      }
    }
    return text;
  }

  /// What is neither known nor refused goes to charon as it is.
  template <std::size_t N>
  std::string extra(const Section& from, const Refused (&refused)[N], const std::set<std::string>& done) {
    std::string text;
    for (const Value& value : from.values) {
      if (done.count(value.key) != 0) continue;
      const auto no = std::find_if(std::begin(refused), std::end(refused),
                                   [&](const Refused& one) { return one.key == value.key; });
      if (no != std::end(refused)) {
        leave(value, std::string{no->why});
      } else if (from.find(value.key) == &value) {
        text += (text.empty() ? "" : ", ") + scalar(value.key) + ": " + scalar(value.text);
      }
    }
    return text;
  }

  /// "local: { address: ..., id: ... }"; `certificates` of ours are added to.
  std::string end(const Section& connection, const std::string& which, std::vector<std::string>* certificates) {
    std::string text;
    const auto add = [&](const std::string& one) { text += (text.empty() ? "" : ", ") + one; };
    if (const Value* addresses = connection.find(which + "_addrs"))
      if (addresses->text != "%any") add("address: " + scalars(split(addresses->text)));
    bool first = true;
    for (const Section& section : connection.sections) {
      if (!section.name.starts_with(which)) continue;
      if (!std::exchange(first, false)) {
        leave(section.line, section.name, "one round of authentication is known here");
        continue;
      }
      for (const Value& value : section.values) {
        if (value.key == "id") {
          add("id: " + scalar(value.text));
        } else if (value.key == "auth") {
          if (value.text == "pubkey") add("auth: pubkey");
          if (value.text != "psk" && value.text != "pubkey") leave(value, "auth is psk or pubkey here");
        } else if (value.key == "certs" && certificates != nullptr) {
          *certificates = split(value.text);
        } else {
          leave(value, "not known here");
        }
      }
      // strongSwan's default, not ours.
      if (section.find("auth") == nullptr) add("auth: pubkey");
    }
    if (first) add("auth: pubkey");
    return text.empty() ? "" : "      " + which + ": { " + text + " }\n";
  }

  std::string tunnel(const Section& connection) {
    const Section* child = nullptr;
    for (const Section& section : connection.sections) {
      if (section.name != "children") {
        if (!section.name.starts_with("local") && !section.name.starts_with("remote"))
          leave(section.line, section.name, "not known here");
        continue;
      }
      for (const Section& one : section.sections) {
        if (child != nullptr) leave(one.line, one.name, "a tunnel has one child; make it a connection of its own");
        if (child == nullptr) child = &one;
      }
    }
    static const Section kNone;
    if (child == nullptr) leave(connection.line, connection.name, "it has no child");
    const Section& data = child == nullptr ? kNone : *child;

    std::string text = "  " + scalar(connection.name) + ":\n" + interface(connection, data) + "    ike:\n";
    std::set<std::string> done{"local_addrs", "remote_addrs", "if_id_in", "if_id_out"};
    std::set<std::string> child_done{"if_id_in", "if_id_out", "mode", "mark_in", "mark_out"};
    if (connection.find("version") == nullptr)
      leave(connection.line, connection.name, "it takes IKEv1 and IKEv2; imported as version 2");
    text += rows(connection, kConnection, "      ", done);
    std::vector<std::string> certificates;
    text += end(connection, "local", &certificates);
    text += end(connection, "remote", nullptr);
    if (!certificates.empty()) text += "      certificates: " + scalars(certificates) + "\n";
    text += psk(connection);
    text += rows(data, kChild, "      ", child_done);
    std::string times = rows(data, kChildTimes, "        ", child_done);
    if (const std::string more = extra(data, kNotChild, child_done); !more.empty())
      times += "        extra: { " + more + " }\n";
    if (!times.empty()) text += "      child:\n" + times;
    if (const std::string more = extra(connection, kNotConnection, done); !more.empty())
      text += "      extra: { " + more + " }\n";
    return text;
  }

  /// Mode, interface and if_id.
  std::string interface(const Section& connection, const Section& child) {
    if (const Value* mode = child.find("mode"); mode != nullptr && mode->text != "tunnel")
      leave(*mode, "only tunnel mode is known here");
    const auto find = [&](const char* key) {
      const Value* const own = child.find(key);
      return own == nullptr ? connection.find(key) : own;
    };
    const Value* in = find("if_id_in");
    const Value* out = find("if_id_out");
    if (in == nullptr && out == nullptr) {
      // A VTI device has a mark for its id. Without either its selectors alone would say what goes into the tunnel:
      // everything, this host's own traffic included.
      in = child.find("mark_in");
      out = child.find("mark_out");
      if (in == nullptr && out == nullptr) return "    mode: policy\n";
      for (const Value* const mark : {in, out})
        if (mark != nullptr)
          leave(*mark,
                "marks are for VTI devices; the tunnel has an XFRM interface with this number as its if_id: "
                "remove the VTI device and what its updown script did");
    }
    const Value& id = in == nullptr ? *out : *in;
    if (in == nullptr || out == nullptr || in->text != out->text) {
      for (const Value* const one : {in, out})
        if (one != nullptr) leave(*one, "if_id_in and if_id_out must be the same here");
    }
    const auto read = number(id.text);
    if (!read || *read == 0) return leave(id, "give the tunnel an 'if_id', a number of its own"), std::string{};
    std::string text = "    if_id: " + std::to_string(*read) + "\n";
    // An interface that has this if_id already is used under its own name.
    if (connection.name.size() > 15) text += "    interface: ipsec" + std::to_string(*read) + "\n";
    return text;
  }

  [[nodiscard]] static bool uses_psk(const Section& connection) {
    return std::any_of(connection.sections.begin(), connection.sections.end(), [](const Section& section) {
      return section.name != "children" && section.text("auth") == "psk";
    });
  }

  /// As charon chooses: the secret that has the most of the two identities; one without any fits all.
  std::string psk(const Section& connection) {
    if (!uses_psk(connection)) return {};
    std::set<std::string> ids;
    for (const char* key : {"local_addrs", "remote_addrs"})
      for (const std::string& one : split(connection.text(key))) ids.insert(one);
    for (const Section& section : connection.sections)
      if (const std::string id = section.text("id"); section.name != "children" && !id.empty()) ids.insert(id);
    const Section* best = nullptr;
    std::size_t most = 0;
    for (const Section& secret : secrets_ == nullptr ? std::list<Section>{} : secrets_->sections) {
      if (!secret.name.starts_with("ike")) continue;
      std::size_t own = 0, matching = 0;
      for (const Value& value : secret.values)
        if (value.key.starts_with("id")) ++own, matching += ids.count(value.text);
      const std::size_t score = own == 0 ? 1 : matching * 2;
      if (score > most) most = score, best = find_secret(secret.name);
    }
    const std::string file = "/etc/bgplite/psk/" + connection.name;
    if (best == nullptr) {
      leave(connection.line, connection.name, "no secret is for it: write its key into " + file);
    } else {
      keys_.emplace_back(best->name, file);
    }
    return "      psk_file: " + scalar(file) + "\n";
  }

  [[nodiscard]] const Section* find_secret(const std::string& name) const {
    for (const Section& secret : secrets_->sections)
      if (secret.name == name) return &secret;
    return nullptr;
  }

  /// Nothing but the place of a secret is told.
  void secrets() {
    if (secrets_ == nullptr) return;
    for (const Section& secret : secrets_->sections) {
      std::string files;
      for (const auto& [name, file] : keys_)
        if (name == secret.name) files += (files.empty() ? "" : " and ") + file;
      const Value* key = secret.find("secret");
      const std::size_t line = key == nullptr ? secret.line : key->line;
      leave(line, secret.name + ": secret = (not shown)",
            !files.empty() ? "write the key into " + files + ", owner bgplite, mode 0400"
                           : (secret.name.starts_with("ike") ? "no connection uses it"
                                                             : "charon keeps it; leave it in swanctl.conf"));
    }
  }

  const Section& root_;
  const Section* secrets_ = nullptr;
  std::vector<std::pair<std::string, std::string>> keys_;  ///< Secret's name, file.
  std::vector<Imported::Left> left_;
};

}  // namespace

minibgp::Result<Imported, std::string> import_swanctl(std::string_view swanctl_conf) {
  Parser parser{swanctl_conf};
  auto root = parser.run();
  if (!root) return minibgp::unexpected(root.error());
  if (auto settled = Inheritance{*root}.run(); !settled) return minibgp::unexpected(settled.error());
  return SwanctlImporter{*root, parser.includes()}.run();
}

}  // namespace bgplite::cli
