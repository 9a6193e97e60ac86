#include <apps/bgplite/cli/policy_differ.h>
#include <apps/bgplite/cli/policy_trace.h>
#include <bgp/text.h>

#include <algorithm>

namespace bgplite::cli {

using minibgp::Direction;
using minibgp::PathAttributes;
using minibgp::PeerType;

namespace {

/// What `show routes --json` writes for our own announcements.
constexpr std::string_view kOwn = "local";

bool same_peer(const std::optional<Seat>& a, const std::optional<Seat>& b) {
  return a && b && a->peer_address == b->peer_address;
}

bool internal(const std::optional<Seat>& seat) { return seat && seat->peer_type == PeerType::ibgp; }

}  // namespace

std::vector<const DiffGroup*> DiffReport::largest_first() const {
  std::vector<const DiffGroup*> sorted;
  for (const DiffGroup& group : groups) sorted.push_back(&group);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const DiffGroup* a, const DiffGroup* b) { return a->count > b->count; });
  return sorted;
}

Differ::Differ(const PolicyBench& before, const PolicyBench& after, const DiffOptions& options)
    : before_(before),
      after_(after),
      options_(options),
      direction_(options.direction == "export" ? Direction::export_ : Direction::import) {
  std::string error;
  if (!options.policy.empty()) {
    chosen_ = Pair{"", before.seat_of_policy(options.policy, error), after.seat_of_policy(options.policy, error)};
    for (auto* seat : {&chosen_->before, &chosen_->after})
      if (*seat) (*seat)->direction = direction_;
  } else if (!options.peer.empty()) {
    chosen_ = pair_at(options.peer, error);
  } else if (direction_ == Direction::export_) {
    for (Seat& seat : before.seats_at_peers(direction_)) targets_.push_back({seat.peer, seat, std::nullopt});
    for (Seat& seat : after.seats_at_peers(direction_)) {
      const auto known = std::find_if(targets_.begin(), targets_.end(),
                                      [&](const Pair& pair) { return same_peer(pair.before, seat); });
      if (known != targets_.end()) {
        known->after = seat;
      } else {
        targets_.push_back({seat.peer, std::nullopt, seat});
      }
    }
    report_.peers = targets_.size();
    if (targets_.empty()) unknown_name_ = "no peers are configured; --policy says which policy is meant";
  }
  if (chosen_ && !chosen_->before && !chosen_->after) unknown_name_ = error;
}

Differ::Pair Differ::pair_at(const std::string& peer, std::string& error) const {
  Pair pair{peer, before_.seat_at_peer(peer, direction_, error), after_.seat_at_peer(peer, direction_, error)};
  for (const auto* seat : {&pair.before, &pair.after})
    if (*seat) pair.peer = (*seat)->peer;
  return pair;
}

/// Routes of one peer come in rows.
const Differ::Pair& Differ::pair_of_source(const std::string& peer) {
  if (last_source_ != sources_.end() && last_source_->first == peer) return last_source_->second;
  std::string error;
  const auto known = sources_.find(peer);
  last_source_ = known != sources_.end() ? known : sources_.emplace(peer, pair_at(peer, error)).first;
  return last_source_->second;
}

void Differ::route(const PolicyRoute& route) {
  if (direction_ == Direction::import) {
    import(route);
  } else {
    export_to_all(route);
  }
}

void Differ::import(const PolicyRoute& route) {
  if (chosen_) return compare(*chosen_, route);
  const std::string& peer = route.peer ? *route.peer : std::string{};
  const Pair& pair = pair_of_source(peer);
  if (pair.before || pair.after) return compare(pair, route);
  if (peer == kOwn) {
    ++report_.own;
    return;
  }
  if (report_.without_peer++ == 0) report_.unknown_peer = peer.empty() ? "none is named" : "no peer '" + peer + "'";
}

void Differ::export_to_all(const PolicyRoute& route) {
  if (!options_.policy.empty()) return compare(*chosen_, route);
  const bool own = !route.peer || *route.peer == kOwn;
  static const Pair kUs;
  const Pair& source = own ? kUs : pair_of_source(*route.peer);
  const auto target = [&](const Pair& pair) {
    if (advertises(source, pair)) return compare(pair, route);
    ++report_.not_advertised;
  };
  if (chosen_) return target(*chosen_);
  for (const Pair& pair : targets_) target(pair);
}

