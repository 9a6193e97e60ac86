/// The values of the library as JSON, one function each: what `show --json` prints is made here and nowhere else.
/// docs/json.md describes the keys; they are stable.
#pragma once

#include <apps/bgplite/daemon.h>
#include <bgp/engine.h>
#include <fib/fib.h>
#include <xfrm/tunnels.h>

#include <map>
#include <string>

#include <nlohmann/json.hpp>

namespace bgplite::control {

using Json = nlohmann::ordered_json;

/// Seconds as a number, with milliseconds.
[[nodiscard]] double seconds(minibgp::Duration duration);

[[nodiscard]] Json to_json(const minibgp::PathAttributes& attributes);
/// With its prefix; `peer` is the name of who it came from.
[[nodiscard]] Json to_json(const minibgp::PathSnapshot& path, const std::string& peer);
[[nodiscard]] Json to_json(const minibgp::PeerStatus& peer, const PeerConfig* config, minibgp::Time now);
using InterfaceNames = std::map<minibgp::fib::IfIndex, std::string>;
[[nodiscard]] InterfaceNames interface_names(const minibgp::fib::Fib& fib);
[[nodiscard]] Json to_json(const minibgp::fib::RouteStatus& route, const InterfaceNames& names);
[[nodiscard]] Json to_json(const minibgp::fib::NextHopState& state, const std::string& peer);
[[nodiscard]] Json to_json(const minibgp::fib::FibStatus& status);
[[nodiscard]] Json to_json(const minibgp::xfrm::TunnelStatus& tunnel, minibgp::Time now);
[[nodiscard]] Json to_json(const minibgp::fib::EchoProbe& probe);
[[nodiscard]] Json to_json(const Failover& failover);
[[nodiscard]] Json to_json(const Plan& plan);
[[nodiscard]] Json to_json(const Diagnostics& diagnostics);
/// {"session": "info", ...}
[[nodiscard]] Json levels_json(const Logging& log);

}  // namespace bgplite::control
