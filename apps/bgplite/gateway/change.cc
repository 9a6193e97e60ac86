/// The part of Gateway that turns the running configuration into another one, step by step.
#include <apps/bgplite/gateway/gateway.h>
#include <bgp/text.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace bgplite {

using minibgp::LogArea;
using minibgp::LogLevel;

void Gateway::on(input::Save event) {
  for (const auto& [key, peer] : config_.saved.peers)
    if (const auto found = config_.peers.find(key); found != config_.peers.end())
      found->second.options.enabled = peer.in_file;
  config_.saved = std::move(event.saved);
  for (const auto& [key, peer] : config_.saved.peers)
    if (const auto found = config_.peers.find(key); found != config_.peers.end())
      found->second.options.enabled = peer.enabled;
}

/// What runs, to be compared with `wanted`. Where our address is left to the kernel, the one that a session has is in
/// force as if it had been written.
Config Gateway::running_beside(const Config& wanted) const {
  Config running = config_;
  for (const minibgp::PeerStatus& status : view_.sessions()) {
    const std::string* const key = peer_key(status.id);
    if (key == nullptr || status.state != minibgp::PeerState::established) continue;
    const auto old = running.peers.find(*key);
    const auto now = wanted.peers.find(*key);
    if (old == running.peers.end() || now == wanted.peers.end()) continue;
    const minibgp::IpAddress& local = now->second.options.local_address;
    if (!local.is_set() || local == status.local_address) old->second.options.local_address = local;
  }
  return running;
}

Plan Gateway::plan(const Config& wanted) const { return diff(running_beside(wanted), wanted); }

/// One line a step; of networks, where many come or go at once, one line for all.
void Gateway::log_plan(const Plan& plan) {
  constexpr std::ptrdiff_t kLinesMax = 20;
  const auto of_kind = [&](Step::Kind kind) {
    return std::count_if(plan.begin(), plan.end(), [&](const Step& step) { return step.kind == kind; });
  };
  const auto info = [this](const std::string& line) { log(LogLevel::info, LogArea::config, line); };
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
void Gateway::keep_what_needs_a_start(Config& wanted) const {
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
}

void Gateway::on(input::Apply event) {
  log_plan(event.plan);
  const std::vector<Network> old_networks = std::move(config_.networks);
  keep_what_needs_a_start(event.wanted);
  config_ = std::move(event.wanted);
  carry_out(event.plan, old_networks);
  set_own_networks();
  update_return_path();
  ++reloads_;
}

void Gateway::carry_out(const Plan& plan, const std::vector<Network>& old_networks) {
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
  const bool farewell = view_.has_tunnels() && leave_tunnels(set_up_anew, "tunnel is set up anew");
  if (farewell) farewells_.begin({}, now_);
  bool tunnels_done = farewell;
  for (const Step& step : plan) {
    switch (step.kind) {
      case Step::Kind::router:
        emit(effect::SetRouter{speaker_options()});
        break;
      case Step::Kind::tunnels:
      case Step::Kind::static_routes:
        if (!std::exchange(tunnels_done, true)) emit(tunnel_setup());
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
          const auto saved = config_.saved.announcements.find(*prefix);
          saved != config_.saved.announcements.end() ? on(input::Announce{*prefix, saved->second})
                                                     : on(input::Withdraw{*prefix});
        }
        break;
      case Step::Kind::fib:
      case Step::Kind::on_exit:
        emit(effect::SetFib{fib_options()});
        break;
      case Step::Kind::log:
        emit(effect::SetLogLevels{});
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
