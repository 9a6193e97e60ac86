#include <apps/bgplite/config/policy_route.h>
#include <bgp/text.h>

#include <algorithm>
#include <charconv>

namespace bgplite {
namespace {

using minibgp::LocalAttributes;
using minibgp::NextHopChoice;
using minibgp::PathAttributes;
using minibgp::to_text;
using Values = std::vector<std::string>;

template <typename Number>
std::optional<Number> number_of(const std::string& text) {
  Number value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <typename Number>
/// False: unreadable. "none" is readable, and leaves `into` empty.
bool optional_number(const std::string& text, std::optional<Number>& into) {
  into.reset();
  if (text == "none") return true;
  into = number_of<Number>(text);
  return into.has_value();
}

/// Values may stand in one text, separated by blanks: "65001:1 65001:2".
template <typename Value>
bool sorted_values(const Values& texts, std::optional<Value> (*parse)(std::string_view), std::vector<Value>& into) {
  into.clear();
  for (const std::string& text : texts) {
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t begin = text.find_first_not_of(' ', at);
      if (begin == std::string::npos) break;
      const std::size_t end = std::min(text.find(' ', begin), text.size());
      const std::string word = text.substr(begin, end - begin);
      at = end;
      // "none" beside other values is no value, and parse() refuses it.
      if (word == "none" && texts.size() == 1) continue;
      const auto value = parse(word);
      if (!value) return false;
      into.push_back(*value);
    }
  }
  // As the decoder leaves them: in order, each once. Attributes are compared as they are.
  std::sort(into.begin(), into.end());
  into.erase(std::unique(into.begin(), into.end()), into.end());
  return true;
}

template <typename Value>
std::string spaced(const std::vector<Value>& values) {
  std::string text;
  for (const Value& value : values) text += (text.empty() ? "" : " ") + to_text(value);
  return text.empty() ? "none" : text;
}

template <typename Number>
std::string number_text(const std::optional<Number>& number) {
  return number ? std::to_string(*number) : "none";
}

bool truth(const std::string& text, std::optional<bool>& into) {
  if (text != "true" && text != "false") return false;
  into = text == "true";
  return true;
}

/// Whether two routes have the same in a member, or in one of those that stay here.
template <auto kMember>
bool same(const PathAttributes& a, const PathAttributes& b) {
  return a.*kMember == b.*kMember;
}
template <auto kMember>
bool same_local(const PathAttributes& a, const PathAttributes& b) {
  return a.local.*kMember == b.local.*kMember;
}

/// One field: what a value must be, how it is set (from the first text, where one is enough), and, for attributes, what
/// it reads as and whether two routes have the same.
struct RouteField {
  std::string_view name;
  const char* what;
  bool (*set)(PolicyRoute& route, const Values& values);
  std::string (*text)(const PathAttributes& attributes) = nullptr;
  bool (*same)(const PathAttributes& a, const PathAttributes& b) = nullptr;
};

const RouteField kRouteFields[] = {
    {"prefix", "a prefix",
     [](PolicyRoute& r, const Values& v) {
       r.prefix = minibgp::parse_prefix(v[0]);
       return r.prefix.has_value();
     }},
    {"as_path", "an AS path such as '65001 65002 {65003,65004}'",
     [](PolicyRoute& r, const Values& v) {
       std::string joined;
       // A list is read as one path, its items being parts of it.
       for (const std::string& part : v) joined += (joined.empty() ? "" : " ") + part;
       const auto path = minibgp::parse_as_path(joined == "none" ? "" : joined);
       if (path) r.attributes.as_path = *path;
       return path.has_value();
     },
     [](const PathAttributes& a) { return a.as_path.empty() ? "none" : to_text(a.as_path); },
     &same<&PathAttributes::as_path>},
    {"next_hop", "an address, self, unchanged or peer",
     [](PolicyRoute& r, const Values& v) {
       // The order to the policy engine and the address are two members; an order leaves the address alone.
       for (const auto choice : {NextHopChoice::self, NextHopChoice::unchanged, NextHopChoice::peer})
         if (v[0] == to_text(choice)) return r.attributes.local.next_hop = choice, true;
       if (v[0].empty()) return true;  // What `show routes --json` says of our own networks.
       const auto address = minibgp::parse_address(v[0]);
       if (address) r.attributes.next_hop.address = *address;
       return address.has_value();
     },
     [](const PathAttributes& a) {
       const bool order = a.local.next_hop != NextHopChoice::by_rule && a.local.next_hop != NextHopChoice::address;
       return order ? std::string(to_text(a.local.next_hop)) : to_text(a.next_hop.address);
     },
     [](const PathAttributes& a, const PathAttributes& b) {
       return a.next_hop == b.next_hop && a.local.next_hop == b.local.next_hop;
     }},
    {"origin", "igp, egp or incomplete",
     [](PolicyRoute& r, const Values& v) {
       for (const auto origin : {minibgp::Origin::igp, minibgp::Origin::egp, minibgp::Origin::incomplete})
         if (v[0] == to_text(origin)) return r.attributes.origin = origin, true;
       return false;
     },
     [](const PathAttributes& a) { return std::string(to_text(a.origin)); }, &same<&PathAttributes::origin>},
    {"med", "a number or none", [](PolicyRoute& r, const Values& v) { return optional_number(v[0], r.attributes.med); },
     [](const PathAttributes& a) { return number_text(a.med); }, &same<&PathAttributes::med>},
    {"local_pref", "a number or none",
     [](PolicyRoute& r, const Values& v) { return optional_number(v[0], r.attributes.local_pref); },
     [](const PathAttributes& a) { return number_text(a.local_pref); }, &same<&PathAttributes::local_pref>},
    {"weight", "a number",
     [](PolicyRoute& r, const Values& v) {
       const auto number = number_of<std::uint32_t>(v[0]);
       r.attributes.local.weight = number.value_or(0);
       return number.has_value();
     },
     [](const PathAttributes& a) { return std::to_string(a.local.weight); }, &same_local<&LocalAttributes::weight>},
    {"community", "communities such as 65001:100",
     [](PolicyRoute& r, const Values& v) {
       return sorted_values(v, &minibgp::parse_community, r.attributes.communities);
     },
     [](const PathAttributes& a) { return spaced(a.communities); }, &same<&PathAttributes::communities>},
    {"extended_community", "extended communities such as rt:65001:100",
     [](PolicyRoute& r, const Values& v) {
       return sorted_values(v, &minibgp::parse_extended_community, r.attributes.extended_communities);
     },
     [](const PathAttributes& a) { return spaced(a.extended_communities); },
     &same<&PathAttributes::extended_communities>},
    {"large_community", "large communities such as 65001:1:2",
     [](PolicyRoute& r, const Values& v) {
       return sorted_values(v, &minibgp::parse_large_community, r.attributes.large_communities);
     },
     [](const PathAttributes& a) { return spaced(a.large_communities); }, &same<&PathAttributes::large_communities>},
    {"fib_metric", "a number or none",
     [](PolicyRoute& r, const Values& v) { return optional_number(v[0], r.attributes.local.fib_metric); },
     [](const PathAttributes& a) { return number_text(a.local.fib_metric); },
     &same_local<&LocalAttributes::fib_metric>},
    {"fib_table", "a number or none",
     [](PolicyRoute& r, const Values& v) { return optional_number(v[0], r.attributes.local.fib_table); },
     [](const PathAttributes& a) { return number_text(a.local.fib_table); }, &same_local<&LocalAttributes::fib_table>},
    {"fib_prefsrc", "an address or none",
     [](PolicyRoute& r, const Values& v) {
       r.attributes.local.fib_prefsrc = minibgp::parse_address(v[0]);
       return v[0] == "none" || r.attributes.local.fib_prefsrc.has_value();
     },
     [](const PathAttributes& a) { return a.local.fib_prefsrc ? to_text(*a.local.fib_prefsrc) : "none"; },
     &same_local<&LocalAttributes::fib_prefsrc>},
    {"ecmp_weight", "a number",
     [](PolicyRoute& r, const Values& v) {
       const auto number = number_of<std::uint16_t>(v[0]);
       r.attributes.local.ecmp_weight = number.value_or(0);
       return number.has_value();
     },
     [](const PathAttributes& a) { return std::to_string(a.local.ecmp_weight); },
     &same_local<&LocalAttributes::ecmp_weight>},
    {"peer", "a peer's name", [](PolicyRoute& r, const Values& v) { return r.peer = v[0], true; }},
    {"tunnel", "a tunnel's name", [](PolicyRoute& r, const Values& v) { return r.tunnel = v[0], true; }},
    {"peer_type", "ebgp or ibgp",
     [](PolicyRoute& r, const Values& v) {
       r.peer_type = v[0] == "ibgp" ? minibgp::PeerType::ibgp : minibgp::PeerType::ebgp;
       return v[0] == "ibgp" || v[0] == "ebgp";
     }},
    {"local_as", "an AS number",
     [](PolicyRoute& r, const Values& v) { return (r.local_as = minibgp::parse_asn(v[0])).has_value(); }},
    {"peer_as", "an AS number",
     [](PolicyRoute& r, const Values& v) { return (r.peer_as = minibgp::parse_asn(v[0])).has_value(); }},
    {"own_prefix", "true or false", [](PolicyRoute& r, const Values& v) { return truth(v[0], r.own_prefix); }},
    {"covers_ike_endpoint", "true or false",
     [](PolicyRoute& r, const Values& v) { return truth(v[0], r.covers_ike_endpoint); }},
    {"rpki", "valid, invalid or not-found",
     [](PolicyRoute& r, const Values& v) {
       for (const auto state : {minibgp::RpkiState::valid, minibgp::RpkiState::invalid, minibgp::RpkiState::not_found})
         if (v[0] == to_text(state)) return r.rpki = state, true;
       return false;
     }},
};

const RouteField* field_named(std::string_view name) {
  // Plurals are what `show routes --json` writes.
  if (name == "communities") name = "community";
  if (name == "extended_communities") name = "extended_community";
  if (name == "large_communities") name = "large_community";
  const auto found = std::find_if(std::begin(kRouteFields), std::end(kRouteFields),
                                  [&](const RouteField& field) { return field.name == name; });
  return found == std::end(kRouteFields) ? nullptr : found;
}

/// As YAML's flow style takes it: in quotes where it would end the value or begin something else.
std::string quoted(const std::string& text) {
  const bool plain = text.find_first_of(",{}[]#&*!|>'\"%@`?") == std::string::npos && !text.ends_with(':');
  return plain ? text : "'" + text + "'";
}

bool takes_many(std::string_view name) { return name == "as_path" || name.ends_with("community"); }

}  // namespace

std::optional<std::string> set_route_field(PolicyRoute& route, std::string_view name, const Values& values) {
  const RouteField* field = field_named(name);
  if (field == nullptr) return "unknown field '" + std::string(name) + "'";
  // `[]` is the same as "none".
  const Values one = values.empty() ? Values{"none"} : values;
  const bool fits = one.size() == 1 || takes_many(field->name);
  if (fits && field->set(route, one)) return std::nullopt;
  // The values as they were given, not as they were understood.
  std::string shown;
  for (const std::string& value : values) shown += (shown.empty() ? "" : ", ") + value;
  return std::string(field->name) + " must be " + field->what + ", not '" + shown + "'";
}

const std::vector<std::string_view>& route_field_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const RouteField& field : kRouteFields) all.push_back(field.name);
    return all;
  }();
  return names;
}

