/// Doctor's checks of the daemon and of the files that it reads and writes.
#include <apps/bgplite/config/yaml.h>
#include <apps/bgplite/host/doctor_checks.h>
#include <xfrm/vici/key_file.h>

#include <string>

namespace bgplite::host {
using minibgp::xfrm::TunnelOptions;

namespace {

/// Only printed: who may read a key is the operator's to decide, and a wrong owner or mode takes the tunnel down.
void key_file(const Check& check, const std::string& user, const std::string& subject, const std::string& path,
              const KeyFacts& key, bool open_to_others, const char* loss, Out& out) {
  // Printed as one command that can be copied.
  const std::string put_right = "chown " + user + " " + path + " && chmod 0400 " + path;
  if (!key.exists) {
    report(out, check, Verdict::error, subject,
           {"the key " + path + " is not there", loss,
            "install -D -m 0400 -o " + user + " /dev/stdin " + path + "  (then type the key and Ctrl-D)"});
  } else if (open_to_others) {
    report(out, check, Verdict::error, subject,
           {"the key " + path + " can be read or written by others", "bgplite refuses it", put_right});
  } else if (!key.readable) {
    report(out, check, Verdict::error, subject,
           {"user " + user + ", who runs the daemon, cannot read the key " + path, loss,
            put_right + "  (and let " + user + " into its directory)"});
  }
}

}  // namespace

void daemon_runs(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (facts.daemon_reachable) return;
  if (!facts.listener.empty()) {
    const std::string port = std::to_string(config.listen.port);
    return report(out, check, Verdict::error, "port " + port,
                  {"the daemon does not answer at " + config.control.socket + ", and another process has its port " +
                       port + ": " + facts.listener,
                   "a start ends because it cannot listen",
                   "end that process, or listen: { port: ANOTHER }; then systemctl start bgplite"});
  }
  report(out, check, Verdict::not_checkable, {},
         {"the daemon does not answer at " + config.control.socket, "sessions and negotiations are not known",
          "systemctl start bgplite, or bgplite run; then ask again"});
}

void config_files(const Check& check, const Config&, const Facts& facts, Out& out) {
  for (const std::string& path : facts.unreadable)
    report(out, check, Verdict::error, path,
           {"user " + facts.daemon_user + ", who runs the daemon, cannot read " + path,
            "a reload, plan and apply are refused",
            "chgrp $(id -g " + facts.daemon_user + ") " + path + " && chmod g+r " + path});
}

void state_dir(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (facts.state_problem.empty()) return;
  const std::string& path = config.state_dir;
  const bool full = facts.state_problem.find("free space") != std::string::npos;
  report(out, check, Verdict::error, path,
         {"the state directory " + path + " " + facts.state_problem,
          "changes of the configuration are refused, and a start does not know what was confirmed",
          full ? "free some space: df " + path
               : "mkdir -p " + path + " && chown " + facts.daemon_user + " " + path + " && chmod u+rwx " + path});
}

void unapplied(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (facts.unapplied.empty()) return;
  const std::string file = config.files.empty() ? "the configuration" : config.files.front();
  const std::size_t count = facts.unapplied.size();
  report(out, check, Verdict::warning, file,
         {(count == 1 ? std::string{"a change"} : std::to_string(count) + " changes") + " of " + file +
              " is not applied: " + facts.unapplied.front() + (count == 1 ? "" : ", ..."),
          "what runs is not what the file says; the next start takes it", "bgplite plan, and then: bgplite apply"});
}

void unconfirmed(const Check& check, const Config&, const Facts& facts, Out& out) {
  if (!facts.unconfirmed_for_s) return;
  report(out, check, Verdict::warning, {},
         {"the configuration that runs waits for its confirmation",
          "it is taken back in " + std::to_string(*facts.unconfirmed_for_s) + " s",
          "bgplite confirm  (or at once: bgplite rollback)"});
}

void key_files(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions& options, const TunnelFacts& tunnel) {
    if (!options.ike || options.ike->psk_file.empty()) return;
    const bool open = minibgp::xfrm::vici::is_open_to_others({tunnel.psk.mode, tunnel.psk.group}, facts.daemon_group);
    key_file(check, facts.daemon_user, name, options.ike->psk_file, tunnel.psk, open, "the tunnel cannot be negotiated",
             out);
  });
  for (const auto& [name, peer] : config.peers)
    if (const auto key = facts.md5_keys.find(name); key != facts.md5_keys.end())
      key_file(check, facts.daemon_user, name, peer.md5_file, key->second, is_open_to_others(key->second.mode),
               "the peer stays disabled", out);
}

}  // namespace bgplite::host
