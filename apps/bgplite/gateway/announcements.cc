#include <apps/bgplite/gateway/announcements.h>

#include <algorithm>
#include <utility>

namespace bgplite {

using minibgp::PathAttributes;
using minibgp::Prefix;

void Announcements::announce(const Prefix& prefix, const PathAttributes& attributes) {
  // With a hint: many come at once, mostly in order, and each takes no search then.
  own_.insert_or_assign(own_.end(), prefix, attributes);
  waiting_.insert(waiting_.end(), prefix);
}

void Announcements::withdraw(const Prefix& prefix) {
  own_.erase(prefix);
  waiting_.insert(prefix);
}

void Announcements::announce_by_command(const Prefix& prefix, const PathAttributes& attributes) {
  // Kept apart: a command outlives the network of the configuration with the same prefix.
  by_command_[prefix] = attributes;
  announce(prefix, attributes);
}

bool Announcements::withdraw_by_command(const Prefix& prefix) {
  if (by_command_.erase(prefix) == 0) return false;
  withdraw(prefix);
  return true;
}

bool Announcements::set_parts(const ReturnPath::Parts& parts) {
  Set wanted;
  for (const auto& [part, audience] : parts) {
    // A part is half of its network, so the network is one bit shorter.
    const auto bits = static_cast<std::uint8_t>(part.length_bits - 1);
    PathAttributes attributes = own_.at(Prefix::of(part.address(), bits));
    attributes.local.audience = audience;
    attributes.local.network_bits = bits;
    wanted.emplace(part, std::move(attributes));
  }
  // A half that became a network of its own meanwhile is announced as that.
  const auto mark = [this](const Prefix& part) {
    if (own_.count(part) == 0) waiting_.insert(part);
  };
  for (const auto& [part, attributes] : parts_)
    if (wanted.count(part) == 0) mark(part);
  for (const auto& [part, attributes] : wanted)
    if (const auto known = parts_.find(part); known == parts_.end() || !(known->second == attributes)) mark(part);
  // Only the number is reported: a change of attributes alone is no news for the log.
  const bool other = wanted.size() != parts_.size();
  parts_ = std::move(wanted);
  return other;
}

std::optional<Announcements::Change> Announcements::next() {
  if (waiting_.empty()) return std::nullopt;
  // By prefix and not by age: the order says nothing to a peer, and the set finds what is marked twice.
  Change change{waiting_.extract(waiting_.begin()).value(), std::nullopt};
  // A network of its own goes before a part with the same prefix.
  for (const Set* set : {&own_, &parts_})
    if (const auto found = set->find(change.prefix); found != set->end() && !change.attributes)
      change.attributes = found->second;
  return change;
}

std::vector<Prefix> Announcements::own_prefixes() const {
  std::vector<Prefix> prefixes;
  prefixes.reserve(own_.size());
  for (const auto& [prefix, attributes] : own_) prefixes.push_back(prefix);
  return prefixes;
}

std::size_t Announcements::parts_for(std::uint64_t audience) const {
  return static_cast<std::size_t>(std::count_if(
      parts_.begin(), parts_.end(), [&](const auto& part) { return (part.second.local.audience & audience) != 0; }));
}

std::size_t Announcements::without_parts(const std::string& peer, std::uint64_t audience, std::size_t announced) {
  std::size_t& before = before_parts_[peer];
  // While there are parts the number of before is kept.
  if (parts_.empty()) before = announced;
  // An export policy may keep parts back, so the difference says too little at times; a new session says nothing yet.
  return std::max({before, announced - std::min(announced, parts_for(audience)), own_.size()});
}

}  // namespace bgplite
