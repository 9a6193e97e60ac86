#include <apps/bgplite/config/policy_writer.h>
#include <bgp/text.h>

#include <algorithm>
#include <vector>

namespace bgplite {
namespace {

using minibgp::ItemsOrSets;
using minibgp::PolicyEdit;
using minibgp::PolicyMatch;
using minibgp::PolicyTerm;
using minibgp::to_text;
namespace match = minibgp::match;
namespace edit = minibgp::edit;

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

std::string listed(const std::vector<std::string>& texts) {
  if (texts.size() == 1) return yaml_scalar(texts[0]);
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + yaml_scalar(text);
  return "[" + all + "]";
}

template <typename Item>
std::string listed(const ItemsOrSets<Item>& list) {
  std::vector<std::string> texts;
  for (const Item& item : list.items) texts.push_back(to_text(item));
  // Items and names of sets share one list, as the reader takes them.
  for (const minibgp::NameRef& set : list.sets) texts.push_back(set.name);
  return listed(texts);
}

std::string sequence(const std::vector<minibgp::Asn>& asns) {
  std::string text;
  for (const minibgp::Asn asn : asns) text += (text.empty() ? "" : " ") + to_text(asn);
  return text;
}

std::string matches_text(const std::vector<PolicyMatch>& matches);

template <typename Match>
std::string community_key(const char* name, const Match& m) {
  return std::string(name) + (m.quantifier == minibgp::Quantifier::all ? "_all: " : ": ") + listed(m);
}

/// "prefix: 192.168.0.0/16 le 24". Short values are those to_text() writes, behind their key.
std::string match_text(const PolicyMatch& one) {
  const auto short_form = [&] {
    const std::string text = to_text(one);
    const std::size_t space = text.find(' ');
    // "key value", as the text begins with the key and has no blank before its end.
    return text.substr(0, space) + ": " + yaml_scalar(text.substr(space + 1));
  };
  return std::visit(
      Overloaded{
          [](const match::PrefixIn& m) { return "prefix: " + listed(m); },
          [](const match::AsPathRegex& m) { return "as_path: " + listed(m.any); },
          [](const match::AsPathContains& m) { return "as_path_contains: " + listed(m); },
          [](const match::AsPathStarts& m) { return "as_path_starts: " + yaml_scalar(sequence(m.sequence)); },
          [](const match::AsPathEnds& m) { return "as_path_ends: " + yaml_scalar(sequence(m.sequence)); },
          [](const match::NeighborAs& m) { return "neighbor_as: " + listed(m); },
          [](const match::OriginAs& m) { return "origin_as: " + listed(m); },
          [](const match::CommunityIn& m) { return community_key("community", m); },
          [](const match::ExtendedCommunityIn& m) { return community_key("extended_community", m); },
          [](const match::LargeCommunityIn& m) { return community_key("large_community", m); },
          [](const match::NextHopIn& m) { return "next_hop: " + listed(m); },
          [](const match::PeerIs& m) { return "peer: " + listed(m.any); },
          [](const match::TunnelIs& m) { return "tunnel: " + listed(m.any); },
          [](const match::Not& m) { return "not: " + matches_text(m.all); },
          [](const match::AnyOf& m) {
            std::string text;
            for (const auto& all : m.any) text += (text.empty() ? "" : ", ") + matches_text(all);
            return "any: [" + text + "]";
          },
          [&](const auto&) { return short_form(); },
      },
      one.condition);
}

/// A key can stand once in a mapping; conditions that share one become `not: { not: ... }`, which means the same.
std::string matches_text(const std::vector<PolicyMatch>& matches) {
  std::vector<std::string> parts;
  std::vector<std::string> keys;
  std::vector<PolicyMatch> left = matches;
  std::string twice;
  for (const PolicyMatch& one : left) {
    std::string text = match_text(one);
    const std::string key = text.substr(0, text.find(':'));
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      keys.push_back(key);
      parts.push_back(std::move(text));
    } else {
      // De Morgan: `not: { any: [ { not: a }, { not: b } ] }` holds when a and b do.
      twice += (twice.empty() ? "" : ", ") + std::string("{ not: { ") + text + " } }";
    }
  }
  std::string all;
  for (const std::string& part : parts) all += (all.empty() ? "" : ", ") + part;
  if (!twice.empty()) {
    // Not one of the negated ones: each of them holds.
    const bool free = std::find(keys.begin(), keys.end(), "not") == keys.end();
    // Where `not` is taken already, all conditions go below one `not`.
    all = free ? all + ", not: { any: [" + twice + "] }" : "not: { any: [{ not: { " + all + " } }, " + twice + "] }";
  }
  return "{ " + all + " }";
}

template <typename Edit>
std::string list_edit(const char* name, const Edit& e) {
  const char* const op = e.op == edit::ListOp::set ? "set_" : e.op == edit::ListOp::add ? "add_" : "remove_";
  const bool none = e.items.empty() && e.sets.empty();
  return std::string(op) + name + ": " + (none ? "none" : listed(e));
}

std::string choice(const minibgp::AsnChoice& asn) {
  using Which = minibgp::AsnChoice::Which;
  return asn.which == Which::own ? "own" : asn.which == Which::leftmost ? "leftmost" : to_text(asn.asn);
}

std::string edit_text(const PolicyEdit& one) {
  return std::visit(Overloaded{
                        [](const edit::Prepend& e) {
                          return "prepend: { asn: " + choice(e.asn) + ", times: " + std::to_string(e.times) + " }";
                        },
                        [](const edit::ReplaceAsn& e) {
                          const std::string what = e.what == edit::ReplaceAsn::What::any            ? "any"
                                                   : e.what == edit::ReplaceAsn::What::private_asns ? "private"
                                                                                                    : to_text(e.asn);
                          return "replace: { asn: " + what + ", with: " + choice(e.with) + " }";
                        },
                        [](const edit::Communities& e) { return list_edit("community", e); },
                        [](const edit::ExtendedCommunities& e) { return list_edit("extended_community", e); },
                        [](const edit::LargeCommunities& e) { return list_edit("large_community", e); },
                        [&](const auto&) {
                          const std::string text = to_text(one);
                          const std::size_t space = text.find(' ');
                          return text.substr(0, space) + ": " + yaml_scalar(text.substr(space + 1));
                        },
                    },
                    one.action);
}

/// A mapping, or, where a key would stand twice, a list of mappings.
std::string edits_text(const std::vector<PolicyEdit>& edits) {
  std::vector<std::string> texts, keys;
  bool twice = false;
  for (const PolicyEdit& one : edits) {
    texts.push_back(edit_text(one));
    const std::string key = texts.back().substr(0, texts.back().find(':'));
    twice = twice || std::find(keys.begin(), keys.end(), key) != keys.end();
    keys.push_back(key);
  }
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + (twice ? "{ " + text + " }" : text);
  return twice ? "[" + all + "]" : "{ " + all + " }";
}

std::string term_text(const PolicyTerm& term) {
  std::vector<std::string> parts;
  if (!term.name.empty()) parts.push_back("name: " + yaml_scalar(term.name));
  if (!term.matches.empty()) parts.push_back("match: " + matches_text(term.matches));
  if (!term.edits.empty()) parts.push_back("then: " + edits_text(term.edits));
  if (term.call) parts.push_back("call: " + yaml_scalar(term.call->name));
  // `next` is what a term does without a verdict; an empty term needs a key to be a mapping.
  if (term.verdict != minibgp::TermVerdict::next || parts.empty())
    parts.push_back(std::string(to_text(term.verdict)) + ": true");
  std::string all;
  for (const std::string& part : parts) all += (all.empty() ? "" : ", ") + part;
  return "{ " + all + " }";
}

template <typename Sets>
void write_sets(const char* key, const Sets& sets, std::string& into) {
  if (sets.empty()) return;
  into += std::string(key) + ":\n";
  for (const auto& set : sets) {
    into += "  " + yaml_scalar(set.name) + ":\n";
    for (const auto& item : set.items) into += "    - " + yaml_scalar(to_text(item)) + "\n";
  }
}

/// In double quotes, the only form that has escapes: single quotes would make a line's end a blank.
template <typename Control>
std::string escaped(std::string_view text, Control control) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (control(c)) {
      quoted += "\\x";
      quoted += kDigits[static_cast<unsigned char>(c) >> 4U];
      quoted += kDigits[static_cast<unsigned char>(c) & 0xFU];
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

}  // namespace

std::string yaml_scalar(std::string_view text) {
  const auto is_in = [](char c, std::string_view set) { return set.find(c) != std::string_view::npos; };
  const auto alnum = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  // What does not surely read as plain text gets quotation marks.
  const bool plain = !text.empty() && (alnum(text[0]) || (text.size() > 1 && is_in(text[0], "+-") && alnum(text[1]))) &&
                     text.back() != ' ' && text.back() != ':' && text.find(": ") == std::string_view::npos &&
                     std::all_of(text.begin(), text.end(), [&](char c) { return alnum(c) || is_in(c, " ._/:+-"); });
  // Plain, these three are no text but nothing at all (YAML 1.2 s.10.3.2).
  if (plain && text != "null" && text != "Null" && text != "NULL") return std::string(text);
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (std::any_of(text.begin(), text.end(), control)) return escaped(text, control);
  std::string quoted = "'";
  for (const char c : text) {
    // Within single quotes YAML doubles them, and knows no other escape.
    if (c == '\'') quoted += c;
    quoted += c;
  }
  return quoted + "'";
}

std::string write_policies(const minibgp::PolicyLibrary& library) {
  std::string text;
  write_sets("prefix_sets", library.prefix_sets, text);
  write_sets("asn_sets", library.asn_sets, text);
  write_sets("community_sets", library.community_sets, text);
  write_sets("extended_community_sets", library.extended_community_sets, text);
  write_sets("large_community_sets", library.large_community_sets, text);
  write_sets("next_hop_sets", library.next_hop_sets, text);
  if (library.policies.empty()) return text;
  text += "policies:\n";
  for (const minibgp::PolicyDefinition& policy : library.policies) {
    text += "  " + yaml_scalar(policy.name) + ":" + (policy.terms.empty() ? " []\n" : "\n");
    for (const PolicyTerm& term : policy.terms) text += "    - " + term_text(term) + "\n";
  }
  return text;
}

}  // namespace bgplite
