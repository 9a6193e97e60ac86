/// The part of Daemon that says what the configuration means to the speaker and to the fib.
#include <apps/bgplite/daemon.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bgplite {
namespace {

using minibgp::LogArea;

/// The first line of a file nobody else may read. The error is a sentence.
minibgp::Result<minibgp::Secret, std::string> read_secret(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return minibgp::unexpected("cannot read " + path + ": " + std::strerror(errno));
  struct stat status {};
  char text[256] = {};
  const bool open = ::fstat(fd, &status) == 0 && (status.st_mode & 0077U) != 0;
  const ssize_t size = open ? 0 : ::read(fd, text, sizeof text);
  ::close(fd);
  if (open) return minibgp::unexpected(path + " can be read by others: chmod 600 " + path);
  std::string_view line{text, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  line = line.substr(0, line.find_first_of("\r\n"));
  minibgp::Secret secret{line};
  ::explicit_bzero(text, sizeof text);
  if (secret.empty()) return minibgp::unexpected(path + " holds no key");
  return secret;
}

}  // namespace

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
  return options;
}

/// The key is read anew whenever a configuration is to be carried out or compared with what runs: the same path may
/// hold another one. If it cannot be read, the key in use stays in use, and so does the session.
void Daemon::read_key(const std::string& key, PeerConfig& peer) const {
  if (peer.md5_file.empty()) return;
  auto secret = read_secret(peer.md5_file);
  if (secret) {
    peer.options.md5_key = std::move(*secret);
    return;
  }
  const auto running = config_.peers.find(key);
  const bool used = running != config_.peers.end() && !running->second.options.md5_key.empty();
  if (used) peer.options.md5_key = running->second.options.md5_key;
  log_.error(LogArea::config,
             "peer " + key + ": " + secret.error() + (used ? ": the key in use stays" : ": the peer stays disabled"));
}

void Daemon::read_keys(Config& wanted) const {
  for (auto& [key, peer] : wanted.peers) read_key(key, peer);
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

Plan Daemon::plan(Config wanted) const {
  read_keys(wanted);
  return diff(running_beside(wanted), wanted);
}

/// If the key in the peer's file is another one, it is used from now on, and the session begins anew with it.
bool Daemon::use_new_key(const std::string& key) {
  PeerConfig& running = config_.peers.at(key);
  PeerConfig wanted = running;
  read_key(key, wanted);
  if (running.options.md5_key == wanted.options.md5_key) return false;
  running.options.md5_key = wanted.options.md5_key;
  update_peer(key, running);
  return true;
}

}  // namespace bgplite
