#include <apps/bgplite/host/command.h>
#include <apps/bgplite/host/host.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <sys/stat.h>
#include <unistd.h>

namespace bgplite::host {
namespace {

using minibgp::Family;
using minibgp::LogLevel;
using minibgp::xfrm::Mode;
using minibgp::xfrm::TunnelOptions;

constexpr std::string_view kTag = "bgplite";
constexpr std::string_view kTable = "inet bgplite";
/// IP and TCP headers without options: what the MSS leaves out of the MTU.
constexpr std::uint32_t kHeadersV4 = 40, kHeadersV6 = 60;

std::string interface_of(const TunnelOptions& tunnel) {
  return tunnel.interface.empty() ? tunnel.name : tunnel.interface;
}

bool has_v6(const Config& config) {
  return std::any_of(config.tunnels.begin(), config.tunnels.end(), [](const auto& it) {
    const auto& addresses = it.second.options.addresses;
    return std::any_of(addresses.begin(), addresses.end(),
                       [](const auto& address) { return address.address.family == Family::ipv6; });
  });
}

/// The kernel separates with tabs what we write with blanks.
std::string normal(std::string text) {
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
  std::vector<Sysctl> unique;
  for (const Sysctl& one : wanted)
    if (std::find(unique.begin(), unique.end(), one) == unique.end()) unique.push_back(one);
  return unique;
}

std::string wanted_nft_table(const Config& config) {
  if (config.host.mss_clamp != Care::manage) return {};
  std::string rules;
  for (const auto& [name, tunnel] : config.tunnels) {
    const bool own_mtu = tunnel.options.mode == Mode::link && tunnel.options.mtu == 0;
    if (tunnel.options.mode == Mode::policy || own_mtu) continue;
    const std::uint32_t mtu = tunnel.options.mtu != 0 ? tunnel.options.mtu : minibgp::xfrm::kDefaultMtu;
    for (const std::string_view direction : {"iifname", "oifname"})
      for (const auto& [family, size] : {std::pair{"ipv4", mtu - kHeadersV4}, std::pair{"ipv6", mtu - kHeadersV6}})
        rules += "    " + std::string{direction} + " \"" + interface_of(tunnel.options) + "\" meta nfproto " + family +
                 " tcp flags & (syn | rst) == syn tcp option maxseg size > " + std::to_string(size) +
                 " tcp option maxseg size set " + std::to_string(size) + "\n";
  }
  if (rules.empty()) return {};
  // Deleting needs the table to be there: it is made first.
  const std::string table{kTable};
  std::string script = "table " + table + "\ndelete table " + table + "\ntable " + table + " {\n";
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
  if (!std::getline(file, text)) return std::nullopt;
  return normal(trim(text));
}

bool write_sysctl(std::string_view path, std::string_view value) {
  std::ofstream file("/proc/sys/" + std::string{path});
  file << value << '\n';
  file.flush();
  return file.good();
}

Host::Host(std::string state_file, minibgp::LogSink* log) : state_file_(std::move(state_file)), log_(log) {}

void Host::log(LogLevel level, const std::string& line) const {
  if (log_ && log_->wants(level, minibgp::LogArea::config)) log_->write(level, minibgp::LogArea::config, line);
}

/// The state file: "sysctl PATH<tab>BEFORE<tab>OURS" and "chain FAMILY TABLE CHAIN" lines.
std::vector<Host::Saved> Host::load() const {
  std::vector<Saved> saved;
  std::ifstream file(state_file_);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("sysctl ", 0) != 0) continue;
    const auto first = line.find('\t');
    const auto second = first == std::string::npos ? first : line.find('\t', first + 1);
    if (second == std::string::npos) continue;
    saved.push_back({line.substr(7, first - 7), line.substr(first + 1, second - first - 1), line.substr(second + 1)});
  }
  return saved;
}

void Host::save(const std::vector<Saved>& saved, const std::string& chain) const {
  if (saved.empty() && chain.empty()) {
    ::unlink(state_file_.c_str());
    return;
  }
  // Without a unit's StateDirectory= nobody else makes it.
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(state_file_).parent_path(), ignored);
  std::ofstream file(state_file_);
  for (const Saved& one : saved) file << "sysctl " << one.path << '\t' << one.before << '\t' << one.ours << '\n';
  if (!chain.empty()) file << "chain " << chain << '\n';
  file.flush();
  if (!file.good())
    log(LogLevel::warning,
        "host: cannot write " + state_file_ + ": managed settings will not be restored after a crash");
}

