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
  if (!peer.md5_file.empty()) {
    if (auto secret = read_secret(peer.md5_file)) {
      options.md5_key = std::move(*secret);
    } else {
      log_.error(LogArea::config, "peer " + key + ": " + secret.error() + ": the peer stays disabled");
      options.enabled = false;
    }
  }
  return options;
}

}  // namespace bgplite
