#include <apps/bgplite/host/command.h>
#include <apps/bgplite/host/host.h>
#include <apps/bgplite/state_file.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include <unistd.h>

namespace bgplite::host {
namespace {

using minibgp::Family;
using minibgp::xfrm::Mode;
using minibgp::xfrm::TunnelOptions;

constexpr std::string_view kTag = "bgplite";
constexpr std::string_view kTable = "inet bgplite";
/// IP and TCP headers without options: what the MSS leaves out of the MTU.
constexpr std::uint32_t kHeadersV4 = 40, kHeadersV6 = 60;

std::string interface_of(const TunnelOptions& tunnel) {
  return tunnel.interface.empty() ? tunnel.name : tunnel.interface;
}

// IPv6 is touched only where something of the configuration uses it.
bool has_v6(const Config& config) {
  const bool peers = std::any_of(config.peers.begin(), config.peers.end(), [](const auto& it) {
    return it.second.options.families[static_cast<std::size_t>(Family::ipv6)];
  });
  const bool routes = std::any_of(config.static_routes.begin(), config.static_routes.end(),
                                  [](const StaticRoute& route) { return route.prefix.family == Family::ipv6; });
  if (peers || routes) return true;
  return std::any_of(config.tunnels.begin(), config.tunnels.end(), [](const auto& it) {
    const auto& addresses = it.second.options.addresses;
    return std::any_of(addresses.begin(), addresses.end(),
                       [](const auto& address) { return address.address.family == Family::ipv6; });
  });
}

/// The kernel separates with tabs what we write with blanks.
std::string normal(std::string text) {
  // "0 2147483647" of ping_group_range.
  std::replace(text.begin(), text.end(), '\t', ' ');
  return text;
}

std::string trim(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> all;
  for (std::string word; stream >> word;) all.push_back(word);
  return all;
}

}  // namespace

std::vector<Sysctl> wanted_sysctls(const Config& config) {
  std::vector<Sysctl> wanted;
  const HostConfig& host = config.host;
  if (host.forwarding == Care::manage) {
    wanted.push_back({"net/ipv4/ip_forward", "1", "packets of the LAN are forwarded into the tunnels"});
    if (has_v6(config))
      wanted.push_back({"net/ipv6/conf/all/forwarding", "1", "IPv6 packets of the LAN are forwarded into the tunnels"});
    for (const auto& [name, tunnel] : config.tunnels) {
      if (tunnel.options.mode != Mode::policy) continue;
      const std::string why = "clients of the device's own LAN are not sent around the policies by ICMP redirects";
      // The kernel sends redirects when `all` or the interface says so, so both have to be off.
      wanted.push_back({"net/ipv4/conf/all/send_redirects", "0", why});
      if (!tunnel.options.underlay.device.empty())
        wanted.push_back({"net/ipv4/conf/" + tunnel.options.underlay.device + "/send_redirects", "0", why});
    }
  }
  if (host.rp_filter == Care::manage && !config.tunnels.empty()) {
    // The larger of `all` and the interface's own holds: 2 (loose) on the interface beats a strict `all`. Interfaces
    // that are still to be made inherit `default`.
    const std::string why = "packets may come back over another tunnel than they left by";
    wanted.push_back({"net/ipv4/conf/default/rp_filter", "2", why});
    for (const auto& [name, tunnel] : config.tunnels)
      if (tunnel.options.mode != Mode::policy)
        wanted.push_back({"net/ipv4/conf/" + interface_of(tunnel.options) + "/rp_filter", "2", why});
  }
  if (host.multipath_hash == Care::manage) {
    wanted.push_back({"net/ipv4/fib_multipath_hash_policy", "1", "flows, not pairs of hosts, are spread over tunnels"});
    if (has_v6(config)) wanted.push_back({"net/ipv6/fib_multipath_hash_policy", "1", "flows are spread over tunnels"});
  }
  if (host.ping_group_range == Care::manage)
    wanted.push_back({"net/ipv4/ping_group_range", "0 2147483647", "echo probes work without CAP_NET_RAW"});
  // Several tunnels ask for the same setting; the list is short.
  std::vector<Sysctl> unique;
  for (const Sysctl& one : wanted)
    if (std::find(unique.begin(), unique.end(), one) == unique.end()) unique.push_back(one);
  return unique;
}

std::string wanted_nft_table(const Config& config) {
  if (config.host.mss_clamp != Care::manage) return {};
  std::string rules;
  for (const auto& [name, tunnel] : config.tunnels) {
    // The MTU of a link that others make is not known here.
    const bool own_mtu = tunnel.options.mode == Mode::link && tunnel.options.mtu == 0;
    if (tunnel.options.mode == Mode::policy || own_mtu) continue;
    const std::uint32_t mtu = tunnel.options.mtu != 0 ? tunnel.options.mtu : minibgp::xfrm::kDefaultMtu;
    // Both directions: the SYN of either side carries the MSS for the other direction.
    for (const std::string_view direction : {"iifname", "oifname"})
      for (const auto& [family, size] : {std::pair{"ipv4", mtu - kHeadersV4}, std::pair{"ipv6", mtu - kHeadersV6}})
        rules += "    " + std::string{direction} + " \"" + interface_of(tunnel.options) + "\" meta nfproto " + family +
                 " tcp flags & (syn | rst) == syn tcp option maxseg size > " + std::to_string(size) +
                 " tcp option maxseg size set " + std::to_string(size) + "\n";
  }
  if (rules.empty()) return {};
  // Deleting needs the table to be there: it is made first.
  const std::string table{kTable};
  // In one transaction: nft either has the whole new table or keeps the old one.
  std::string script = "table " + table + "\ndelete table " + table + "\ntable " + table + " {\n";
  // output: connections of the host itself, which are not forwarded.
  for (const std::string_view hook : {"forward", "output"})
    script += "  chain mss_" + std::string{hook} + " {\n    type filter hook " + std::string{hook} +
              " priority mangle; policy accept;\n" + rules + "  }\n";
  return script + "}\n";
}

std::vector<std::string> wanted_firewall_rules(const Config& config) {
  if (config.host.firewall != Care::manage || config.host.firewall_chain.empty() || config.tunnels.empty()) return {};
  const std::string tag = " accept comment \"" + std::string{kTag} + "\"";
  return {"udp dport { 500, 4500 }" + tag, "meta l4proto esp" + tag};
}

std::optional<std::string> read_sysctl(std::string_view path) {
  std::ifstream file("/proc/sys/" + std::string{path});
  std::string text;
  // One line is what the settings have that are used here.
  if (!std::getline(file, text)) return std::nullopt;
  return normal(trim(text));
}

bool write_sysctl(std::string_view path, std::string_view value) {
  std::ofstream file("/proc/sys/" + std::string{path});
  file << value << '\n';
  // The kernel judges the value when it is written, so the error is there after flush() only.
  file.flush();
  return file.good();
}

std::string sysctl_name(std::string path) {
  for (char& c : path) c = c == '/' ? '.' : c == '.' ? '/' : c;
  return path;
}

Wanted wanted_of(const Config& config) {
  return {wanted_sysctls(config), wanted_nft_table(config), config.host.firewall_chain, wanted_firewall_rules(config)};
}

/// The state file: "sysctl PATH<tab>BEFORE<tab>OURS" and "chain FAMILY TABLE CHAIN" lines.
Host::State Host::load() const {
  State state;
  std::ifstream file(state_file_);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("chain ", 0) == 0) state.chain = line.substr(6);
    // A line that is not understood is left out: restoring less is better than writing something wrong into the kernel.
    if (line.rfind("sysctl ", 0) != 0) continue;
    const auto first = line.find('\t');
    const auto second = first == std::string::npos ? first : line.find('\t', first + 1);
    if (second == std::string::npos) continue;
    state.sysctls.push_back(
        {line.substr(7, first - 7), line.substr(first + 1, second - first - 1), line.substr(second + 1)});
  }
  return state;
}

