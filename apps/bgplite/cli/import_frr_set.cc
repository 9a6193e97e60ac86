/// "set" lines of FRR's route-maps as edits of ours.
#include <apps/bgplite/cli/import_frr_policy.h>
#include <bgp/text.h>

#include <algorithm>
#include <optional>

namespace bgplite::cli {
namespace {

using minibgp::NumberChange;
using minibgp::PolicyEdit;
namespace match = minibgp::match;
namespace edit = minibgp::edit;
using FrrEdits = std::vector<PolicyEdit>;

template <typename Action>
bool add_edit(FrrEdits& into, Action action) {
  into.push_back({std::move(action), {}});
  return true;
}

/// "200", "+10", "-10".
std::optional<NumberChange> change_of(const std::string& text) {
  NumberChange change;
  if (text.starts_with('+')) change.op = NumberChange::Op::add;
  if (text.starts_with('-')) change.op = NumberChange::Op::subtract;
  const auto value = frr_number(std::string_view(text).substr(change.op == NumberChange::Op::set ? 0 : 1));
  if (!value) return std::nullopt;
  change.value = *value;
  return change;
}

/// local-preference, metric and weight.
template <typename Action>
bool set_number(const FrrLine& line, FrrEdits& into) {
  const auto change = change_of(line.at(2));
  return change && line.words.size() == 3 && add_edit(into, Action{*change});
}

bool set_origin(const FrrLine& line, FrrEdits& into) {
  for (const auto origin : {minibgp::Origin::igp, minibgp::Origin::egp, minibgp::Origin::incomplete})
    if (line.at(2) == minibgp::to_text(origin)) return add_edit(into, edit::SetOrigin{origin});
  return false;
}

bool set_prepend_last(const FrrLine& line, FrrEdits& into) {
  const auto times = frr_number(line.at(4));
  if (!times || *times == 0 || *times > minibgp::kPrependMax || line.words.size() != 5) return false;
  return add_edit(into, edit::Prepend{{minibgp::AsnChoice::Which::leftmost, {}}, *times});
}

/// The first AS named ends up in front, so they are prepended from the back.
bool set_prepend(const FrrLine& line, FrrEdits& into) {
  FrrEdits prepends;
  for (std::size_t i = line.words.size(); i-- > 3;) {
    const auto asn = minibgp::parse_asn(line.at(i));
    if (!asn) return false;
    const minibgp::AsnChoice choice{minibgp::AsnChoice::Which::given, *asn};
    auto* last = prepends.empty() ? nullptr : std::get_if<edit::Prepend>(&prepends.back().action);
    if (last != nullptr && last->asn == choice && last->times < minibgp::kPrependMax) {
      ++last->times;
    } else {
      static_cast<void>(add_edit(prepends, edit::Prepend{choice, 1}));
    }
  }
  into.insert(into.end(), prepends.begin(), prepends.end());
  return !prepends.empty();
}

/// "set community 65001:1 65001:2 additive", "set large-community none".
template <typename Action, typename Parse>
bool set_communities(const FrrLine& line, FrrEdits& into, Parse parse) {
  const bool additive = line.words.back() == "additive";
  Action action;
  action.op = additive ? edit::ListOp::add : edit::ListOp::set;
  if (line.at(2) == "none") return line.words.size() == 3 && add_edit(into, action);
  for (std::size_t i = 2; i < line.words.size() - (additive ? 1 : 0); ++i) {
    const auto one = parse(line.at(i));
    if (!one || !one->exact()) return false;
    action.items.push_back(*one);
  }
  return !action.items.empty() && add_edit(into, action);
}
bool set_standard(const FrrLine& line, FrrEdits& into) {
  return set_communities<edit::Communities>(line, into, [](const std::string& word) { return frr_community(word); });
}
bool set_large(const FrrLine& line, FrrEdits& into) {
  return set_communities<edit::LargeCommunities>(
      line, into, [](const std::string& word) { return minibgp::parse_large_community_pattern(word); });
}

/// Unlike communities, FRR always adds them.
bool set_extended(const FrrLine& line, FrrEdits& into) {
  edit::ExtendedCommunities extended;
  extended.op = edit::ListOp::add;
  for (std::size_t i = 3; i < line.words.size(); ++i) {
    const auto one = minibgp::parse_extended_community_pattern((line.at(2) == "rt" ? "rt:" : "ro:") + line.at(i));
    if (!one || !one->exact()) return false;
    extended.items.push_back(*one);
  }
  return !extended.items.empty() && add_edit(into, extended);
}

bool set_next_hop(const FrrLine& line, FrrEdits& into) {
  using Choice = minibgp::NextHopChoice;
  if (line.words.size() != 4) return false;
  if (line.at(3) == "peer-address") return add_edit(into, edit::SetNextHop{Choice::peer, {}});
  if (line.at(3) == "unchanged") return add_edit(into, edit::SetNextHop{Choice::unchanged, {}});
  const auto address = minibgp::parse_address(line.at(3));
  return address && add_edit(into, edit::SetNextHop{Choice::address, *address});
}

bool set_next_hop_v6(const FrrLine& line, FrrEdits& into) {
  const auto address = minibgp::parse_address(line.at(4));
  return address && add_edit(into, edit::SetNextHop{minibgp::NextHopChoice::address, *address});
}

bool set_next_hop_v6_of_peer(const FrrLine& line, FrrEdits& into) {
  return line.words.size() == 4 && add_edit(into, edit::SetNextHop{minibgp::NextHopChoice::peer, {}});
}

bool set_source(const FrrLine& line, FrrEdits& into) {
  const auto address = minibgp::parse_address(line.at(2));
  return address && add_edit(into, edit::FibPrefsrc{*address});
}

bool set_table(const FrrLine& line, FrrEdits& into) {
  const auto table = frr_number(line.at(2));
  return table && *table != 0 && add_edit(into, edit::FibTable{*table});
}

/// "set comm-list NAME delete".
bool delete_communities(const FrrLine& line, FrrLists& lists, FrrEdits& into) {
  const bool is_large = line.at(1) == "large-comm-list";
  const std::string kind = is_large ? "large-community" : "community";
  if (line.at(3) != "delete" || lists.use(kind, line.at(2)) != FrrLists::State::usable) return false;
  edit::Communities standard;
  edit::LargeCommunities large;
  standard.op = large.op = edit::ListOp::remove;
  for (const FrrListEntry& entry : lists.find(kind, line.at(2))->entries) {
    if (!entry.permit || entry.matches.size() != 1) return false;
    if (const auto* in = std::get_if<match::CommunityIn>(&entry.matches[0].condition)) {
      // FRR puts each community of the route before the list by itself: an entry of two matches none.
      if (in->items.size() != 1) return false;
      standard.items.push_back(in->items[0]);
    } else if (const auto* other = std::get_if<match::LargeCommunityIn>(&entry.matches[0].condition)) {
      if (other->items.size() != 1) return false;
      large.items.push_back(other->items[0]);
    }
  }
  if (standard.items.empty() && large.items.empty()) return false;
  return is_large ? add_edit(into, large) : add_edit(into, standard);
}

/// No filter here or at a peer decides by these.
constexpr std::string_view kHarmless[] = {
    "set tag",         "set metric-type",  "set distance",   "set aggregator", "set atomic-aggregate",
    "set sr-te color", "set label-index",  "set min-metric", "set max-metric", "set ipv6 next-hop prefer-global",
    "set aigp-metric", "set originator-id"};

}  // namespace

FrrSet frr_set_line(const FrrLine& line, FrrLists& lists, std::vector<PolicyEdit>& into) {
  struct Row {
    std::string_view words;
    bool (*read)(const FrrLine&, FrrEdits&);
  };
  static constexpr Row kRows[] = {
      {"set local-preference", &set_number<edit::LocalPref>},
      {"set metric", &set_number<edit::Med>},
      {"set weight", &set_number<edit::Weight>},
      {"set origin", &set_origin},
      {"set as-path prepend last-as", &set_prepend_last},
      {"set as-path prepend", &set_prepend},
      {"set community", &set_standard},
      {"set large-community", &set_large},
      {"set extcommunity rt", &set_extended},
      {"set extcommunity soo", &set_extended},
      {"set ip next-hop", &set_next_hop},
      {"set ipv6 next-hop global", &set_next_hop_v6},
      {"set ipv6 next-hop peer-address", &set_next_hop_v6_of_peer},
      {"set src", &set_source},
      {"set table", &set_table},
  };
  for (const std::string_view words : kHarmless)
    if (line.starts(words)) return FrrSet::harmless;
  const auto answer = [](bool carried) { return carried ? FrrSet::carried : FrrSet::unsaid; };
  if (line.starts("set comm-list") || line.starts("set large-comm-list"))
    return answer(delete_communities(line, lists, into));
  for (const Row& row : kRows)
    if (line.starts(row.words)) return answer(row.read(line, into));
  return FrrSet::unsaid;
}

}  // namespace bgplite::cli
