#include <apps/bgplite/cli/import_frr.h>
#include <apps/bgplite/cli/import_frr_policy.h>
#include <apps/bgplite/config/policy_writer.h>
#include <bgp/text.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <set>
#include <sstream>

namespace bgplite::cli {
namespace {

using minibgp::PolicyTerm;
using minibgp::TermVerdict;
namespace match = minibgp::match;

/// A key of a peer and its value, in the order in which they are written out.
using Keys = std::map<std::string, std::string>;

struct FrrNeighbor {
  std::size_t line = 0;
  std::string group;
  std::string description;
  Keys keys;                                                    ///< Of our peer, as YAML.
  std::array<std::string, 2> maps, prefix_lists, filter_lists;  ///< In, out.
  std::array<std::size_t, 2> filter_lines{};
  std::set<std::string> families;
  bool soft_reconfiguration = false;
};

class FrrImporter {
 public:
  explicit FrrImporter(std::string_view text)
      /// The number of a line is known only while it is read, so policies report through us.
      : text_(text), policies_([this](std::size_t line, const std::string& why) { report(line, why); }) {}

  Imported run() {
    std::istringstream in{std::string(text_)};
    std::string text;
    for (std::size_t number = 1; std::getline(in, text); ++number) {
      FrrLine line{number, {}};
      std::istringstream words(text);
      for (std::string word; words >> word;) line.words.push_back(word);
      // As it is shown, with one blank between words.
      lines_[number] = line.from(0);
      if (line.words.empty() || line.words[0][0] == '!' || line.words[0][0] == '#') continue;
      // They would get into the YAML, and into the operator's terminal.
      if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return std::iscntrl(c) && !std::isspace(c); })) {
        lines_[number] = "";
        report(number, "it has octets that are no text");
        continue;
      }
      one(line);
    }
    // Made first: writing reports lines, too.
    Imported result;
    result.yaml = yaml();
    // Stable: of one line the reasons stay in the order in which they were found.
    std::stable_sort(left_.begin(), left_.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
    for (Imported::Left& left : left_) {
      const bool again = !result.left_out.empty() && result.left_out.back().line == left.line;
      // One line, one entry: the first reason is the particular one.
      if (!again) result.left_out.push_back(std::move(left));
    }
    return result;
  }

 private:
  enum class Section : std::uint8_t { top, router, family, route_map, other };

  void report(std::size_t line, const std::string& why) { left_.push_back({line, lines_[line], why}); }

  // --- Reading ---

  void one(const FrrLine& line) {
    const std::string& first = line.at(0);
    if (first == "exit" || first == "end" || first == "exit-address-family" || first == "exit-route-map") {
      // "exit" leaves one level: from a family to its router, from there to the top.
      section_ = first == "exit-address-family" || (first == "exit" && section_ == Section::family) ? Section::router
                                                                                                    : Section::top;
      return;
    }
    if (first == "router" || first == "route-map" || first == "interface" || first == "vrf" || first == "line" ||
        first == "key" || first == "segment-routing") {
      enter(line);
    } else if (section_ == Section::router && first == "address-family") {
      section_ = Section::family;
      family_ = line.at(1);
      // The rest of the section is reported line by line.
      if (!(family_ == "ipv4" || family_ == "ipv6") || line.at(2) != "unicast") {
        section_ = Section::other;
        report(line.number, "only IPv4 and IPv6 unicast");
      }
    } else if (policies_.list_line(line)) {
      // Before the section is looked at.
      // FRR writes them between and after sections.
    } else if (section_ == Section::route_map &&
               (first == "match" || first == "set" || first == "call" || first == "on-match" || first == "continue" ||
                first == "description")) {
      map_entry_->lines.push_back(line);
    } else if (section_ == Section::router || section_ == Section::family) {
      router_line(line);
    } else if (section_ == Section::other) {
      report(line.number, "belongs to a section that is not carried over");
    } else {
      top_line(line);
    }
  }

