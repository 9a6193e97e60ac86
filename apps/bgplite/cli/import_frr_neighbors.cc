#include <apps/bgplite/cli/import_frr_neighbors.h>
#include <apps/bgplite/cli/import_frr_words.h>
#include <bgp/text.h>

#include <algorithm>

namespace bgplite::cli {
namespace {

/// Words that are one key each.
struct NeighborWord {
  enum class Kind : std::uint8_t { flag, number };
  std::string_view words, key;
  Kind kind;
  bool of_family = false;
  std::uint32_t min = 0, max = 0;
  std::string_view usual = {};  ///< Of a number that may be left out.
};
constexpr auto kOnOff = NeighborWord::Kind::flag;
constexpr auto kNumber = NeighborWord::Kind::number;
constexpr NeighborWord kNeighborWords[] = {
    {"passive", "passive", kOnOff},
    {"enforce-first-as", "enforce_first_as", kOnOff},
    {"capability extended-nexthop", "extended_next_hop", kOnOff},
    {"next-hop-self", "next_hop_self", kOnOff, true},
    {"as-override", "as_override", kOnOff, true},
    {"remove-private-AS", "remove_private_as", kOnOff, true},
    {"route-reflector-client", "route_reflector_client", kOnOff, true},
    {"ebgp-multihop", "ttl", kNumber, false, 1, 255, "255"},
    {"ttl-security hops", "ttl_security", kNumber, false, 1, 254},
    {"port", "port", kNumber, false, 1, 65535},
    {"tcp-mss", "tcp_mss", kNumber, false, 1, 65495},
    {"allowas-in", "allow_as_in", kNumber, true, 1, 10, "3"},
    {"weight", "weight", kNumber, true, 0, 65535},
    {"maximum-prefix-out", "export_limit", kNumber, true, 1, 0xFFFFFFFFU},
    {"timers connect", "connect_retry", kNumber, false, 1, 65535},
};

/// What else may stand behind a word, and what is lost without it.
struct NeighborOption {
  std::string_view words, why;
};
constexpr NeighborOption kNeighborOptions[] = {
    {"next-hop-self force", "'force' is not known here; the next hop of reflected iBGP routes stays as it is"},
    {"next-hop-self all", "'all' is not known here; the next hop of reflected iBGP routes stays as it is"},
    {"remove-private-AS all replace-AS",
     "private AS numbers are removed here, not replaced; the AS_PATH is shorter than with FRR"},
    {"remove-private-AS replace-AS",
     "private AS numbers are removed here, not replaced; the AS_PATH is shorter than with FRR"},
    {"remove-private-AS all", ""},
    {"remove-private-AS",
     "FRR removes them only where the whole AS_PATH is private; here each private AS number is removed"},
};

std::string family_key(std::size_t family, std::string_view key) {
  return std::string(family == 0 ? "4 " : "6 ") + std::string(key);
}

FrrLine without_neighbor(const FrrLine& line) {
  FrrLine words = line.without_no();
  words.words.erase(words.words.begin(), words.words.begin() + 2);
  return words;
}

}  // namespace

FrrNeighbor& FrrNeighbors::neighbor(const FrrLine& words) {
  const std::string& name = words.at(1);
  const auto [found, fresh] = neighbors_.try_emplace(name);
  FrrNeighbor& neighbor = found->second;
  neighbor.lines.push_back(words.number);
  if (!fresh) return neighbor;
  neighbor.name = name;
  const auto said = [&](const char* key, bool fallback) {
    const FrrValue* const value = router_.values().find(key);
    return value == nullptr ? fallback : value->text == "true";
  };
  neighbor.default_active = {said("default ipv4-unicast", true), said("default ipv6-unicast", false)};
  return neighbor;
}

void FrrNeighbors::take(const FrrLine& line, std::size_t family) {
  const FrrLine whole = line.without_no();
  if (whole.words.size() < 3) return notes_.list(line.number, "not understood; the line is left out");
  const bool no = line.at(0) == "no";
  FrrNeighbor& into = neighbor(whole);
  const FrrLine words = without_neighbor(line);
  FrrLine with_no = words;
  if (no) with_no.words.insert(with_no.words.begin(), "no");
  if (const auto why = frr_without_effect(FrrWhere::neighbor, with_no); !why.empty())
    return notes_.no_effect(line.number, why);
  if (const auto why = frr_not_carried(FrrWhere::neighbor, with_no); !why.empty())
    return notes_.list(line.number, std::string{why});
  if (no && !frr_not_carried(FrrWhere::neighbor, words).empty())
    return notes_.no_effect(line.number, "what holds without it");
  if (by_table(words, no, into, family) || by_word(words, no, into, family)) return;
  notes_.list(line.number, "not known here; neighbor " + into.name + " is without it");
}

bool FrrNeighbors::by_table(const FrrLine& words, bool no, FrrNeighbor& into, std::size_t family) {
  const auto* const row = std::find_if(std::begin(kNeighborWords), std::end(kNeighborWords),
                                       [&](const NeighborWord& one) { return words.starts(one.words); });
  if (row == std::end(kNeighborWords)) return false;
  const std::string key = row->of_family ? family_key(family, row->key) : std::string{row->key};
  const std::size_t at = static_cast<std::size_t>(std::count(row->words.begin(), row->words.end(), ' ')) + 1;
  if (row->kind == kOnOff) {
    into.values.set(key, no ? "false" : "true", words.number, notes_);
    if (no || words.words.size() == 1) {
      if (row->key == "remove_private_as" && !no) notes_.list(words.number, std::string{kNeighborOptions[5].why});
      return true;
    }
    for (const NeighborOption& option : kNeighborOptions) {
      if (!words.starts(option.words)) continue;
      if (!option.why.empty()) notes_.list(words.number, std::string{option.why});
      return true;
    }
    return true;
  }
  if (no) {
    into.values.set(key, "", words.number, notes_);
    return true;
  }
  const std::string text = words.at(at).empty() ? std::string{row->usual} : words.at(at);
  const auto number = frr_number(text);
  if (number && *number >= row->min && *number <= row->max && words.words.size() <= at + 1) {
    into.values.set(key, text, words.number, notes_);
  } else if (row->key == "allow_as_in") {
    notes_.closes(words.number,
                  "'" + words.from(1) + "' is not known here; routes with our own AS in their AS_PATH are refused");
  } else {
    notes_.list(words.number, "not a number from " + std::to_string(row->min) + " to " + std::to_string(row->max) +
                                  "; neighbor " + into.name + " is without it");
  }
  return true;
}

bool FrrNeighbors::by_word(const FrrLine& words, bool no, FrrNeighbor& into, std::size_t family) {
  static constexpr std::string_view kFilters[] = {"route-map", "prefix-list", "filter-list", "distribute-list"};
  const std::string& what = words.at(0);
  const auto set = [&](const std::string& key, const std::string& value) {
    into.values.set(key, no ? "" : value, words.number, notes_);
  };
  if (what == "activate") {
    into.values.set(family_key(family, "activate"), no ? "false" : "true", words.number, notes_);
  } else if (what == "shutdown") {
    into.values.set("shutdown", no ? "false" : "true", words.number, notes_);
  } else if (what == "remote-as" && !no) {
    remote_as(words, into);
  } else if (what == "peer-group" && !no) {
    if (words.words.size() == 1) into.is_group = true, notes_.carried(words.number);
    if (words.words.size() > 1) set("peer-group", words.at(1));
  } else if (what == "timers" && !no) {
    timers(words, into);
  } else if (what == "description") {
    set("description", words.from(1));
  } else if (what == "update-source") {
    set("update-source", words.at(1));
  } else if (what == "interface") {
    // Without an address the neighbor is left out, with all its lines.
    if (!minibgp::parse_address(into.name)) return notes_.carried(words.number), true;
    if (words.words.size() != 2) return false;
    set("device", words.at(1));
  } else if (what == "local-as" && !no) {
    local_as(words, into);
  } else if (what == "local-role" && !no) {
    local_role(words, into);
  } else if (what == "password" && !no) {
    password(words, into);
  } else if (what == "maximum-prefix" && !no) {
    maximum_prefix(words, into, family);
  } else if (what.starts_with("graceful-restart") && words.words.size() == 1) {
    set("graceful_restart", what.ends_with("-helper") ? "helper" : what.ends_with("-disable") ? "off" : "full");
  } else if (std::find(std::begin(kFilters), std::end(kFilters), what) != std::end(kFilters)) {
    filter(words, no, into, family);
  } else {
    return !no && closing(words, into, family);
  }
  return true;
}

void FrrNeighbors::remote_as(const FrrLine& words, FrrNeighbor& into) {
  const std::string& value = words.at(1);
  const auto asn = minibgp::parse_asn(value);
  if (asn && *asn != minibgp::Asn{0}) return into.values.set("asn", minibgp::to_text(*asn), words.number, notes_);
  if (value == "internal" || value == "external" || value == "auto") {
    into.values.set("asn", value, words.number, notes_);
    if (value == "internal") return;
    return notes_.list(words.number,
                       "a peer has one AS number here; 'bgplite check' refuses the result until its asn is written");
  }
  notes_.list(words.number, "no AS number; neighbor " + into.name + " is left out");
}

void FrrNeighbors::timers(const FrrLine& words, FrrNeighbor& into) {
  const auto keepalive = frr_number(words.at(1)), hold = frr_number(words.at(2));
  if (!keepalive || !hold || *keepalive > 21845 || *hold > 65535 || *hold == 1 || *hold == 2)
    return notes_.list(words.number, "no times that are possible here; those of 'timers bgp' hold");
  into.values.set("timers", words.at(1) + " " + words.at(2), words.number, notes_);
}

void FrrNeighbors::local_as(const FrrLine& words, FrrNeighbor& into) {
  const auto asn = minibgp::parse_asn(words.at(1));
  if (!asn || *asn == minibgp::Asn{0}) return notes_.list(words.number, "no AS number; router.asn is used");
  into.values.set("local_asn", minibgp::to_text(*asn), words.number, notes_);
  const std::string options = words.from(2);
  if (options == "no-prepend replace-as") return;
  notes_.list(words.number,
              options.find("dual-as") != std::string::npos
                  ? "'dual-as' is not known here; the peer must expect AS " + words.at(1)
                  : "FRR puts router.asn into the AS_PATH, too; here AS " + words.at(1) + " stands alone");
}

void FrrNeighbors::local_role(const FrrLine& words, FrrNeighbor& into) {
  constexpr std::pair<std::string_view, std::string_view> kRoles[] = {{"provider", "provider"},
                                                                      {"rs-server", "route-server"},
                                                                      {"rs-client", "route-server-client"},
                                                                      {"customer", "customer"},
                                                                      {"peer", "peer"}};
  for (const auto& [theirs, ours] : kRoles) {
    if (words.at(1) != theirs) continue;
    into.values.set("role", std::string{ours} + (words.at(2) == "strict-mode" ? " strict" : ""), words.number, notes_);
    return;
  }
  notes_.closes(words.number, "no role that is known here; add 'role', or leaks are not found");
}

/// The key itself is kept nowhere.
void FrrNeighbors::password(const FrrLine& words, FrrNeighbor& into) {
  std::string file = "/etc/bgplite/md5/" + into.name;
  std::replace(file.begin() + 17, file.end(), '/', '_');
  into.values.set("md5_file", file, words.number, notes_);
  notes_.list(words.number, "keys stand in files of their own; write it to " + file + ", owner bgplite, mode 0400");
}

/// "maximum-prefix N [PERCENT] [warning-only] [restart MINUTES] [force]"
void FrrNeighbors::maximum_prefix(const FrrLine& words, FrrNeighbor& into, std::size_t family) {
  const auto max = frr_number(words.at(1));
  if (!max || *max == 0) return notes_.list(words.number, "no number of prefixes; there is no limit");
  std::string options;
  bool force = false;
  for (std::size_t i = 2; i < words.words.size(); ++i) {
    const auto number = frr_number(words.at(i));
    const auto minutes = frr_number(words.at(i + 1));
    if (words.at(i) == "warning-only") {
      options += ", warn_only: true";
    } else if (words.at(i) == "restart" && minutes && *minutes >= 1 && *minutes <= 10080) {
      options += ", restart_after: " + words.at(++i) + "m";
    } else if (words.at(i) == "force") {
      force = true;
    } else if (number && *number >= 1 && *number <= 100) {
      options += ", warn_percent: " + words.at(i);
    } else {
      notes_.list(words.number, "'" + words.from(i) + "' is not known here; the limit is " + words.at(1));
      break;
    }
  }
  into.values.set(family_key(family, "import_limit"), words.at(1) + options, words.number, notes_);
  if (force) into.values.set(family_key(family, "import_limit_force"), "true", words.number, notes_);
}

void FrrNeighbors::filter(const FrrLine& words, bool no, FrrNeighbor& into, std::size_t family) {
  const std::string& direction = words.at(2);
  if ((direction != "in" && direction != "out") || words.words.size() != 3) {
    into.values.set(family_key(family, "in closed"), "a filter that is not understood", words.number, notes_);
    into.values.set(family_key(family, "out closed"), "a filter that is not understood", words.number, notes_);
    return;
  }
  into.values.set(family_key(family, direction + " " + words.at(0)), no ? "" : words.at(1), words.number, notes_);
}

/// Filters that are not known here.
bool FrrNeighbors::closing(const FrrLine& words, FrrNeighbor& into, std::size_t family) {
  const auto close = [&](const char* direction, const char* why) {
    into.values.set(family_key(family, std::string(direction) + " closed"), why, words.number, notes_);
    return true;
  };
  if (words.at(0) == "advertise-map") return close("out", "conditional advertisement is not known here");
  if (words.at(0) == "soo") return close("out", "a site of origin is not known here");
  if (words.starts("path-attribute treat-as-withdraw") || words.starts("path-attribute discard"))
    return close("in", "routes cannot be refused by attribute here");
  return false;
}

}  // namespace bgplite::cli
