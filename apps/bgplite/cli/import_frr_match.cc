/// "match" lines of FRR's route-maps as conditions of ours.
#include <apps/bgplite/cli/import_frr_policy.h>
#include <bgp/text.h>

#include <algorithm>
#include <optional>

namespace bgplite::cli {
namespace {

namespace match = minibgp::match;

constexpr const char* kNotUnderstood = "not understood";

struct AttributeWords {
  std::string_view words;  ///< After "match" or "set".
  char attribute;
};
constexpr AttributeWords kAttributeWords[] = {
    {"as-path", 'a'},          {"community", 'c'},    {"comm-list", 'c'},          {"large-community", 'l'},
    {"large-comm-list", 'l'},  {"extcommunity", 'e'}, {"extended-comm-list", 'e'}, {"metric", 'm'},
    {"local-preference", 'p'}, {"origin", 'o'},       {"ip next-hop", 'n'},        {"ipv6 next-hop", 'n'},
};

std::optional<minibgp::Origin> match_origin_of(const std::string& text) {
  for (const auto origin : {minibgp::Origin::igp, minibgp::Origin::egp, minibgp::Origin::incomplete})
    if (text == minibgp::to_text(origin)) return origin;
  return std::nullopt;
}

}  // namespace

char frr_attribute_of(const FrrLine& line) {
  FrrLine words = line;
  if (!words.words.empty()) words.words.erase(words.words.begin());
  for (const AttributeWords& row : kAttributeWords)
    if (words.starts(row.words)) return row.attribute;
  return ' ';
}

std::string FrrMatches::add(const FrrLine& line, Matches& into) {
  struct Row {
    std::string_view words;
    std::string (FrrMatches::*read)(const FrrLine&, Matches&);
  };
  static constexpr Row kRows[] = {
      {"match ip address prefix-len", &FrrMatches::prefix_length},
      {"match ipv6 address prefix-len", &FrrMatches::prefix_length},
      {"match ip address", &FrrMatches::address},
      {"match ipv6 address", &FrrMatches::address},
      {"match as-path", &FrrMatches::as_path},
      {"match community", &FrrMatches::community},
      {"match large-community", &FrrMatches::community},
      {"match extcommunity", &FrrMatches::community},
      {"match local-preference", &FrrMatches::number},
      {"match metric", &FrrMatches::number},
      {"match origin", &FrrMatches::origin},
      {"match ip next-hop", &FrrMatches::next_hop},
      {"match peer", &FrrMatches::peer},
  };
  if (line.starts("match rpki")) return "routes are not validated here";
  for (const Row& row : kRows)
    if (line.starts(row.words)) return (this->*row.read)(line, into);
  return "there is no such condition here";
}

std::string FrrMatches::by_list(const std::string& kind, const std::string& name, Matches& into) {
  switch (lists_.use(kind, name)) {
    case FrrLists::State::incomplete:
      return "list " + name + " could not be translated";
    case FrrLists::State::undefined:
    case FrrLists::State::empty:
      into.push_back(frr_never());
      return {};
    case FrrLists::State::usable:
      break;
  }
  into.push_back(lists_.permitted_by(kind, name));
  return {};
}

/// "match ip address NAME", "match ip address prefix-list NAME".
std::string FrrMatches::address(const FrrLine& line, Matches& into) {
  const std::string family = line.at(1) == "ip" ? "" : "ipv6 ";
  const bool list = line.at(3) == "prefix-list";
  if (line.words.size() != (list ? 5U : 4U)) return kNotUnderstood;
  return list ? by_list(family + "prefix-list", line.at(4), into) : by_list(family + "access-list", line.at(3), into);
}

std::string FrrMatches::as_path(const FrrLine& line, Matches& into) {
  if (line.words.size() != 3) return kNotUnderstood;
  return by_list("as-path", line.at(2), into);
}

std::string FrrMatches::community(const FrrLine& line, Matches& into) {
  if (line.words.size() != 3) return "'" + line.from(3) + "' cannot be said here";
  return by_list(line.at(1), line.at(2), into);
}

std::string FrrMatches::prefix_length(const FrrLine& line, Matches& into) {
  const auto length = frr_number(line.at(4));
  const bool v4 = line.at(1) == "ip";
  if (!length || *length > (v4 ? 32U : 128U)) return kNotUnderstood;
  match::PrefixIn in;
  const minibgp::Prefix all = minibgp::Prefix::of(v4 ? minibgp::IpAddress{} : minibgp::IpAddress::v6({}), 0);
  in.items.push_back({all, static_cast<std::uint8_t>(*length), static_cast<std::uint8_t>(*length), {}});
  into.push_back(frr_when(in));
  return {};
}

std::string FrrMatches::number(const FrrLine& line, Matches& into) {
  const auto value = frr_number(line.at(2));
  if (!value || line.words.size() != 3) return kNotUnderstood;
  const minibgp::NumberRange range{*value, *value};
  if (line.at(1) == "local-preference") {
    into.push_back(frr_when(match::LocalPrefIs{range}));
  } else if (*value == 0) {
    // FRR reads 0 where there is no MED.
    into.push_back(frr_when(match::AnyOf{{{frr_when(match::MedIs{range})}, {frr_when(match::MedIs{std::nullopt})}}}));
  } else {
    into.push_back(frr_when(match::MedIs{range}));
  }
  return {};
}

std::string FrrMatches::origin(const FrrLine& line, Matches& into) {
  const auto origin = match_origin_of(line.at(2));
  if (!origin) return kNotUnderstood;
  into.push_back(frr_when(match::OriginIs{*origin}));
  return {};
}

/// "match ip next-hop address ADDRESS", "match ip next-hop prefix-list NAME".
std::string FrrMatches::next_hop(const FrrLine& line, Matches& into) {
  match::NextHopIn in;
  if (line.at(3) == "address") {
    const auto range = minibgp::parse_address_range(line.at(4));
    if (!range) return kNotUnderstood;
    in.items.push_back(*range);
    into.push_back(frr_when(in));
    return {};
  }
  if (line.at(3) != "prefix-list") return "there is no such condition on next hops here";
  const FrrLists::State state = lists_.use("prefix-list", line.at(4));
  if (state == FrrLists::State::undefined || state == FrrLists::State::empty) {
    into.push_back(frr_never());
    return {};
  }
  const FrrList* const list = lists_.find("prefix-list", line.at(4));
  for (const FrrListEntry& entry : list->entries) {
    const auto& range = std::get<match::PrefixIn>(entry.matches[0].condition).items[0];
    // The next hop is matched as a host route.
    if (state == FrrLists::State::incomplete || !entry.permit || range.le != minibgp::address_bits(range.prefix.family))
      return "only lists that permit host routes (le 32) can be said of next hops";
    in.items.push_back({range.prefix, {}});
  }
  if (in.items.empty()) return "list " + line.at(4) + " could not be translated";
  into.push_back(frr_when(in));
  return {};
}

std::string FrrMatches::peer(const FrrLine& line, Matches& into) {
  if (line.at(2) == "local") return "where a route of our own came from is no condition here";
  if (!minibgp::parse_address(line.at(2))) return "peers are named by their address here";
  into.push_back(frr_when(match::PeerIs{{line.at(2)}}));
  return {};
}

}  // namespace bgplite::cli