  void enter(const FrrLine& line) {
    // What cannot be carried over as a section: its lines are reported.
    section_ = Section::other;
    // Three words: no view, no VRF.
    if (line.at(0) == "router" && line.at(1) == "bgp" && line.words.size() == 3) {
      section_ = Section::router;
      asn_ = yaml_scalar(line.at(2));
    } else if (line.at(0) == "route-map" && line.words.size() == 4 && line.at(3).size() < 6 &&
               line.at(3).find_first_not_of("0123456789") == std::string::npos) {
      section_ = Section::route_map;
      // FRR's numbers end at 65535: five digits, which stoul() takes.
      const auto sequence = static_cast<std::uint32_t>(std::stoul(line.at(3)));
      map_entry_ = &policies_.map_entry(line.at(1), sequence, line.at(2) == "permit");
    } else {
      report(line.number, line.at(0) == "router" ? "only one BGP instance, in the default VRF" : "not carried over");
    }
  }

  void top_line(const FrrLine& line) {
    const std::string& first = line.at(0);
    // What is known of FRR and has no place here, so that the reason can say so.
    const bool plain = first == "frr" || first == "hostname" || first == "log" || first == "service" ||
                       first == "password" || first == "enable" || first == "ip" || first == "ipv6" || first == "no" ||
                       first == "agentx" || first == "debug" || first == "Building" || first == "Current";
    if (first == "frr" && line.at(1) == "defaults") {
      traditional_ = line.at(2) == "traditional";
    } else if ((first == "ip" || first == "ipv6") && line.at(1) == "route") {
      static_route(line);
    } else if (first == "frr" || first == "hostname" ||
               (first == "service" && line.at(1) == "integrated-vtysh-config") ||
               (first == "ip" && line.at(1) == "forwarding") || (first == "ipv6" && line.at(1) == "forwarding")) {
      // Nothing of ours depends on them.
    } else {
      report(line.number, plain ? "not carried over" : "not understood");
    }
  }

  void static_route(const FrrLine& line) {
    // FRR takes host bits and cuts them off, as with prefix lists.
    const auto prefix = minibgp::parse_prefix(line.at(2), minibgp::HostBits::mask);
    if (!prefix || line.words.size() < 4) return report(line.number, "not understood");
    std::string via;
    std::size_t at = 3;
    if (minibgp::parse_address(line.at(at))) {
      via = "gateway: " + line.at(at++);
      // A distance is a number, and what is none is the name of the interface.
      if (at < line.words.size() && line.at(at).find_first_not_of("0123456789") != std::string::npos)
        via += ", device: " + yaml_scalar(line.at(at++));
    } else {
      if (line.at(at) == "Null0" || line.at(at) == "blackhole" || line.at(at) == "reject")
        return report(line.number, "routes that drop packets are the kernel's: ip route add blackhole");
      via = "device: " + yaml_scalar(line.at(at++));
    }
    // FRR's distance decides between ways; here the metric does.
    if (at < line.words.size()) {
      if (line.at(at).find_first_not_of("0123456789") != std::string::npos || at + 1 < line.words.size())
        return report(line.number, "options of static routes other than the distance");
      via += ", metric: " + line.at(at);
    }
    statics_[minibgp::to_text(*prefix)].push_back("{ " + via + " }");
  }