std::vector<AttributeText> attribute_texts(const PathAttributes& attributes) {
  std::vector<AttributeText> texts;
  for (const RouteField& field : kRouteFields)
    if (field.text != nullptr) texts.push_back({field.name, field.text(attributes)});
  return texts;
}

std::optional<std::string_view> attribute_name(std::string_view name) {
  const RouteField* field = field_named(name);
  if (field == nullptr || field->text == nullptr) return std::nullopt;
  return field->name;
}

std::string to_text(const PolicyRoute& route) {
  std::string text;
  const auto add = [&](std::string_view name, const std::string& value) {
    text += (text.empty() ? "" : ", ") + std::string(name) + ": " + quoted(value);
  };
  if (route.prefix) add("prefix", to_text(*route.prefix));
  for (const AttributeChange& given : changes_between({}, route.attributes)) add(given.name, given.after);
  if (route.peer) add("peer", *route.peer);
  if (route.tunnel) add("tunnel", *route.tunnel);
  if (route.peer_type) add("peer_type", std::string(to_text(*route.peer_type)));
  if (route.local_as) add("local_as", to_text(*route.local_as));
  if (route.peer_as) add("peer_as", to_text(*route.peer_as));
  if (route.own_prefix) add("own_prefix", *route.own_prefix ? "true" : "false");
  if (route.covers_ike_endpoint) add("covers_ike_endpoint", *route.covers_ike_endpoint ? "true" : "false");
  if (route.rpki) add("rpki", std::string(to_text(*route.rpki)));
  return "{ " + text + " }";
}

