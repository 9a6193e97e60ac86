/// The part of Daemon that turns the running configuration into another one: diff, log, carry out step by step.
#include <apps/bgplite/daemon.h>
#include <bgp/text.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace bgplite {

using minibgp::LogArea;

void Daemon::set_saved(Saved saved) {
  for (const auto& [key, peer] : config_.saved.peers)
    if (const auto found = config_.peers.find(key); found != config_.peers.end())
      found->second.options.enabled = peer.in_file;
  config_.saved = std::move(saved);
  for (const auto& [key, peer] : config_.saved.peers)
    if (const auto found = config_.peers.find(key); found != config_.peers.end())
      found->second.options.enabled = peer.enabled;
}

/// One line a step; of networks, where many come or go at once, one line for all.
void Daemon::log_plan(const Plan& plan) {
  constexpr std::ptrdiff_t kLinesMax = 20;
  const auto of_kind = [&](Step::Kind kind) {
    return std::count_if(plan.begin(), plan.end(), [&](const Step& step) { return step.kind == kind; });
  };
  const std::ptrdiff_t announced = of_kind(Step::Kind::announce);
  const std::ptrdiff_t withdrawn = of_kind(Step::Kind::withdraw);
  if (announced > kLinesMax) log_.info(LogArea::config, std::to_string(announced) + " networks announced or changed");
  if (withdrawn > kLinesMax) log_.info(LogArea::config, std::to_string(withdrawn) + " networks withdrawn");
  for (const Step& step : plan) {
    const bool counted = (step.kind == Step::Kind::announce && announced > kLinesMax) ||
                         (step.kind == Step::Kind::withdraw && withdrawn > kLinesMax);
    if (!counted) log_.info(LogArea::config, step.text);
  }
}

Plan Daemon::apply(Config wanted) {
  const Plan plan = diff(running_beside(wanted), wanted);
  log_plan(plan);
  std::vector<Network> old_networks = std::move(config_.networks);
  // What is fixed at the start stays as it runs, so that the next plan names it again.
  wanted.listen = config_.listen;
  wanted.control = config_.control;
  wanted.user = config_.user;
  wanted.state_dir = config_.state_dir;
  wanted.metrics.listen = config_.metrics.listen;
  wanted.log.format = config_.log.format;
  wanted.fib.enabled = config_.fib.enabled;
  wanted.fib.next_hop_objects = config_.fib.next_hop_objects;
  wanted.fib.protocol = config_.fib.protocol;
  wanted.ipsec = config_.ipsec;
  config_ = std::move(wanted);
  // By the text that a step names them with: a plan may have thousands of them.
  const auto by_text = [](const std::vector<Network>& networks) {
    std::unordered_map<std::string, const Network*> index;
    for (const Network& network : networks) index.emplace(to_text(network.prefix), &network);
    return index;
  };
  const auto old_by_text = by_text(old_networks);
  const auto new_by_text = by_text(config_.networks);
  std::vector<std::string> set_up_anew;
  for (const Step& step : plan)
    if (step.kind == Step::Kind::tunnels && step.effect == Effect::tunnel) set_up_anew.push_back(step.key);
  const bool farewell = tunnels_ && leave_tunnels(set_up_anew, "tunnel is set up anew");
  bool tunnels_done = false;
  for (const Step& step : plan) {
    switch (step.kind) {
      case Step::Kind::router:
        if (const auto set = speaker_->set_options(speaker_options()); !set)
          log_.error(LogArea::config, "router keeps its options: " + std::string{minibgp::to_text(set.error())});
        break;
      case Step::Kind::tunnels:
        if (std::exchange(tunnels_done, true)) break;
        if (!tunnels_) {
          if (const auto opened = open_tunnels(); !opened) log_.error(LogArea::tunnel, opened.error());
        } else if (farewell) {
          after_farewell([this] { set_tunnels(), set_static_routes(); });
          break;
        } else {
          set_tunnels();
        }
        set_static_routes();
        break;
      case Step::Kind::remove_peer:
        remove_peer(step.key);
        break;
      case Step::Kind::add_peer:
        add_peer(step.key, config_.peers.at(step.key));
        break;
      case Step::Kind::update_peer:
        update_peer(step.key, config_.peers.at(step.key));
        break;
      case Step::Kind::withdraw:
        if (const auto old = old_by_text.find(step.key); old != old_by_text.end()) remove_network(*old->second);
        break;
      case Step::Kind::announce: {
        const auto old = old_by_text.find(step.key);
        const Network& now = *new_by_text.at(step.key);
        if (old != old_by_text.end() && old->second->when != now.when) remove_network(*old->second);
        add_network(now);
        break;
      }
      case Step::Kind::saved_announcement:
        if (const auto prefix = minibgp::parse_prefix(step.key)) {
          const auto now = config_.saved.announcements.find(*prefix);
          now != config_.saved.announcements.end() ? announce(*prefix, now->second) : void(withdraw(*prefix));
        }
        break;
      case Step::Kind::static_routes:
        if (!farewell) set_tunnels(), set_static_routes();
        break;
      case Step::Kind::fib:
      case Step::Kind::on_exit:
        if (fib_) fib_->set_options(fib_options());
        break;
      case Step::Kind::log:
        log_.set_levels(config_.log);
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
  set_own_networks();
  update_return_path();
  ++reloads_;
  return plan;
}

}  // namespace bgplite