  void router_line(const FrrLine& line) {
    const std::string& first = line.at(0);
    const std::string rest = line.from(1);
    const bool no = first == "no";
    // Most lines mean the opposite with "no" in front.
    const std::string body = no ? rest : line.from(0);
    const auto starts = [&](std::string_view words) { return body.starts_with(words); };
    if (starts("neighbor ")) return neighbor(line, no);
    if (starts("bgp router-id ")) {
      router_id_ = yaml_scalar(line.at(2));
    } else if (starts("bgp ebgp-requires-policy")) {
      requires_policy_ = !no;
    } else if (starts("bgp network import-check")) {
      import_check_ = !no;
    } else if (starts("bgp bestpath as-path multipath-relax")) {
      relax_ = !no;
    } else if (starts("bgp always-compare-med")) {
      always_compare_med_ = !no;
    } else if (starts("bgp default local-preference ")) {
      local_pref_ = yaml_scalar(line.at(3));
    } else if (starts("bgp cluster-id ") && line.at(2).find('.') != std::string::npos) {
      // A cluster id that is written as a number is reported below.
      cluster_id_ = yaml_scalar(line.at(2));
    } else if (starts("timers bgp ") && !no) {
      timers_ = "{ keepalive: " + yaml_scalar(line.at(2) + "s") + ", hold: " + yaml_scalar(line.at(3) + "s") + " }";
    } else if (starts("maximum-paths ") && !no) {
      if (line.at(1) == "ibgp") {
        if (line.at(2) != maximum_paths_) report(line.number, "one limit for eBGP and iBGP");
        if (maximum_paths_.empty()) maximum_paths_ = yaml_scalar(line.at(2));
      } else {
        maximum_paths_ = yaml_scalar(line.at(1));
      }
    } else if (starts("network ") && !no) {
      network(line);
    } else if (starts("bgp log-neighbor-changes") || starts("bgp graceful-restart") ||
               starts("bgp default ipv4-unicast") || starts("bgp deterministic-med")) {
      // What these lines say is so here anyway, or is set for each peer.
      if (starts("bgp default ipv4-unicast")) default_ipv4_ = !no;
      if (no && starts("bgp graceful-restart")) report(line.number, "see graceful_restart of the peers");
    } else {
      report(line.number, "not carried over");
    }
  }

  void network(const FrrLine& line) {
    const auto prefix = minibgp::parse_prefix(line.at(1), minibgp::HostBits::mask);
    if (!prefix) return report(line.number, "not understood");
    if (line.words.size() > 2) report(line.number, "options of network: write them into the export policy");
    networks_.push_back(minibgp::to_text(*prefix));
  }

  void neighbor(const FrrLine& line, bool no) {
    // "no" moves all words by one.
    const std::size_t shift = no ? 1 : 0;
    const std::string& name = line.at(1 + shift);
    const std::string& what = line.at(2 + shift);
    FrrNeighbor& peer = neighbors_[name];
    if (peer.line == 0) peer.line = line.number;
    if (what == "activate") {
      // Also a negation is kept: it takes the family away that is there by default.
      peer.families.insert((no ? "no " : "") + family_);
    } else if (what == "shutdown") {
      peer.keys.erase("enabled");
      if (!no) peer.keys["enabled"] = "false";
    } else if (what == "soft-reconfiguration" || what == "send-community" || what == "capability") {
      // Received routes are always kept, communities always sent.
      if (what == "capability" || (no && what == "send-community")) report(line.number, "not carried over");
    } else if (no) {
      report(line.number, "not carried over");
    } else if (!neighbor_word(line, peer) && !neighbor_filter(line, peer) && !neighbor_option(line, peer, name)) {
      report(line.number, "not carried over");
    }
  }

