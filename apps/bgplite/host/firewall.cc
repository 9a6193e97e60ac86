#include <apps/bgplite/host/firewall.h>
#include <apps/bgplite/json_members.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include <nlohmann/json.hpp>

namespace bgplite::host {
namespace {

using Json = nlohmann::json;

/// A packet as rules see it.
struct Packet {
  FirewallDrop::What what{};
  std::string protocol;  ///< "udp", "esp", "tcp"
  int port = 0;          ///< Destination; 0: none.
  std::string in, out;   ///< Interfaces.
};

enum class Fate : std::uint8_t { goes_on, accepted, dropped, returned, translated };

struct Chain {
  std::string family, table, name, type, hook, policy;
  std::vector<Json> rules;  ///< The "expr" lists.
};

using ChainKey = std::array<std::string, 3>;  ///< Family, table, name.

/// Whether `value` (of a match's right side) holds the text or number.
bool holds(const Json& value, const std::string& word, int number) {
  if (value.is_string()) {
    const auto pattern = value.get<std::string>();
    // nft writes a prefix of names as "ipsec*".
    if (pattern.ends_with('*')) return word.starts_with(pattern.substr(0, pattern.size() - 1));
    return pattern == word;
  }
  // 0: the packet has no port, and no number is its own.
  if (value.is_number_integer()) return number != 0 && value.get<std::int64_t>() == number;
  if (!value.is_object()) return false;
  if (const auto set = value.find("set"); set != value.end() && set->is_array())
    // Sets within sets do not occur; elements may be ranges.
    return std::any_of(set->begin(), set->end(), [&](const Json& it) { return holds(it, word, number); });
  if (const auto range = value.find("range"); range != value.end() && range->is_array() && range->size() == 2)
    return number != 0 && (*range)[0].is_number() && (*range)[1].is_number() && number >= (*range)[0].get<double>() &&
           number <= (*range)[1].get<double>();
  return false;
}

/// nullopt: not understood.
std::optional<bool> matches(const Json& match, const Packet& packet) {
  const Json& left = member(match, "left");
  const Json& right = member(match, "right");
  const bool negated = text_member(match, "op") == "!=";
  const auto answer = [&](const std::string& word, int number = 0) { return holds(right, word, number) != negated; };
  if (const auto meta = left.find("meta"); left.is_object() && meta != left.end()) {
    const std::string key = text_member(*meta, "key");
    if (key == "iifname" || key == "iif") return answer(packet.in);
    if (key == "oifname" || key == "oif") return answer(packet.out);
    // By name, or by number where nft knows no name.
    if (key == "l4proto") return answer(packet.protocol, packet.protocol == "esp" ? 50 : 0);
    if (key == "nfproto") return answer("ipv4");
  }
  if (const auto payload = left.find("payload"); left.is_object() && payload != left.end()) {
    const std::string protocol = text_member(*payload, "protocol"), field = text_member(*payload, "field");
    if (protocol == "ip" && field == "protocol") return answer(packet.protocol, packet.protocol == "esp" ? 50 : 0);
    if ((protocol == "udp" || protocol == "tcp" || protocol == "th") && field == "dport")
      // th: any protocol that has ports.
      return (protocol == "th" || protocol == packet.protocol) && answer({}, packet.port);
    if (protocol == "ip6") return false;
  }
  // A new connection: what only lets replies in does not help it.
  if (const auto ct = left.find("ct"); left.is_object() && ct != left.end() && text_member(*ct, "key") == "state")
    return answer("new");
  return std::nullopt;
}

class Walk {
 public:
  Walk(const std::map<ChainKey, Chain>& chains, const Packet& packet) : chains_(chains), packet_(packet) {}

  Fate through(const Chain& chain, int depth = 0) const {
    constexpr int kDeepest = 16;  // The kernel's own bound on jumps.
    if (depth > kDeepest) return Fate::goes_on;
    for (const Json& rule : chain.rules) {
      const Fate fate = apply(rule, chain, depth);
      if (fate != Fate::goes_on) return fate;
    }
    return Fate::goes_on;
  }

 private:
  Fate apply(const Json& rule, const Chain& chain, int depth) const {
    for (const Json& part : rule) {
      if (!part.is_object() || part.empty()) continue;
      const std::string kind = part.begin().key();
      const Json& value = part.begin().value();
      // A match that is not understood counts as one that does not hold: such a rule neither saves nor drops the
      // packet.
      if (kind == "match" && !matches(value, packet_).value_or(false)) return Fate::goes_on;
      if (kind == "masquerade" || kind == "snat") return Fate::translated;
      if (kind == "xt" && (text_member(value, "name") == "MASQUERADE" || text_member(value, "name") == "SNAT"))
        return Fate::translated;
      // A limit lets some packets through, and xt is an extension that nft cannot show: neither decides for all
      // packets.
      if (kind == "limit" || kind == "xt") return Fate::goes_on;
      if (kind == "accept") return Fate::accepted;
      if (kind == "drop" || kind == "reject") return Fate::dropped;
      if (kind == "return") return Fate::returned;
      if (kind == "jump" || kind == "goto") {
        const auto target = chains_.find({chain.family, chain.table, text_member(value, "target")});
        const Fate fate = target == chains_.end() ? Fate::goes_on : through(target->second, depth + 1);
        if (fate == Fate::accepted || fate == Fate::dropped || fate == Fate::translated) return fate;
        // goto does not come back: what the target leaves undecided is the base chain's policy.
        if (kind == "goto") return Fate::returned;
      }
    }
    return Fate::goes_on;
  }

