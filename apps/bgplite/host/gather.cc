// Gathering the facts doctor judges: sysctls, modules, the firewall, charon, counters, routes. Everything is read only.
#include <apps/bgplite/control/client.h>
#include <apps/bgplite/host/command.h>
#include <apps/bgplite/host/facts.h>
#include <apps/bgplite/host/firewall.h>
#include <apps/bgplite/host/host.h>
#include <apps/bgplite/host/strongswan_conf.h>
#include <apps/bgplite/json_members.h>
#include <apps/bgplite/state_file.h>
#include <bgp/text.h>
#include <xfrm/stat.h>
#include <xfrm/vici/client.h>
#include <xfrm/vici/ike_config.h>
#include <xfrm/vici/sa_view.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <tuple>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <nlohmann/json.hpp>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace bgplite::host {
namespace {

using minibgp::xfrm::IkeFailure;
using minibgp::xfrm::IkeReply;
using minibgp::xfrm::Mode;
using minibgp::xfrm::TunnelOptions;
namespace vici = minibgp::xfrm::vici;
using Json = nlohmann::json;

Json parse(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  return json.is_discarded() ? Json{} : json;
}

/// Loaded, built in, or there to be loaded on demand.
bool has_module(const std::string& name) {
  struct stat status {};
  if (::stat(("/sys/module/" + name).c_str(), &status) == 0) return true;
  // -n: nothing is loaded, modprobe only looks whether it could be.
  return run_command({"modprobe", "-n", "-q", name}).ok();
}

/// charon's answers to a few questions, each within `limit`.
class Charon final : private vici::ClientEvents {
 public:
  Charon(const std::string& socket, std::chrono::milliseconds limit)
      : client_(io_, {.socket = socket, .timeout = limit}, *this, nullptr) {
    client_.start();
    while (!decided_) io_.run_one();
  }
  ~Charon() override { client_.stop(); }
  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] IkeReply ask(const std::string& name, vici::Section message = {}) {
    std::optional<IkeReply> answer;
    client_.request(name, std::move(message), [&](IkeReply reply) { answer = std::move(reply); });
    // The handler refers to `answer`. It is called in any case, at the client's own deadline at the latest.
    while (!answer) io_.run_one();
    return *std::move(answer);
  }

 private:
  void on_ike_connected() override { connected_ = decided_ = true; }
  void on_ike_disconnected(std::string_view why) override {
    connected_ = false;
    decided_ = true;
    error_ = why;
  }
  void on_ike_event(std::string_view, const vici::Section&) override {}

  boost::asio::io_context io_;
  vici::Client client_;
  bool connected_ = false, decided_ = false;  ///< decided: charon answered, refused, or was silent for the limit.
  std::string error_;
};

void gather_charon(const Config& config, const GatherOptions& options, Facts& facts) {
  struct stat status {};
  facts.vici_socket_present = ::stat(options.vici_socket.c_str(), &status) == 0;
  // Tunnels of mode link have no SAs.
  const bool asked = std::any_of(config.tunnels.begin(), config.tunnels.end(),
                                 [](const auto& it) { return it.second.options.mode != Mode::link; });
  if (!asked || !facts.vici_socket_present) return;
  constexpr std::chrono::milliseconds kLimit{3000};
  Charon charon(options.vici_socket, kLimit);
  facts.vici_reachable = charon.connected();
  facts.vici_error = charon.error();
  if (!facts.vici_reachable) return;
  facts.strongswan_version = charon.ask("version").message.value("version");
  const IkeReply algorithms = charon.ask("get-algorithms");
  const auto loaded = charon.ask("get-conns").message;
  // noblock: an IKE_SA that charon works on at the moment is left out, instead of waiting for it.
  const IkeReply list = charon.ask("list-sas", vici::Section{}.add("noblock", "yes"));
  std::vector<vici::IkeView> ikes;
  for (const vici::Section& event : list.streamed)
    for (vici::IkeView& ike : vici::read_ikes(event)) ikes.push_back(std::move(ike));
  std::vector<TunnelOptions> tunnels;
  for (const auto& [name, tunnel] : config.tunnels) tunnels.push_back(tunnel.options);
  facts.meddlers = vici::meddlers(ikes, tunnels);
  for (const auto& [name, tunnel] : config.tunnels) {
    TunnelFacts& found = facts.tunnels[name];
    if (tunnel.options.ike && algorithms.outcome == IkeReply::Outcome::answered)
      for (const std::string& sentence : vici::missing_algorithms(*tunnel.options.ike, algorithms.message))
        facts.algorithm_problems.push_back("tunnel " + name + ": " + sentence);
    const std::string connection = vici::connection_name(tunnel.options);
    for (const std::string& conn : loaded.list("conns")) found.connection_loaded |= conn == connection;
    // One event for each IKE_SA; one connection may have several while it is renewed.
    for (const vici::Section& event : list.streamed)
      for (const auto& entry : event.entries()) {
        if (entry.name != connection) continue;
        found.ike_established |= entry.section.value("state") == "ESTABLISHED";
        const vici::Section* children = entry.section.section("child-sas");
        if (!children) continue;
        for (const auto& child : children->entries()) {
          // Others are being made, renewed or taken down.
          if (child.section.value("state") != "INSTALLED") continue;
          found.child_installed = true;
          for (const std::string& ts : child.section.list("local-ts")) found.local_ts.push_back(ts);
          for (const std::string& ts : child.section.list("remote-ts")) found.remote_ts.push_back(ts);
          // Of all of them: renewing leaves the old SA in place for a while.
          found.packets_in += child.section.number("packets-in").value_or(0);
          found.packets_out += child.section.number("packets-out").value_or(0);
        }
      }
  }
}