std::string Host::save(const State& state) const {
  // Nothing to restore: no file.
  if (state == State{}) {
    ::unlink(state_file_.c_str());
    return {};
  }
  // Without a unit's StateDirectory= nobody else makes it.
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(state_file_).parent_path(), ignored);
  std::string text;
  for (const Saved& one : state.sysctls) text += "sysctl " + one.path + '\t' + one.before + '\t' + one.ours + '\n';
  if (!state.chain.empty()) text += "chain " + state.chain + '\n';
  const auto written = replace_file(host_file_port(), state_file_, text);
  // What was set stays in force: only the way back would be lost.
  return written ? std::string{} : "host: " + written.error() + ": managed settings will not be restored after a crash";
}

namespace {

/// The rules of ours in a chain, as "handle N".
struct Tagged {
  bool there = false;  ///< The chain is.
  std::vector<std::string> handles;
  std::string problem;
};

Tagged tagged_rules(const Nft& nft, const std::string& chain) {
  Tagged tagged;
  // The three are family, table and name.
  if (words(chain).size() != 3) return tagged;
  std::vector<std::string> list{"-a", "list", "chain"};
  for (const std::string& word : words(chain)) list.push_back(word);
  const Finished shown = nft.run(list);
  tagged.there = shown.ok();
  if (!shown.ok()) return tagged.problem = trim(shown.output), tagged;
  std::istringstream lines(shown.output);
  for (std::string line; std::getline(lines, line);) {
    // The handle stands last in the line, behind the comment.
    const auto handle = line.rfind("# handle ");
    if (line.find("comment \"" + std::string{kTag} + "\"") != std::string::npos && handle != std::string::npos)
      tagged.handles.push_back("handle " + line.substr(handle + 9));
  }
  return tagged;
}

std::string deletion(const std::string& chain, const Tagged& tagged) {
  std::string script;
  for (const std::string& handle : tagged.handles) script.append("delete rule ").append(chain + " " + handle + "\n");
  return script;
}

/// Takes our tagged rules out of `chain`; the problem, empty when there is none.
std::string remove_tagged_rules(const Nft& nft, const std::string& chain) {
  const std::string script = deletion(chain, tagged_rules(nft, chain));
  if (script.empty()) return {};
  const Finished done = nft.run({"-f", "-"}, script);
  return done.ok() ? std::string{} : "host: cannot take our rules out of " + chain + ": " + trim(done.output);
}

}  // namespace

