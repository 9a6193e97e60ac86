#include <apps/bgplite/probes.h>
#include <bgp/text.h>

#include <utility>

namespace bgplite {
namespace {

using minibgp::LogArea;
using minibgp::LogLevel;
using minibgp::fib::EchoProbe;
using minibgp::fib::EchoTarget;
using minibgp::fib::ProbeOptions;
using minibgp::fib::ProbeState;
using minibgp::xfrm::Reason;
using minibgp::xfrm::TunnelState;

/// Without an interface: the tunnel asks for no probe, or cannot have one (check.cc has said so).
EchoTarget target_of(const Config& config, const TunnelConfig& tunnel) {
  EchoTarget target;
  target.address = tunnel.probe.target;
  if (const auto peer = config.peers.find(tunnel.peer); peer != config.peers.end() && !target.address.is_set())
    target.address = peer->second.options.address;
  target.source = tunnel.probe.source;
  const bool possible = tunnel.options.mode != minibgp::xfrm::Mode::policy && target.address.is_set();
  if (tunnel.probe_enabled && possible)
    target.interface = tunnel.options.interface.empty() ? tunnel.options.name : tunnel.options.interface;
  return target;
}

ProbeOptions options_of(const ProbeConfig& config) {
  ProbeOptions options;
  options.interval = config.interval;
  options.down_after = config.failures;
  options.up_after = config.answers;
  return options;
}

Probes::Result result_of(ProbeState state) {
  return state == ProbeState::up     ? Probes::Result::answered
         : state == ProbeState::down ? Probes::Result::lost
                                     : Probes::Result::unknown;
}

/// The tunnel could carry a request: it does, or only the probe's own verdict and damping are against it.
bool carries(TunnelState state, Reason reason) {
  return minibgp::xfrm::usable(state) || reason == Reason::probe_lost || reason == Reason::damped;
}

}  // namespace

Probes::Probes(boost::asio::io_context& io, Logging& log, std::uint64_t seed, Feed feed)
    : io_(io), log_(log), seed_(seed), feed_(std::move(feed)) {}

void Probes::set(const Config& config, const minibgp::xfrm::Tunnels& tunnels) {
  std::map<std::string, Entry, std::less<>> old = std::exchange(entries_, {});
  for (const auto& [name, tunnel] : config.tunnels) {
    EchoTarget target = target_of(config, tunnel);
    if (target.interface.empty()) continue;
    const ProbeOptions options = options_of(tunnel.probe);
    if (const auto kept = old.find(name);
        kept != old.end() && kept->second.target == target && kept->second.options == options) {
      entries_.insert(old.extract(kept));
      continue;
    }
    // Its sequence numbers and payload come from another seed than those of any probe before: a late answer to an old
    // probe is none of ours.
    Entry& entry = entries_[name];
    entry.target = std::move(target);
    entry.options = options;
    entry.probe = std::make_unique<EchoProbe>(io_, entry.target, options, ++seed_,
                                              [this, name = name](ProbeState state) { on_state(name, state); });
    if (const auto status = tunnels.status(name)) note_tunnel(name, entry, status->state, status->reason);
  }
  // Of those that are gone or begin anew nothing is known.
  // The tunnel table must not keep the verdict of a probe that does not exist any more.
  for (const auto& [name, entry] : old) feed_(name, Result::unknown);
}

const EchoProbe* Probes::find(std::string_view tunnel) const {
  const auto found = entries_.find(tunnel);
  return found == entries_.end() ? nullptr : found->second.probe.get();
}

void Probes::on_tunnel_changed(std::string_view tunnel, TunnelState state, Reason reason) {
  if (const auto found = entries_.find(tunnel); found != entries_.end())
    note_tunnel(found->first, found->second, state, reason);
}

void Probes::note_tunnel(const std::string& tunnel, Entry& entry, TunnelState state, Reason reason) {
  const bool paused = !carries(state, reason);
  // Only an edge resets the probe: a tunnel that changes its reason while it is down must not start it again.
  if (entry.paused == paused) {
    // The reason is shown to the operator, so it follows the tunnel's.
    if (paused) entry.probe->pause("the tunnel is down: " + std::string{minibgp::xfrm::to_text(reason)});
    return;
  }
  entry.paused = paused;
  if (paused) {
    entry.probe->pause("the tunnel is down: " + std::string{minibgp::xfrm::to_text(reason)});
    feed_(tunnel, Result::unknown);
  } else {
    entry.probe->reset();
    // Its state after that is no change that it reports: a verdict of before must not stay.
    feed_(tunnel, result_of(entry.probe->state()));
  }
}

void Probes::on_state(const std::string& tunnel, ProbeState state) {
  // The probe calls back while it exists, and it exists as long as its entry.
  const Entry& entry = entries_.find(tunnel)->second;
  const std::string target = minibgp::to_text(entry.target.address);
  if (state == ProbeState::up) {
    log_.info(LogArea::tunnel, "tunnel " + tunnel + ": echo probes are answered by " + target);
  } else if (state == ProbeState::down) {
    log_.warning(LogArea::tunnel, "tunnel " + tunnel + ": " + target + " left " +
                                      std::to_string(entry.probe->probe().losses_in_a_row()) +
                                      " echo probes in a row unanswered");
  }
  feed_(tunnel, result_of(state));
}

}  // namespace bgplite