/// How charon repeats what is not answered; charon-systemd's own section is asked before that of all daemons.
void gather_retransmission(Facts& facts) {
  const Settings settings = read_strongswan_conf();
  const auto number = [&](const std::string& name, double otherwise) {
    for (const char* section : {"charon-systemd.", "charon."})
      if (const auto found = settings.find(section + name); found != settings.end())
        return std::strtod(found->second.c_str(), nullptr);
    return otherwise;
  };
  facts.retransmit_timeout = number("retransmit_timeout", facts.retransmit_timeout);
  facts.retransmit_base = number("retransmit_base", facts.retransmit_base);
  facts.retransmit_tries = static_cast<unsigned>(number("retransmit_tries", facts.retransmit_tries));
}

/// What the running daemon knows of negotiations, flaps and the peers' timers.
void gather_daemon(const Config& config, Facts& facts) {
  std::map<std::string, std::pair<std::string, std::string>> tunnel_states;
  if (const auto shown = control::ask(config.control.socket, "show.tunnels")) {
    for (const auto& row : list_member(*shown, "tunnels")) {
      const std::string name = text_member(row, "tunnel");
      tunnel_states[name] = {text_member(row, "state"), text_member(row, "reason")};
      const auto found = facts.tunnels.find(name);
      if (found == facts.tunnels.end()) continue;
      TunnelFacts& tunnel = found->second;
      const auto& failed = member(row, "ike_failure");
      tunnel.failure_text = text_member(failed, "text");
      const std::string failure = text_member(failed, "reason");
      // By the word that the daemon sends, because the numbers may differ between two versions.
      for (int i = 0; i <= static_cast<int>(IkeFailure::kernel); ++i)
        if (const auto one = static_cast<IkeFailure>(i); !failure.empty() && failure == to_text(one))
          tunnel.failure = one;
      tunnel.restarts_lately = number_member<std::uint32_t>(row, "flaps");
    }
  }
  const auto shown = control::ask(config.control.socket, "show.peers");
  facts.daemon_reachable = shown.has_value();
  if (!shown) return;
  for (const auto& row : list_member(*shown, "peers")) {
    SessionFacts session;
    session.peer = text_member(row, "peer");
    // Without an address nothing can be said of it.
    if (session.peer.empty()) continue;
    session.state = text_member(row, "state");
    session.enabled = flag_member(row, "enabled", true);
    const auto& state_for_s = member(row, "state_for_s");
    session.state_for_s = state_for_s.is_number() ? state_for_s.get<double>() : 0;
    session.tunnel = text_member(row, "tunnel");
    const auto& down = member(row, "last_down");
    session.down_reason = text_member(down, "reason");
    session.down_detail = text_member(down, "detail");
    session.code = number_member<unsigned>(down, "code");
    session.subcode = number_member<unsigned>(down, "subcode");
    session.attempt = text_member(row, "last_attempt");
    if (const auto& withheld = member(member(row, "prefixes"), "withheld"); withheld.is_object())
      // Only the reasons that occurred: the daemon sends all of them.
      for (const auto& entry : withheld.items())
        if (const auto count = number_member<std::uint64_t>(withheld, entry.key().c_str()); count != 0)
          session.withheld[entry.key()] = count;
    if (const auto state = tunnel_states.find(session.tunnel); state != tunnel_states.end())
      std::tie(session.tunnel_state, session.tunnel_reason) = state->second;
    if (session.state != "Established" && session.enabled)
      // Only where it matters: one program run for each session takes its time.
      if (const Finished route = run_command({"ip", "route", "get", session.peer}); !route.ok())
        session.route_problem = route.output.substr(0, route.output.find('\n'));
    for (auto& [name, tunnel] : facts.tunnels)
      if (session.tunnel == name && session.state == "Established")
        // Named in the OPEN of the session that is up.
        tunnel.peer_hold_time = number_member<std::uint16_t>(row, "peer_hold_s");
    facts.sessions.push_back(std::move(session));
  }
}

