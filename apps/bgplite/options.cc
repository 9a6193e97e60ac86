/// The part of Daemon that says what the configuration means to the speaker and to the fib.
#include <apps/bgplite/config/yaml.h>
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
  options.allow = config_.fib.allow;
  options.next_hop_objects =
      config_.fib.next_hop_objects ? FibOptions::NextHopObjects::automatic : FibOptions::NextHopObjects::off;
  return options;
}

minibgp::PeerOptions Daemon::options_of(const std::string& key, const PeerConfig& peer) {
  minibgp::PeerOptions options = options_in_force(config_, peer);
  options.audience = audience_of(key, peer);
  drains_.apply(key, options);
  // The key was read with the configuration, which has said why it could not be.
  if (!peer.md5_file.empty() && options.md5_key.empty())
    log_.error(LogArea::config, "peer " + key + ": without the key of " + peer.md5_file + " the peer stays disabled");
  return options;
}

/// What runs, to be compared with `wanted`. Where our address is left to the kernel, the one that a session has is in
/// force as if it had been written.
Config Daemon::running_beside(const Config& wanted) const {
  Config running = config_;
  for (const minibgp::PeerStatus& status : speaker_->engine().peers()) {
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

Plan Daemon::plan(const Config& wanted) const { return diff(running_beside(wanted), wanted); }

/// If the key in the peer's file is another one, it is used from now on, and the session begins anew with it. A file
/// that cannot be read leaves the key in use.
bool Daemon::use_new_key(const std::string& key) {
  PeerConfig& running = config_.peers.at(key);
  if (running.md5_file.empty()) return false;
  std::string why;
  const auto text = host_files_and_keys().key(running.md5_file, why);
  if (!text) {
    log_.error(LogArea::config, "peer " + key + ": " + why + ": the key in use stays");
    return false;
  }
  minibgp::Secret secret{*text};
  if (running.options.md5_key == secret) return false;
  running.options.md5_key = std::move(secret);
  update_peer(key, running);
  return true;
}

}  // namespace bgplite
