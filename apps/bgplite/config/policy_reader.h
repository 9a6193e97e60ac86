/// PolicyReader: the nodes of policies as definitions. Matches and edits are two tables of keys (policy_reader.cc);
/// adding one is adding a row. Mistakes go to Diagnostics and reading goes on.
#pragma once

#include <apps/bgplite/config/diagnostic.h>
#include <bgp/policy_definition.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <yaml-cpp/yaml.h>

namespace bgplite {

class PolicyReader {
 public:
  /// `file_number` goes into every mark. Outlives nothing: use it and drop it.
  PolicyReader(std::string file, std::uint16_t file_number, Diagnostics& diagnostics)
      : file_(std::move(file)), file_number_(file_number), diagnostics_(diagnostics) {}

  [[nodiscard]] minibgp::PolicyDefinition policy(const std::string& name, const YAML::Node& at,
                                                 const YAML::Node& terms);

  [[nodiscard]] minibgp::SourceMark mark(const YAML::Node& node) const;
  [[nodiscard]] Place place(const YAML::Node& node) const;
  void error(const YAML::Node& node, std::string text, std::string hint = {}) const;
  [[nodiscard]] const std::string& file() const { return file_; }

  /// Calls `entry(key, key node, value)` for each entry; reports duplicates, keys that are no text, and what is no
  /// mapping as "must be a mapping of WHAT".
  using Entry = std::function<void(const std::string&, const YAML::Node&, const YAML::Node&)>;
  void entries(const YAML::Node& node, const char* what, const Entry& entry) const;
  /// A scalar's text, or the error "must be WHAT".
  [[nodiscard]] std::optional<std::string> scalar(const YAML::Node& node, const std::string& what) const;
  /// One scalar or a list of them, each with its node.
  void each_scalar(const YAML::Node& node, const std::string& what,
                   const std::function<void(const std::string&, const YAML::Node&)>& use) const;

  /// The items of a set or of a list in place. Where `sets` is given, a text that is no item but could be a name is
  /// one.
  template <typename Item>
  void items(const YAML::Node& node, std::vector<Item>& into, std::vector<minibgp::NameRef>* sets) const;

  [[nodiscard]] std::vector<minibgp::PolicyMatch> matches(const YAML::Node& node, unsigned depth = 0) const;
  [[nodiscard]] std::vector<minibgp::PolicyEdit> edits(const YAML::Node& node) const;

 private:
  [[nodiscard]] minibgp::PolicyTerm term(const YAML::Node& node) const;

  std::string file_;
  std::uint16_t file_number_;
  Diagnostics& diagnostics_;
};

/// How an item is written, and what it is called in messages.
template <typename Item>
struct ItemForm;
template <>
struct ItemForm<minibgp::PrefixRange> {
  static constexpr const char* kWhat = "a prefix";
  static constexpr const char* kHint = "such as '192.168.0.0/16 le 24', or the name of a prefix set";
  static constexpr auto kParse = &minibgp::parse_prefix_range;
};
template <>
struct ItemForm<minibgp::AsnRange> {
  static constexpr const char* kWhat = "an AS number";
  static constexpr const char* kHint = "such as 65001 or 64512..65534, or the name of an asn set";
  static constexpr auto kParse = &minibgp::parse_asn_range;
};
template <>
struct ItemForm<minibgp::CommunityPattern> {
  static constexpr const char* kWhat = "a community";
  static constexpr const char* kHint = "such as 65001:100, 65001:* or no-export, or the name of a community set";
  static constexpr auto kParse = &minibgp::parse_community_pattern;
};
template <>
struct ItemForm<minibgp::ExtendedCommunityPattern> {
  static constexpr const char* kWhat = "an extended community";
  static constexpr const char* kHint = "such as rt:65001:100, ro:65001:* or lb:*, or the name of a set of them";
  static constexpr auto kParse = &minibgp::parse_extended_community_pattern;
};
template <>
struct ItemForm<minibgp::LargeCommunityPattern> {
  static constexpr const char* kWhat = "a large community";
  static constexpr const char* kHint = "such as 65001:1:2 or 65001:*:2, or the name of a set of them";
  static constexpr auto kParse = &minibgp::parse_large_community_pattern;
};
template <>
struct ItemForm<minibgp::AddressRange> {
  static constexpr const char* kWhat = "an address or a prefix";
  static constexpr const char* kHint = "such as 192.0.2.1 or 192.0.2.0/24, or the name of a next hop set";
  static constexpr auto kParse = &minibgp::parse_address_range;
};

/// Letters, digits, `_`, `-` and `.`, beginning with a letter: what names of sets and policies look like.
[[nodiscard]] bool is_name(std::string_view text);

template <typename Item>
void PolicyReader::items(const YAML::Node& node, std::vector<Item>& into, std::vector<minibgp::NameRef>* sets) const {
  using Form = ItemForm<Item>;
  each_scalar(node, Form::kWhat, [&](const std::string& text, const YAML::Node& at) {
    if (auto item = Form::kParse(text)) {
      item->mark = mark(at);
      into.push_back(*item);
    } else if (sets != nullptr && is_name(text)) {
      sets->push_back({text, mark(at)});
    } else {
      error(at, "'" + text + "' is not " + Form::kWhat, Form::kHint);
    }
  });
}

}  // namespace bgplite