void gather_links(const Config& config, Facts& facts) {
  const Json links = parse(run_command({"ip", "-j", "-d", "link", "show", "type", "xfrm"}).output);
  for (const auto& [name, tunnel] : config.tunnels) {
    TunnelFacts& found = facts.tunnels[name];
    for (const Json& link : links) {
      // iproute2 writes "0x64"; base 0 reads that.
      const std::string if_id = text_member(member(member(link, "linkinfo"), "info_data"), "if_id");
      if (std::strtoul(if_id.c_str(), nullptr, 0) != tunnel.options.if_id || tunnel.options.if_id == 0) continue;
      found.interface_present = true;
      found.interface = text_member(link, "ifname");
      found.mtu = number_member<std::uint32_t>(link, "mtu");
      for (const Json& flag : list_member(link, "flags")) found.interface_up |= flag == "UP";
      const std::string path = "net/ipv4/conf/" + found.interface + "/rp_filter";
      if (const auto value = read_sysctl(path)) facts.sysctls[path] = *value;
    }
    if (!tunnel.options.ike || tunnel.options.ike->remote_addresses.empty()) continue;
    const std::string& remote = tunnel.options.ike->remote_addresses.front();
    const Json route = parse(run_command({"ip", "-j", "route", "get", remote}).output);
    found.routed = route.is_array() && !route.empty() && route[0].is_object();
    if (!found.routed) continue;
    found.route_device = text_member(route[0], "dev");
    found.route_gateway = text_member(route[0], "gateway");
  }
}

/// What the running daemon knows of its files, and of what the kernel refused.
void gather_life(const Config& config, Facts& facts) {
  if (!facts.daemon_reachable) {
    if (!config.listen.enabled) return;
    const std::string port = "sport = :" + std::to_string(config.listen.port);
    const std::string taken = run_command({"ss", "-ltnpH", port}).output;
    facts.listener = taken.substr(0, taken.find('\n'));
    return;
  }
  if (const auto shown = control::ask(config.control.socket, "show.config"))
    if (const auto& left = member(*shown, "unconfirmed_for_s"); left.is_number_integer())
      facts.unconfirmed_for_s = left.get<std::int64_t>();
  // Only read: a plan changes nothing.
  if (const auto plan = control::ask(config.control.socket, "plan"))
    for (const auto& step : list_member(*plan, "steps")) facts.unapplied.push_back(text_member(step, "text"));
  if (const auto shown = control::ask(config.control.socket, "show.fib", {{"out_of_sync", true}}))
    for (const auto& route : list_member(*shown, "routes"))
      if (const auto& refused = member(route, "refused"); refused.is_object())
        facts.refused_routes.push_back({text_member(route, "prefix"), text_member(refused, "reason"),
                                        text_member(refused, "detail"), number_member<std::uint32_t>(route, "table"),
                                        number_member<std::uint32_t>(route, "metric")});
}

/// Interfaces and addresses of the host.
void gather_interfaces(Facts& facts) {
  for (const Json& link : parse(run_command({"ip", "-j", "address", "show"}).output)) {
    const std::string name = text_member(link, "ifname");
    if (name.empty()) continue;
    LinkFacts& found = facts.links[name];
    found.mtu = number_member<std::uint32_t>(link, "mtu");
    for (const Json& flag : list_member(link, "flags")) found.up = found.up || flag == "UP";
    for (const Json& address : list_member(link, "addr_info")) facts.addresses.push_back(text_member(address, "local"));
  }
}

/// What of the managed settings is not as it was set.
void gather_managed(const Config& config, const std::string& ruleset, Facts& facts) {
  // What cannot be read is not there, such as the setting of an interface that is to come: no finding here.
  for (const Sysctl& one : wanted_sysctls(config))
    if (const auto now = read_sysctl(one.path); now && *now != one.wanted)
      facts.managed.sysctls.push_back(sysctl_name(one.path) + " is " + *now + " instead of " + one.wanted);
  OwnRules rules = read_own_rules(ruleset, config.host.firewall_chain);
  facts.managed.clamp_rules = rules.clamps;
  facts.managed.door_rules = rules.doors;
  facts.managed.foreign_rules = std::move(rules.foreign);
}