namespace {

std::string saved_chain(const std::string& state_file) {
  std::ifstream file(state_file);
  for (std::string line; std::getline(file, line);)
    if (line.rfind("chain ", 0) == 0) return line.substr(6);
  return {};
}

/// Takes our tagged rules out of `chain`; the problem, empty when there is none.
std::string remove_tagged_rules(const Nft& nft, const std::string& chain) {
  if (words(chain).size() != 3) return {};
  std::vector<std::string> list{"-a", "list", "chain"};
  for (const std::string& word : words(chain)) list.push_back(word);
  const Finished shown = nft.run(list);
  if (!shown.ok()) return {};  // The chain is gone, and our rules with it.
  std::istringstream lines(shown.output);
  std::string script;
  for (std::string line; std::getline(lines, line);) {
    const auto handle = line.rfind("# handle ");
    if (line.find("comment \"" + std::string{kTag} + "\"") != std::string::npos && handle != std::string::npos)
      script += "delete rule " + chain + " handle " + line.substr(handle + 9) + "\n";
  }
  if (script.empty()) return {};
  const Finished done = nft.run({"-f", "-"}, script);
  return done.ok() ? std::string{} : "host: cannot take our rules out of " + chain + ": " + trim(done.output);
}

}  // namespace

void Host::keep_nft(const Config& config) {
  if (!wanted_nft_table(config).empty() || !wanted_firewall_rules(config).empty()) nft_.start();
}

std::vector<std::string> Host::apply(const Config& config) {
  std::vector<std::string> problems;
  std::vector<Saved> saved = load();
  for (const Sysctl& one : wanted_sysctls(config)) {
    const auto before = read_sysctl(one.path);
    if (!before) continue;  // Of an interface that is not there yet, or a kernel without it; `check` tells.
    if (*before == one.wanted) continue;
    if (!write_sysctl(one.path, one.wanted)) {
      problems.push_back("host: cannot set " + one.path + " to " + one.wanted + ": " + std::strerror(errno));
      continue;
    }
    log(LogLevel::info, "host: set " + one.path + " to " + one.wanted + " (was " + *before + "): " + one.why);
    const auto known = std::find_if(saved.begin(), saved.end(), [&](const Saved& it) { return it.path == one.path; });
    if (known == saved.end()) {
      saved.push_back({one.path, *before, one.wanted});
    } else {
      known->ours = one.wanted;
    }
  }
  // With the clamp no longer wanted the table goes; a table that was never there is no failure.
  const std::string table = wanted_nft_table(config);
  if (!table.empty()) {
    if (const Finished done = nft_.run({"-f", "-"}, table); !done.ok())
      problems.push_back("host: nft refuses the MSS clamp: " + trim(done.output));
  } else {
    (void)nft_.run({"delete", "table", "inet", "bgplite"});
  }

  const std::string before = saved_chain(state_file_);
  if (!before.empty())
    if (const std::string problem = remove_tagged_rules(nft_, before); !problem.empty()) problems.push_back(problem);
  std::string chain;
  if (const auto rules = wanted_firewall_rules(config); !rules.empty()) {
    chain = config.host.firewall_chain;
    std::string script;
    // Inserted at the top: an accept below somebody's drop would not help.
    for (const std::string& rule : rules) script += "insert rule " + chain + " " + rule + "\n";
    if (const Finished done = nft_.run({"-f", "-"}, script); !done.ok()) {
      problems.push_back("host: nft refuses our rules in " + chain + ": " + trim(done.output));
      chain.clear();
    }
  }
  save(saved, chain);
  for (const std::string& problem : problems) log(LogLevel::warning, problem);
  return problems;
}

std::vector<std::string> Host::restore() {
  std::vector<std::string> problems;
  for (const Saved& one : load()) {
    const auto now = read_sysctl(one.path);
    if (!now || *now != one.ours) continue;  // Somebody changed it after us: theirs stays.
    if (!write_sysctl(one.path, one.before))
      problems.push_back("host: cannot restore " + one.path + " to " + one.before + ": " + std::strerror(errno));
  }
  (void)nft_.run({"delete", "table", "inet", "bgplite"});
  if (const std::string chain = saved_chain(state_file_); !chain.empty())
    if (const std::string problem = remove_tagged_rules(nft_, chain); !problem.empty()) problems.push_back(problem);
  save({}, {});
  for (const std::string& problem : problems) log(LogLevel::warning, problem);
  return problems;
}

}  // namespace bgplite::host