void Host::keep_nft(const Wanted& wanted) {
  if (wanted.needs_nft()) nft_.start();
}

Host::Report Host::apply(const Wanted& wanted) {
  Report report;
  // Of an earlier run as well: after a crash its values are still to be restored.
  const State before = load();
  State state = before;
  apply_sysctls(wanted, state, report);
  apply_table(wanted, report);
  apply_rules(wanted, state, report);
  if (state != before)
    if (const std::string problem = save(state); !problem.empty()) report.problems.push_back(problem);
  return report;
}

void Host::apply_sysctls(const Wanted& wanted, State& state, Report& report) const {
  for (const Sysctl& one : wanted.sysctls) {
    const auto before = read_sysctl(one.path);
    if (!before) continue;  // Of an interface that is not there yet, or a kernel without it; `check` tells.
    if (*before == one.wanted) continue;
    if (!write_sysctl(one.path, one.wanted)) {
      report.problems.push_back("host: cannot set " + one.path + " to " + one.wanted + ": " + std::strerror(errno));
      continue;
    }
    report.changed.push_back("host: set " + one.path + " to " + one.wanted + " (was " + *before + "): " + one.why);
    // `before` is kept from the first time, also over restarts: it is what the host had without us.
    const auto known =
        std::find_if(state.sysctls.begin(), state.sysctls.end(), [&](const Saved& it) { return it.path == one.path; });
    if (known == state.sysctls.end()) {
      state.sysctls.push_back({one.path, *before, one.wanted});
    } else {
      known->ours = one.wanted;
    }
  }
}