  /// Words that are one key each. False: none of them.
  bool neighbor_word(const FrrLine& line, FrrNeighbor& peer) {
    struct Word {
      std::string_view word, key;
      std::string_view usual;  ///< Where FRR's word has no value.
      std::size_t value = 0;   ///< Which word after it is the value.
    };
    static constexpr Word kWords[] = {
        {"passive", "passive", "true"},
        {"next-hop-self", "next_hop_self", "true"},
        {"as-override", "as_override", "true"},
        {"remove-private-AS", "remove_private_as", "true"},
        {"route-reflector-client", "route_reflector_client", "true"},
        {"enforce-first-as", "enforce_first_as", "true"},
        {"ebgp-multihop", "ttl", "255", 3},
        {"allowas-in", "allow_as_in", "3", 3},
        {"ttl-security", "ttl_security", "", 4},
        {"port", "port", "", 3},
        {"local-as", "local_asn", "", 3},
    };
    const auto found =
        std::find_if(std::begin(kWords), std::end(kWords), [&](const Word& it) { return it.word == line.at(2); });
    if (found == std::end(kWords)) return false;
    const std::string value = found->value == 0 ? std::string{} : line.at(found->value);
    // Such as "allowas-in" alone, which means 3.
    const bool usual = value.empty() && !found->usual.empty();
    peer.keys[std::string{found->key}] = usual ? std::string{found->usual} : yaml_scalar(value);
    if (found->word == "local-as" && !line.at(4).empty()) report(line.number, "options of local-as");
    if (found->word == "allowas-in" && value == "origin") report(line.number, "allowas-in origin");
    return true;
  }

  /// Policies of one direction. False: none of them.
  bool neighbor_filter(const FrrLine& line, FrrNeighbor& peer) const {
    const std::string& what = line.at(2);
    const std::size_t direction = line.at(4) == "out" ? 1 : 0;
    if (what == "route-map") {
      peer.maps[direction] = line.at(3);
    } else if (what == "prefix-list") {
      // One name may be a list of IPv4 and one of IPv6, which are two lists.
      peer.prefix_lists[direction] = (family_ == "ipv6" ? "ipv6 prefix-list/" : "prefix-list/") + line.at(3);
    } else if (what == "filter-list") {
      peer.filter_lists[direction] = line.at(3);
    } else {
      return false;
    }
    return true;
  }

  /// False: not known.
  bool neighbor_option(const FrrLine& line, FrrNeighbor& peer, const std::string& name) {
    const std::string& what = line.at(2);
    const std::string& value = line.at(3);
    if (what == "remote-as") {
      peer.keys["asn"] = value == "internal" ? asn_ : yaml_scalar(value);
      // FRR takes any other AS; here a session has one.
      if (value == "external") {
        peer.keys.erase("asn");
        report(line.number, "give the peer's AS number");
      }
    } else if (what == "peer-group") {
      // Without a value the line makes the group.
      if (value.empty()) {
        groups_.insert(name);
      } else {
        peer.group = value;
      }
    } else if (what == "timers" && value == "connect") {
      peer.keys["timers.connect_retry"] = yaml_scalar(line.at(4) + "s");
    } else if (what == "timers") {
      peer.keys["timers.keepalive"] = yaml_scalar(value + "s");
      peer.keys["timers.hold"] = yaml_scalar(line.at(4) + "s");
    } else if (what == "description") {
      peer.description = line.from(3);
    } else if (what == "update-source" && minibgp::parse_address(value)) {
      peer.keys["local_address"] = value;
    } else if (what == "update-source") {
      peer.keys["device"] = yaml_scalar(value);
    } else if (what == "maximum-prefix") {
      peer.keys["import_limit"] = "{ " + prefix_limit(line) + " }";
    } else if (what == "password") {
      peer.keys["md5_file"] = yaml_scalar("/etc/bgplite/md5/" + name);
      report(line.number, "the key does not belong into a configuration: write it to /etc/bgplite/md5/" + name);
    } else {
      return false;
    }
    return true;
  }

  std::string prefix_limit(const FrrLine& line) {
    std::string limit = "max: " + yaml_scalar(line.at(3));
    for (std::size_t i = 4; !line.at(i).empty(); ++i) {
      if (line.at(i) == "warning-only") {
        limit += ", warn_only: true";
      } else if (line.at(i) == "restart") {
        // FRR counts minutes.
        limit += ", restart_after: " + yaml_scalar(line.at(++i) + "m");
      } else if (line.at(i).find_first_not_of("0123456789") == std::string::npos) {
        limit += ", warn_percent: " + line.at(i);
      } else {
        report(line.number, "options of maximum-prefix");
      }
    }
    return limit;
  }

