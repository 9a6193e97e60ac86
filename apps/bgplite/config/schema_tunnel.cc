/// The keys of a tunnel and its IKE connection: rows of the schema (schema.h).
#include <apps/bgplite/config/reader.h>
#include <apps/bgplite/config/schema.h>
#include <bgp/text.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

namespace bgplite {
namespace {

using minibgp::xfrm::IkeOptions;
using minibgp::xfrm::InterfaceAddress;
using minibgp::xfrm::Underlay;

/// "169.254.10.2/30": host bits are the point here.
void read_interface_addresses(const In& in, std::vector<InterfaceAddress>& into) {
  std::vector<std::string> texts;
  in.texts(texts);
  into.clear();
  for (const std::string& text : texts) {
    // The prefix gives the length, the text the address with its host bits.
    const auto prefix = minibgp::parse_prefix(text, minibgp::HostBits::mask);
    const auto address = minibgp::parse_address(text.substr(0, text.find('/')));
    if (!prefix || !address) {
      in.wrong(in.node, "an address with its length, like 169.254.10.2/30");
    } else {
      into.push_back({*address, prefix->length_bits});
    }
  }
}

/// Names and values in swanctl.conf's words, in the order of the file.
void read_words(const In& in, std::vector<std::pair<std::string, std::string>>& into) {
  in.reader.entries(in.node, [&](const std::string& name, const YAML::Node&, const YAML::Node& node) {
    std::string text;
    In{in.reader, node, in.key}.text(text);
    if (!text.empty()) into.emplace_back(name, text);
  });
}

const Fields<Underlay>& underlay_fields() {
  static const Fields<Underlay> fields{
      {value("device", Type::name, "", Effect::tunnel, "Interface that the encrypted packets leave by."),
       [](const In& in, Underlay& to) { in.text(to.device); }},
      {value("gateway", Type::address, "", Effect::tunnel,
             "Next router toward the peer's IKE address: a host route to that address is kept. None: the host's "
             "routing."),
       [](const In& in, Underlay& to) { in.address(to.gateway); }},
  };
  return fields;
}

struct End {
  std::vector<std::string>& addresses;
  std::string& id;
  std::string& auth;
};

const Fields<End>& end_fields() {
  static const Fields<End> fields{
      {value("address", Type::texts, "", Effect::tunnel,
             "IKE address, or a list, as `local_addrs` and `remote_addrs`."),
       [](const In& in, End& to) { in.texts(to.addresses); }},
      {value("id", Type::text, "the address", Effect::tunnel, "IKE identity."),
       [](const In& in, End& to) { in.text(to.id); }},
      {choice("auth", "psk", "psk|pubkey", Effect::tunnel, "How this side proves who it is."),
       [](const In& in, End& to) {
         enum class Auth : std::uint8_t { psk, pubkey } auth = to.auth == "pubkey" ? Auth::pubkey : Auth::psk;
         in.choice(auth);
         to.auth = auth == Auth::pubkey ? "pubkey" : "psk";
       }},
  };
  return fields;
}

const Fields<IkeOptions>& child_fields() {
  static const Fields<IkeOptions> fields{
      {duration("rekey_time", "0s", 0, 86400 * 365, Effect::tunnel, "New keys for the data after this time."),
       [](const In& in, IkeOptions& to) { in.duration(to.child_rekey_time); }},
      {duration("life_time", "0s", 0, 86400 * 365, Effect::tunnel, "Keys for the data are dead after this time."),
       [](const In& in, IkeOptions& to) { in.duration(to.child_life_time); }},
      {value("extra", Type::mapping, "", Effect::tunnel, "Other settings of the child, in swanctl.conf's words."),
       [](const In& in, IkeOptions& to) { read_words(in, to.child_extra); }},
  };
  return fields;
}

/// Texts that charon takes as they are; a list is joined by commas, as swanctl.conf writes it.
void read_proposals(const In& in, std::string& into) {
  std::vector<std::string> list;
  in.texts(list);
  into.clear();
  for (const std::string& one : list) into += (into.empty() ? "" : ", ") + one;
  // Only a warning: a plugin may know more.
  static constexpr std::string_view kBegin[] = {
      "aes",   "3des",  "des",   "cast", "blowfish", "camellia", "chacha20", "null", "serpent", "twofish",
      "md5",   "sha",   "modp",  "ecp",  "curve",    "x25519",   "x448",     "ntru", "newhope", "mlkem",
      "kyber", "frodo", "bliss", "prf",  "esn",      "noesn",    "default",  "ke",   "none",    "sm"};
  std::string word;
  // The '-' at the end closes the last word.
  for (const char c : into + "-") {
    // '!' ends a strict proposal in the old ipsec.conf.
    if (c != '-' && c != ',' && c != ' ' && c != '!') {
      word += c;
      continue;
    }
    const bool known = word.empty() || std::any_of(std::begin(kBegin), std::end(kBegin),
                                                   [&](std::string_view begin) { return word.starts_with(begin); });
    if (!known) in.reader.warning(in.node, "'" + word + "' is no algorithm that strongSwan knows");
    word.clear();
  }
}

void read_unique(const In& in, std::string& into) {
  // In the order of the words in the key's row.
  enum class Unique : std::uint8_t { no, never, keep, replace };
  static constexpr const char* kWords[] = {"no", "never", "keep", "replace"};
  Unique unique{};
  // choice() leaves the value alone after a mistake, and the enum has no value that would say so.
  const std::size_t before = in.reader.diagnostics().all().size();
  in.choice(unique);
  if (in.reader.diagnostics().all().size() == before) into = kWords[static_cast<std::size_t>(unique)];
}

/// "10.0.0.0/8", "10.0.0.1-10.0.0.9", "dynamic", each perhaps with "[tcp/179]": as swanctl.conf writes selectors.
void read_selectors(const In& in, std::vector<std::string>& into) {
  in.texts(into);
  for (const std::string& one : into) {
    // A protocol and port may follow in brackets.
    const std::string_view text = std::string_view{one}.substr(0, one.find('['));
    const std::size_t dash = text.find('-');
    const bool range = dash != std::string_view::npos && minibgp::parse_address(text.substr(0, dash)) &&
                       minibgp::parse_address(text.substr(dash + 1));
    if (text == "dynamic" || text.empty() || range || minibgp::parse_address(text) ||
        minibgp::parse_prefix(text, minibgp::HostBits::mask))
      continue;
    in.reader.error(in.node, "'" + one + "' is no traffic selector", "a prefix, an address, a range or 'dynamic'");
  }
}

void read_action(const In& in, std::string& into) {
  static constexpr const char* kActions[] = {"start", "trap", "none", "restart", "clear"};
  const std::string before = into;
  in.text(into);
  for (const char* action : kActions)
    if (into == action) return;
  in.wrong(in.node, "start, trap, restart, clear or none",
           did_you_mean(into, {"start", "trap", "none", "restart", "clear"}));
  into = before;
}

const Fields<IkeOptions> kIkeFields{
    {integer("version", "2", 1, 2, Effect::tunnel, "IKE version."),
     [](const In& in, IkeOptions& to) { in.number(to.version); }},
    {value("local", Type::mapping, "", Effect::tunnel, "Our side: see `local` below."),
     [](const In& in, IkeOptions& to) {
       End end{to.local_addresses, to.local_id, to.local_auth};
       in.mapping(end_fields(), end);
     }},
    {value("remote", Type::mapping, "", Effect::tunnel, "The peer's side: the same keys as `local`."),
     [](const In& in, IkeOptions& to) {
       End end{to.remote_addresses, to.remote_id, to.remote_auth};
       in.mapping(end_fields(), end);
     }},
    {value(
         "psk_file", Type::path, "", Effect::tunnel,
         "File whose first line is the pre-shared key; only its owner may read it; a name without a slash is a systemd "
         "credential."),
     [](const In& in, IkeOptions& to) { in.text(to.psk_file); }},
    {value("certificates", Type::texts, "", Effect::tunnel, "Certificates of ours that charon shall use."),
     [](const In& in, IkeOptions& to) { in.texts(to.certificates); }},
    {value("proposals", Type::texts, "strongSwan's", Effect::tunnel, "IKE proposals in strongSwan's words."),
     [](const In& in, IkeOptions& to) { read_proposals(in, to.proposals); }},
    {value("esp_proposals", Type::texts, "strongSwan's", Effect::tunnel, "ESP proposals in strongSwan's words."),
     [](const In& in, IkeOptions& to) { read_proposals(in, to.esp_proposals); }},
    {flag("encap", "false", Effect::tunnel, "Always wrap ESP in UDP, as behind NAT."),
     [](const In& in, IkeOptions& to) { in.flag(to.encap); }},
    {flag("mobike", "false", Effect::tunnel,
          "RFC 4555. Off: with two gateways behind one egress a peer moves a tunnel onto the other's address."),
     [](const In& in, IkeOptions& to) { in.flag(to.mobike); }},
    {duration("dpd_delay", "10s", 0, 86400, Effect::tunnel,
              "Ask a silent peer whether it lives after this time. 0s: never."),
     [](const In& in, IkeOptions& to) { in.duration(to.dpd_delay); }},
    {duration("dpd_timeout", "0s", 0, 86400, Effect::tunnel, "IKEv1 only: the peer is dead after this time."),
     [](const In& in, IkeOptions& to) { in.duration(to.dpd_timeout); }},
    {duration("rekey_time", "0s", 0, 86400 * 365, Effect::tunnel,
              "New IKE keys after this time. 0s: strongSwan's default."),
     [](const In& in, IkeOptions& to) { in.duration(to.rekey_time); }},
    {duration("reauth_time", "0s", 0, 86400 * 365, Effect::tunnel, "Authenticate again after this time. 0s: never."),
     [](const In& in, IkeOptions& to) { in.duration(to.reauth_time); }},
    {duration("over_time", "0s", 0, 86400 * 365, Effect::tunnel, "Time that rekeying may take beyond `rekey_time`."),
     [](const In& in, IkeOptions& to) { in.duration(to.over_time); }},
    {value("child", Type::mapping, "", Effect::tunnel, "Of the data's keys: see `child` below."),
     [](const In& in, IkeOptions& to) { in.mapping(child_fields(), to); }},
    {value("local_ts", Type::texts, "everything", Effect::tunnel, "Traffic selectors of our side: a prefix or a list."),
     [](const In& in, IkeOptions& to) { read_selectors(in, to.local_ts); }},
    {value("remote_ts", Type::texts, "everything", Effect::tunnel, "Traffic selectors of the peer's side."),
     [](const In& in, IkeOptions& to) { read_selectors(in, to.remote_ts); }},
    {integer("keyingtries", "0", 0, 1000000, Effect::tunnel,
             "Attempts to connect before charon gives up. 0: for ever."),
     [](const In& in, IkeOptions& to) { in.number(to.keyingtries); }},
    {integer("priority", "0", 0, 4294967295, Effect::tunnel,
             "Of the kernel's policies; lower is preferred. 0: charon's."),
     [](const In& in, IkeOptions& to) { in.number(to.priority); }},
    {integer("replay_window", "0", 0, 4096, Effect::tunnel, "Packets of the replay window. 0: charon's."),
     [](const In& in, IkeOptions& to) { in.number(to.replay_window); }},
    {choice("unique", "strongSwan's", "no|never|keep|replace", Effect::tunnel,
            "What a second IKE SA of the same peer does."),
     [](const In& in, IkeOptions& to) { read_unique(in, to.unique); }},
    {value("start_action", Type::text, "start", Effect::tunnel, "start: bring it up, and keep it up. trap, none."),
     [](const In& in, IkeOptions& to) { read_action(in, to.start_action); }},
    {value("dpd_action", Type::text, "restart", Effect::tunnel, "When the peer is dead: restart, trap or clear."),
     [](const In& in, IkeOptions& to) { read_action(in, to.dpd_action); }},
    {value("close_action", Type::text, "start", Effect::tunnel, "When the peer closes the child: start, trap or none."),
     [](const In& in, IkeOptions& to) { read_action(in, to.close_action); }},
    {value("extra", Type::mapping, "", Effect::tunnel, "Other settings of the connection, in swanctl.conf's words."),
     [](const In& in, IkeOptions& to) { read_words(in, to.extra); }},
};

}  // namespace

const Fields<IkeOptions>& ike_fields() { return kIkeFields; }

namespace {

const Fields<ProbeConfig>& probe_fields() {
  static const Fields<ProbeConfig> fields{
      {value("target", Type::address, "the tunnel's peer", Effect::live,
             "Address that answers echo requests at the other end."),
       [](const In& in, ProbeConfig& to) { in.address(to.target); }},
      {value("source", Type::address, "the kernel's choice", Effect::live, "Our address that the requests come from."),
       [](const In& in, ProbeConfig& to) { in.address(to.source); }},
      {duration("interval", "1s", 0, 10, Effect::live, "Time between two probes, 100ms to 10s."),
       [](const In& in, ProbeConfig& to) { in.duration(to.interval); }},
      {integer("failures", "3", 1, 100, Effect::live, "So many unanswered probes in a row: the tunnel is down."),
       [](const In& in, ProbeConfig& to) { in.number(to.failures); }},
      {integer("answers", "3", 1, 100, Effect::live, "So many answered probes in a row: it is up again."),
       [](const In& in, ProbeConfig& to) { in.number(to.answers); }},
  };
  return fields;
}

}  // namespace

const Fields<TunnelDraft>& tunnel_fields() {
  static const Fields<TunnelDraft> fields{
      {choice(
           "mode", "interface", "interface|policy|link", Effect::tunnel,
           "interface: an XFRM interface whose if_id the SAs carry. policy: the kernel's policies choose the traffic. "
           "link: a device that another program makes (WireGuard, GRE, a leased line), without SAs."),
       [](const In& in, TunnelDraft& to) { in.choice(to.tunnel.options.mode); }},
      {value("interface", Type::name, "the tunnel's name", Effect::tunnel, "Name of the XFRM interface."),
       [](const In& in, TunnelDraft& to) { in.text(to.tunnel.options.interface); }},
      {integer("if_id", "required in mode interface", 1, 4294967295, Effect::tunnel,
               "if_id of interface and SAs, unique."),
       [](const In& in, TunnelDraft& to) { in.number(to.tunnel.options.if_id); }},
      {value("address", Type::interface_address, "", Effect::tunnel, "Our inner address with its length, or a list."),
       [](const In& in, TunnelDraft& to) { read_interface_addresses(in, to.tunnel.options.addresses); }},
      {integer("mtu", "1400, or less where `cloud` says so", 576, 65535, Effect::tunnel, "MTU of the interface."),
       [](const In& in, TunnelDraft& to) { in.number(to.tunnel.options.mtu); }},
      {value("vrf", Type::name, "", Effect::tunnel, "VRF device that the interface belongs to."),
       [](const In& in, TunnelDraft& to) { in.text(to.tunnel.options.vrf); }},
      {value("underlay", Type::mapping, "", Effect::tunnel, "The way to the peer's IKE address: see `underlay` below."),
       [](const In& in, TunnelDraft& to) { in.mapping(underlay_fields(), to.tunnel.options.underlay); }},
      {value("ike", Type::mapping, "", Effect::tunnel,
             "The IKE connection handed to strongSwan: see `ike` below. Without it swanctl.conf is yours, and the "
             "tunnel is "
             "only watched."),
       [](const In& in, TunnelDraft& to) {
         // Begins with the defaults of all files, which were read in a pass of their own.
         to.tunnel.options.ike = to.defaults->ike;
         in.mapping(ike_fields(), *to.tunnel.options.ike);
       }},
      {value("connection", Type::name, "found by if_id", Effect::tunnel,
             "swanctl.conf's name of a connection without `ike`."),
       [](const In& in, TunnelDraft& to) { in.text(to.tunnel.options.watch_connection); }},
      {value("group", Type::name, "", Effect::live,
             "Tunnels of one group stand in for each other: the last usable one is never held down for flapping."),
       [](const In& in, TunnelDraft& to) { in.text(to.tunnel.options.group); }},
      {value("probe", Type::mapping, "", Effect::live, "Echo probes through the tunnel: see `probe` below."),
       [](const In& in, TunnelDraft& to) {
         to.tunnel.probe_enabled = true;
         in.mapping(probe_fields(), to.tunnel.probe);
       }},
      {choice("cloud", "none", "none|alibaba|alibaba-tr|aws|aws-tgw|azure|gcp|oci", Effect::live,
              "Who is at the other end: `check` knows the limits and timers of each."),
       [](const In& in, TunnelDraft& to) { in.choice(to.tunnel.cloud); }},
      {value("peer", Type::mapping, "", Effect::reset, "The BGP peer at the other end: the keys of `peers.NAME`."),
       [](const In& in, TunnelDraft& to) {
         to.peer = to.defaults->peer;
         in.mapping(peer_fields(), *to.peer);
       }},
  };
  return fields;
}

void describe_tunnel(std::vector<SectionDoc>& into) {
  into.push_back(describe("tunnels.NAME", "An IPsec tunnel by its name.", tunnel_fields()));
  into.push_back(describe("tunnels.NAME.underlay", "", underlay_fields()));
  into.push_back(
      describe("tunnels.NAME.ike", "The same keys stand in `defaults.ike`. Words are strongSwan's.", ike_fields()));
  into.push_back(describe("tunnels.NAME.ike.local", "", end_fields()));
  into.push_back(describe("tunnels.NAME.ike.child", "", child_fields()));
  into.push_back(describe("tunnels.NAME.probe", "", probe_fields()));
}

}  // namespace bgplite
