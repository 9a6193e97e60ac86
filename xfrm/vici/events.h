/// Events: what charon says by itself (child-updown, ike-updown, rekeys, its log, alerts), told to the table and to the
/// keeper. Pure.
#pragma once

#include <bgp/types.h>
#include <xfrm/tunnel_table.h>
#include <xfrm/vici/keeper.h>
#include <xfrm/vici/packet.h>

#include <string_view>

namespace minibgp::xfrm::vici {

void take_event(std::string_view name, const Section& message, TunnelTable& table, IkeKeeper& keeper, Time now);

}  // namespace minibgp::xfrm::vici
