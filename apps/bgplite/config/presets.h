/// Presets: what is known of each cloud's VPN gateway, as one table. `check` warns by it, `init` writes by it.
/// A fact marked unverified comes from the documentation or memory of others, not from a measurement of ours.
#pragma once

#include <apps/bgplite/config/config.h>

#include <cstdint>
#include <string_view>

namespace bgplite {

struct CloudFacts {
  Cloud cloud;
  std::string_view name;              ///< "Alibaba Cloud VPN gateway"
  std::uint32_t asn;                  ///< The usual AS number of the cloud's side; 0: chosen by the user.
  std::uint16_t keepalive_s, hold_s;  ///< What its examples or its sessions use.
  bool timers_fixed;                  ///< It does not negotiate the hold time down.
  std::uint32_t prefixes_max;         ///< So many it takes from us; 0: not known.
  bool drops_session_beyond;          ///< Beyond that it closes the session, rather than ignoring the rest.
  std::uint16_t mtu_max;              ///< Of the inner packets; 0: not known.
  bool refuses_default;               ///< Announcing 0.0.0.0/0 is refused.
  bool refuses_shared;                ///< 100.64.0.0/10 must not overlap.
  bool dials;                         ///< false: our side has to open the session.
  bool static_discouraged;            ///< Its documentation advises against static routing.
  std::string_view unverified;        ///< Which of these facts are unverified; empty: none.
};

/// In the order of Cloud; none has no limits.
inline constexpr CloudFacts kClouds[] = {
    {Cloud::none, "no cloud", 0, 0, 0, false, 0, false, 0, false, false, true, false, ""},
    {Cloud::alibaba, "Alibaba Cloud VPN gateway", 65535, 10, 30, false, 50, false, 1360, true, true, true, false, ""},
    {Cloud::alibaba_tr, "Alibaba Cloud transit router", 65535, 10, 30, false, 0, false, 1360, true, true, true, true,
     "the number of routes it takes"},
    {Cloud::aws, "AWS virtual private gateway", 64512, 10, 30, false, 100, true, 0, false, false, true, false,
     "timers 10/30"},
    {Cloud::aws_tgw, "AWS transit gateway", 64512, 10, 30, false, 1000, true, 0, false, false, true, false,
     "timers 10/30, 1000 routes"},
    {Cloud::azure, "Azure VPN gateway", 65515, 60, 180, true, 4000, true, 0, false, false, false, false,
     "AS 65515, 4000 routes, that our side must dial with APIPA addresses"},
    {Cloud::gcp, "Google Cloud HA VPN", 0, 20, 60, false, 0, false, 0, false, false, true, false, ""},
    {Cloud::oci, "Oracle Cloud VPN", 31898, 0, 0, false, 0, false, 0, false, false, true, false, "AS 31898, timers"},
};

[[nodiscard]] constexpr const CloudFacts& facts_of(Cloud cloud) { return kClouds[static_cast<std::size_t>(cloud)]; }

}  // namespace bgplite