  const std::map<ChainKey, Chain>& chains_;
  const Packet& packet_;
};

std::string manager_of(const Chain& chain) {
  if (chain.table == "firewalld") return "firewalld";
  if (chain.table == "filter" && chain.name == "INPUT" && chain.family == "ip") return "iptables";
  return "nft";
}

}  // namespace

FirewallFacts read_firewall(std::string_view ruleset, const std::vector<std::string>& tunnels,
                            std::string_view device) {
  FirewallFacts facts;
  // No exceptions: a discarded value.
  const Json json = Json::parse(ruleset, nullptr, false);
  if (!member(json, "nftables").is_array()) return facts;
  facts.readable = true;
  std::map<ChainKey, Chain> chains;
  bool ufw = false;
  for (const Json& object : list_member(json, "nftables")) {
    if (const auto it = object.find("chain"); it != object.end()) {
      Chain chain{text_member(*it, "family"),
                  text_member(*it, "table"),
                  text_member(*it, "name"),
                  text_member(*it, "type"),
                  text_member(*it, "hook"),
                  text_member(*it, "policy"),
                  {}};
      ufw = ufw || chain.name.starts_with("ufw-");
      const ChainKey key{chain.family, chain.table, chain.name};
      // A chain comes before its rules in nft's list.
      chains.insert_or_assign(key, std::move(chain));
    } else if (const auto rule = object.find("rule"); rule != object.end()) {
      const auto chain =
          chains.find({text_member(*rule, "family"), text_member(*rule, "table"), text_member(*rule, "chain")});
      if (chain == chains.end() || !rule->contains("expr")) continue;
      chain->second.rules.push_back((*rule)["expr"]);
      // By a word of any form: `tcp option maxseg size set`.
      if ((*rule)["expr"].dump().find("maxseg") != std::string::npos) facts.mss_clamped = true;
    }
  }
  std::vector<Packet> packets{{FirewallDrop::What::ike, "udp", 500, std::string{device}, {}},
                              {FirewallDrop::What::nat_t, "udp", 4500, std::string{device}, {}},
                              {FirewallDrop::What::esp, "esp", 0, std::string{device}, {}}};
  // Only the interfaces count: some port of some protocol stands for the LAN's traffic.
  if (!tunnels.empty()) packets.push_back({FirewallDrop::What::forward, "tcp", 80, "lan0", tunnels.front()});
  for (const Packet& packet : packets)
    for (const auto& [key, chain] : chains) {
      const bool forwarded = packet.what == FirewallDrop::What::forward;
      // Each base chain of the hook decides alone, and a packet must pass all of them.
      if (chain.hook != (forwarded ? "forward" : "input") || chain.family == "ip6" || chain.family == "arp" ||
          chain.family == "bridge")
        continue;
      const Fate fate = Walk(chains, packet).through(chain);
      if (fate == Fate::dropped || (fate != Fate::accepted && chain.policy == "drop"))
        facts.drops.push_back({packet.what, chain.family, chain.table, chain.name, ufw ? "ufw" : manager_of(chain)});
    }
  for (const std::string& tunnel : tunnels)
    for (const auto& [key, chain] : chains) {
      // Only chains of type nat change addresses.
      if (chain.hook != "postrouting" || chain.family == "ip6" || chain.type != "nat") continue;
      const Packet packet{FirewallDrop::What::forward, "tcp", 80, "lan0", tunnel};
      if (Walk(chains, packet).through(chain) == Fate::translated)
        facts.masquerades.push_back({tunnel, chain.family, chain.table, chain.name});
    }
  return facts;
}

OwnRules read_own_rules(std::string_view ruleset, const std::string& door_chain) {
  OwnRules found;
  const Json json = Json::parse(ruleset, nullptr, false);
  for (const Json& object : list_member(json, "nftables")) {
    const Json& rule = member(object, "rule");
    const std::string chain =
        text_member(rule, "family") + " " + text_member(rule, "table") + " " + text_member(rule, "chain");
    if (chain == door_chain && text_member(rule, "comment") == "bgplite") ++found.doors;
    if (!chain.starts_with("inet bgplite ")) continue;
    // Of our table all rules clamp; another rule in it is not ours.
    if (member(rule, "expr").dump().find("maxseg") != std::string::npos) {
      ++found.clamps;
    } else {
      found.foreign.push_back(chain + " handle " + std::to_string(number_member<std::uint64_t>(rule, "handle")));
    }
  }
  return found;
}

}  // namespace bgplite::host
