/// The keys of a peer: rows of the schema (schema.h).
#include <apps/bgplite/config/reader.h>
#include <apps/bgplite/config/schema.h>
#include <bgp/text.h>

namespace bgplite {
namespace {

using minibgp::PeerOptions;
using minibgp::PeerTimers;
using minibgp::PrefixLimit;

const Fields<PeerTimers>& timer_fields() {
  static const Fields<PeerTimers> fields{
      // 21845 s is a third of the longest hold time that OPEN can carry (RFC 4271 s.4.2 and s.4.4).
      {duration("keepalive", "0s", 0, 21845, Effect::live,
                "Time between keepalives. 0s: a third of the negotiated hold time; never more than that third."),
       [](const In& in, PeerTimers& to) { in.seconds(to.keepalive_s); }},
      {duration(
           "hold", "90s", 0, 65535, Effect::reset,
           "A peer that is silent for so long is down. Both sides' smaller value holds; 0s: never, and no keepalives "
           "(RFC 4271 s.4.2). 1s and 2s are not allowed."),
       [](const In& in, PeerTimers& to) { in.seconds(to.hold_s); }},
      {duration("connect_retry", "5s", 1, 120, Effect::live,
                "Delay between attempts to connect after the first four, which follow within a second; it doubles up "
                "to 120s."),
       [](const In& in, PeerTimers& to) { in.seconds(to.connect_retry_s); }},
      {duration(
           "send_hold", "0s", 0, 65535, Effect::live,
           "A peer that takes nothing from us for so long is down (RFC 9687). 0s: twice the hold time, at least 480s."),
       [](const In& in, PeerTimers& to) { in.seconds(to.send_hold_s); }},
  };
  return fields;
}

const Fields<PrefixLimit>& limit_fields() {
  static const Fields<PrefixLimit> fields{
      {integer("max", "1200000", 1, 4294967295, Effect::live, "Prefixes of all families together."),
       [](const In& in, PrefixLimit& to) { in.number(to.max); }},
      {integer("warn_percent", "80", 1, 100, Effect::live, "From this share of `max` on, a warning is logged."),
       [](const In& in, PrefixLimit& to) { in.number(to.warn_percent); }},
      {flag("warn_only", "false", Effect::live, "Beyond `max` only warn, and keep the session."),
       [](const In& in, PrefixLimit& to) { in.flag(to.warn_only); }},
      {duration(
           "restart_after", "0s", 0, 86400 * 7, Effect::live,
           "Open a session that the limit closed again after this time. 0s: only `bgplite enable` or a higher limit "
           "does."),
       [](const In& in, PrefixLimit& to) { in.seconds(to.restart_after_s); }},
  };
  return fields;
}

/// A policy by name, or written in place, which gets a name that no file can contain.
void read_policy(const In& in, std::string& into) {
  if (!in.node.IsSequence()) return in.text(into);
  // The place in the file makes it unique. A name cannot contain '('.
  into = "(" + in.reader.path() + ")";
  // Compiled when all files were read: it may name policies of files that follow.
  in.reader.inline_policies[into] = in.node;
}

void read_families(const In& in, PeerConfig& to) {
  std::vector<std::string> words;
  in.texts(words);
  // Replaced: the default of `defaults.peer` does not add to what the peer says.
  to.options.families = {};
  for (const std::string& word : words) {
    if (word == "ipv4") {
      to.options.families[0] = true;
    } else if (word == "ipv6") {
      to.options.families[1] = true;
    } else {
      in.reader.error(in.node, "unknown family '" + word + "'", "known are ipv4 and ipv6, both unicast");
    }
  }
  to.families_given = true;
}

const Fields<ReturnPathConfig>& return_path_fields() {
  static const Fields<ReturnPathConfig> fields{
      {flag("more_specifics", "true", Effect::live,
            "After an unannounced loss of a tunnel, while the peer behind it still holds its session, announce our "
            "networks split in two over the sessions with its AS that live, so that its longest match moves at once. "
            "Export policies judge the networks, not their halves."),
       [](const In& in, ReturnPathConfig& to) { in.flag(to.more_specifics); }},
      {integer("longest", "32", 1, 32, Effect::live, "Announce no half of an IPv4 network that is longer."),
       [](const In& in, ReturnPathConfig& to) { in.number(to.longest_bits); }},
      {integer("longest_ipv6", "128", 1, 128, Effect::live, "The same for IPv6."),
       [](const In& in, ReturnPathConfig& to) { in.number(to.longest_ipv6_bits); }},
  };
  return fields;
}

/// A word, or a mapping that says how far it may go.
void read_return_path(const In& in, ReturnPathConfig& to) {
  if (in.node.IsMap()) {
    // A mapping without `more_specifics` means it, too.
    to.more_specifics = true;
    return in.mapping(return_path_fields(), to);
  }
  // The order of the words in the row of the key `return_path`.
  enum class Word : std::uint8_t { off, more_specifics };
  Word word = to.more_specifics ? Word::more_specifics : Word::off;
  in.choice(word);
  to.more_specifics = word == Word::more_specifics;
}

const Fields<PeerConfig> kPeerFields{
    {value("address", Type::address, "the key, where that is an address", Effect::reset,
           "The peer's address. IPv6 link-local addresses need `device`."),
     [](const In& in, PeerConfig& to) { in.address(to.options.address); }},
    {value("asn", Type::asn, "required", Effect::reset, "The peer's AS number; our own makes it an iBGP peer."),
     [](const In& in, PeerConfig& to) { in.asn(to.options.remote_as); }},
    {value("name", Type::name, "the key", Effect::live, "A name for logs and `show`."),
     [](const In& in, PeerConfig& to) { in.text(to.options.name); }},
    {value("local_asn", Type::asn, "", Effect::reset, "Our AS number toward this peer instead of `router.asn`."),
     [](const In& in, PeerConfig& to) { in.asn(to.options.local_as); }},
    {value("local_address", Type::address, "the tunnel's address, or the kernel's choice", Effect::reset,
           "Our end of the TCP connection."),
     [](const In& in, PeerConfig& to) { in.address(to.options.local_address); }},
    {value("device", Type::name, "the tunnel's interface", Effect::reset,
           "Interface to which the TCP connection is bound."),
     [](const In& in, PeerConfig& to) { in.text(to.options.device); }},
    {integer("port", "179", 1, 65535, Effect::reset, "TCP port of the peer, when we dial."),
     [](const In& in, PeerConfig& to) { in.number(to.options.port); }},
    {flag("passive", "false", Effect::reset, "Wait for the peer to dial."),
     [](const In& in, PeerConfig& to) { in.flag(to.options.passive); }},
    {flag("enabled", "true", Effect::reset, "false: administratively down."),
     [](const In& in, PeerConfig& to) { in.flag(to.options.enabled); }},
    {value("timers", Type::mapping, "", Effect::reset, "See `timers` below."),
     [](const In& in, PeerConfig& to) { in.mapping(timer_fields(), to.options.timers); }},
    {value("families", Type::families, "the family of the peer's address", Effect::reset,
           "Which routes the session carries: a list of ipv4 and ipv6 (both unicast)."),
     [](const In& in, PeerConfig& to) { read_families(in, to); }},
    {flag("accept_all", "false", Effect::refresh,
          "Take and announce every route, without a policy. Without this and without policies an eBGP peer gives and "
          "gets "
          "nothing (RFC 8212)."),
     [](const In& in, PeerConfig& to) { in.flag(to.accept_all); }},
    {value("import", Type::policy, "", Effect::refresh,
           "Policy for routes from this peer: the name of one of `policies`, or its terms in place."),
     [](const In& in, PeerConfig& to) { read_policy(in, to.import_policy); }},
    {value("export", Type::policy, "", Effect::refresh, "Policy for routes to this peer, as `import`."),
     [](const In& in, PeerConfig& to) { read_policy(in, to.export_policy); }},
    {value("import_limit", Type::mapping, "", Effect::live,
           "Beyond so many prefixes received the session is closed (Cease, maximum number of prefixes). See `limit` "
           "below."),
     [](const In& in, PeerConfig& to) { in.mapping(limit_fields(), to.options.import_limit); }},
    {value("export_limit", Type::mapping, "", Effect::live,
           "Beyond so many prefixes announced new ones are held back, and the session is kept: clouds close it "
           "otherwise."),
     [](const In& in, PeerConfig& to) { in.mapping(limit_fields(), to.options.export_limit); }},
    {choice("graceful_restart", "full", "off|helper|full", Effect::reset,
            "RFC 4724. helper: keep the peer's routes while it restarts. full: also ask it to keep ours."),
     [](const In& in, PeerConfig& to) { in.choice(to.options.graceful_restart); }},
    {duration("restart_time", "120s", 1, 4095, Effect::reset, "How long the peer shall keep our routes meanwhile."),
     [](const In& in, PeerConfig& to) { in.seconds(to.options.restart_time_s); }},
    {flag("next_hop_self", "true", Effect::refresh,
          "Announce ourselves as the next hop. Always so to eBGP peers; to iBGP peers for routes learned by eBGP."),
     [](const In& in, PeerConfig& to) { in.flag(to.options.next_hop_self); }},
    {integer("prepend", "0", 0, 10, Effect::refresh, "So many additional times our AS number is prepended on export."),
     [](const In& in, PeerConfig& to) { in.number(to.options.prepend); }},
    {integer("med", "", 0, 4294967295, Effect::refresh, "MED of every route announced to this peer."),
     [](const In& in, PeerConfig& to) { in.number(to.options.export_med); }},
    {integer("local_pref", "100", 0, 4294967295, Effect::refresh, "LOCAL_PREF of routes from this peer (eBGP)."),
     [](const In& in, PeerConfig& to) { in.number(to.options.default_local_pref); }},
    {integer("weight", "1", 1, 65535, Effect::refresh, "Share of traffic over this peer's paths in an ECMP route."),
     [](const In& in, PeerConfig& to) { in.number(to.options.ecmp_weight); }},
    {integer("allow_as_in", "0", 0, 10, Effect::refresh, "Our own AS may occur so often in a received AS_PATH."),
     [](const In& in, PeerConfig& to) { in.number(to.options.allow_as_in); }},
    {flag("as_override", "false", Effect::refresh, "Replace the peer's AS by ours in the AS_PATH we announce."),
     [](const In& in, PeerConfig& to) { in.flag(to.options.as_override); }},
    {flag("remove_private_as", "false", Effect::refresh, "Take private AS numbers out of the AS_PATH we announce."),
     [](const In& in, PeerConfig& to) { in.flag(to.options.remove_private_as); }},
    {flag("enforce_first_as", "true", Effect::refresh,
          "Refuse routes whose leftmost AS is not the peer's (RFC 4271 s.6.3). false for route servers."),
     [](const In& in, PeerConfig& to) { in.flag(to.options.enforce_first_as); }},
    {flag("route_reflector_client", "false", Effect::refresh, "Reflect iBGP routes to this peer (RFC 4456)."),
     [](const In& in, PeerConfig& to) { in.flag(to.options.route_reflector_client); }},
    {choice("role", "none", "none|provider|route-server|route-server-client|customer|peer", Effect::reset,
            "Our own role in the relation (RFC 9234)."),
     [](const In& in, PeerConfig& to) { in.choice(to.options.role); }},
    {flag("role_strict", "false", Effect::reset, "Refuse a peer that does not tell its role."),
     [](const In& in, PeerConfig& to) { in.flag(to.options.role_strict); }},
    {flag("add_path", "false", Effect::reset, "Receive several paths for a prefix (RFC 7911)."),
     [](const In& in, PeerConfig& to) { in.flag(to.options.add_path_receive); }},
    {flag("extended_messages", "true", Effect::reset, "Messages of up to 65535 octets (RFC 8654)."),
     [](const In& in, PeerConfig& to) { in.flag(to.options.extended_messages); }},
    {flag("extended_next_hop", "false", Effect::reset, "IPv4 routes over an IPv6 session (RFC 8950)."),
     [](const In& in, PeerConfig& to) { in.flag(to.options.extended_next_hop); }},
    {flag("four_octet_as", "true", Effect::reset, "false only for peers that break on the capability (RFC 6793)."),
     [](const In& in, PeerConfig& to) { in.flag(to.options.four_octet_as); }},
    {integer("ttl", "0", 0, 255, Effect::reset,
             "TTL of our packets; more than 1 is eBGP multihop. 0: 1 for eBGP, 255 for iBGP."),
     [](const In& in, PeerConfig& to) { in.number(to.options.ttl); }},
    {integer("ttl_security", "0", 0, 254, Effect::reset, "The peer is at most so many hops away (RFC 5082). 0: off."),
     [](const In& in, PeerConfig& to) { in.number(to.options.ttl_security_hops); }},
    {integer("tcp_mss", "0", 0, 65495, Effect::reset, "Largest TCP segment (TCP_MAXSEG). 0: the kernel's."),
     [](const In& in, PeerConfig& to) { in.number(to.options.tcp_mss); }},
    {duration("tcp_user_timeout", "0s", 0, 86400, Effect::reset,
              "The kernel gives the connection up when data stays unacknowledged for so long. 0s: the hold time."),
     [](const In& in, PeerConfig& to) { in.milliseconds(to.options.tcp_user_timeout_ms); }},
    {value("md5_file", Type::path, "", Effect::reset,
           "File that holds the TCP-MD5 key (RFC 2385); only its owner may read it. Read again by every apply, `reset` "
           "and `enable`: with another key the session is opened anew."),
     [](const In& in, PeerConfig& to) { in.text(to.md5_file); }},
    {choice("session_on_tunnel_down", "keep", "keep|close", Effect::live,
            "keep: the hold timer decides, the tunnel may be back in a moment. close: end the session at once."),
     [](const In& in, PeerConfig& to) { in.choice(to.on_tunnel_down); }},
    {choice("return_path", "off", "off|more_specifics", Effect::live,
            "more_specifics: when a tunnel is lost without a word, draw the return traffic to the sessions that live. "
            "Never beyond `export_limit` and what the tunnel's `cloud` takes. Or a mapping: see `return_path` "
            "below."),
     [](const In& in, PeerConfig& to) { read_return_path(in, to.return_path); }},
};

}  // namespace

const Fields<PeerConfig>& peer_fields() { return kPeerFields; }

void describe_peer(std::vector<SectionDoc>& into) {
  into.push_back(
      describe("peers.NAME",
               "A peer, by its address or by a name. The same keys stand in `tunnels.NAME.peer`, for the peer at the "
               "other end of a tunnel, and in `defaults.peer`, which every peer begins with.",
               peer_fields()));
  into.push_back(describe("peers.NAME.timers", "", timer_fields()));
  into.push_back(describe("peers.NAME.return_path", "", return_path_fields()));
  into.push_back(describe("peers.NAME.import_limit", "The same keys stand in `export_limit`.", limit_fields()));
}

}  // namespace bgplite