void Host::apply_table(const Wanted& wanted, Report& report) {
  const std::vector<std::string> list{"list", "table", "inet", "bgplite"};
  if (wanted.table.empty()) {
    // With the clamp no longer wanted the table goes, also one that an earlier run left.
    // The table is asked for only where this run has not made it.
    if (!std::exchange(table_set_, {}).empty() || nft_.run(list).ok())
      static_cast<void>(nft_.run({"delete", "table", "inet", "bgplite"}));
    return;
  }
  const bool again = table_set_ == wanted.table;
  // Compared as text with what nft said after we had set it: whoever changed one rule changed this.
  if (again && nft_.run(list).output == table_listed_) return;
  // Empty until it is set: after a failure the next turn tries again.
  table_set_.clear();
  if (const Finished done = nft_.run({"-f", "-"}, wanted.table); !done.ok()) {
    report.problems.push_back("host: nft refuses the MSS clamp: " + trim(done.output));
    return;
  }
  table_set_ = wanted.table;
  // As nft prints it, which is not as it was written.
  table_listed_ = nft_.run(list).output;
  report.changed.push_back(again ? "host: set the MSS clamp again: table inet bgplite was changed by others"
                                 : "host: set the MSS clamp in table inet bgplite");
}

void Host::apply_rules(const Wanted& wanted, State& state, Report& report) const {
  // The chain is another one now, or none: the old one is cleaned first.
  if (!state.chain.empty() && (wanted.rules.empty() || state.chain != wanted.chain)) {
    if (const std::string problem = remove_tagged_rules(nft_, state.chain); !problem.empty())
      report.problems.push_back(problem);
    state.chain.clear();
  }
  if (wanted.rules.empty()) return;
  const Tagged tagged = tagged_rules(nft_, wanted.chain);
  const bool ours = state.chain == wanted.chain;
  // By count: others may move our rules, which changes nothing.
  if (ours && tagged.handles.size() == wanted.rules.size()) return;
  if (!tagged.there) {
    report.problems.push_back("host: nft refuses our rules in " + wanted.chain + ": " + tagged.problem);
    return;
  }
  // In one transaction. Those that an earlier run left go first, so that none is there twice.
  std::string script = deletion(wanted.chain, tagged);
  // Inserted at the top: an accept below somebody's drop would not help.
  for (const std::string& rule : wanted.rules) script += "insert rule " + wanted.chain + " " + rule + "\n";
  if (const Finished done = nft_.run({"-f", "-"}, script); !done.ok()) {
    report.problems.push_back("host: nft refuses our rules in " + wanted.chain + ": " + trim(done.output));
    return;
  }
  report.changed.push_back("host: let IKE and ESP in by rules in " + wanted.chain +
                           (ours ? " again: others took them out" : ""));
  state.chain = wanted.chain;
}

std::vector<std::string> Host::restore() {
  std::vector<std::string> problems;
  const State state = load();
  for (const Saved& one : state.sysctls) {
    const auto now = read_sysctl(one.path);
    if (!now || *now != one.ours) continue;  // Somebody changed it after us: theirs stays.
    if (!write_sysctl(one.path, one.before))
      problems.push_back("host: cannot restore " + one.path + " to " + one.before + ": " + std::strerror(errno));
  }
  // Also without knowing whether it is there: the answer is of no interest.
  (void)nft_.run({"delete", "table", "inet", "bgplite"});
  if (!state.chain.empty())
    if (const std::string problem = remove_tagged_rules(nft_, state.chain); !problem.empty())
      problems.push_back(problem);
  static_cast<void>(save({}));
  return problems;
}

}  // namespace bgplite::host