/// Who runs the daemon: by the configuration, else the owner of its running socket, else the unit's user.
std::string daemon_user(const Config& config) {
  if (!config.user.empty()) return config.user;
  struct stat status {};
  if (::stat(config.control.socket.c_str(), &status) == 0) {
    const passwd* user = ::getpwuid(status.st_uid);
    return user != nullptr ? user->pw_name : std::to_string(status.st_uid);  // A unit's user may have no name.
  }
  return ::getpwnam("bgplite") != nullptr ? "bgplite" : "root";
}

/// As that user, without any right beyond its own.
/// access(2) would ask with root's rights, and a capability of the shell would count as well.
bool may(const std::string& user, const char* test, const std::string& path) {
  // Without root the question is about ourselves.
  if (::geteuid() != 0) return ::access(path.c_str(), test[1] == 'w' ? W_OK : R_OK) == 0;
  std::vector<std::string> words{"setpriv", "--inh-caps=-all", "--bounding-set=-all"};
  const passwd* entry = ::getpwnam(user.c_str());
  // The user of a unit (DynamicUser=) exists only while it runs: its number is used as it is.
  if (entry == nullptr) {
    words.insert(words.end(), {"--reuid", user, "--regid", user, "--clear-groups"});
  } else if (user != "root") {
    // For root only the capabilities are taken away: DAC_OVERRIDE would read everything.
    words.insert(words.end(), {"--reuid", user, "--regid", std::to_string(entry->pw_gid), "--init-groups"});
  }
  words.insert(words.end(), {"test", test, path});
  return run_command(words).ok();
}

KeyFacts key_facts(const std::string& user, const std::string& path) {
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  return {exists, exists && may(user, "-r", path), status.st_mode & 07777U, status.st_gid};
}

/// What the daemon's user must read or write.
void gather_files(const Config& config, Facts& facts) {
  facts.daemon_user = daemon_user(config);
  // The user of a unit (DynamicUser=) has a group with its own number.
  if (const passwd* entry = ::getpwnam(facts.daemon_user.c_str()); entry != nullptr) {
    facts.daemon_group = entry->pw_gid;
  } else {
    facts.daemon_group = static_cast<std::uint32_t>(std::strtoul(facts.daemon_user.c_str(), nullptr, 10));
  }
  for (const std::string& path : config.files)
    if (!may(facts.daemon_user, "-r", path)) facts.unreadable.push_back(path);
  struct statvfs room {};
  struct stat status {};
  if (::stat(config.state_dir.c_str(), &status) != 0) {
    if (facts.daemon_reachable) facts.state_problem = "is not there";  // A first start makes it.
  } else if (!may(facts.daemon_user, "-w", config.state_dir)) {
    facts.state_problem = "cannot be written by user " + facts.daemon_user;
  } else if (::statvfs(config.state_dir.c_str(), &room) == 0 && room.f_blocks != 0 && room.f_bavail == 0) {
    // f_blocks 0: a file system without a size, such as some virtual ones. f_bavail: without the blocks that are kept
    // for root.
    facts.state_problem = "is on a disk without free space";
  }
  for (const auto& [name, tunnel] : config.tunnels) {
    if (!tunnel.options.ike) continue;
    const std::string& path = tunnel.options.ike->psk_file;
    // A credential's directory is the daemon's; it is not there for us.
    const bool file = !path.empty() && path.front() == '/';
    facts.tunnels[name].psk = file ? key_facts(facts.daemon_user, path) : KeyFacts{true, true, 0};
  }
  for (const auto& [key, peer] : config.peers)
    if (!peer.md5_file.empty()) facts.md5_keys[key] = key_facts(facts.daemon_user, peer.md5_file);
}

/// The largest packet that gets through to the tunnel's BGP peer with DF set, by halving; 0: not even a small one does.
std::uint32_t largest_through(const std::string& interface, const std::string& target, std::uint32_t mtu) {
  // IPv4 and ICMP headers, 20 and 8 octets; 576 is what every IPv4 host takes (RFC 791).
  constexpr std::uint32_t kHeaders = 28, kSmallest = 576;
  const auto passes = [&](std::uint32_t size) {
    // Two, because a single one may be lost for another reason.
    return run_command({"ping", "-n", "-q", "-c", "2", "-i", "0.2", "-W", "1", "-M", "do", "-s",
                        std::to_string(size - kHeaders), "-I", interface, target})
        .ok();
  };
  if (mtu <= kSmallest || passes(mtu)) return mtu;
  if (!passes(kSmallest)) return 0;
  std::uint32_t low = kSmallest, high = mtu;
  // Fine enough for an MTU: each step that fails takes more than a second.
  constexpr std::uint32_t kPrecise = 8;
  // Invariant: `low` passes, `high` does not.
  while (high - low > kPrecise) {
    const std::uint32_t middle = (low + high) / 2;
    (passes(middle) ? low : high) = middle;
  }
  return low;
}

