/// The checks of doctor's table (doctor.cc), and what they are written with. Not for others.
#pragma once

#include <apps/bgplite/host/doctor.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bgplite::host {

using minibgp::xfrm::Mode;
using Out = std::vector<Finding>;

/// A finding is made in one statement: what, why, remedy and, where `--fix` may, the command.
struct Text {
  std::string what, why, remedy;
  std::vector<std::string> repair = {};
};

inline void report(Out& out, const Check& check, Verdict verdict, std::string subject, Text text) {
  out.push_back(Finding{check.id, verdict, std::move(subject), std::move(text.what), std::move(text.why),
                        std::move(text.remedy), std::move(text.repair)});
}

/// "6.1.0-50-amd64" -> {6, 1}; what is not a number is 0.
inline std::pair<unsigned, unsigned> version_of(std::string_view text) {
  std::pair<unsigned, unsigned> version{0, 0};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version.first);
  if (error == std::errc{} && end != text.data() + text.size() && *end == '.')
    (void)std::from_chars(end + 1, text.data() + text.size(), version.second);
  return version;
}

/// Checks of each IPsec tunnel get its options and what was found of it.
template <typename Body>
void for_tunnels(const Config& config, const Facts& facts, const Body& body) {
  for (const auto& [name, tunnel] : config.tunnels)
    if (const auto found = facts.tunnels.find(name); found != facts.tunnels.end() && tunnel.options.mode != Mode::link)
      body(name, tunnel.options, found->second);
}

inline bool any_interface(const Config& config) {
  return std::any_of(config.tunnels.begin(), config.tunnels.end(),
                     [](const auto& it) { return it.second.options.mode == Mode::interface; });
}

/// Of the host as a router: it has tunnels, or puts routes of peers into its kernel.
inline bool routes(const Config& config) {
  return !config.tunnels.empty() || (config.fib.enabled && !config.peers.empty());
}

/// Interface of a tunnel, by its options.
inline std::string interface_name(const minibgp::xfrm::TunnelOptions& tunnel) {
  return tunnel.interface.empty() ? tunnel.name : tunnel.interface;
}

/// Of a link that others make; of IPsec tunnels it says nothing.
inline bool link_is_up(const minibgp::xfrm::TunnelOptions& tunnel, const Facts& facts) {
  if (tunnel.mode != Mode::link) return true;
  const auto link = facts.links.find(interface_name(tunnel));
  return link != facts.links.end() && link->second.up;
}

using CheckBody = void(const Check& check, const Config& config, const Facts& facts, Out& out);

// doctor_host.cc
CheckBody kernel, module, links, forwarding, firewall, masquerade, mss, managed, rp_filter, clock_off;
// doctor_tunnel.cc
CheckBody duplicates, charon, charon_version, algorithms, route, route_loop, negotiation, foreign_connections,
    selectors, no_inbound, template_mismatch, path_mtu, table_220, everything, detection, flapping;
// doctor_bgp.cc
CheckBody sessions, withheld, timers, refused_routes;
// doctor_files.cc
CheckBody daemon_runs, config_files, state_dir, unapplied, unconfirmed, key_files;

}  // namespace bgplite::host
