/// The part of Gateway that turns the running configuration into another one, step by step.
#include <apps/bgplite/gateway/gateway.h>
#include <apps/bgplite/gateway/on_input.h>
#include <apps/bgplite/gateway/options.h>
#include <bgp/text.h>

#include <algorithm>
#include <utility>

namespace bgplite {

using minibgp::LogArea;
using minibgp::LogLevel;

namespace {

/// One line a step; of networks, where many come or go at once, one line for all.
template <typename Info>
void log_plan(std::span<const Step> plan, Info info) {
  constexpr std::ptrdiff_t kLinesMax = 20;
  const auto of_kind = [&](Step::Kind kind) {
    return std::count_if(plan.begin(), plan.end(), [&](const Step& step) { return step.kind == kind; });
  };
  const std::ptrdiff_t announced = of_kind(Step::Kind::announce);
  const std::ptrdiff_t withdrawn = of_kind(Step::Kind::withdraw);
  if (announced > kLinesMax) info(std::to_string(announced) + " networks announced or changed");
  if (withdrawn > kLinesMax) info(std::to_string(withdrawn) + " networks withdrawn");
  for (const Step& step : plan) {
    const bool counted = (step.kind == Step::Kind::announce && announced > kLinesMax) ||
                         (step.kind == Step::Kind::withdraw && withdrawn > kLinesMax);
    if (!counted) info(step.text);
  }
}

/// What is fixed at the start stays as it runs, so that the next plan names it again.
void keep_what_needs_a_start(const Config& running, Config& wanted) {
  wanted.listen = running.listen;
  wanted.control = running.control;
  wanted.user = running.user;
  wanted.state_dir = running.state_dir;
  wanted.metrics.listen = running.metrics.listen;
  wanted.log.format = running.log.format;
  wanted.fib.enabled = running.fib.enabled;
  wanted.fib.next_hop_objects = running.fib.next_hop_objects;
  wanted.fib.protocol = running.fib.protocol;
  wanted.ipsec = running.ipsec;
}

}  // namespace

void Gateway::On::operator()(input::Save event) const {
  Config& config = my.own_config();
  // Undone first: a peer that is not saved any more goes back to what its file says.
  for (const auto& [key, peer] : config.saved.peers)
    if (const auto found = config.peers.find(key); found != config.peers.end())
      found->second.options.enabled = peer.in_file;
  config.saved = std::move(event.saved);
  for (const auto& [key, peer] : config.saved.peers)
    if (const auto found = config.peers.find(key); found != config.peers.end())
      found->second.options.enabled = peer.enabled;
}

Running Gateway::running() const {
  Running running{config_, {}};
  for (const minibgp::PeerStatus& status : view_.sessions())
    // An address that is only configured needs no entry here.
    if (const std::string* const key = peers_.key_of(status.id);
        key != nullptr && status.state == minibgp::PeerState::established)
      running.local_addresses.emplace(*key, status.local_address);
  return running;
}

/// Where our address is left to the kernel, the one that a session has is in force as if it had been written.
Plan plan_of(const Running& running, const Config& wanted) {
  // A copy of everything for the sake of a few addresses: it is made beside the loop, and a change of the shared value
  // would be seen there.
  Config before = *running.config;
  for (const auto& [key, address] : running.local_addresses) {
    const auto old = before.peers.find(key);
    const auto now = wanted.peers.find(key);
    if (old == before.peers.end() || now == wanted.peers.end()) continue;
    const minibgp::IpAddress& local = now->second.options.local_address;
    if (!local.is_set() || local == address) old->second.options.local_address = local;
  }
  return diff(before, wanted);
}

void Gateway::On::operator()(input::Apply event) const {
  log_plan(event.plan, [this](const std::string& line) { my.effects_.log(LogLevel::info, LogArea::config, line); });
  keep_what_needs_a_start(*my.config_, event.wanted);
  // The old one lives until the steps are through, which name what it had; who planned frees it beside the loop.
  const std::shared_ptr<const Config> old =
      std::exchange(my.config_, std::make_shared<Config>(std::move(event.wanted)));
  // `old_networks` belongs to `old`, which lives until the end of this function.
  my.carry_out(event.plan, old->networks);
  my.set_own_networks();
  my.return_traffic_.update(my.now_);
  ++my.reloads_;
}

void Gateway::carry_out(std::span<const Step> plan, const std::vector<Network>& old_networks) {
  // Sessions over tunnels that are set up anew end first, while the tunnels work (farewells.h). The tunnels then follow
  // in a later turn, with everything else of this plan done.
  std::vector<std::string> set_up_anew;
  for (const Step& step : plan)
    if (step.kind == Step::Kind::tunnels && step.effect == Effect::tunnel) set_up_anew.push_back(step.key);
  const bool farewell = view_.has_tunnels() && leave_tunnels(set_up_anew, "tunnel is set up anew");
  if (farewell) farewells_.begin({}, now_);
  // Several steps may concern tunnels and static routes; the whole setup is one value, handed over once.
  // With a farewell the setup follows when the sessions have ended.
  bool tunnels_done = farewell;
  for (const Step& step : plan) {
    switch (step.kind) {
      case Step::Kind::router:
        effects_.emit(effect::SetRouter{router_options()});
        break;
      case Step::Kind::tunnels:
      case Step::Kind::static_routes:
        if (!std::exchange(tunnels_done, true)) effects_.emit(tunnel_setup(*config_));
        break;
      case Step::Kind::remove_peer:
        remove_peer(step.key);
        break;
      case Step::Kind::add_peer:
        add_peer(step.key, config_->peers.at(step.key));
        break;
      case Step::Kind::update_peer:
        update_peer(step.key, config_->peers.at(step.key));
        break;
      case Step::Kind::withdraw:
        remove_network(old_networks.at(step.was));
        break;
      case Step::Kind::announce: {
        const Network& now = config_->networks.at(step.is);
        // A network that was watched until now, or is from now on, changes its kind: the former one is ended first.
        if (step.was != Step::kNone && old_networks.at(step.was).when != now.when)
          remove_network(old_networks.at(step.was));
        add_network(now);
        break;
      }
      case Step::Kind::saved_announcement:
        if (const auto prefix = minibgp::parse_prefix(step.key)) {
          const auto saved = config_->saved.announcements.find(*prefix);
          // The saved announcement may have come or gone since the plan was made.
          saved != config_->saved.announcements.end() ? On{*this}(input::Announce{*prefix, saved->second})
                                                      : On{*this}(input::Withdraw{*prefix});
        }
        break;
      case Step::Kind::fib:
      case Step::Kind::on_exit:
        effects_.emit(effect::SetFib{fib_options(*config_)});
        break;
      case Step::Kind::log:
        effects_.emit(effect::SetLogLevels{});
        break;
      // Policies are in config_ already; what is fixed was logged; the host is looked after by who called us.
      case Step::Kind::set_policy:
      case Step::Kind::remove_policy:
      case Step::Kind::host:
      case Step::Kind::metrics:
      case Step::Kind::needs_restart:
        break;
    }
  }
}

}  // namespace bgplite