bool Differ::advertises(const Pair& source, const Pair& target) const {
  const std::pair<const std::optional<Seat>*, const std::optional<Seat>*> versions[] = {
      {&source.before, &target.before}, {&source.after, &target.after}};
  // A version that has only one of both peers says nothing; one that advertises is enough for a comparison.
  bool any = false;
  for (const auto& [from, to] : versions) {
    if (same_peer(*from, *to)) return false;
    const bool reflected = (*from && (*from)->reflector_client) || (*to && (*to)->reflector_client);
    any = any || !internal(*from) || !internal(*to) || reflected;
  }
  return any;
}

minibgp::PolicyContext Differ::context_at(const PolicyBench& bench, const Seat& seat, const PolicyRoute& route) const {
  minibgp::PolicyContext context = bench.context(seat, route);
  // The peer of the seat is meant, whoever the table says the route came from.
  if (direction_ == Direction::export_ || !options_.peer.empty()) {
    context.peer = seat.peer;
    context.peer_address = seat.peer_address;
    context.peer_as = seat.peer_as;
  }
  return context;
}

Differ::Side Differ::judge(const PolicyBench& bench, const std::optional<Seat>& seat, const PolicyRoute& route,
                           PathAttributes& scratch) {
  if (!seat) return {};
  if (auto unknown = bench.own_as_unknown(*seat, route)) {
    report_.own_as_unknown = std::move(unknown);
    return {};
  }
  const minibgp::PolicyContext context = context_at(bench, *seat, route);
  const minibgp::Policy& policy = bench.policy(*seat);
  const minibgp::Judgement judgement = policy.judge(route.attributes, context);
  Side side{judgement.accepted, &route.attributes, {}};
  if (judgement.outcome != 0) {
    scratch = route.attributes;
    policy.apply(judgement.outcome, context, scratch);
    side.result = &scratch;
  }
  return side;
}

void Differ::compare(const Pair& pair, const PolicyRoute& route) {
  const Side was = judge(before_, pair.before, route, old_result_);
  const Side is = judge(after_, pair.after, route, new_result_);
  Counts& counts = report_.counts;
  if (!was.accepted && !is.accepted) {
    ++counts.rejected_by_both;
  } else if (was.accepted != is.accepted) {
    ++(is.accepted ? counts.now_accepted : counts.now_rejected);
    differs(pair, route, is.accepted ? Fate::now_accepted : Fate::now_rejected, was, is);
  } else {
    ++counts.accepted_by_both;
    if (was.result == is.result || *was.result == *is.result) return;
    ++counts.changed;
    differs(pair, route, Fate::changed, was, is);
  }
}

void Differ::differs(const Pair& pair, const PolicyRoute& route, Fate fate, const Side& was, const Side& is) {
  const auto decided = [&](const PolicyBench& bench, const std::optional<Seat>& seat) {
    return seat ? bench.policy(*seat).deciding_term(route.attributes, context_at(bench, *seat, route))
                : minibgp::DecidingTerm{};
  };
  const auto key_of = [](const Side& side) {
    return Deciding{side.accepted, side.decided.policy, side.decided.term, side.decided.mark.line};
  };
  Side before = was, after = is;
  before.decided = decided(before_, pair.before);
  after.decided = decided(after_, pair.after);
  const bool changed = fate == Fate::changed;
  GroupKey key{&pair, fate, changed ? changed_attributes(*was.result, *is.result) : "", key_of(before), key_of(after)};
  DiffGroup*& group = groups_[key];
  if (group == nullptr) {
    report_.groups.push_back({fate, pair.peer, std::get<2>(key), side_text(before_, pair.before, before),
                              side_text(after_, pair.after, after), minibgp::to_text(*route.prefix), 0});
    group = &report_.groups.back();
  }
  ++group->count;
  if (report_.listed.size() >= options_.max) return;
  report_.listed.push_back({minibgp::to_text(*route.prefix), group, {}});
  if (changed) report_.listed.back().changes = changes_between(*was.result, *is.result);
}

std::string Differ::side_text(const PolicyBench& bench, const std::optional<Seat>& seat, const Side& side) const {
  if (!seat) return options_.policy.empty() ? "no such peer" : "no such policy";
  return (side.accepted ? "accepted by " : "rejected by ") + deciding_text(bench, *seat, side.decided);
}

}  // namespace bgplite::cli
