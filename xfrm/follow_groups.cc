#include <xfrm/follow_groups.h>

#include <algorithm>
#include <utility>

namespace minibgp::xfrm {

std::optional<TunnelEnds> ends_of(std::span<const Sa> sas) {
  for (const Sa& sa : sas)
    if (sa.direction == SaDirection::outbound) return TunnelEnds{sa.source, sa.key.destination, sa.reqid};
  return std::nullopt;
}

void FollowGroups::set(std::span<const TunnelOptions> tunnels, std::span<const FollowGroup> groups) {
  policy_based_.clear();
  for (const TunnelOptions& tunnel : tunnels)
    if (tunnel.mode == Mode::policy) policy_based_.insert(tunnel.name);
  std::vector<FollowGroup> all{groups.begin(), groups.end()};
  // Policy-based tunnels with equal selectors cannot carry traffic at the same time, so they form a group without being
  // told to.
  for (std::vector<std::string>& names : tunnels_with_same_selectors(tunnels))
    all.push_back({"policies of " + names.front(), std::move(names)});
  std::vector<Entry> next;
  for (FollowGroup& group : all) {
    const auto old = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& it) { return it.group == group; });
    // An unchanged group keeps what it follows.
    next.push_back(old != entries_.end() ? *old : Entry{std::move(group), {}, {}});
  }
  entries_ = std::move(next);
}

std::vector<FollowGroups::Move> FollowGroups::sample(const TunnelTable& table, Time now) {
  std::vector<Move> moves;
  for (Entry& it : entries_) {
    std::vector<InboundFollower::Sample> samples;
    for (const std::string& name : it.group.tunnels)
      samples.push_back({usable(table.state(name)), table.inbound_packets(name)});
    const auto move = it.follower.sample(samples, now);
    if (!move) continue;
    std::string next = move->to == InboundFollower::kNone ? std::string{} : it.group.tunnels[move->to];
    std::string previous = std::exchange(it.current, std::move(next));
    moves.push_back({it.group.name, it.current, std::move(previous), move->why});
  }
  return moves;
}

std::vector<FollowGroups::Redirect> FollowGroups::redirects(const TunnelTable& table) const {
  std::vector<Redirect> all;
  for (const Entry& it : entries_) {
    // Groups of interfaces are redirected by routes; only policies need this.
    if (!policy_based_.contains(it.current)) continue;
    const auto wanted = ends_of(table.sas_of(it.current));
    std::vector<TunnelEnds> others;
    for (const std::string& name : it.group.tunnels)
      if (name != it.current)
        if (const auto ends = ends_of(table.sas_of(name))) others.push_back(*ends);
    if (wanted && !others.empty()) all.push_back({it.current, *wanted, std::move(others)});
  }
  return all;
}

std::string FollowGroups::followed(std::string_view group) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& it) { return it.group.name == group; });
  return found == entries_.end() ? std::string{} : found->current;
}

}  // namespace minibgp::xfrm
