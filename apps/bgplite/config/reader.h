/// Reader: walks a YAML mapping along a table of fields and reports everything that does not fit, each with its place:
/// unknown and duplicate keys, wrong types, values out of range. It goes on after a mistake, so that all are seen at
/// once. yaml-cpp types stay in config/.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/config/diagnostic.h>
#include <apps/bgplite/config/keys.h>

#include <chrono>
#include <concepts>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <yaml-cpp/yaml.h>

namespace bgplite {

/// Where each key of the configuration was written, by its path: "peers.192.0.2.1.timers.hold".
class Places {
 public:
  /// Where a key was written first.
  void set(const std::string& path, Place place) { at_.emplace(path, std::move(place)); }
  [[nodiscard]] bool has(const std::string& path) const { return at_.count(path) != 0; }
  /// The value of this key was refused as a whole: nothing below it was read.
  void refuse(std::string path) { refused_.insert(std::move(path)); }
  /// The key was written, or lies below one whose value was refused: no check says that it is missing.
  [[nodiscard]] bool written(std::string path) const;
  /// Of the key, or of the nearest key around it that was written.
  [[nodiscard]] Place of(std::string path) const;

 private:
  std::map<std::string, Place> at_;
  std::set<std::string> refused_;
};

class Reader {
 public:
  /// Both outlive the reader.
  Reader(std::string file, Diagnostics& diagnostics, Places& places)
      : file_(std::move(file)), diagnostics_(diagnostics), places_(places) {}

  /// Reads every key of `node` that `fields` knows into `into`.
  template <typename T>
  void mapping(const YAML::Node& node, const Fields<T>& fields, T& into);
  /// Calls `entry(key text, key node, value)` for each entry of a mapping whose keys are names; reports duplicates.
  void entries(const YAML::Node& node,
               const std::function<void(const std::string&, const YAML::Node&, const YAML::Node&)>& entry);

  [[nodiscard]] Place place(const YAML::Node& node) const;
  [[nodiscard]] const std::string& file() const { return file_; }
  /// Path of the key being read, for Places.
  [[nodiscard]] const std::string& path() const { return path_; }
  void error(const YAML::Node& node, std::string text, std::string hint = {});
  void warning(const YAML::Node& node, std::string text, std::string hint = {});
  [[nodiscard]] Diagnostics& diagnostics() { return diagnostics_; }
  [[nodiscard]] Places& places() { return places_; }

  /// Policies written in place of a name ("import: [ ... ]"), by the name they get; compiled when all files are read.
  std::map<std::string, YAML::Node> inline_policies;

  /// Extends path() while it lives.
  class Step {
   public:
    Step(Reader& reader, const std::string& key, const YAML::Node& at);
    ~Step() {
      reader_.path_.resize(length_);
      reader_.name_at_ = name_at_;
    }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    Reader& reader_;
    std::size_t length_, name_at_;  ///< Of the reader, before.
  };

 private:
  std::string file_;
  Diagnostics& diagnostics_;
  Places& places_;
  std::string path_;
  std::size_t name_at_ = 0;  ///< Where the last key of it begins: a key may have dots.
};

/// One value being read: its node, its row, and the typed readers a row's function uses. Each reports a mistake and
/// then leaves its argument as it was.
struct In {
  Reader& reader;
  const YAML::Node& node;
  const Key& key;

  void flag(bool& into) const;
  template <std::integral Number>
  void number(Number& into) const {
    if (const auto read = integer_value()) into = static_cast<Number>(*read);
  }
  template <std::integral Number>
  void number(std::optional<Number>& into) const {
    if (const auto read = integer_value()) into = static_cast<Number>(*read);
  }
  /// Whole seconds into a plain number: `unit` octets of the name say so (hold_s).
  template <std::integral Number>
  void seconds(Number& into) const {
    if (const auto read = duration_value(std::chrono::seconds{1})) into = static_cast<Number>(read->count() / 1000);
  }
  template <std::integral Number>
  void milliseconds(Number& into) const {
    if (const auto read = duration_value(std::chrono::milliseconds{1})) into = static_cast<Number>(read->count());
  }
  void duration(std::chrono::seconds& into) const;
  void duration(std::chrono::milliseconds& into) const;
  template <typename Enum>
  requires std::is_enum_v<Enum>
  void choice(Enum& into) const {
    if (const auto index = choice_index()) into = static_cast<Enum>(*index);
  }
  void text(std::string& into) const;
  /// One text, or a list of them.
  void texts(std::vector<std::string>& into) const;
  void asn(minibgp::Asn& into) const;
  void asn(std::optional<minibgp::Asn>& into) const;
  void router_id(minibgp::RouterId& into) const;
  void address(minibgp::IpAddress& into) const;
  void addresses(std::vector<minibgp::IpAddress>& into) const;
  void prefix(minibgp::Prefix& into) const;
  template <typename T>
  void mapping(const Fields<T>& fields, T& into) const {
    reader.mapping(node, fields, into);
  }
  /// A scalar's text; reports anything else as "must be <the row's type>".
  [[nodiscard]] std::optional<std::string> scalar() const;
  /// "must be an AS number, not 'x'".
  void wrong(const YAML::Node& at, const std::string& wanted, std::string hint = {}) const;

 private:
  [[nodiscard]] std::optional<std::int64_t> integer_value() const;
  [[nodiscard]] std::optional<std::chrono::milliseconds> duration_value(std::chrono::milliseconds unit) const;
  [[nodiscard]] std::optional<std::size_t> choice_index() const;
};

/// "90s", "500ms", "5m", "2h", "1d"; a bare number is seconds. Nothing when the text is no duration.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// The shortest exact form: "90s", "5m", "1d".
[[nodiscard]] std::string to_text(std::chrono::milliseconds duration);

template <typename T>
void Reader::mapping(const YAML::Node& node, const Fields<T>& fields, T& into) {
  entries(node, [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
    for (const Field<T>& field : fields) {
      if (name != field.key.name) continue;
      const Step step{*this, name, key};
      field.read(In{*this, value, field.key}, into);
      return;
    }
    std::vector<std::string_view> known;
    for (const Field<T>& field : fields) known.emplace_back(field.key.name);
    if (const std::string_view meant = nearest_of(name, known); !meant.empty())
      places_.refuse(path_.empty() ? std::string{meant} : path_ + "." + std::string{meant});
    error(key, "unknown key '" + name + "'", did_you_mean(name, known));
  });
}

}  // namespace bgplite