  // --- Writing ---

  /// A neighbor with what its group says and it does not.
  FrrNeighbor with_group(const FrrNeighbor& peer) {
    if (peer.group.empty()) return peer;
    const auto found = neighbors_.find(peer.group);
    if (found == neighbors_.end()) return peer;
    // A copy: the neighbor's own words are in front, and the group's fill what is left.
    FrrNeighbor joined = peer;
    const FrrNeighbor& group = found->second;
    // emplace() does not replace.
    for (const auto& [key, value] : group.keys) joined.keys.emplace(key, value);
    for (std::size_t i = 0; i < 2; ++i) {
      if (joined.maps[i].empty()) joined.maps[i] = group.maps[i];
      if (joined.prefix_lists[i].empty()) joined.prefix_lists[i] = group.prefix_lists[i];
      if (joined.filter_lists[i].empty()) joined.filter_lists[i] = group.filter_lists[i];
    }
    joined.families.insert(group.families.begin(), group.families.end());
    return joined;
  }

  /// The policy of one direction; empty: none. FRR asks the lists first and the route-map last; each must permit.
  std::string policy_of(const std::string& name, const FrrNeighbor& peer, std::size_t direction) {
    // Without lists the route-map is the policy, and is shared by all peers that name it.
    if (peer.prefix_lists[direction].empty() && peer.filter_lists[direction].empty())
      return peer.maps[direction].empty() ? "" : policies_.policy_for_map(peer.maps[direction]);
    std::vector<PolicyTerm> terms;
    const auto must_permit = [&](const std::string& kind, const std::string& list) {
      PolicyTerm term;
      term.name = list;
      // What the list does not permit is refused, and the next list is asked about the rest.
      term.matches = {{match::Not{{policies_.permitted_by(kind, list)}}, {}}};
      term.verdict = TermVerdict::reject;
      terms.push_back(std::move(term));
    };
    if (const std::string& list = peer.prefix_lists[direction]; !list.empty())
      must_permit(list.substr(0, list.find('/')), list.substr(list.find('/') + 1));
    if (!peer.filter_lists[direction].empty()) must_permit("as-path", peer.filter_lists[direction]);
    PolicyTerm last;
    last.name = "rest";
    if (peer.maps[direction].empty()) {
      last.verdict = TermVerdict::accept;
    } else {
      last.call = minibgp::NameRef{policies_.policy_for_map(peer.maps[direction]), {}};
    }
    terms.push_back(std::move(last));
    return policies_.add_policy("peer-" + name + (direction == 0 ? "-in" : "-out"), std::move(terms));
  }

  void write_peer(const std::string& name, const FrrNeighbor& given, std::string& into) {
    const FrrNeighbor peer = with_group(given);
    const bool internal = peer.keys.count("asn") != 0 && peer.keys.at("asn") == asn_;
    into += "  " + yaml_scalar(name) + ":";
    // A comment: here a peer has a name, and a description is none.
    if (!peer.description.empty()) into += "  # " + peer.description;
    into += "\n";
    std::string timers;
    for (const auto& [key, value] : peer.keys) {
      // Keys of the nested mapping are collected; the map has them in one place, as they share a prefix.
      if (key.starts_with("timers.")) {
        timers += (timers.empty() ? "" : ", ") + key.substr(7) + ": " + value;
      } else {
        into += "    " + key + ": " + value + "\n";
      }
    }
    if (!timers.empty()) {
      into += "    timers: { " + timers + " }\n";
    } else if (!timers_.empty()) {
      into += "    timers: " + timers_ + "\n";
    } else if (traditional_) {
      // Our defaults are shorter than the times of FRR's profile "traditional".
      into += "    timers: { keepalive: 60s, hold: 180s }\n";
    }
    if (!local_pref_.empty()) into += "    local_pref: " + local_pref_ + "\n";
    const auto address = minibgp::parse_address(name);
    // FRR carries IPv4 over every session unless it is told otherwise.
    const bool v4 = peer.families.count("ipv4") != 0 || (default_ipv4_ && peer.families.count("no ipv4") == 0);
    const bool v6 = peer.families.count("ipv6") != 0;
    if (v4 && v6) {
      into += "    families: [ipv4, ipv6]\n";
    } else if (address && v6 != (address->family == minibgp::Family::ipv6)) {
      // Written only where it is not the default: the family of the address.
      into += std::string("    families: [") + (v6 ? "ipv6" : "ipv4") + "]\n";
    }
    const std::string import = policy_of(name, peer, 0);
    const std::string export_ = policy_of(name, peer, 1);
    // What FRR does without a policy: internal peers are open, external ones by the setting.
    const bool open = internal || !requires_policy_;
    if (import.empty() && export_.empty() && open) {
      if (!internal) into += "    accept_all: true\n";
      return;
    }
    into += "    import: " + (import.empty() ? open ? all() : nothing() : import) + "\n";
    into += "    export: " + (export_.empty() ? open ? all() : nothing() : export_) + "\n";
  }

