#include <apps/bgplite/gateway/drainer.h>

#include <algorithm>

namespace bgplite {
namespace {

/// Longer than what people prepend to prefer one of two tunnels.
constexpr unsigned kPrepend = 3;
constexpr unsigned kPrependMax = 10;

}  // namespace

const char* to_text(DrainStep step) {
  switch (step) {
    case DrainStep::asked:
      return "graceful shutdown announced";
    case DrainStep::unattractive:
      return "prepended and highest MED";
    case DrainStep::stopped:
      return "session stopped";
  }
  return "";
}

void Drainer::begin(const std::string& peer, minibgp::Duration wait, minibgp::Time now) {
  drains_[peer] = {DrainStep::asked, wait, now + wait};
}

std::vector<std::string> Drainer::on_time(minibgp::Time now) {
  std::vector<std::string> stepped;
  // Each step at the earliest at its time: after a long pause the steps still follow one by one.
  for (auto& [peer, drain] : drains_) {
    if (now < drain.next) continue;
    drain.step = drain.step == DrainStep::asked ? DrainStep::unattractive : DrainStep::stopped;
    drain.next = drain.step == DrainStep::stopped ? minibgp::kNever : now + drain.wait;
    stepped.push_back(peer);
  }
  return stepped;
}

minibgp::Time Drainer::next_deadline() const {
  minibgp::Time next = minibgp::kNever;
  for (const auto& [peer, drain] : drains_) next = std::min(next, drain.next);
  return next;
}

std::optional<DrainStep> Drainer::step(const std::string& peer) const {
  const auto found = drains_.find(peer);
  return found == drains_.end() ? std::nullopt : std::optional{found->second.step};
}

void Drainer::apply(const std::string& peer, minibgp::PeerOptions& options) const {
  const auto found = step(peer);
  if (!found) return;
  options.graceful_shutdown = true;
  if (*found == DrainStep::asked) return;
  options.prepend = static_cast<std::uint8_t>(std::min(kPrependMax, options.prepend + kPrepend));
  options.export_med = UINT32_MAX;
}

}  // namespace bgplite
