/// The part of Daemon that says what the configuration means to the speaker and to the fib.
#include <apps/bgplite/daemon.h>

#include <utility>

namespace bgplite {

using minibgp::LogArea;

minibgp::SpeakerOptions Daemon::speaker_options() const {
  minibgp::SpeakerOptions options = config_.router;
  options.seed = seed_;
  options.forwarding_preserved = restarted_;
  options.next_hop_tracking =
      config_.fib.enabled ? minibgp::NextHopTracking::tracked : minibgp::NextHopTracking::assume_usable;
  return options;
}

minibgp::fib::FibOptions Daemon::fib_options() const {
  using minibgp::fib::FibOptions;
  using minibgp::fib::PreferredSource;
  FibOptions options;
  options.enabled = config_.fib.enabled;
  options.table = config_.fib.table;
  options.metric = config_.fib.metric;
  options.protocol = config_.fib.protocol;
  options.preferred_source.address = config_.fib.prefsrc_address;
  switch (config_.fib.prefsrc) {
    case FibConfig::Prefsrc::automatic:
      options.preferred_source.mode = PreferredSource::Mode::automatic;
      break;
    case FibConfig::Prefsrc::none:
      options.preferred_source.mode = PreferredSource::Mode::none;
      break;
    case FibConfig::Prefsrc::address:
      options.preferred_source.mode = PreferredSource::Mode::address;
      break;
  }
  options.on_exit = config_.on_exit == OnExit::keep ? FibOptions::OnExit::keep : FibOptions::OnExit::remove;
  options.adopt_timeout = config_.fib.adopt_timeout;
  options.audit_interval = config_.fib.audit_interval;
  options.resolve_via_default = config_.fib.resolve_via_default;
  options.next_hop_objects =
      config_.fib.next_hop_objects ? FibOptions::NextHopObjects::automatic : FibOptions::NextHopObjects::off;
  return options;
}

minibgp::PeerOptions Daemon::options_of(const std::string& key, const PeerConfig& peer) {
  minibgp::PeerOptions options = peer.options;
  const auto policy = [&](const std::string& name) -> std::shared_ptr<const minibgp::Policy> {
    if (peer.accept_all) return minibgp::Policy::accept_all();
    const auto found = config_.policies.find(name);
    return found == config_.policies.end() ? nullptr : found->second.compiled;
  };
  options.import_policy = policy(peer.import_policy);
  options.export_policy = policy(peer.export_policy);
  options.audience = audience_of(key, peer);
  drains_.apply(key, options);
  // The key was read with the configuration, which has said why it could not be.
  if (!peer.md5_file.empty() && options.md5_key.empty()) {
    log_.error(LogArea::config, "peer " + key + ": without the key of " + peer.md5_file + " the peer stays disabled");
    options.enabled = false;
  }
  return options;
}

}  // namespace bgplite
