/// The lines of "router bgp" but those of neighbors, and the top-level lines that BGP depends on: static routes, the
/// router id, addresses of interfaces. Not here: neighbors and policies.
#pragma once

#include <apps/bgplite/cli/import_frr_lines.h>
#include <bgp/types.h>

#include <map>
#include <string>
#include <vector>

namespace bgplite::cli {

/// Which unicast family a line of an address-family block is about; lines outside are about IPv4.
inline constexpr std::size_t kFrrFamilies = 2;

class FrrRouter {
 public:
  FrrRouter(FrrNotes& notes, const FrrDialect& dialect) : notes_(notes), dialect_(dialect) {}

  void begin(const FrrLine& line);
  /// A line of the instance or of a family's block. False: it is not known.
  bool take(const FrrLine& line, std::size_t family);
  /// A line of the top level. False: it is not known.
  bool take_top(const FrrLine& line);
  /// A line of an interface's block. False: it is not known.
  bool take_interface(const std::string& interface, const FrrLine& line);

  [[nodiscard]] bool defined() const { return line_ != 0; }
  [[nodiscard]] std::size_t line() const { return line_; }
  [[nodiscard]] const std::string& asn() const { return asn_; }
  /// An on-off setting. A line that says what FRR does without it has no effect.
  [[nodiscard]] bool flag(const std::string& key, bool fallback);
  /// The same for one whose default depends on FRR's version; `said` is what is said of it where the version is
  /// unknown.
  [[nodiscard]] bool flag_by_version(const std::string& key, bool fallback, const std::string& said);
  [[nodiscard]] FrrValues& values() { return values_; }
  /// Prefixes whose more specific routes are not announced.
  [[nodiscard]] const std::vector<minibgp::Prefix>& summarized() const { return summarized_; }
  /// Addresses that the file gives to an interface.
  [[nodiscard]] const std::map<std::string, std::vector<FrrValue>>& interfaces() const { return interfaces_; }
  /// A route-map that decides what the kernel gets, and its line.
  [[nodiscard]] const std::vector<FrrValue>& install_maps() const { return install_maps_; }

  struct Facts {
    bool internal_peers = false, external_peers = false, ipv4 = false, ipv6 = false;
  };
  /// "router: { ... }"
  [[nodiscard]] std::string yaml(const Facts& facts);
  /// "networks:" and "static_routes:".
  [[nodiscard]] std::string networks_yaml();
  [[nodiscard]] std::string statics_yaml() const;
  /// Says what was guessed, and which settings nothing depends on.
  void finish();

 private:
  struct Way {
    std::size_t line = 0;
    std::string via;             ///< "gateway: ..., device: ..."
    std::uint32_t distance = 0;  ///< 0: not given.
  };
  struct Network {
    std::size_t line = 0;
    minibgp::Prefix prefix;
  };
  void graceful_restart(const FrrLine& line);
  void number(const FrrLine& line, const std::string& key, std::size_t at, std::uint32_t min, std::uint32_t max);
  void timers(const FrrLine& line);
  void router_id(const FrrLine& line);
  void cluster_id(const FrrLine& line);
  void maximum_paths(const FrrLine& line, std::size_t family);
  void network(const FrrLine& line);
  void aggregate(const FrrLine& line);
  void static_route(const FrrLine& line);
  [[nodiscard]] bool drops(const FrrLine& line, std::size_t at, const minibgp::Prefix& prefix);
  [[nodiscard]] bool static_options(const FrrLine& line, std::size_t at, Way& way);
  [[nodiscard]] std::string router_id_yaml();
  [[nodiscard]] std::string multipath_yaml(const Facts& facts);

  FrrNotes& notes_;
  const FrrDialect& dialect_;
  std::size_t line_ = 0;
  std::string asn_;
  FrrValues values_;
  std::vector<Network> networks_;
  std::map<minibgp::Prefix, std::vector<Way>> statics_;
  std::map<minibgp::Prefix, std::size_t> anchors_;  ///< Routes that drop packets, and their lines.
  std::vector<minibgp::Prefix> summarized_;
  std::map<std::string, std::vector<FrrValue>> interfaces_;
  std::vector<FrrValue> install_maps_;
  std::vector<std::string> guessed_;
  bool version_matters_ = false;
};

}  // namespace bgplite::cli
