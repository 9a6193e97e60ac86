#include <bgp/decide.h>
#include <bgp/text.h>
#include <tests/sim/gateway/invariants.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace bgplite::sim {
namespace {

using minibgp::IpAddress;
using minibgp::PeerOptions;
using minibgp::PeerState;
using minibgp::PeerStatus;
namespace fib = minibgp::fib;
namespace xfrm = minibgp::xfrm;
using Peer = Setting::Peer;

}  // namespace

void Invariants::check_quiet() {
  check_config();
  check_sessions();
  check_tunnels();
  check_advertised();
  check_decisions();
  check_fib();
}

void Invariants::check_empty() {
  for (const auto& [key, route] : at_.kernel.routes())
    at_.fail(6, minibgp::to_text(key.prefix) + " is left in table " + std::to_string(key.table));
  if (!at_.kernel.objects().empty())
    at_.fail(6, std::to_string(at_.kernel.objects().size()) + " next-hop objects are left");
  if (at_.own_node->engine().route_count() != at_.gateway->gateway().announcements().own().size())
    at_.fail(6, "routes are left in the table of the speaker");
}

void Invariants::check_config() {
  check_promise();
  if (at_.gateway->keeper().unconfirmed_for(at_.world.now())) at_.fail(7, "a trial never ends");
  for (const bgplite::Step& step : at_.gateway->gateway().plan(at_.config(at_.running())))
    if (step.kind != bgplite::Step::Kind::needs_restart)
      at_.fail(7, "what runs differs from what was applied: " + step.text);
}

void Invariants::check_sessions() {
  for (std::size_t i = 0; i < at_.peers.size(); ++i) {
    const auto id = at_.peer_id(i);
    if (!id) continue;
    const PeerStatus status = *at_.own_node->engine().peer(*id);
    const PeerOptions& options = at_.gateway->gateway().config().peers.at(at_.peers[i].key).options;
    if (status.state == PeerState::established) {
      if (status.hold_s != std::min(options.timers.hold_s, status.peer_hold_s))
        at_.fail(7, status.name + " has another hold time than is configured");
      continue;
    }
    const bool stopped = at_.peers[i].stopped_by_operator ||
                         at_.gateway->gateway().drain_step(*id) == DrainStep::stopped || !options.enabled;
    const bool other_as = options.remote_as != at_.peers[i].node->as();
    if (stopped || other_as || options.import_limit.max < kAnnouncedMax) continue;
    at_.fail(8, status.name + " is not Established: " + std::string{minibgp::to_text(status.state)} + ", enabled " +
                    std::to_string(status.enabled) + ", tunnel " +
                    (at_.gateway->usable(at_.peers[i].ours.tunnel) ? "usable" : "down") + ", last " +
                    std::string{minibgp::to_text(status.last_down)});
  }
  const Gateway::Status status = at_.gateway->gateway().status();
  if (status.arriving != 0) at_.fail(8, "a peer waits to be used for ever");
  if (status.parts != 0) at_.fail(3, "networks are announced in halves though no tunnel is lost");
  if (!at_.gateway->forwarder().status().synchronized) at_.fail(8, "the fib does not come to rest");
  if (at_.gateway->forwarder().status().adopting) at_.fail(8, "routes of an earlier run are kept for ever");
}

void Invariants::check_tunnels() {
  std::size_t wanted = 0;
  for (std::size_t i = 0; i < at_.peers.size(); ++i) {
    const std::string& name = at_.peers[i].ours.tunnel;
    if (!at_.gateway->gateway().config().tunnels.contains(name)) {
      if (at_.charon.ikes(i) != 0 || at_.charon.pairs(i) != 0) at_.fail(6, "SAs of " + name + " are left");
      if (at_.charon.connections().contains(connection_name(i))) at_.fail(6, "charon keeps the connection of " + name);
      if (at_.host.routes().contains(at_.charon.tunnels[i].remote))
        at_.fail(6, "the route to the endpoint of " + name + " is left");
      continue;
    }
    ++wanted;
    const auto status = at_.gateway->tunnels().status(name);
    if (!status || status->state != xfrm::TunnelState::up)
      at_.fail(8, name + " is down: " + std::string{status ? xfrm::to_text(status->reason) : "unknown"});
    if (at_.charon.ikes(i) != 1) at_.fail(6, name + " has " + std::to_string(at_.charon.ikes(i)) + " IKE_SAs");
    if (at_.charon.pairs(i) != 1) at_.fail(6, name + " has " + std::to_string(at_.charon.pairs(i)) + " pairs of SAs");
  }
  if (at_.host.interfaces().size() != wanted)
    at_.fail(6,
             std::to_string(at_.host.interfaces().size()) + " interfaces for " + std::to_string(wanted) + " tunnels");
  if (at_.charon.needless() != 0) at_.fail(5, "SAs were initiated beside others that work");
}