/// Counters of IPsec, a moment apart.
void gather_movement(const Config& config, const GatherOptions& options, Facts& facts) {
  facts.xfrm_stat = minibgp::xfrm::parse_xfrm_stat(read_text("/proc/net/xfrm_stat"));
  boost::asio::io_context idle;
  boost::asio::steady_timer observed(idle, options.observe);
  observed.wait();
  facts.xfrm_stat_later = minibgp::xfrm::parse_xfrm_stat(read_text("/proc/net/xfrm_stat"));
  // charon is asked again with facts of its own, of which only the counters are used.
  Facts later;
  for (const auto& [name, tunnel] : config.tunnels) later.tunnels[name];
  gather_charon(config, options, later);
  for (auto& [name, tunnel] : facts.tunnels) {
    tunnel.packets_in_later = later.tunnels[name].packets_in;
    tunnel.packets_out_later = later.tunnels[name].packets_out;
  }
}

}  // namespace

Facts gather(const Config& config, const GatherOptions& options) {
  Facts facts;
  utsname system{};
  if (::uname(&system) == 0) facts.kernel_release = system.release;
  facts.is_root = ::geteuid() == 0;
  facts.xfrm_interface_module = has_module("xfrm_interface");
  facts.esp4_module = has_module("esp4");
  for (const auto& [name, tunnel] : config.tunnels) facts.tunnels[name];
  for (const char* path : {"net/ipv4/ip_forward", "net/ipv4/conf/all/rp_filter", "net/ipv4/fib_multipath_hash_policy",
                           "net/ipv4/ping_group_range"})
    if (const auto value = read_sysctl(path)) facts.sysctls[path] = *value;

  gather_charon(config, options, facts);
  gather_retransmission(facts);
  gather_links(config, facts);
  gather_interfaces(facts);
  gather_daemon(config, facts);
  gather_life(config, facts);
  gather_files(config, facts);

  std::vector<std::string> interfaces;
  std::string device;
  for (const auto& [name, tunnel] : config.tunnels) {
    // In mode policy the tunnel has no interface; its packets go out by the underlay's.
    if (tunnel.options.mode != Mode::policy)
      interfaces.push_back(tunnel.options.interface.empty() ? name : tunnel.options.interface);
    else if (!tunnel.options.underlay.device.empty())
      interfaces.push_back(tunnel.options.underlay.device);
    if (device.empty()) device = tunnel.options.underlay.device;
  }
  const std::string ruleset = run_command({"nft", "-j", "list", "ruleset"}).output;
  const FirewallFacts firewall = read_firewall(ruleset, interfaces, device);
  gather_managed(config, ruleset, facts);
  facts.nft_readable = firewall.readable;
  facts.firewall_drops = firewall.drops;
  facts.masquerades = firewall.masquerades;
  facts.mss_clamped = firewall.mss_clamped;

  facts.routes_220 = parse(run_command({"ip", "-j", "route", "show", "table", "220"}).output).size();
  facts.rule_220 = run_command({"ip", "rule", "show", "table", "220"}).output.find("lookup") != std::string::npos;
  // modes 0: adjtimex() only reads.
  timex clock{};
  facts.clock_synchronized = ::adjtimex(&clock) >= 0 && (clock.status & STA_UNSYNC) == 0;

  for (const std::string& interface : interfaces) {
    const std::string path = "net/ipv4/conf/" + interface + "/rp_filter";
    if (const auto value = read_sysctl(path)) facts.sysctls[path] = *value;
  }
  const bool ipsec = std::any_of(config.tunnels.begin(), config.tunnels.end(),
                                 [](const auto& it) { return it.second.options.mode != Mode::link; });
  // What follows takes seconds, and asks about SAs only.
  if (!ipsec) return facts;
  gather_movement(config, options, facts);
  if (options.probe_path_mtu)
    for (auto& [name, tunnel] : facts.tunnels) {
      const std::string& peer = config.tunnels.at(name).peer;
      // Without a peer's address no host is known to answer.
      if (!tunnel.child_installed || !tunnel.interface_up || !minibgp::parse_address(peer)) continue;
      tunnel.path_mtu_probed = true;
      tunnel.path_mtu = largest_through(tunnel.interface, peer, tunnel.mtu);
    }
  return facts;
}

}  // namespace bgplite::host
