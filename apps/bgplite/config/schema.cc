#include <apps/bgplite/config/presets.h>
#include <apps/bgplite/config/reader.h>
#include <apps/bgplite/config/saved.h>
#include <apps/bgplite/config/schema.h>
#include <bgp/text.h>
#include <fib/status.h>

#include <algorithm>
#include <utility>

namespace bgplite {
namespace {

using minibgp::SpeakerOptions;
using minibgp::xfrm::Damping;
using minibgp::xfrm::TunnelsOptions;

const Fields<SpeakerOptions>& router_fields() {
  static const Fields<SpeakerOptions> fields{
      {value("asn", Type::asn, "required", Effect::reset, "Our AS number."),
       [](const In& in, SpeakerOptions& to) { in.asn(to.asn); }},
      {value("router_id", Type::router_id, "required", Effect::reset, "Our BGP identifier, unique in the AS."),
       [](const In& in, SpeakerOptions& to) { in.router_id(to.router_id); }},
      {integer("maximum_paths", "1", 1, 64, Effect::live, "So many equal paths share the traffic of a prefix (ECMP)."),
       [](const In& in, SpeakerOptions& to) { in.number(to.maximum_paths); }},
      {choice("multipath", "neighbor-as", "exact|neighbor-as|relax", Effect::live,
              "Equal are paths with exact: the same AS_PATH, as in FRR; neighbor-as: the same neighboring AS and "
              "length; relax: the "
              "same length."),
       [](const In& in, SpeakerOptions& to) { in.choice(to.multipath); }},
      {flag("always_compare_med", "false", Effect::live,
            "Compare MED between paths of different neighboring ASes too."),
       [](const In& in, SpeakerOptions& to) { in.flag(to.always_compare_med); }},
      {flag("prefer_oldest", "false", Effect::live, "The oldest of equal eBGP paths wins, not the lowest router id."),
       [](const In& in, SpeakerOptions& to) { in.flag(to.prefer_oldest); }},
      {value("cluster_id", Type::router_id, "router_id", Effect::reset, "Of a route reflector (RFC 4456)."),
       [](const In& in, SpeakerOptions& to) { in.router_id(to.cluster_id); }},
      {duration(
           "restart_deferral", "30s", 1, 3600, Effect::restart,
           "After a restart, wait so long for the peers' End-of-RIB before routes of before may go (RFC 4724 s.4.1)."),
       // The member is a Duration in nanoseconds; the row reads milliseconds. Read into a copy, so that an error leaves
       // the default in place.
       [](const In& in, SpeakerOptions& to) {
         std::chrono::milliseconds read = std::chrono::duration_cast<std::chrono::milliseconds>(to.restart_deferral);
         in.duration(read);
         to.restart_deferral = read;
       }},
  };
  return fields;
}

const Fields<ListenConfig>& listen_fields() {
  static const Fields<ListenConfig> fields{
      {flag("enabled", "true", Effect::restart, "Accept connections of peers. false: we dial only."),
       [](const In& in, ListenConfig& to) { in.flag(to.enabled); }},
      {value("addresses", Type::addresses, "every address", Effect::restart, "Addresses to listen on."),
       [](const In& in, ListenConfig& to) { in.addresses(to.addresses); }},
      {integer("port", "179", 1, 65535, Effect::restart, "TCP port to listen on."),
       [](const In& in, ListenConfig& to) { in.number(to.port); }},
  };
  return fields;
}

template <typename Value, typename Parse>
void read_list(const In& in, std::vector<Value>& into, Parse parse, const char* wanted) {
  std::vector<std::string> texts;
  in.texts(texts);
  into.clear();
  for (const std::string& text : texts) {
    if (const auto read = parse(text)) {
      into.push_back(*read);
    } else {
      in.reader.error(in.node, "'" + text + "' is not " + wanted);
    }
  }
  std::sort(into.begin(), into.end());
  into.erase(std::unique(into.begin(), into.end()), into.end());
}

const Fields<Network>& network_fields() {
  static const Fields<Network> fields{
      {value("prefix", Type::prefix, "required", Effect::live, "What is announced."),
       [](const In& in, Network& to) { in.prefix(to.prefix); }},
      {choice("when", "always", "always|if-route|if-reachable", Effect::live,
              "always; if-route: while the kernel has another program's route with exactly this prefix; if-reachable: "
              "while it has any way there but ours and the default route."),
       [](const In& in, Network& to) { in.choice(to.when); }},
      {integer("med", "", 0, 4294967295, Effect::live, "MED of the announcement."),
       [](const In& in, Network& to) { in.number(to.med); }},
      {value("communities", Type::community, "", Effect::live, "Communities, like 65001:100 or no-export."),
       [](const In& in, Network& to) {
         read_list(in, to.communities, minibgp::parse_community, "a community like 65001:100");
       }},
      {value("large_communities", Type::large_community, "", Effect::live, "Large communities, like 65001:1:2."),
       [](const In& in, Network& to) {
         read_list(in, to.large_communities, minibgp::parse_large_community, "a large community like 65001:1:2");
       }},
  };
  return fields;
}

/// A list whose items are read by `one`; a single item may stand without the list.
template <typename One>
void read_items(const In& in, One one) {
  if (in.node.IsNull()) return;
  // Counted from 1: the number is a part of the key's path, as a human counts.
  if (!in.node.IsSequence()) return one(in.node, std::string{"1"});
  std::size_t index = 0;
  for (const auto& item : in.node) one(item, std::to_string(++index));
}

void read_networks(const In& in, Draft& to) {
  read_items(in, [&](const YAML::Node& item, const std::string& index) {
    const Reader::Step step{in.reader, index, item};
    Network network;
    // By how many complaints there are, not by a result: each row reports its own mistakes.
    const std::size_t mistakes = in.reader.diagnostics().all().size();
    if (item.IsMap()) {
      in.reader.mapping(item, network_fields(), network);
      // 0.0.0.0/0 is a value as well as the default, so the node is asked whether the key was there.
      if (network.prefix == minibgp::Prefix{} && !item["prefix"]) in.reader.error(item, "a network needs a 'prefix'");
    } else {
      In{in.reader, item, network_fields().front().key}.prefix(network.prefix);
    }
    // A network that could not be read would be 0.0.0.0/0.
    if (in.reader.diagnostics().all().size() != mistakes) return;
    // Also by prefix, because checks know the network and not its number in the list.
    in.reader.places().set("networks." + minibgp::to_text(network.prefix), in.reader.place(item));
    to.config.networks.push_back(std::move(network));
  });
}

const Fields<StaticVia>& via_fields() {
  static const Fields<StaticVia> fields{
      {value("tunnel", Type::name, "", Effect::live, "Through this tunnel, while it is up."),
       [](const In& in, StaticVia& to) { in.text(to.tunnel); }},
      {value("gateway", Type::address, "", Effect::live, "To this router, while it is reachable."),
       [](const In& in, StaticVia& to) { in.address(to.gateway); }},
      {value("device", Type::name, "", Effect::live, "Out of this interface, while it is up."),
       [](const In& in, StaticVia& to) { in.text(to.device); }},
      {integer("metric", "fib.metric", 1, 4294967295, Effect::live,
               "Lower is preferred. Ways of one metric share the traffic (ECMP)."),
       [](const In& in, StaticVia& to) { in.number(to.metric); }},
      {integer("weight", "1", 1, 256, Effect::live, "Share of traffic among ways of one metric."),
       [](const In& in, StaticVia& to) { in.number(to.weight); }},
  };
  return fields;
}

const Fields<StaticRoute>& static_route_fields() {
  static const Fields<StaticRoute> fields{
      {value("prefix", Type::prefix, "required", Effect::live, "Where to."),
       [](const In& in, StaticRoute& to) { in.prefix(to.prefix); }},
      {value("via", Type::ways, "required", Effect::live, "One way, or a list of ways: see `via` below."),
       [](const In& in, StaticRoute& to) {
         read_items(in, [&](const YAML::Node& item, const std::string&) {
           StaticVia via;
           if (item.IsScalar()) {
             In{in.reader, item, via_fields().front().key}.text(via.tunnel);
           } else {
             in.reader.mapping(item, via_fields(), via);
           }
           to.via.push_back(std::move(via));
         });
       }},
      {choice("follow", "nothing", "nothing|inbound", Effect::live,
              "inbound: use the tunnel on which the peer sends, whatever the metrics (protected data flows)."),
       [](const In& in, StaticRoute& to) { in.choice(to.follow); }},
  };
  return fields;
}

void read_static_routes(const In& in, Draft& to) {
  read_items(in, [&](const YAML::Node& item, const std::string& index) {
    const Reader::Step step{in.reader, index, item};
    StaticRoute route;
    const std::size_t mistakes = in.reader.diagnostics().all().size();
    in.reader.mapping(item, static_route_fields(), route);
    if (item.IsMap() && !item["prefix"]) in.reader.error(item, "a static route needs a 'prefix'");
    if (item.IsMap() && !item["via"]) in.reader.error(item, "a static route needs 'via'");
    // A prefix that could not be read would be 0.0.0.0/0. With a prefix the route is kept; its mistakes were reported.
    if (in.reader.diagnostics().all().size() != mistakes && route.prefix == minibgp::Prefix{}) return;
    in.reader.places().set("static_routes." + minibgp::to_text(route.prefix), in.reader.place(item));
    to.config.static_routes.push_back(std::move(route));
  });
}

void read_allow(const In& in, FibConfig& to) {
  std::vector<std::string> words;
  in.texts(words);
  // Replaced, not added to: of several files the last one holds.
  to.allow = 0;
  for (const std::string& word : words) {
    std::string known;
    bool found = false;
    for (const auto& reason : minibgp::fib::kGuardReasons) {
      if (reason.word == word) to.allow |= reason.bit, found = true;
      known += (known.empty() ? "" : ", ") + std::string{reason.word};
    }
    if (!found) in.reader.error(in.node, "unknown word '" + word + "'", "known are " + known);
  }
}

const Fields<FibConfig>& fib_fields() {
  static const Fields<FibConfig> fields{
      {flag("enabled", "true", Effect::restart, "Put best paths into the kernel."),
       [](const In& in, FibConfig& to) { in.flag(to.enabled); }},
      {integer("table", "254", 1, 4294967295, Effect::live,
               "Kernel routing table; 254 is `main`. Not 255, which says what the host's own addresses are."),
       [](const In& in, FibConfig& to) { in.number(to.table); }},
      {integer("metric", "20", 1, 4294967295, Effect::live, "Metric of kernel routes (their priority; lower wins)."),
       [](const In& in, FibConfig& to) { in.number(to.metric); }},
      {integer(
           "protocol", "155", 5, 255, Effect::restart,
           "Protocol id that marks our kernel routes (`ip route show proto N`). The next start takes over those with "
           "the former id."),
       [](const In& in, FibConfig& to) { in.number(to.protocol); }},
      {value("prefsrc", Type::text, "auto", Effect::live,
             "Source address of the host's own packets: auto (an address inside an announced prefix), none, or an "
             "address."),
       [](const In& in, FibConfig& to) {
         std::string text;
         in.text(text);
         const auto address = minibgp::parse_address(text);
         to.prefsrc_address = address.value_or(minibgp::IpAddress{});
         to.prefsrc = address ? FibConfig::Prefsrc::address
                              : (text == "none" ? FibConfig::Prefsrc::none : FibConfig::Prefsrc::automatic);
         // After an error the value is "automatic", as without the key.
         if (!address && text != "none" && text != "auto") in.wrong(in.node, "auto, none or an address");
       }},
      {duration("adopt_timeout", "120s", 1, 3600, Effect::live,
                "Routes of an earlier run that no peer announced by then are taken away."),
       [](const In& in, FibConfig& to) { in.duration(to.adopt_timeout); }},
      {duration(
           "audit_interval", "60s", 1, 86400, Effect::live,
           "Every so often the kernel's table is read and compared, besides its notifications; and the host's managed "
           "settings with it."),
       [](const In& in, FibConfig& to) { in.duration(to.audit_interval); }},
      {flag("next_hop_objects", "true", Effect::restart,
            "Share next hops among routes where the kernel can (5.3): a failover is one message, however many routes."),
       [](const In& in, FibConfig& to) { in.flag(to.next_hop_objects); }},
      {flag("resolve_via_default", "false", Effect::live, "A next hop may be reached through the default route."),
       [](const In& in, FibConfig& to) { in.flag(to.resolve_via_default); }},
      {value(
           "allow", Type::texts, "", Effect::live,
           "Install what is held back otherwise: link_local (prefixes inside 169.254.0.0/16 and fe80::/10), "
           "connected_networks (inside a network that one of our interfaces is in), ike_endpoints (would take over the "
           "path to an IKE endpoint), peer_addresses (to a peer's address), own_networks (to one of `networks`, or "
           "inside it)."),
       [](const In& in, FibConfig& to) { read_allow(in, to); }},
  };
  return fields;
}

/// `firewall:` is one word, or a mapping when the chain is named.
const Fields<HostConfig>& firewall_fields() {
  static const Fields<HostConfig> fields{
      {choice("care", "check", "manage|check|ignore", Effect::live, "Who looks after the firewall."),
       [](const In& in, HostConfig& to) { in.choice(to.firewall); }},
      {value("chain", Type::text, "", Effect::live,
             "nftables chain that manage may put its tagged rules into: \"inet filter input\"."),
       [](const In& in, HostConfig& to) { in.text(to.firewall_chain); }},
  };
  return fields;
}

const Fields<HostConfig>& host_fields() {
  static constexpr const char* kCare = "manage|check|ignore";
  static const Fields<HostConfig> fields{
      {choice("forwarding", "check", kCare, Effect::live, "IPv4 and IPv6 forwarding is on."),
       [](const In& in, HostConfig& to) { in.choice(to.forwarding); }},
      {choice("mss_clamp", "check", kCare, Effect::live, "TCP MSS is clamped to the MTU of the tunnels."),
       [](const In& in, HostConfig& to) { in.choice(to.mss_clamp); }},
      {choice("firewall", "check", kCare, Effect::live,
              "ESP, UDP 500 and UDP 4500 are accepted. A mapping `{ care: manage, chain: inet filter input }` names "
              "the chain "
              "for our rules."),
       [](const In& in, HostConfig& to) {
         if (in.node.IsMap()) return in.mapping(firewall_fields(), to);
         in.choice(to.firewall);
       }},
      {choice("rp_filter", "check", kCare, Effect::live, "Reverse path filtering is loose where ECMP needs it."),
       [](const In& in, HostConfig& to) { in.choice(to.rp_filter); }},
      {choice("multipath_hash", "check", kCare, Effect::live,
              "Flows are spread by ports too (fib_multipath_hash_policy 1)."),
       [](const In& in, HostConfig& to) { in.choice(to.multipath_hash); }},
      {choice("ping_group_range", "check", kCare, Effect::live, "The daemon's group may open echo sockets."),
       [](const In& in, HostConfig& to) { in.choice(to.ping_group_range); }},
  };
  return fields;
}

const Fields<Damping>& damping_fields() {
  static const Fields<Damping> fields{
      {flag("enabled", "true", Effect::restart, "Hold flapping tunnels down."),
       [](const In& in, Damping& to) { in.flag(to.enabled); }},
      {integer("free_flaps", "3", 0, 1000, Effect::restart, "So many losses cost nothing."),
       [](const In& in, Damping& to) { in.number(to.free_flaps); }},
      {duration("first_hold", "1s", 0, 3600, Effect::restart, "First hold; it doubles with each further loss."),
       [](const In& in, Damping& to) { in.duration(to.first_hold); }},
      {duration("longest_hold", "60s", 0, 86400, Effect::restart, "Longest hold."),
       [](const In& in, Damping& to) { in.duration(to.longest_hold); }},
      {duration("forget_after", "600s", 1, 86400, Effect::restart, "A loss is forgotten after so long of being up."),
       [](const In& in, Damping& to) { in.duration(to.forget_after); }},
  };
  return fields;
}

const Fields<TunnelsOptions>& ipsec_fields() {
  static const Fields<TunnelsOptions> fields{
      {value("vici_socket", Type::path, "/run/charon.vici", Effect::restart, "charon's control socket."),
       [](const In& in, TunnelsOptions& to) { in.text(to.vici_socket); }},
      {duration("sync_interval", "2s", 0, 3600, Effect::restart, "How often charon is compared with this file."),
       [](const In& in, TunnelsOptions& to) { in.duration(to.sync_interval); }},
      {duration("counter_interval", "500ms", 0, 3600, Effect::restart, "How often SA counters are read. 0s: never."),
       [](const In& in, TunnelsOptions& to) { in.duration(to.counter_interval); }},
      {duration("silence", "20s", 1, 3600, Effect::restart,
                "A tunnel we send on for so long without an answer is suspect."),
       [](const In& in, TunnelsOptions& to) { in.duration(to.silence); }},
      {flag("manage_interfaces", "true", Effect::restart, "false: nothing is made in the kernel, only watched."),
       [](const In& in, TunnelsOptions& to) { in.flag(to.manage_interfaces); }},
      {value("damping", Type::mapping, "", Effect::restart, "Of flapping tunnels: see `damping` below."),
       [](const In& in, TunnelsOptions& to) { in.mapping(damping_fields(), to.damping); }},
  };
  return fields;
}

const Fields<ControlConfig>& control_fields() {
  static const Fields<ControlConfig> fields{
      {value("socket", Type::path, "/run/bgplite/control.sock", Effect::restart,
             "Unix socket of the commands, mode 0660."),
       [](const In& in, ControlConfig& to) { in.text(to.socket); }},
      {value("group", Type::name, "bgplite", Effect::restart, "Group that may use the socket, where it exists."),
       [](const In& in, ControlConfig& to) { in.text(to.group); }},
  };
  return fields;
}

const Fields<MetricsConfig>& metrics_fields() {
  static const Fields<MetricsConfig> fields{
      {value(
           "listen", Type::socket_address, "", Effect::restart,
           "Loopback address with port (127.0.0.1:9342, [::1]:9342), or the path of a Unix socket. None: no metrics."),
       [](const In& in, MetricsConfig& to) { in.text(to.listen); }},
      {choice("names", "native", "native|frr|both", Effect::live, "bgplite_* names, those of frr_exporter, or both."),
       [](const In& in, MetricsConfig& to) { in.choice(to.names); }},
  };
  return fields;
}

constexpr const char* kLevels[] = {"debug", "info", "warning", "error"};

void read_level(const In& in, std::string& into) {
  std::string word;
  in.text(word);
  for (const char* level : kLevels)
    if (word == level) return void(into = word);
  in.wrong(in.node, "debug, info, warning or error", did_you_mean(word, {"debug", "info", "warning", "error"}));
}

const Fields<LogConfig>& log_fields() {
  static const Fields<LogConfig> fields{
      {choice("format", "auto", "auto|text|journald|json", Effect::restart,
              "auto: records with fields under systemd (`journalctl BGPLITE_PEER=ADDRESS`), otherwise text. json: one "
              "object per line."),
       [](const In& in, LogConfig& to) { in.choice(to.format); }},
      {value("level", Type::text, "info", Effect::live, "debug, info, warning or error."),
       [](const In& in, LogConfig& to) { read_level(in, to.level); }},
      {value("areas", Type::mapping, "", Effect::live,
             "Level by area: session, rib, policy, fib, tunnel, config, control."),
       [](const In& in, LogConfig& to) {
         in.reader.entries(in.node, [&](const std::string& area, const YAML::Node& key, const YAML::Node& node) {
           static const std::vector<std::string_view> areas{"session", "rib",    "policy", "fib",
                                                            "tunnel",  "config", "control"};
           if (std::find(areas.begin(), areas.end(), area) == areas.end())
             return in.reader.error(key, "unknown area '" + area + "'", did_you_mean(area, areas));
           read_level(In{in.reader, node, in.key}, to.areas[area]);
         });
       }},
  };
  return fields;
}

const Fields<Defaults>& defaults_fields() {
  static const Fields<Defaults> fields{
      {value("peer", Type::mapping, "", Effect::reset, "The keys of `peers.NAME`."),
       [](const In& in, Defaults& to) { in.mapping(peer_fields(), to.peer); }},
      {value("ike", Type::mapping, "", Effect::tunnel, "The keys of `tunnels.NAME.ike`."),
       [](const In& in, Defaults& to) { in.mapping(ike_fields(), to.ike); }},
      {value("tunnel", Type::mapping, "", Effect::tunnel, "The keys of `tunnels.NAME`, but `peer` and `ike`."),
       [](const In& in, Defaults& to) {
         // The draft begins with what was read so far, so that `defaults` of several files add up.
         TunnelDraft draft{to.tunnel, &to, std::nullopt};
         in.mapping(tunnel_fields(), draft);
         if (draft.peer || draft.tunnel.options.ike)
           in.reader.error(in.node, "'peer' and 'ike' do not belong into defaults.tunnel",
                           "write defaults.peer and defaults.ike");
         to.tunnel = draft.tunnel;
         // After the error as well: every tunnel would get a connection of its own otherwise.
         to.tunnel.options.ike.reset();
       }},
  };
  return fields;
}

/// The key of Config::peers: the address, with the interface where one address may occur on several.
std::string peer_key(const PeerConfig& peer) {
  std::string key = minibgp::to_text(peer.options.address);
  // fe80::1 may be the address of a peer on every interface.
  if (peer.options.address.is_link_local_v6() && !peer.options.device.empty()) key += "%" + peer.options.device;
  return key;
}

/// Puts a peer whose mapping stood at in.reader.path() into the draft.
void keep_peer(const In& in, Draft& to, PeerConfig peer, const YAML::Node& at) {
  // An address was written but could not be read: that it is missing is no second mistake.
  if (!peer.options.address.is_set() && in.reader.places().written(in.reader.path() + ".address")) return;
  if (!peer.options.address.is_set())
    return in.reader.error(at, "a peer needs an 'address'", "write its IP address as the key or as 'address'");
  // Only now is the address known, which the families follow by default.
  if (!peer.families_given)
    peer.options.families = {peer.options.address.family == minibgp::Family::ipv4,
                             peer.options.address.family == minibgp::Family::ipv6};
  const std::string key = peer_key(peer);
  const auto [existing, fresh] = to.peer_paths.emplace(key, in.reader.path());
  if (!fresh) {
    const Place first = in.reader.places().of(existing->second);
    return in.reader.error(at, "peer " + key + " is configured twice",
                           "the first is at " + first.file + ":" + std::to_string(first.line));
  }
  to.config.peers.emplace(key, std::move(peer));
}

void read_peers(const In& in, Draft& to) {
  in.reader.entries(in.node, [&](const std::string& name, const YAML::Node& key, const YAML::Node& node) {
    const Reader::Step step{in.reader, name, key};
    PeerConfig peer = to.defaults.peer;
    // "fe80::1%eth0": the key names the interface, too.
    const std::size_t percent = name.find('%');
    if (const auto address = minibgp::parse_address(name.substr(0, percent))) {
      peer.options.address = *address;
      if (percent != std::string::npos) peer.options.device = name.substr(percent + 1);
    } else {
      // A key that is no address is a name; the address stands below it.
      peer.options.name = name;
    }
    in.reader.mapping(node, peer_fields(), peer);
    keep_peer(in, to, std::move(peer), key);
  });
}

/// What a peer inside a tunnel does not have to say: it runs over the tunnel, from the tunnel's address.
void bind_to_tunnel(PeerConfig& peer, const TunnelConfig& tunnel) {
  peer.options.tunnel = tunnel.options.name;
  // In mode policy there is no interface: the kernel's policies pick the packets.
  if (tunnel.options.mode != minibgp::xfrm::Mode::policy && peer.options.device.empty())
    peer.options.device = tunnel.options.interface.empty() ? tunnel.options.name : tunnel.options.interface;
  if (peer.options.local_address.is_set()) return;
  for (const minibgp::xfrm::InterfaceAddress& own : tunnel.options.addresses)
    // The own address in the peer's network: the address that the peer expects to hear from.
    if (minibgp::Prefix::of(own.address, own.length_bits).contains(peer.options.address))
      peer.options.local_address = own.address;
}

void read_tunnels(const In& in, Draft& to) {
  in.reader.entries(in.node, [&](const std::string& name, const YAML::Node& key, const YAML::Node& node) {
    const Reader::Step step{in.reader, name, key};
    TunnelDraft draft{to.defaults.tunnel, &to.defaults, std::nullopt};
    draft.tunnel.options.name = name;
    in.reader.mapping(node, tunnel_fields(), draft);
    // The cloud's limit takes the place of the default, never of a value that was written. 0: no limit.
    const std::uint32_t largest = facts_of(draft.tunnel.cloud).mtu_max;
    if (draft.tunnel.options.mtu == 0 && largest != 0 && largest < minibgp::xfrm::kDefaultMtu)
      draft.tunnel.options.mtu = largest;
    if (draft.peer) {
      bind_to_tunnel(*draft.peer, draft.tunnel);
      // Before the peer moves on: its key is made of what is bound now.
      draft.tunnel.peer = peer_key(*draft.peer);
      // The peer's place is that of `peer` below the tunnel.
      const Reader::Step peer_step{in.reader, "peer", node["peer"]};
      keep_peer(in, to, std::move(*draft.peer), node["peer"]);
    }
    // Two files may name one tunnel; within one file the reader has refused it.
    if (!to.config.tunnels.emplace(name, std::move(draft.tunnel)).second)
      in.reader.error(key, "tunnel '" + name + "' is configured twice");
  });
}

/// Keys that other readers take from the document: include (yaml.cc) and what policies are made of (policy_yaml.h).
/// Rows that read nothing: the keys are known and described nevertheless.
void read_elsewhere(const In&, Draft&) {}

}  // namespace

const Fields<Draft>& root_fields() {
  static const Fields<Draft> fields{
      {value("include", Type::texts, "", Effect::live,
             "Files with the same keys, read after this one: paths relative to this file, `*` allowed in the last "
             "part. Lists "
             "and mappings of several files are joined."),
       read_elsewhere},
      {value("defaults", Type::mapping, "", Effect::live, "What every peer and tunnel begins with."),
       [](const In& in, Draft& to) { in.mapping(defaults_fields(), to.defaults); }},
      {value("router", Type::mapping, "", Effect::live, "Who we are."),
       [](const In& in, Draft& to) { in.mapping(router_fields(), to.config.router); }},
      {value("networks", Type::networks, "", Effect::live,
             "Prefixes of ours that are announced: a list of prefixes, or of mappings as `networks` below."),
       read_networks},
      {value("tunnels", Type::mapping, "", Effect::live, "IPsec tunnels by name."), read_tunnels},
      {value("peers", Type::mapping, "", Effect::live, "BGP peers by address or name."), read_peers},
      {value("static_routes", Type::mapping, "", Effect::live, "Routes without BGP: a list."), read_static_routes},
      {value("policies", Type::mapping, "", Effect::refresh, "Named policies: see docs/policy.md."), read_elsewhere},
      {value("prefix_sets", Type::mapping, "", Effect::refresh, "Named sets of prefixes for policies."),
       read_elsewhere},
      {value("community_sets", Type::mapping, "", Effect::refresh, "Named sets of communities for policies."),
       read_elsewhere},
      {value("large_community_sets", Type::mapping, "", Effect::refresh,
             "Named sets of large communities for policies."),
       read_elsewhere},
      {value("extended_community_sets", Type::mapping, "", Effect::refresh,
             "Named sets of extended communities for policies."),
       read_elsewhere},
      {value("asn_sets", Type::mapping, "", Effect::refresh, "Named sets of AS numbers for policies."), read_elsewhere},
      {value("next_hop_sets", Type::mapping, "", Effect::refresh, "Named sets of next hops for policies."),
       read_elsewhere},
      {value("policy_tests", Type::mapping, "", Effect::live, "Tests of the policies, run by `bgplite policy test`."),
       read_elsewhere},
      {value("fib", Type::mapping, "", Effect::restart, "Routes in the kernel."),
       [](const In& in, Draft& to) { in.mapping(fib_fields(), to.config.fib); }},
      {value("host", Type::mapping, "", Effect::live, "What the host must have: each item manage, check or ignore."),
       [](const In& in, Draft& to) { in.mapping(host_fields(), to.config.host); }},
      {value("ipsec", Type::mapping, "", Effect::restart, "How tunnels are watched."),
       [](const In& in, Draft& to) { in.mapping(ipsec_fields(), to.config.ipsec); }},
      {value("listen", Type::mapping, "", Effect::restart, "Where peers can reach us."),
       [](const In& in, Draft& to) { in.mapping(listen_fields(), to.config.listen); }},
      {value("control", Type::mapping, "", Effect::restart, "The socket of `bgplite show` and the other commands."),
       [](const In& in, Draft& to) { in.mapping(control_fields(), to.config.control); }},
      {value("metrics", Type::mapping, "", Effect::restart, "Metrics for Prometheus."),
       [](const In& in, Draft& to) { in.mapping(metrics_fields(), to.config.metrics); }},
      {value("log", Type::mapping, "", Effect::live, "What is logged."),
       [](const In& in, Draft& to) { in.mapping(log_fields(), to.config.log); }},
      {choice(
           "on_exit", "keep", "keep|remove", Effect::live,
           "keep: kernel routes, tunnels and, with graceful restart, the peers' routes to us stay for the next start. "
           "remove: everything of ours goes."),
       [](const In& in, Draft& to) { in.choice(to.config.on_exit); }},
      {value("user", Type::name, "stays who started it", Effect::restart,
             "User that the daemon becomes; of root's rights it keeps CAP_NET_ADMIN, CAP_NET_BIND_SERVICE to listen "
             "and CAP_NET_RAW for probes."),
       [](const In& in, Draft& to) { in.text(to.config.user); }},
      {value("state_dir", Type::path, "/var/lib/bgplite", Effect::restart,
             "Directory of what must outlive the daemon: the last good configuration, and runtime.yaml, what was "
             "changed by "
             "command with `--save`."),
       [](const In& in, Draft& to) { in.text(to.config.state_dir); }},
  };
  return fields;
}

std::vector<SectionDoc> sections() {
  std::vector<SectionDoc> all;
  all.push_back(describe("", "The keys of the file.", root_fields()));
  all.push_back(describe("defaults", "", defaults_fields()));
  all.push_back(describe("router", "", router_fields()));
  all.push_back(describe("networks", "An item is a prefix, or a mapping of these keys.", network_fields()));
  describe_tunnel(all);
  describe_peer(all);
  all.push_back(describe("static_routes", "Each item of the list.", static_route_fields()));
  all.push_back(describe("static_routes.via", "A bare word is the name of a tunnel.", via_fields()));
  all.push_back(describe("fib", "", fib_fields()));
  all.push_back(
      describe("host",
               "manage: the daemon sets it, and puts it back when it stops. check: `bgplite doctor` and the log "
               "complain. ignore: it is not looked at.",
               host_fields()));
  all.push_back(describe("host.firewall", "The long form.", firewall_fields()));
  all.push_back(describe("ipsec", "", ipsec_fields()));
  all.push_back(describe("ipsec.damping", "", damping_fields()));
  all.push_back(describe("listen", "", listen_fields()));
  all.push_back(describe("control", "", control_fields()));
  all.push_back(describe("metrics", "", metrics_fields()));
  all.push_back(describe("log", "", log_fields()));
  describe_saved(all);
  return all;
}

}  // namespace bgplite
