/// What a configuration means to the speaker, the fib and the tunnels: their options, made from ours. Pure.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/gateway/events.h>
#include <apps/bgplite/gateway/return_path.h>

#include <functional>
#include <string>
#include <vector>

namespace bgplite {

/// Whether anything of it needs the kernel's routes, be it only to look at them.
[[nodiscard]] bool needs_fib(const Config& config);
/// Without what a run adds: its seed, and whether forwarding was preserved.
[[nodiscard]] minibgp::SpeakerOptions speaker_options(const Config& config);
[[nodiscard]] minibgp::fib::FibOptions fib_options(const Config& config);
[[nodiscard]] minibgp::fib::PeerBinding binding_of(const Config& config, const minibgp::PeerOptions& options);
[[nodiscard]] ReturnPathOptions return_path_options(const Config& config, const PeerConfig& peer);
[[nodiscard]] effect::SetTunnels tunnel_setup(const Config& config);
/// Of a tunnel; empty when there is no such tunnel.
[[nodiscard]] std::string interface_of(const Config& config, const std::string& tunnel);
/// The tunnel of a follow group through which we send now.
using Followed = std::function<std::string(const std::string& group)>;
[[nodiscard]] std::vector<minibgp::fib::StaticRoute> static_routes(const Config& config, const Followed& followed_now);
[[nodiscard]] minibgp::fib::NetworkWatch watch_of(Network::When when);
[[nodiscard]] minibgp::PathAttributes attributes_of(const Network& network);

}  // namespace bgplite