std::string changed_attributes(const PathAttributes& before, const PathAttributes& after) {
  std::string names;
  for (const RouteField& field : kRouteFields)
    if (field.same != nullptr && !field.same(before, after))
      names += (names.empty() ? "" : ", ") + std::string(field.name);
  return names;
}

std::vector<AttributeChange> changes_between(const PathAttributes& before, const PathAttributes& after) {
  std::vector<AttributeChange> changes;
  for (const RouteField& field : kRouteFields) {
    // No attribute: nothing that an edit may have changed.
    if (field.text == nullptr || field.same(before, after)) continue;
    std::string old_text = field.text(before);
    std::string new_text = field.text(after);
    if (old_text != new_text) changes.push_back({field.name, std::move(old_text), std::move(new_text)});
  }
  return changes;
}

std::optional<std::string> expected_text(std::string_view name, const Values& values, std::string& error) {
  const RouteField* field = field_named(name);
  if (field == nullptr || field->text == nullptr) {
    error = "'" + std::string(name) + "' is no attribute";
    return std::nullopt;
  }
  // Set and read back, so that what is expected has the same form as what came out.
  PolicyRoute route;
  if (auto wrong = set_route_field(route, name, values)) {
    error = *std::move(wrong);
    return std::nullopt;
  }
  return field->text(route.attributes);
}

}  // namespace bgplite
