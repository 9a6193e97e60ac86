/// What `bgplite init` writes, as data: one text with holes, one row for each question, one row for each preset. What a
/// cloud is known to do is not repeated here: it is taken from config/presets.h.
///
/// The text: `<key>` is the answer to a question; lines between `@if WORD` and `@end` stand only where WORD holds
/// (`@if !WORD`: where it does not); lines between `@tunnels` and `@end` stand twice, `#` in a key or in the text `<#>`
/// being the tunnel's number. WORDs: bgp, static, policy, tunnels, and what the cloud's facts say.
#pragma once

#include <apps/bgplite/config/config.h>

#include <string_view>
#include <utility>
#include <vector>

namespace bgplite::cli {

/// What an answer must be; see init.cc for what is accepted.
enum class Answer : unsigned char { asn, router_id, prefixes, address, interface_address, device, identity, proposals };

struct Question {
  std::string_view key;  ///< Also the flag: "cloud_asn" is --cloud-asn.
  std::string_view text;
  std::string_view example;
  Answer kind;
  std::string_view when;  ///< A WORD, see above; empty: always.
};

inline constexpr Question kQuestions[] = {
    {"asn", "Our AS number", "65530", Answer::asn, "router"},
    {"router_id", "Our router id, an address of this host", "172.16.20.80", Answer::router_id, "router"},
    {"networks", "Our prefixes, with commas", "172.16.20.0/24,172.16.21.0/24", Answer::prefixes, "networks"},
    {"cloud_asn", "The cloud's AS number", "64512", Answer::asn, "cloud_bgp"},
    {"cloud_networks", "The cloud's prefixes, with commas", "192.168.0.0/16", Answer::prefixes, "tunnels"},
    {"ike_proposals", "IKE proposals", "aes256-sha256-modp2048", Answer::proposals, "tunnels"},
    {"esp_proposals", "ESP proposals", "aes256-sha256-modp2048", Answer::proposals, "tunnels"},
    {"device1", "Tunnel 1: interface toward the Internet", "eth0", Answer::device, "tunnels"},
    {"gateway1", "Tunnel 1: next router on it", "172.16.20.253", Answer::address, "tunnels"},
    {"local1", "Tunnel 1: our address on it", "172.16.20.80", Answer::address, "tunnels"},
    {"local_id1", "Tunnel 1: our public address, as the cloud knows us", "203.0.113.202", Answer::identity, "tunnels"},
    {"remote1", "Tunnel 1: the cloud's IPsec address", "203.0.113.151", Answer::address, "tunnels"},
    {"address1", "Tunnel 1: our inner address", "169.254.10.2/30", Answer::interface_address, "cloud_bgp"},
    {"peer1", "Tunnel 1: the cloud's inner address", "169.254.10.1", Answer::address, "cloud_bgp"},
    {"device2", "Tunnel 2: interface toward the Internet", "eth1", Answer::device, "dual"},
    {"gateway2", "Tunnel 2: next router on it", "172.16.21.253", Answer::address, "dual"},
    {"local2", "Tunnel 2: our address on it", "172.16.21.248", Answer::address, "dual"},
    {"local_id2", "Tunnel 2: our public address, as the cloud knows us", "198.51.100.127", Answer::identity, "dual"},
    {"remote2", "Tunnel 2: the cloud's IPsec address", "198.51.100.87", Answer::address, "tunnels"},
    {"address2", "Tunnel 2: our inner address", "169.254.20.2/30", Answer::interface_address, "cloud_bgp"},
    {"peer2", "Tunnel 2: the cloud's inner address", "169.254.20.1", Answer::address, "cloud_bgp"},
    {"peer", "The peer's address", "192.0.2.1", Answer::address, "plain"},
    {"peer_asn", "The peer's AS number", "64512", Answer::asn, "plain"},
    {"accept", "Prefixes to take from it, with commas", "192.168.0.0/16", Answer::prefixes, "plain"},
};

struct Preset {
  std::string_view name, title;
  Cloud cloud;
  std::vector<std::string_view> words;
  std::vector<std::pair<std::string_view, std::string_view>> examples;  ///< Instead of the question's.
  std::vector<std::string_view> notes;                                  ///< Comments; what is unverified says so.
};

inline constexpr std::string_view kOwnAs = "AS 45104 is Alibaba's own and cannot be ours.";
inline constexpr std::string_view kOneTunnel =
    "The gateway sends through one tunnel and keeps the other as standby; policy routes go before destination "
    "routes, those before BGP.";
inline constexpr std::string_view kInner =
    "The inner /30 of each tunnel lies in 169.254.0.0/16 and is unique on the gateway.";
inline constexpr std::string_view kProposals =
    "unverified: which proposals it takes. Use those of the configuration that its console offers.";
inline const std::vector<std::pair<std::string_view, std::string_view>> kGuide = {
    {"ike_proposals", "aes128-sha1-modp1024"}, {"esp_proposals", "aes128-sha1-modp1024"}};
inline const std::vector<Preset> kPresets = {
    {"alibaba-dual-bgp",
     "Alibaba Cloud VPN gateway, two egresses, BGP",
     Cloud::alibaba,
     {"router", "networks", "tunnels", "dual", "bgp", "cloud_bgp"},
     kGuide,
     {kOneTunnel, kInner, kOwnAs}},
    {"alibaba-dual-static",
     "Alibaba Cloud VPN gateway, two egresses, static routes",
     Cloud::alibaba,
     {"router", "tunnels", "dual", "static"},
     kGuide,
     {kOneTunnel}},
    {"alibaba-single-egress",
     "Alibaba Cloud VPN gateway, both tunnels through one egress, BGP",
     Cloud::alibaba,
     {"router", "networks", "tunnels", "bgp", "cloud_bgp"},
     kGuide,
     {kOneTunnel, kInner, kOwnAs}},
    {"alibaba-policy",
     "Alibaba Cloud VPN gateway, one egress, protected data flows",
     Cloud::alibaba,
     {"router", "networks", "tunnels", "policy"},
     kGuide,
     {"The gateway may move the traffic to the other tunnel at any time; the policies follow it."}},
    {"aws-vgw",
     "AWS virtual private gateway, BGP",
     Cloud::aws,
     {"router", "networks", "tunnels", "dual", "bgp", "cloud_bgp"},
     {{"asn", "65000"}},
     {"Of equal routes it prefers one tunnel at random; a longer prefix, then AS_PATH and MED decide before that.",
      "It replaces the end points of its tunnels one at a time, and carries no IPv6.", kProposals}},
    {"aws-tgw",
     "AWS transit gateway, BGP",
     Cloud::aws_tgw,
     {"router", "networks", "tunnels", "dual", "bgp", "cloud_bgp"},
     {{"asn", "65000"}},
     {"It shares the traffic over both tunnels when both bring the same prefixes with the same AS_PATH.",
      "A tunnel carries 1.25 Gbit/s.", kProposals}},
    {"azure",
     "Azure VPN gateway, BGP with APIPA addresses",
     Cloud::azure,
     {"router", "networks", "tunnels", "dual", "bgp", "cloud_bgp", "refuses_own"},
     {{"address1", "169.254.21.2/30"},
      {"peer1", "169.254.21.1"},
      {"address2", "169.254.22.2/30"},
      {"peer2", "169.254.22.1"}},
     {"It refuses a prefix that is identical to one of its virtual network's.",
      "APIPA addresses are 169.254.21.0 to 169.254.22.255. Without them its BGP address lies in the GatewaySubnet.",
      kProposals}},
    {"gcp-ha",
     "Google Cloud HA VPN, BGP",
     Cloud::gcp,
     {"router", "networks", "tunnels", "dual", "bgp", "cloud_bgp"},
     {{"cloud_asn", "64514"},
      {"address1", "169.254.0.2/30"},
      {"peer1", "169.254.0.1"},
      {"address2", "169.254.1.2/30"},
      {"peer2", "169.254.1.1"}},
     {"The AS number is chosen for each Cloud Router. How many routes it takes is a quota.",
      "It has no BFD here. unverified: graceful restart 120 s with stale routes for 300 s; its MED is the base "
      "priority plus the cost of the region.",
      kProposals}},
    {"oci",
     "Oracle Cloud VPN, BGP",
     Cloud::oci,
     {"router", "networks", "tunnels", "dual", "bgp", "cloud_bgp"},
     {},
     {"It may answer through any tunnel that is up: traffic is asymmetric by design, and rp_filter must be loose.",
      "unverified: its timers. 10s and 30s below are proposals of ours.", kProposals}},
    {"bgp-only", "BGP without tunnels", Cloud::none, {"router", "networks", "bgp", "plain"}, {}, {}},
};
inline const std::vector<Preset>& presets() { return kPresets; }

inline constexpr std::string_view kInitText = R"(# <title>.
# Written by `bgplite init <preset>`. Every key is explained in bgplite.yaml(5);
# `bgplite check FILE` says what is wrong.
<about>
router:
  asn: <asn>
  router_id: <router_id>  # Unique among the routers that may meet.
@if bgp
  maximum_paths: 32  # Equal ways share the traffic.

networks:  # What we announce.
<networks>
@end

@if tunnels
defaults:
  ike:
    version: 2
    proposals: <ike_proposals>
    esp_proposals: <esp_proposals>
    encap: true  # ESP in UDP: we are behind NAT. false with public addresses on this host.
    dpd_delay: 10s
@if guide_times
    rekey_time: 84600s  # The SA lifetimes of the cloud's side are 86400s.
    over_time: 1800s
    child: { rekey_time: 85500s, life_time: 86400s }
@end
@if bgp
  peer:
    asn: <cloud_asn>
    timers: { keepalive: <keepalive>, hold: <hold> }
    import: from-cloud
    export: to-cloud
@if limit
    export_limit: { max: <limit> }  # What would be more is held back, with a warning.
@end
@end

# The pre-shared key of each tunnel is the first line of its psk_file, which nobody else may read:
#   install -D -m 0400 -o bgplite /dev/stdin /etc/bgplite/psk/ipsec0
tunnels:
@tunnels
  ipsec<index>:
    cloud: <cloud><cloud_note>
@if policy
    mode: policy  # No interface: the kernel's policies choose the traffic.
@end
@if !policy
    if_id: <if_id>
    mtu: <mtu>  # <mtu_note>
@end
@if bgp
    address: <address#>
@end
    underlay: { device: <device#>, gateway: <gateway#> }
    ike:
      local: { address: <local#>, id: <local_id#> }
      remote: { address: <remote#> }
      psk_file: /etc/bgplite/psk/ipsec<index>
@if policy
      local_ts: [<local_ts>]
      remote_ts: [<remote_ts>]
      priority: <#>  # The lower number is used while both are up.
@end
@if bgp
    peer: { address: <peer#> }
@end
@end
@end
@if static

static_routes:  # Each way is there while its tunnel is; the lower metric is used.
<static_routes>
@end
@if plain
peers:
  <peer>:
    asn: <peer_asn>
    timers: { keepalive: 30s, hold: 90s }
    import: from-peer
    export: to-peer

policies:  # What no term accepts is refused.
  from-peer:
    - { name: wanted, match: { prefix: [<accept>] }, accept: true }
  to-peer:
    - { name: ours, match: { own_prefix: true }, accept: true }
@end
@if cloud_bgp

policies:  # What no term accepts is refused.
  from-cloud:
    - { name: default-route, match: { prefix: [0.0.0.0/0] }, reject: true }
    - { name: ours, match: { own_prefix: true }, reject: true }
    - { name: the-clouds, match: { prefix: [<cloud_prefixes>] }, accept: true }
  to-cloud:
@if refuses
    - { name: refused-by-the-cloud, match: { prefix: [<refused>] }, reject: true }
@end
    - { name: ours, match: { own_prefix: true }, accept: true }
@end
@if tunnels

host:  # manage: set by bgplite while it runs. check: `bgplite doctor` and the log complain.
  forwarding: manage
  mss_clamp: manage
  rp_filter: manage
  multipath_hash: manage
  firewall: check
@end
)";

}  // namespace bgplite::cli
