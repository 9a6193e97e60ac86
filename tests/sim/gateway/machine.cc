#include <apps/bgplite/config/bundle.h>
#include <apps/bgplite/gateway/options.h>
#include <bgp/text.h>
#include <tests/sim/gateway/machine.h>

#include <algorithm>
#include <utility>

namespace bgplite::sim {

using namespace std::chrono_literals;
using minibgp::Engine;
namespace xfrm = minibgp::xfrm;
namespace fib = minibgp::fib;

namespace {

constexpr const char* kPath = "/etc/bgplite.yaml";

Bundle bundle_of(const std::string& files) {
  Bundle bundle;
  bundle.add(kPath, files);
  return bundle;
}
std::string files_of(const Bundle& bundle) {
  const std::string* text = bundle.find(kPath);
  return text == nullptr ? std::string{} : *text;
}

/// Keys do not matter to a model.
struct Keys final : xfrm::KeySource {
  std::optional<std::uint64_t> stamp(const std::string&) override { return 1; }
  minibgp::Result<std::string, std::string> read(const std::string&) override { return "secret\n"; }
};
Keys keys;

}  // namespace

/// One call for each effect, as apps/bgplite/perform.cc.
struct SimulatedGateway::Perform {
  SimulatedGateway& my;
  void fib(const minibgp::fib::Input& input) const {
    my.forwarder_->input(input, my.now());
    my.kernel_busy_ = true;
  }
  void operator()(const effect::AddPeer& effect) const {
    const auto added = my.around_.node.add_peer(effect.options);
    if (added) my.input(input::PeerAdded{effect.key, *added});
  }
  void operator()(const effect::UpdatePeer& effect) const {
    if (my.around_.node.engine().update_peer(effect.peer, effect.options, my.now()))
      my.input(input::PeerUpdated{effect.peer});
  }
  void operator()(const effect::RemovePeer& effect) const {
    my.on_engine([peer = effect.peer, now = my.now()](Engine& engine) { engine.remove_peer(peer, now); });
    fib(minibgp::fib::input::RemovePeer{effect.peer});
  }
  void operator()(const effect::EnablePeer& effect) const {
    my.on_engine([peer = effect.peer, now = my.now()](Engine& engine) { engine.enable_peer(peer, now); });
  }
  void operator()(const effect::DisablePeer& effect) const {
    my.on_engine([effect, now = my.now()](Engine& engine) { engine.disable_peer(effect.peer, effect.reason, now); });
  }
  void operator()(const effect::ResetPeer& effect) const {
    my.on_engine([effect, now = my.now()](Engine& engine) { engine.reset_peer(effect.peer, effect.reason, now); });
  }
  void operator()(const effect::SetTransport& effect) const {
    my.on_engine(
        [effect, now = my.now()](Engine& engine) { engine.set_transport_usable(effect.peer, effect.usable, now); });
  }
  void operator()(const effect::SetNextHop& effect) const {
    my.on_engine([effect, now = my.now()](Engine& engine) {
      engine.set_next_hop(effect.peer, effect.next_hop, effect.usable, effect.cost, now);
    });
  }
  void operator()(const effect::SetRouter& effect) const {
    my.on_engine(
        [effect, now = my.now()](Engine& engine) { static_cast<void>(engine.set_options(effect.options, now)); });
  }
  void operator()(const effect::Announce& effect) const {
    my.on_engine([effect, now = my.now()](Engine& engine) { engine.announce(effect.prefix, effect.attributes, now); });
  }
  void operator()(const effect::Withdraw& effect) const {
    my.on_engine([effect, now = my.now()](Engine& engine) { engine.withdraw(effect.prefix, now); });
  }
  void operator()(const effect::BindPeer& effect) const {
    fib(minibgp::fib::input::SetPeer{effect.peer, effect.binding});
  }
  void operator()(const effect::UsePeer& effect) const {
    if (my.tracing)
      my.trace.push_back("  " + my.around_.node.engine().options_of(effect.peer)->name +
                         (effect.usable ? " is used" : " is not used"));
    fib(minibgp::fib::input::SetPeerUsable{effect.peer, effect.usable});
    my.react();
  }
  void operator()(const effect::UseInterface& effect) const {
    fib(minibgp::fib::input::SetInterfaceUsable{effect.interface, effect.usable, effect.reason});
    my.react();
  }
  void operator()(const effect::SuspectInterface& effect) const {
    fib(minibgp::fib::input::SetInterfaceSuspect{effect.interface, effect.suspect});
  }
  void operator()(const effect::ForgetInterface& effect) const {
    fib(minibgp::fib::input::ForgetInterface{effect.interface});
  }
  void operator()(const effect::WatchNextHop& effect) const {
    const minibgp::NextHopInterest& interest = effect.interest;
    if (interest.wanted) {
      fib(minibgp::fib::input::WatchNextHop{interest.peer, interest.next_hop});
    } else {
      fib(minibgp::fib::input::UnwatchNextHop{interest.peer, interest.next_hop});
    }
  }
  void operator()(const effect::WatchNetwork& effect) const {
    if (effect.wanted) {
      fib(minibgp::fib::input::WatchNetwork{effect.prefix, effect.watch});
    } else {
      fib(minibgp::fib::input::UnwatchNetwork{effect.prefix, effect.watch});
    }
  }
  void operator()(const effect::SetOwnNetworks& effect) const {
    fib(minibgp::fib::input::SetOwnNetworks{effect.networks});
  }
  void operator()(const effect::SetStaticRoutes& effect) const {
    fib(minibgp::fib::input::SetStaticRoutes{effect.routes});
  }
  void operator()(const effect::SetFib& effect) const { fib(minibgp::fib::input::SetOptions{effect.options}); }
  void operator()(const effect::FinishAdoption&) const { fib(minibgp::fib::input::FinishAdoption{}); }
  void operator()(const effect::SetTunnels& effect) const {
    my.set_tunnels(effect);
    my.input(input::TunnelsSet{});
  }
  void operator()(const effect::TerminateTunnel& effect) const {
    my.tell_tunnels(xfrm::input::Terminate{effect.tunnel});
  }
  void operator()(const effect::GuardUnderlay&) const {
    std::vector<minibgp::IpAddress> endpoints = my.tunnels_->underlay_endpoints();
    fib(minibgp::fib::input::SetUnderlayEndpoints{endpoints});
    my.on_engine([endpoints, now = my.now()](Engine& engine) { engine.set_protected_addresses(endpoints, now); });
  }
  void operator()(const effect::NoteFailover&) const {}
  void operator()(const effect::Log& effect) const {
    ++my.counts_.logs;
    if (my.tracing) my.trace.push_back("  log: " + effect.line);
  }
  void operator()(const effect::Tell&) const {}
  void operator()(const effect::Refused& effect) const {
    if (my.tracing) my.trace.push_back("  refused: " + effect.why);
  }
  void operator()(const effect::ReadTraffic&) const { my.input(input::Traffic{TrafficCounters{}}); }
  void operator()(const effect::SetLogLevels&) const {}
  void operator()(const effect::End& effect) const {
    my.ending_ = true;
    my.removing_ = !effect.keep;
    if (!effect.keep) my.around_.disk.marker = false;
    my.on_engine([keep = effect.keep, now = my.now()](Engine& engine) {
      engine.stop(keep ? Engine::Stop::keep : Engine::Stop::cease, keep ? "restart" : "shutdown", now);
    });
    if (my.removing_) my.forwarder_->remove_everything();
    my.kernel_busy_ = true;
  }
};

SimulatedGateway::SimulatedGateway(Surroundings around) : around_(std::move(around)) {
  around_.node.set_observer(this);
  around_.node.kill();
}
SimulatedGateway::~SimulatedGateway() { around_.node.set_observer(nullptr); }

// Life

void SimulatedGateway::start() {
  if (running()) return;
  ++life_;
  const auto stored = around_.disk.stored.empty() ? std::nullopt : parse_stored(around_.disk.stored);
  const Bundle files = bundle_of(around_.files);
  const StartChoice choice = choose_at_start(kPath, files, stored);
  const bool good = choice.run == StartChoice::Run::good;
  const Bundle run = good ? stored->good : files;
  keeper_ = good ? std::make_unique<ConfigKeeper>(run, stored->pending, stored->confirm_by)
                 : std::make_unique<ConfigKeeper>(run);
  const Config config = around_.make_config(files_of(run));
  gateway_ = std::make_unique<Gateway>(config, static_cast<const GatewayView&>(*this), 1);
  gateway_->set_restarted(around_.disk.marker);
  around_.disk.marker = true;
  forwarder_ = std::make_unique<fib::Forwarder>(fib_options(gateway_->config()), nullptr, now());
  forwarder_->set_former(around_.disk.owned);
  around_.kernel.forget_conversation();
  around_.kernel.attach(*forwarder_);
  xfrm::TunnelsOptions options = config.ipsec;
  options.on_exit =
      config.on_exit == OnExit::keep ? xfrm::TunnelsOptions::OnExit::keep : xfrm::TunnelsOptions::OnExit::remove;
  options.former_if_ids = around_.disk.if_ids;
  tunnels_ = std::make_unique<xfrm::TunnelKeeper>(options, keys);
  answers_.clear();
  ending_ = removing_ = wants_charon_ = tunnels_ended_ = false;
  kernel_busy_ = true;
  established_.clear();
  around_.node.start(minibgp::testing::Node::Forwarding::preserved);
  set_tunnels(tunnel_setup(gateway_->config()));
  tell_tunnels(xfrm::input::LinkDumpBegins{});
  around_.host.dump_links();
  tell_tunnels(xfrm::input::LinkDumpEnded{});
  tell_tunnels(xfrm::input::SaDumpBegins{});
  around_.charon.dump_sas();
  tell_tunnels(xfrm::input::SaDumpEnded{});
  tell_tunnels(xfrm::input::Started{});
  input(input::Start{});
  if (!around_.disk.full) around_.disk.stored = to_octets(keeper_->wanted());
  keeper_->input(ConfigKeeper::Stored{around_.disk.full ? "no space left on device" : ""}, now());
  turn();
}

void SimulatedGateway::kill() {
  if (!running()) return;
  around_.node.kill();
  established_.clear();
  inbox_.clear();
  gateway_.reset();
  forwarder_.reset();
  keeper_.reset();
  tunnels_.reset();
}

void SimulatedGateway::stop() {
  if (!running()) return;
  input(input::Stop{});
  turn();
  // The fib takes its routes out, as long as the kernel lets it.
  for (int i = 0; i < 2000 && removing_ && !forwarder_->idle(); ++i) {
    kernel_busy_ = true;
    work_kernel();
  }
  end_tunnels();
  kill();
}

void SimulatedGateway::ask(Input wish) {
  if (!running()) return;
  input(std::move(wish));
  turn();
}

void SimulatedGateway::apply(std::optional<std::chrono::seconds> confirm, ConfigKeeper::Origin origin) {
  if (!running()) return;
  const auto wall = std::chrono::duration_cast<std::chrono::seconds>(now().time_since_epoch()).count();
  keeper_->input(ConfigKeeper::Apply{bundle_of(around_.files), origin, confirm, wall}, now());
  run_keeper();
}
void SimulatedGateway::confirm() {
  if (!running()) return;
  keeper_->input(ConfigKeeper::Confirm{}, now());
  run_keeper();
}
void SimulatedGateway::rollback() {
  if (!running()) return;
  keeper_->input(ConfigKeeper::Rollback{"asked by the operator"}, now());
  run_keeper();
}

void SimulatedGateway::run_keeper() {
  while (auto output = keeper_->poll()) {
    if (const auto* store = std::get_if<ConfigKeeper::Store>(&*output)) {
      if (!around_.disk.full) around_.disk.stored = to_octets(store->stored);
      keeper_->input(ConfigKeeper::Stored{around_.disk.full ? "no space left on device" : ""}, now());
    } else if (const auto* run = std::get_if<ConfigKeeper::Run>(&*output)) {
      Config wanted = around_.make_config(files_of(run->files));
      const Plan plan = gateway_->plan(wanted);
      if (tracing)
        for (const bgplite::Step& step : plan) trace.push_back("  plan: " + step.text);
      input(input::Apply{std::move(wanted), plan});
    }
  }
  turn();
}

// Tunnels

void SimulatedGateway::tell_tunnels(const xfrm::Input& said) {
  if (!tunnels_) return;
  tunnels_->input(said, now());
  tunnels_busy_ = true;
}

void SimulatedGateway::charon_changed() {
  if (!wants_charon_) return;
  if (around_.charon.running()) return tell_tunnels(xfrm::input::CharonConnected{});
  tell_tunnels(xfrm::input::CharonGone{true});
}

void SimulatedGateway::set_tunnels(const effect::SetTunnels& setup) {
  tell_tunnels(xfrm::input::SetTunnels{setup.tunnels, setup.follow});
  around_.disk.if_ids = tunnels_->owned_if_ids();
}

/// One call for each effect of the keeper, as xfrm/netlink/tunnels.cc. Answers come in the next round.
struct SimulatedGateway::PerformTunnels {
  SimulatedGateway& my;

