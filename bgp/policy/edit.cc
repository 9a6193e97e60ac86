#include <bgp/base/overloaded.h>
#include <bgp/policy/edit.h>

#include <algorithm>
#include <limits>

namespace minibgp::policy {
namespace {

using base::Overloaded;

constexpr std::uint32_t kDefaultLocalPref = 100;

std::uint32_t changed(std::uint32_t old, const NumberChange& change) {
  constexpr std::uint32_t kMax = std::numeric_limits<std::uint32_t>::max();
  switch (change.op) {
    case NumberChange::Op::set:
      return change.value;
    case NumberChange::Op::add:
      // Saturating, so that "+1" never makes the largest value the smallest.
      return old > kMax - change.value ? kMax : old + change.value;
    case NumberChange::Op::subtract:
      return old < change.value ? 0 : old - change.value;
  }
  return old;
}

/// None: leftmost of a path that has no such AS; the edit does nothing then, as in FRR.
std::optional<Asn> chosen(const AsnChoice& choice, const PolicyContext& context, const AsPath& path) {
  switch (choice.which) {
    case AsnChoice::Which::given:
      return choice.asn;
    case AsnChoice::Which::own:
      return context.local_as;
    case AsnChoice::Which::leftmost:
      return path.first();
  }
  return choice.asn;
}

void strip_private(AsPath& path) {
  AsPath kept;
  std::size_t at = 0;
  // As remove_private() of the export rules does it; policy does not know the speaker's code.
  for (const AsPath::Segment& segment : path.segments) {
    std::uint16_t count = 0;
    for (std::size_t i = 0; i < segment.count; ++i) {
      const Asn asn = path.asns[at + i];
      if (is_private(asn)) continue;
      kept.asns.push_back(asn);
      ++count;
    }
    at += segment.count;
    if (count == 0) continue;
    const bool joins = !kept.segments.empty() && segment.type == AsPath::SegmentType::sequence &&
                       kept.segments.back().type == AsPath::SegmentType::sequence;
    if (joins) {
      kept.segments.back().count = static_cast<std::uint16_t>(kept.segments.back().count + count);
    } else {
      kept.segments.push_back({segment.type, count});
    }
  }
  path = std::move(kept);
}

Community value_of(const CommunityPattern& pattern) { return Community{pattern.value}; }
ExtendedCommunity value_of(const ExtendedCommunityPattern& pattern) { return ExtendedCommunity{pattern.value}; }
LargeCommunity value_of(const LargeCommunityPattern& pattern) { return pattern.value; }

template <typename Edit, typename Value>
void edit_list(const Edit& edit, std::vector<Value>& values) {
  if (edit.op == edit::ListOp::remove) {
    const auto unwanted = [&](const Value& value) {
      return std::any_of(edit.items.begin(), edit.items.end(),
                         [&](const auto& pattern) { return pattern.matches(value); });
    };
    values.erase(std::remove_if(values.begin(), values.end(), unwanted), values.end());
    return;
  }
  if (edit.op == edit::ListOp::set) values.clear();
  // validate() has seen to it that only exact values are set or added.
  for (const auto& pattern : edit.items) values.push_back(value_of(pattern));
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace

void carry_out(const PolicyEdit& edit, const PolicyContext& context, PathAttributes& attributes) {
  LocalAttributes& local = attributes.local;
  std::visit(Overloaded{
                 [&](const edit::LocalPref& e) {
                   attributes.local_pref = changed(attributes.local_pref.value_or(kDefaultLocalPref), e.change);
                 },
                 [&](const edit::Med& e) {
                   if (e.change) {
                     attributes.med = changed(attributes.med.value_or(0), *e.change);
                   } else {
                     attributes.med.reset();
                   }
                 },
                 [&](const edit::Weight& e) { local.weight = changed(local.weight, e.change); },
                 [&](const edit::SetOrigin& e) { attributes.origin = e.origin; },
                 [&](const edit::Prepend& e) {
                   const auto asn = chosen(e.asn, context, attributes.as_path);
                   if (!asn) return;
                   const std::size_t length = attributes.as_path.asns.size();
                   // A route that comes back to the policy again and again must not grow without bound.
                   const std::size_t room = length < kEditedPathMax ? kEditedPathMax - length : 0;
                   attributes.as_path.prepend(*asn, static_cast<std::uint32_t>(std::min<std::size_t>(e.times, room)));
                 },
                 [&](const edit::StripPrivate&) { strip_private(attributes.as_path); },
                 [&](const edit::ReplaceAsn& e) {
                   const auto with = chosen(e.with, context, attributes.as_path);
                   if (!with) return;
                   for (Asn& asn : attributes.as_path.asns) {
                     const bool meant =
                         e.what == edit::ReplaceAsn::What::any ||
                         (e.what == edit::ReplaceAsn::What::private_asns ? is_private(asn) : asn == e.asn);
                     if (meant) asn = *with;
                   }
                 },
                 [&](const edit::Communities& e) { edit_list(e, attributes.communities); },
                 [&](const edit::ExtendedCommunities& e) { edit_list(e, attributes.extended_communities); },
                 [&](const edit::LargeCommunities& e) { edit_list(e, attributes.large_communities); },
                 [&](const edit::SetNextHop& e) {
                   local.next_hop = e.choice;
                   // The link-local half belonged to the former next hop.
                   if (e.choice == NextHopChoice::address) attributes.next_hop = {e.address, {}};
                 },
                 [&](const edit::FibMetric& e) { local.fib_metric = e.metric; },
                 [&](const edit::FibTable& e) { local.fib_table = e.table; },
                 [&](const edit::FibPrefsrc& e) { local.fib_prefsrc = e.address; },
                 [&](const edit::EcmpWeight& e) { local.ecmp_weight = e.weight; },
             },
             edit.action);
}

}  // namespace minibgp::policy
