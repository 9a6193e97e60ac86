/// Host: what the machine must have so that tunnels carry traffic: sysctls, the MSS clamp, the firewall's door for IKE
/// and ESP. Each item is managed (set, and put back on stop when we changed it), checked (see doctor.h) or ignored.
///
/// Not here: XFRM interfaces and routes (xfrm/, fib/).
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/host/nft.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bgplite::host {

/// One kernel switch and what we want it to be.
struct Sysctl {
  std::string path;    ///< "net/ipv4/ip_forward", under /proc/sys.
  std::string wanted;  ///< "1"
  std::string why;     ///< For the log and for doctor.
  bool operator==(const Sysctl&) const = default;
};

/// The switches `config` asks to be managed, in the order in which they are set. Pure.
[[nodiscard]] std::vector<Sysctl> wanted_sysctls(const Config& config);

/// The nftables script (for `nft -f -`) of our own table "inet bgplite": the MSS clamp of the tunnels. Empty when
/// nothing of it is managed. Pure.
[[nodiscard]] std::string wanted_nft_table(const Config& config);

/// The rules put into the operator's own chain (host.firewall_chain), each tagged with the comment "bgplite". Empty
/// when the firewall is not managed. Pure; `chain` is "inet filter input".
[[nodiscard]] std::vector<std::string> wanted_firewall_rules(const Config& config);

/// All of it: what Host is given, since it may work in a thread of its own.
struct Wanted {
  std::vector<Sysctl> sysctls;
  std::string table;  ///< As wanted_nft_table() has it.
  std::string chain;  ///< Where `rules` go.
  std::vector<std::string> rules;
  [[nodiscard]] bool needs_nft() const { return !table.empty() || !rules.empty(); }
  [[nodiscard]] bool empty() const { return sysctls.empty() && !needs_nft(); }
};
[[nodiscard]] Wanted wanted_of(const Config& config);

/// Reads or writes one sysctl. The text is without its newline. nullopt / false: errno says why.
[[nodiscard]] std::optional<std::string> read_sysctl(std::string_view path);
[[nodiscard]] bool write_sysctl(std::string_view path, std::string_view value);
/// As sysctl(8) takes and prints it: "net.ipv4.conf.ipsec/1.rp_filter", where the dot of ipsec.1 is a slash.
[[nodiscard]] std::string sysctl_name(std::string path);

/// Keeps what is managed as it should be, and remembers what was there before in a file under the state directory, so
/// that a daemon that crashed still restores on its next stop. The kernel is asked each time: what others changed
/// meanwhile is set again. Blocking: nft takes about 20 ms.
class Host {
 public:
  explicit Host(std::string state_file) : state_file_(std::move(state_file)) {}

  /// Before privileges are dropped: afterwards nft can only be run by a process split off before, see nft.h. Does
  /// nothing where nothing is asked of nft.
  void keep_nft(const Wanted& wanted);

  struct Report {
    std::vector<std::string> changed;   ///< What was set, a sentence each.
    std::vector<std::string> problems;  ///< What could not be set; the rest is done all the same.
  };
  /// Idempotent: changes what is not as wanted, and nothing else.
  Report apply(const Wanted& wanted);
  /// Puts back the sysctls that still have our value, takes our table and our tagged rules away.
  std::vector<std::string> restore();

 private:
  struct Saved {
    std::string path, before, ours;
    bool operator==(const Saved&) const = default;
  };
  struct State {
    std::vector<Saved> sysctls;
    std::string chain;  ///< That holds our tagged rules.
    bool operator==(const State&) const = default;
  };
  [[nodiscard]] State load() const;
  /// The problem; empty when there is none.
  [[nodiscard]] std::string save(const State& state) const;
  void apply_sysctls(const Wanted& wanted, State& state, Report& report) const;
  void apply_table(const Wanted& wanted, Report& report);
  void apply_rules(const Wanted& wanted, State& state, Report& report) const;

  std::string state_file_;
  Nft nft_;
  std::string table_set_, table_listed_;  ///< The script that was set last, and what nft then listed.
};

}  // namespace bgplite::host
