/// Doctor's checks of the daemon and of the files that it reads and writes.
#include <apps/bgplite/host/doctor_checks.h>

#include <string>

namespace bgplite::host {
using minibgp::xfrm::TunnelOptions;

namespace {

/// Only printed: who may read a key is the operator's to decide, and a wrong owner or mode takes the tunnel down.
void key_file(const Check& check, const std::string& user, const std::string& subject, const std::string& path,
              const KeyFacts& key, std::uint32_t others, const char* loss, Out& out) {
  const std::string put_right = "chown " + user + " " + path + " && chmod 0400 " + path;
  if (!key.exists) {
    report(out, check, Verdict::error, subject,
           {"the key " + path + " is not there", loss,
            "install -D -m 0400 -o " + user + " /dev/stdin " + path + "  (then type the key and Ctrl-D)"});
  } else if ((key.mode & others) != 0) {
    report(out, check, Verdict::error, subject,
           {"the key " + path + " can be read by others", "bgplite refuses it", put_right});
  } else if (!key.readable) {
    report(out, check, Verdict::error, subject,
           {"user " + user + ", who runs the daemon, cannot read the key " + path, loss,
            put_right + "  (and let " + user + " into its directory)"});
  }
}

}  // namespace

void daemon_runs(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (facts.daemon_reachable) return;
  report(out, check, Verdict::not_checkable, {},
         {"the daemon does not answer at " + config.control.socket, "sessions and negotiations are not known",
          "systemctl start bgplite, or bgplite run; then ask again"});
}

void key_files(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions& options, const TunnelFacts& tunnel) {
    if (!options.ike || options.ike->psk_file.empty()) return;
    key_file(check, facts.daemon_user, name, options.ike->psk_file, tunnel.psk, 07, "the tunnel cannot be negotiated",
             out);
  });
  for (const auto& [name, peer] : config.peers)
    if (const auto key = facts.md5_keys.find(name); key != facts.md5_keys.end())
      key_file(check, facts.daemon_user, name, peer.md5_file, key->second, 077, "the peer stays disabled", out);
}

}  // namespace bgplite::host
