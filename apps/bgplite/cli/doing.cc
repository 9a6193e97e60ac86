/// Verbs that change something at run time: announce, withdraw, enable, disable, reset, refresh.
#include <apps/bgplite/cli/ask.h>

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace bgplite::cli {
namespace {

struct Announcement {
  std::string prefix, next_hop, as_path;
  std::optional<std::uint32_t> med, local_pref;
  std::vector<std::string> communities, large_communities;
  bool save = false;
};

Exit done(const Common& common, const std::string& verb, const Json& arguments, const std::string& said) {
  const auto answer = ask(common, verb, arguments);
  if (!answer) return answer.error();
  return print(common, *answer, [&](const Json& value) {
    // "saved" in the answer to withdraw: the next start announces it again.
    const bool restarts_as_it_is = value.value("saved", true);
    if (arguments.value("save", false)) return said + ", now and after a restart\n";
    if (verb == "withdraw" && restarts_as_it_is)
      return said + "; it is saved, and back after a restart: --save forgets it\n";
    return said + "\n";
  });
}

void add_save(CLI::App& verb, bool& save) {
  verb.add_flag("--save", save, "Keep it over a restart, in runtime.yaml of state_dir; your own file is not written");
}

Json arguments_of(const Announcement& announcement) {
  Json json{{"prefix", announcement.prefix}};
  // Only what was given, because the daemon tells an absent value from an empty one.
  if (!announcement.next_hop.empty()) json["next_hop"] = announcement.next_hop;
  if (!announcement.as_path.empty()) json["as_path"] = announcement.as_path;
  if (announcement.med) json["med"] = *announcement.med;
  if (announcement.local_pref) json["local_pref"] = *announcement.local_pref;
  if (!announcement.communities.empty()) json["communities"] = announcement.communities;
  if (!announcement.large_communities.empty()) json["large_communities"] = announcement.large_communities;
  if (announcement.save) json["save"] = true;
  return json;
}

void add_announce(Verbs& verbs) {
  auto options = std::make_shared<Announcement>();
  CLI::App& verb =
      verbs.add("announce", "Announce a prefix until it is withdrawn or the daemon ends, or over that with --save");
  verb.add_option("PREFIX", options->prefix, "What to announce")->required();
  verb.add_option("--med", options->med, "MED");
  verb.add_option("--local-pref", options->local_pref, "LOCAL_PREF toward iBGP peers");
  verb.add_option("--next-hop", options->next_hop, "Next hop instead of ourselves");
  verb.add_option("--as-path", options->as_path, "AS path behind our own AS: \"65010 65011\"");
  verb.add_option("--community", options->communities, "Community, several times if need be");
  verb.add_option("--large-community", options->large_communities, "Large community, several times if need be");
  add_save(verb, options->save);
  verbs.action(verb, [options, &common = verbs.common()] {
    return done(common, "announce", arguments_of(*options), options->prefix + " is announced");
  });

  auto gone = std::make_shared<Announcement>();
  CLI::App& withdraw = verbs.add("withdraw", "Withdraw a prefix that was announced by command");
  withdraw.add_option("PREFIX", gone->prefix, "What to withdraw")->required();
  add_save(withdraw, gone->save);
  verbs.action(withdraw, [gone, &common = verbs.common()] {
    if (!agreed(common, "withdrawing " + gone->prefix + " loses the traffic to it")) return Exit::assertion_failed;
    return done(common, "withdraw", arguments_of(*gone), gone->prefix + " is withdrawn");
  });
}

struct PeerVerb {
  const char* name;
  const char* verb;
  const char* description;
  const char* said;
  const char* loss;  ///< What is lost, for the question; null: nothing.
  bool takes_reason, saves;
};
constexpr PeerVerb kPeerVerbs[] = {
    {"enable", "peer.enable", "Take a peer into operation", "is enabled", nullptr, false, true},
    {"disable", "peer.disable", "Take a peer out of operation (Cease, administrative shutdown)", "is disabled",
     "ends its session and loses its routes until 'bgplite enable'", true, true},
    {"reset", "peer.reset", "End a peer's session and open it anew", "is reset",
     "ends its session; its routes return with the new one", true, false},
};

void add_peer_verbs(Verbs& verbs) {
  struct Options {
    std::string peer;
    std::vector<std::string> reason;
    bool save = false;
  };
  for (const PeerVerb& row : kPeerVerbs) {
    auto options = std::make_shared<Options>();
    CLI::App& verb = verbs.add(row.name, row.description);
    verb.add_option("PEER", options->peer, "Address, name or tunnel of the peer")->required();
    if (row.takes_reason) verb.add_option("REASON", options->reason, "Text that the peer's operator sees (RFC 9003)");
    if (row.saves) add_save(verb, options->save);
    // By reference: the rows live as long as the program.
    verbs.action(verb, [options, &row, &common = verbs.common()] {
      if (row.loss != nullptr && !agreed(common, std::string{row.name} + " " + options->peer + " " + row.loss))
        return Exit::assertion_failed;
      std::string reason;
      // Without quotation marks on the command line a reason is several words.
      for (const std::string& word : options->reason) reason += (reason.empty() ? "" : " ") + word;
      return done(common, row.verb, {{"peer", options->peer}, {"reason", reason}, {"save", options->save}},
                  "peer " + options->peer + " " + row.said);
    });
  }
}

void add_refresh(Verbs& verbs) {
  struct Options {
    std::string peer, direction;
  };
  auto options = std::make_shared<Options>();
  CLI::App& verb = verbs.add("refresh", "Ask a peer for its routes again, and send it ours again; loses nothing");
  verb.add_option("PEER", options->peer, "Address, name or tunnel of the peer")->required();
  verb.add_option("DIRECTION", options->direction, "in or out; otherwise both")->check(CLI::IsMember({"in", "out"}));
  verbs.action(verb, [options, &common = verbs.common()] {
    return done(common, "peer.refresh", {{"peer", options->peer}, {"direction", options->direction}},
                "peer " + options->peer + " is refreshed");
  });
}

void add_log(Verbs& verbs) {
  struct Options {
    std::string level, area;
  };
  auto options = std::make_shared<Options>();
  CLI::App& verb =
      verbs.add("log", "What is logged, of which area: shows the levels, or sets one until the daemon ends");
  verb.add_option("LEVEL", options->level, "debug, info, warning, error, or configured: as the configuration says")
      ->check(CLI::IsMember({"debug", "info", "warning", "error", "configured"}));
  verb.add_option("AREA", options->area, "session, rib, policy, fib, tunnel, config or control; otherwise all")
      ->check(CLI::IsMember({"session", "rib", "policy", "fib", "tunnel", "config", "control"}));
  verbs.action(verb, [options, &common = verbs.common()] {
    const auto answer = options->level.empty()
                            // One line, because only the levels are wanted.
                            ? ask(common, "show.log", {{"limit", 1}})
                            : ask(common, "log.level", {{"level", options->level}, {"area", options->area}});
    if (!answer) return answer.error();
    const Json levels{{"levels", answer->value("levels", Json::object())}};
    return print(common, levels, [](const Json& value) {
      // As wide as the longest: a daemon of another version may have other areas.
      std::size_t width = 9;
      for (const auto& [area, level] : value["levels"].items()) width = std::max(width, area.size());
      std::string text;
      for (const auto& [area, level] : value["levels"].items())
        text += area + std::string(width + 1 - area.size(), ' ') + level.get<std::string>() + "\n";
      return text;
    });
  });
}

}  // namespace

void add_doing(Verbs& verbs) {
  add_announce(verbs);
  add_peer_verbs(verbs);
  add_refresh(verbs);
  add_log(verbs);
}

}  // namespace bgplite::cli
