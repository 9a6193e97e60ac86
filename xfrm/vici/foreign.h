/// Foreign: IKE_SAs of connections that are not ours and that decide about our tunnels' traffic. Pure.
#pragma once

#include <xfrm/tunnel.h>
#include <xfrm/vici/sa_view.h>

#include <span>
#include <string>
#include <vector>

namespace minibgp::xfrm::vici {

struct Meddler {
  std::string tunnel;      ///< Whose traffic is concerned.
  std::string connection;  ///< charon's name.
  std::string text;        ///< What it does, as a sentence without the tunnel's name.
};
/// Of tunnels whose connections are ours, each (tunnel, connection) once.
[[nodiscard]] std::vector<Meddler> meddlers(std::span<const IkeView> ikes, std::span<const TunnelOptions> tunnels);

}  // namespace minibgp::xfrm::vici
