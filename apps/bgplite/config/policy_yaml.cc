#include <apps/bgplite/config/policy_reader.h>
#include <apps/bgplite/config/policy_set_file.h>
#include <apps/bgplite/config/policy_yaml.h>
#include <bgp/text.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

namespace bgplite {
namespace {

using minibgp::AsnRange;
using minibgp::NamedSet;
using minibgp::PolicyLibrary;
using minibgp::PrefixRange;
using minibgp::SourceMark;

constexpr std::size_t kSetFileOctetsMax = 512UL * 1024 * 1024;

class SourcesReader {
 public:
  SourcesReader(PolicySources& into, Diagnostics& diagnostics, const ReadSetFile& read)
      : into_(into), diagnostics_(diagnostics), read_(read) {}

  void document(const PolicyDocument& one) {
    if (!one.root.IsMap()) return;
    PolicyReader reader(one.file, number_of(one.file), diagnostics_);
    PolicyLibrary& library = into_.library;
    sets(reader, one.root["prefix_sets"], library.prefix_sets);
    sets(reader, one.root["asn_sets"], library.asn_sets);
    sets(reader, one.root["community_sets"], library.community_sets);
    sets(reader, one.root["extended_community_sets"], library.extended_community_sets);
    sets(reader, one.root["large_community_sets"], library.large_community_sets);
    sets(reader, one.root["next_hop_sets"], library.next_hop_sets);
    if (const YAML::Node policies = one.root["policies"]) {
      const auto add = [&](const std::string& name, const YAML::Node& key, const YAML::Node& terms) {
        if (named(reader, name, key)) policy(reader, name, key, terms);
      };
      reader.entries(policies, "policies by name", add);
    }
  }

  void in_place(const std::string& name, const std::string& file, const YAML::Node& terms) {
    PolicyReader reader(file, number_of(file), diagnostics_);
    policy(reader, name, terms, terms);
  }

 private:
  /// Marks have room for a number, not for a name.
  std::uint16_t number_of(const std::string& file) {
    const auto known = std::find(into_.files.begin(), into_.files.end(), file);
    if (known != into_.files.end()) return static_cast<std::uint16_t>(known - into_.files.begin());
    into_.files.push_back(file);
    return static_cast<std::uint16_t>(into_.files.size() - 1);
  }

  static bool named(const PolicyReader& reader, const std::string& name, const YAML::Node& key) {
    if (is_name(name)) return true;
    reader.error(key, "'" + name + "' cannot be a name", "letters, digits, '_', '-' and '.', beginning with a letter");
    return false;
  }

  void policy(PolicyReader& reader, const std::string& name, const YAML::Node& at, const YAML::Node& terms) {
    into_.library.policies.push_back(reader.policy(name, at, terms));
  }

  template <typename Item>
  void sets(const PolicyReader& reader, const YAML::Node& node, std::vector<NamedSet<Item>>& into) {
    if (!node) return;
    reader.entries(node, "sets by name", [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
      if (!named(reader, name, key)) return;
      // In the lists of a policy, names of sets and items stand side by side.
      if (ItemForm<Item>::kParse(name)) {
        reader.error(key, "'" + name + "' cannot be a name", std::string("it reads as ") + ItemForm<Item>::kWhat);
        return;
      }
      NamedSet<Item> set{name, {}, reader.mark(key)};
      if (value.IsMap()) {
        sources(reader, value, set);
      } else {
        reader.items<Item>(value, set.items, nullptr);
      }
      into.push_back(std::move(set));
    });
  }

  /// { items: [...], file: PATH, bgpq4: PATH }
  template <typename Item>
  void sources(const PolicyReader& reader, const YAML::Node& node, NamedSet<Item>& set) {
    reader.entries(node, "items, file and bgpq4",
                   [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
                     if (name == "items") {
                       reader.items<Item>(value, set.items, nullptr);
                     } else if (name == "file" || name == "bgpq4") {
                       file(reader, name == "file", value, set);
                     } else {
                       reader.error(key, "unknown key '" + name + "'", did_you_mean(name, {"items", "file", "bgpq4"}));
                     }
                   });
  }