void Invariants::check_advertised() {
  for (std::size_t i = 0; i < at_.peers.size(); ++i) {
    const auto id = at_.peer_id(i);
    if (!id || at_.own_node->engine().peer(*id)->state != PeerState::established) continue;
    minibgp::RouteFilter filter;
    filter.peer = at_.peers[i].node->peer(*at_.own_node);
    std::set<Prefix> holds;
    const bool drained = at_.gateway->gateway().drain_step(*id).has_value();
    for (const minibgp::PathSnapshot& path : at_.peers[i].node->engine().routes(filter)) {
      holds.insert(path.prefix);
      const auto& communities = path.received.communities;
      const bool leaving =
          std::find(communities.begin(), communities.end(), minibgp::Community{0xFFFF0000U}) != communities.end();
      if (leaving != drained)
        at_.fail(3, at_.peers[i].node->name() + " holds " + minibgp::to_text(path.prefix) +
                        (drained ? " without" : " with") + " GRACEFUL_SHUTDOWN");
    }
    std::set<Prefix> advertised;
    for (const minibgp::AnnouncedSnapshot& one : at_.own_node->engine().announced_to(*id, {}))
      advertised.insert(one.prefix);
    for (const Prefix& prefix : holds)
      if (!advertised.contains(prefix))
        at_.fail(3, at_.peers[i].node->name() + " holds " + minibgp::to_text(prefix) + ", which we do not advertise");
    for (const Prefix& prefix : advertised)
      if (!holds.contains(prefix) && prefix != Prefix::of(at_.peers[i].ours.address, 32))
        at_.fail(3, at_.peers[i].node->name() + " does not hold " + minibgp::to_text(prefix) + ", which we advertise");
    for (const auto& [prefix, attributes] : at_.gateway->gateway().announcements().own())
      if (!holds.contains(prefix))
        at_.fail(3, at_.peers[i].node->name() + " does not hold our " + minibgp::to_text(prefix));
    for (const Prefix& prefix : holds)
      if (prefix.length_bits != 32 && prefix.address().octets[0] == 10 &&
          !at_.gateway->gateway().announcements().own().contains(prefix))
        at_.fail(3,
                 at_.peers[i].node->name() + " holds " + minibgp::to_text(prefix) + " of ours, which is not announced");
  }
  std::set<Prefix> wanted;
  for (const Network& network : at_.gateway->gateway().config().networks) wanted.insert(network.prefix);
  for (const auto& [prefix, attributes] : at_.gateway->gateway().announcements().by_command()) wanted.insert(prefix);
  for (const auto& [prefix, attributes] : at_.gateway->gateway().announcements().own())
    if (wanted.erase(prefix) == 0) at_.fail(3, minibgp::to_text(prefix) + " is announced and not configured");
  if (!wanted.empty()) at_.fail(3, minibgp::to_text(*wanted.begin()) + " is configured and not announced");
}

/// Again, by the function for tools, in another order.
void Invariants::check_decisions() {
  std::map<Prefix, std::vector<minibgp::PathSnapshot>> paths;
  for (minibgp::PathSnapshot& path : at_.own_node->engine().routes({})) paths[path.prefix].push_back(std::move(path));
  for (auto& [prefix, all] : paths) {
    std::reverse(all.begin(), all.end());
    std::vector<minibgp::DecideInput> inputs;
    bool local = false;
    for (const minibgp::PathSnapshot& path : all) {
      local = local || path.peer == minibgp::kLocalPeer || at_.own_node->engine().options_of(path.peer) == nullptr;
      if (local) break;
      const auto peer = std::find_if(at_.peers.begin(), at_.peers.end(), [&](const Peer& known) {
        return at_.own_node->engine().options_of(path.peer)->address == known.ours.address;
      });
      minibgp::DecideInput input;
      // Every route is accepted as it is, but for those of a peer that is left.
      input.attributes = path.received;
      if (at_.own_node->engine().options_of(path.peer)->graceful_shutdown) input.attributes.local_pref = 0;
      input.peer_router_id = peer->node->router_id();
      input.peer_address = peer->ours.address;
      input.usable = path.usable;
      input.default_local_pref = at_.own_node->engine().options_of(path.peer)->default_local_pref;
      inputs.push_back(std::move(input));
    }
    if (local) continue;
    for (const minibgp::Ranked& ranked : minibgp::decide(inputs, at_.own_node->engine().options()))
      if (ranked.best != all[ranked.index].best || ranked.multipath != all[ranked.index].multipath)
        at_.fail(4, minibgp::to_text(prefix) + ": another best path from the same set of paths");
  }
}

/// The kernel has exactly the best paths.
void Invariants::check_fib() {
  std::map<Prefix, std::set<IpAddress>> wanted, have;
  for (const auto& [prefix, paths] : at_.own_node->table())
    for (const minibgp::BestPath& path : paths) wanted[prefix].insert(path.next_hop.address);
  for (const auto& [key, route] : at_.kernel.routes()) {
    if (key.table != at_.gateway->gateway().config().fib.table)
      at_.fail(6, minibgp::to_text(key.prefix) + " is left in table " + std::to_string(key.table));
    for (const fib::Via& via : at_.kernel.ways(route)) have[key.prefix].insert(via.gateway);
  }
  for (const auto& [prefix, gateways] : wanted)
    if (prefix.length_bits != 32 && have[prefix] != gateways)
      at_.fail(1, "the kernel's next hops of " + minibgp::to_text(prefix) + " differ");
  for (const auto& [prefix, gateways] : have)
    if (!gateways.empty() && !wanted.contains(prefix)) at_.fail(6, minibgp::to_text(prefix) + " is in the kernel");
}

}  // namespace bgplite::sim