  void operator()(const xfrm::effect::ConnectToCharon&) const {
    my.wants_charon_ = true;
    my.answer_tunnels([&it = my] { it.charon_changed(); });
  }
  void operator()(const xfrm::effect::AskCharon& effect) const {
    if (!my.around_.charon.running()) return;  // CharonGone has been or will be said.
    my.answer_tunnels([&it = my, reply = my.around_.charon.answer(effect.request, my.now())] {
      it.tell_tunnels(xfrm::input::CharonReplied{reply});
    });
  }
  void operator()(const xfrm::effect::TakeStep& effect) const {
    my.answer_tunnels([&it = my, id = effect.id, error = my.around_.host.execute(effect.step)] {
      it.tell_tunnels(xfrm::input::StepAnswered{id, error});
    });
    my.kernel_busy_ = true;
  }
  void operator()(const xfrm::effect::LookUp& effect) const {
    my.answer_tunnels([&it = my, endpoint = effect.endpoint] {
      it.tell_tunnels(xfrm::input::RouteAnswered{endpoint, it.around_.host.look_up(endpoint)});
    });
  }
  void operator()(const xfrm::effect::ReadCounters&) const {}
  void operator()(const xfrm::effect::ReadOwnRoutes&) const {
    my.answer_tunnels([&it = my] { it.tell_tunnels(xfrm::input::OwnRoutesRead{it.around_.host.own_routes()}); });
  }
  void operator()(const xfrm::effect::RetryDumps&) const {}
  void operator()(const xfrm::effect::DeleteSa& effect) const { my.around_.charon.delete_sa(effect.sa); }
  void operator()(const xfrm::effect::RedirectPolicies&) const {}
  void operator()(const xfrm::effect::TunnelChanged& effect) const {
    const xfrm::TunnelChange& change = effect.change;
    if (my.tracing)
      my.trace.push_back("  tunnel " + effect.tunnel + " " + std::string{xfrm::to_text(change.state)} + " " +
                         std::string{xfrm::to_text(change.reason)});
    my.input(input::TunnelChanged{effect.tunnel, change.state, change.previous, change.reason});
  }
  void operator()(const xfrm::effect::FollowChanged&) const {}
  void operator()(const xfrm::effect::WriteLog& effect) const {
    ++my.counts_.logs;
    if (my.tracing) my.trace.push_back("  log: " + effect.line);
  }
  void operator()(const xfrm::effect::Stopped&) const { my.tunnels_ended_ = true; }
};

void SimulatedGateway::answer_tunnels(std::function<void()> answer) { answers_.push_back(std::move(answer)); }

void SimulatedGateway::work_tunnels() {
  if (working_tunnels_ || (!tunnels_busy_ && answers_.empty() && tunnels_->next_deadline() > now())) return;
  working_tunnels_ = true;
  for (int i = 0; i < 1000; ++i) {
    if (!std::exchange(tunnels_busy_, false) && tunnels_->next_deadline() <= now())
      tunnels_->input(xfrm::input::TimePassed{}, now());
    while (auto effect = tunnels_->poll()) std::visit(PerformTunnels{*this}, *effect);
    if (answers_.empty() && !tunnels_busy_) break;
    for (auto& answer : std::exchange(answers_, {})) answer();
  }
  working_tunnels_ = false;
  around_.disk.if_ids = tunnels_->owned_if_ids();
}

/// As long as they take: the time that passes meanwhile is not the world's.
void SimulatedGateway::end_tunnels() {
  using OnExitOfTunnels = xfrm::TunnelsOptions::OnExit;
  tell_tunnels(xfrm::input::Stop{removing_ ? OnExitOfTunnels::remove : OnExitOfTunnels::keep});
  Time then = now();
  for (int i = 0; i < 1000 && !tunnels_ended_; ++i) {
    while (auto effect = tunnels_->poll()) std::visit(PerformTunnels{*this}, *effect);
    if (tunnels_ended_) break;
    if (answers_.empty()) {
      then = std::max(then, std::min(tunnels_->next_deadline(), then + 1s));
      tunnels_->input(xfrm::input::TimePassed{}, then);
    }
    for (auto& answer : std::exchange(answers_, {})) answer();
  }
  around_.disk.if_ids = tunnels_->owned_if_ids();
}

// The pump

void SimulatedGateway::on_peer_changed(const minibgp::PeerChanged& change) {
  if (change.to == minibgp::PeerState::established) {
    established_[change.peer] = now();
  } else {
    established_.erase(change.peer);
  }
  if (change.to == minibgp::PeerState::connect) ++counts_.dials;
  input(input::PeerChanged{change});
}

void SimulatedGateway::input(Input event) {
  if (!gateway_) return;
  ++counts_.inputs;
  gateway_->input(std::move(event), now());
  run_effects();
}

void SimulatedGateway::run_effects() {
  if (std::exchange(performing_, true)) return;
  while (auto effect = gateway_->poll()) {
    ++counts_.effects;
    std::visit(Perform{*this}, *effect);
  }
  performing_ = false;
}

/// As the speaker's driver: what observers ask for takes effect after the engine was polled empty.
void SimulatedGateway::on_engine(std::function<void(Engine&)> call) { inbox_.push_back(std::move(call)); }

void SimulatedGateway::on_best_changed(std::span<const minibgp::BestChange> changes) {
  if (!gateway_ || !gateway_->forwards()) return;
  for (const minibgp::BestChange& change : changes) {
    if (!tracing) break;
    std::string line = "  best " + minibgp::to_text(change.prefix);
    for (const minibgp::BestPath& path : change.paths) line += " " + minibgp::to_text(path.next_hop.address);
    trace.push_back(std::move(line));
  }
  forwarder_->input(fib::input::BestChanged{changes}, now());
  kernel_busy_ = true;
}

/// The kernel's groups have lost the next hop when this returns.
void SimulatedGateway::react() {
  send_next_hops();
  kernel_busy_ = true;
}

void SimulatedGateway::send_next_hops() {
  while (const auto batch = forwarder_->poll_next_hops(now())) {
    around_.kernel.send(batch->ops);
    around_.kernel.answer_next_hops(now());
  }
}

void SimulatedGateway::work_kernel() {
  if (!forwarder_ || (!kernel_busy_ && forwarder_->next_deadline() > now())) return;
  forwarder_->on_time(now());
  // Four batches of eight routes at a time, so that what happens meanwhile meets routes on their way.
  constexpr std::size_t kRoutes = 8;
  fib::Room room;
  room.routes = ending_ && !removing_ ? 0 : kRoutes;
  std::size_t batches = 0;
  std::vector<fib::NextHopState> next_hops;
  std::vector<fib::NetworkChange> networks;
  forwarder_->set_room(room);
  while (const auto output = forwarder_->poll()) {
    if (const auto* owned = std::get_if<fib::OwnedChanged>(&*output)) around_.disk.owned = owned->owned;
    if (const auto* objects = std::get_if<fib::NextHopBatch>(&*output)) {
      around_.kernel.send(objects->ops);
      around_.kernel.answer_next_hops(now());
    }
    if (const auto* routes = std::get_if<fib::RouteBatch>(&*output)) {
      around_.kernel.send(routes->ops);
      if (++batches == 4) room.routes = 0;
    }
    if (const auto* request = std::get_if<fib::DumpRequest>(&*output)) around_.kernel.dump(*request);
    if (const auto* changed = std::get_if<fib::NextHopsChanged>(&*output))
      next_hops.insert(next_hops.end(), changed->states.begin(), changed->states.end());
    if (const auto* changed = std::get_if<fib::NetworkChange>(&*output)) networks.push_back(*changed);
    forwarder_->set_room(room);
  }
  // What was delivered may make work: another round follows, until nothing comes any more.
  bool delivered = false;
  for (int i = 0; i < 16 && around_.kernel.deliver(now()); ++i) delivered = true;
  kernel_busy_ = delivered || (forwarder_->has_work() && !(ending_ && !removing_));
  if (!next_hops.empty()) input(input::NextHops{std::move(next_hops)});
  for (const fib::NetworkChange& change : networks)
    input(input::NetworkChanged{change.prefix, change.watch, change.present});
}

void SimulatedGateway::turn() {
  if (!running() || std::exchange(in_turn_, true)) return;
  ++counts_.turns;
  for (int i = 0; i < 50; ++i) {
    for (auto& call : std::exchange(inbox_, {})) {
      call(around_.node.engine());
      around_.node.pump();
    }
    around_.node.pump();
    work_tunnels();
    if (gateway_->next_deadline() <= now()) {
      gateway_->on_time(now());
      run_effects();
    }
    if (keeper_->next_deadline() <= now()) {
      keeper_->input(ConfigKeeper::TimeUp{}, now());
      in_turn_ = false;
      return run_keeper();
    }
    if (inbox_.empty()) break;
  }
  work_kernel();
  in_turn_ = false;
  Time next = std::min(
      {gateway_->next_deadline(), forwarder_->next_deadline(), tunnels_->next_deadline(), keeper_->next_deadline()});
  if (kernel_busy_ || !inbox_.empty()) next = std::min(next, now() + 1ms);
  wake_at(next);
}

/// An event of the world, after which turn() is called.
void SimulatedGateway::wake_at(Time when) {
  if (when == minibgp::kNever || (woken_ != minibgp::kNever && woken_ > now() && woken_ <= when)) return;
  woken_ = std::max(when, now() + 100us);
  around_.world.at(woken_, [] {});
}

// GatewayView

std::vector<minibgp::PeerStatus> SimulatedGateway::sessions() const {
  return around_.node.is_running() ? around_.node.engine().peers() : std::vector<minibgp::PeerStatus>{};
}
std::optional<minibgp::PeerStatus> SimulatedGateway::session(PeerId peer) const {
  return around_.node.is_running() ? around_.node.engine().peer(peer) : std::nullopt;
}
bool SimulatedGateway::tunnel_usable(const std::string& tunnel) const { return tunnels_ && tunnels_->usable(tunnel); }

}  // namespace bgplite::sim