  template <typename Item>
  void file(const PolicyReader& reader, bool lines, const YAML::Node& node, NamedSet<Item>& set) {
    const auto name = reader.scalar(node, "a path");
    if (!name) return;
    // Relative to the file that names it, as for `include`.
    const std::string path = beside(reader.file(), *name);
    std::string why;
    const auto text = read_(path, why);
    if (!text) return reader.error(node, "cannot read '" + path + "': " + why);
    const std::uint16_t number = number_of(path);
    const SetFileError complain = [&](std::uint32_t line, const std::string& what) {
      // Line 0: the complaint is about the whole file.
      diagnostics_.error({path, line, line == 0 ? 0U : 1U}, what);
    };
    if (lines) {
      const auto add = [&](std::string_view item, std::uint32_t line) {
        auto parsed = ItemForm<Item>::kParse(item);
        if (!parsed) return false;
        parsed->mark = {line, 1, number};
        set.items.push_back(*parsed);
        return true;
      };
      return read_item_lines(*text, add, complain);
    }
    Bgpq4Items items = read_bgpq4(*text, complain);
    if constexpr (std::is_same_v<Item, PrefixRange> || std::is_same_v<Item, AsnRange>) {
      auto& wanted = [&]() -> auto& {
        if constexpr (std::is_same_v<Item, PrefixRange>)
          return items.prefixes;
        else
          return items.asns;
      }
      ();
      for (Item& item : wanted) {
        // The JSON parser gives no lines for what is right.
        item.mark = {0, 0, number};
        set.items.push_back(item);
      }
      // The other kind of items is in the file: it is a file for another sort of set.
      const bool others = std::is_same_v<Item, PrefixRange> ? !items.asns.empty() : !items.prefixes.empty();
      if (others) complain(0, std::string("has items that are not ") + ItemForm<Item>::kWhat);
    } else {
      reader.error(node, "bgpq4 writes prefixes and AS numbers only", "use 'file'");
    }
  }

  PolicySources& into_;
  Diagnostics& diagnostics_;
  const ReadSetFile& read_;
};

/// Everything a policy depends on, as text: itself, and each policy and set it names, once.
class Canonical {
 public:
  explicit Canonical(const PolicyLibrary& library) : library_(library) {}

  // The digests stay: sets are the same for all policies.
  std::string of(const std::string& name) {
    text_.clear();
    done_.clear();
    policy(name);
    return text_;
  }

 private:
  void policy(const std::string& name) {
    // Each policy once. This also ends the recursion for policies that name each other.
    if (!done_.insert("policy " + name).second) return;
    for (const minibgp::PolicyDefinition& definition : library_.policies) {
      if (definition.name != name) continue;
      text_ += "policy " + name + "\n";
      for (const minibgp::PolicyTerm& term : definition.terms) {
        text_ += "term " + term.name + "\n";
        for (const minibgp::PolicyMatch& match : term.matches) condition(match);
        for (const minibgp::PolicyEdit& edit : term.edits)
          std::visit([&](const auto& action) { thing(minibgp::to_text(edit), action); }, edit.action);
        if (term.call) text_ += "call " + term.call->name + "\n";
        text_ += std::string(minibgp::to_text(term.verdict)) + "\n";
        if (term.call) called_.push_back(term.call->name);
      }
    }
    // Called policies follow behind the text of the caller. Where they stand does not matter, as long as the same
    // policies give the same text.
    while (!called_.empty()) {
      const std::string next = called_.back();
      called_.pop_back();
      policy(next);
    }
  }

  void condition(const minibgp::PolicyMatch& match) {
    if (const auto* inner = std::get_if<minibgp::match::Not>(&match.condition)) {
      text_ += "not\n";
      for (const minibgp::PolicyMatch& one : inner->all) condition(one);
      text_ += "end\n";
    } else if (const auto* lists = std::get_if<minibgp::match::AnyOf>(&match.condition)) {
      for (const auto& all : lists->any) {
        text_ += "or\n";
        for (const minibgp::PolicyMatch& one : all) condition(one);
      }
      text_ += "end\n";
    } else {
      if (const auto* asked = std::get_if<minibgp::match::PolicyAccepts>(&match.condition))
        called_.push_back(asked->policy.name);
      std::visit([&](const auto& one) { thing(minibgp::to_text(match), one); }, match.condition);
    }
  }

  /// The text of lists is cut, so items are written out here.
  template <typename Thing>
  void thing(const std::string& text, const Thing& one) {
    text_ += text + "\n";
    if constexpr (requires {
                    one.sets;
                    one.items;
                  }) {
      // In their order: a list that was only sorted anew counts as changed.
      text_ += digest(one.items);
      for (const minibgp::NameRef& set : one.sets) set_of(one.items, set.name);
    }
  }