  static std::string all() { return "[ { accept: true } ]"; }
  static std::string nothing() { return "[ { reject: true } ]"; }

  std::string yaml() {
    std::string peers;
    for (const auto& [name, peer] : neighbors_) {
      // Groups are not peers; what they say was joined into those.
      if (groups_.count(name) != 0) continue;
      if (!minibgp::parse_address(name)) {
        report(peer.line, "peers on an interface (unnumbered)");
        continue;
      }
      write_peer(name, peer, peers);
    }
    std::string text;
    if (!asn_.empty()) {
      // 0.0.0.0 is refused by the check, which asks for a right one.
      text += "router: { asn: " + asn_ + ", router_id: " + (router_id_.empty() ? "0.0.0.0" : router_id_);
      if (!maximum_paths_.empty()) text += ", maximum_paths: " + maximum_paths_;
      if (!maximum_paths_.empty()) text += std::string(", multipath: ") + (relax_ ? "relax" : "exact");
      if (always_compare_med_) text += ", always_compare_med: true";
      if (!cluster_id_.empty()) text += ", cluster_id: " + cluster_id_;
      text += " }\n";
    }
    if (!networks_.empty()) {
      text += "networks:\n";
      for (const std::string& network : networks_)
        // FRR announces a network only while it has a route to it, unless import-check is off.
        text += import_check_ ? "  - { prefix: " + network + ", when: if-route }\n" : "  - " + network + "\n";
    }
    if (!peers.empty()) text += "peers:\n" + peers;
    if (!statics_.empty()) {
      text += "static_routes:\n";
      for (const auto& [prefix, ways] : statics_) {
        text += "  - { prefix: " + prefix + ", via: [";
        for (std::size_t i = 0; i < ways.size(); ++i) text += (i == 0 ? "" : ", ") + ways[i];
        text += "] }\n";
      }
    }
    // Last, because writing the peers has made policies of the lists.
    return text + write_policies(policies_.take());
  }

  std::string_view text_;
  FrrPolicies policies_;
  std::map<std::size_t, std::string> lines_;
  std::vector<Imported::Left> left_;
  Section section_ = Section::top;
  std::string family_ = "ipv4";
  FrrMapEntry* map_entry_ = nullptr;
  std::string asn_, router_id_, maximum_paths_, cluster_id_, local_pref_, timers_;
  bool traditional_ = true, requires_policy_ = true, import_check_ = true, relax_ = false, always_compare_med_ = false;
  bool default_ipv4_ = true;
  std::vector<std::string> networks_;
  std::map<std::string, FrrNeighbor> neighbors_;
  std::set<std::string> groups_;
  std::map<std::string, std::vector<std::string>> statics_;
};

}  // namespace

Imported import_frr(std::string_view frr_conf) { return FrrImporter(frr_conf).run(); }

}  // namespace bgplite::cli