  template <typename Items>
  static std::string digest(const Items& items) {
    // FNV-1a with 64 bits. Two lists with one digest would count as the same, and a change of the list would go
    // unnoticed.
    std::uint64_t hash = 0xCBF29CE484222325U;
    for (const auto& item : items)
      for (const char c : minibgp::to_text(item) + ";") hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    return std::to_string(items.size()) + " items, " + std::to_string(hash) + "\n";
  }

  template <typename Item>
  void set_of(const std::vector<Item>&, const std::string& name) {
    const auto& sets = [&]() -> const std::vector<NamedSet<Item>>& {
      if constexpr (std::is_same_v<Item, PrefixRange>)
        return library_.prefix_sets;
      else if constexpr (std::is_same_v<Item, AsnRange>)
        return library_.asn_sets;
      else if constexpr (std::is_same_v<Item, minibgp::CommunityPattern>)
        return library_.community_sets;
      else if constexpr (std::is_same_v<Item, minibgp::ExtendedCommunityPattern>)
        return library_.extended_community_sets;
      else if constexpr (std::is_same_v<Item, minibgp::LargeCommunityPattern>)
        return library_.large_community_sets;
      else
        return library_.next_hop_sets;
    }();
    for (const NamedSet<Item>& set : sets) {
      if (set.name != name) continue;
      // A set of a million entries is hashed once, however many policies name it.
      std::string& known = digests_[&set];
      if (known.empty()) known = digest(set.items);
      text_ += "set " + known;
    }
  }

  const PolicyLibrary& library_;
  std::string text_;
  std::set<std::string> done_;
  std::vector<std::string> called_;
  std::map<const void*, std::string> digests_;
};

}  // namespace

std::string beside(const std::string& file, const std::string& path) {
  if (path.starts_with('/')) return path;
  // npos + 1 is 0: without a slash there is no directory to put in front.
  return file.substr(0, file.rfind('/') + 1) + path;
}

Place PolicySources::place(const SourceMark& mark) const {
  return {mark.file < files.size() ? files[mark.file] : std::string{}, mark.line, mark.column};
}

std::optional<std::string> read_set_file(const std::string& path, std::string& error) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) {
    error = std::strerror(errno);
    return std::nullopt;
  }
  // Negative for a pipe or a directory, which have no size.
  const auto size = in.tellg();
  if (size < 0 || static_cast<std::size_t>(size) > kSetFileOctetsMax) {
    error = size < 0 ? "not a file" : "larger than 512 MiB";
    return std::nullopt;
  }
  std::string text(static_cast<std::size_t>(size), '\0');
  in.seekg(0);
  in.read(text.data(), size);
  if (!in) {
    error = "cannot be read to its end";
    return std::nullopt;
  }
  return text;
}

PolicySources read_policy_sources(const std::vector<PolicyDocument>& documents, const InlinePolicies& in_place,
                                  Diagnostics& diagnostics, const ReadSetFile& read) {
  PolicySources sources;
  SourcesReader reader(sources, diagnostics, read);
  for (const PolicyDocument& document : documents) reader.document(document);
  for (const auto& [name, written] : in_place) reader.in_place(name, written.first, written.second);
  return sources;
}

std::map<std::string, PolicyDefinition> compile_policy_sources(const PolicySources& sources,
                                                               const std::vector<std::string>& attached,
                                                               Diagnostics& diagnostics) {
  const auto where = [](const minibgp::PolicyError& found) {
    // A policy that was written in place has a name in parentheses, which means nothing to the reader; the place says
    // enough.
    if (found.policy.empty() || found.policy.front() == '(') return std::string{};
    return "policy '" + found.policy + "'" + (found.term.empty() ? "" : ", " + found.term) + ": ";
  };
  std::map<std::string, PolicyDefinition> compiled;
  const auto table = minibgp::compile_policies(sources.library);
  if (!table) {
    for (const minibgp::PolicyError& error : table.error())
      diagnostics.error(sources.place(error.mark), where(error) + error.text, error.hint);
    return compiled;
  }
  for (const minibgp::PolicyError& remark : minibgp::lint_policies(sources.library, attached))
    diagnostics.warning(sources.place(remark.mark), where(remark) + remark.text, remark.hint);
  Canonical canonical(sources.library);
  for (const auto& [name, policy] : *table) compiled.emplace(name, PolicyDefinition{canonical.of(name), policy});
  return compiled;
}

}  // namespace bgplite
