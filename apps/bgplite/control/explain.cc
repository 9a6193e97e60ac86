/// The answers to `bgplite explain` and `bgplite verify`.
#include <apps/bgplite/control/commands.h>
#include <apps/bgplite/control/json.h>
#include <apps/bgplite/control/parts.h>
#include <bgp/text.h>

#include <algorithm>

namespace bgplite::control {
namespace {

minibgp::RouteFilter filter(const minibgp::Prefix& prefix, minibgp::RouteFilter::Match match) {
  minibgp::RouteFilter made;
  made.prefix = prefix;
  made.match = match;
  return made;
}

using Match = minibgp::RouteFilter::Match;

/// Why a path is not in use, in one phrase; empty when it is.
std::string why_not(const minibgp::PathSnapshot& path, const minibgp::PathSnapshot* best) {
  if (!path.accepted) return "refused by import policy";
  if (!path.usable) return "next hop is not usable";
  if (path.best || path.multipath) return {};
  return best == nullptr ? std::string{path.rule} : std::string{"lost by "} + path.rule;
}

Json announced_json(Context& context, const minibgp::Prefix& prefix, const minibgp::PathSnapshot* best) {
  const minibgp::Engine& engine = context.daemon.speaker().engine();
  Json to = Json::array();
  for (const minibgp::PeerStatus& peer : engine.peers()) {
    Json one{{"peer", peer_name(context.daemon, peer.id)}};
    // What was really sent stands in the Adj-RIB-Out; only when it is not there is a reason looked for.
    const auto sent = engine.announced_to(peer.id, filter(prefix, Match::exact));
    one["announced"] = !sent.empty();
    if (!sent.empty()) {
      one["attributes"] = to_json(sent.front().attributes);
    } else if (peer.state != minibgp::PeerState::established) {
      one["why_not"] = "its session is not up";
    } else if (best == nullptr) {
      one["why_not"] = "there is no usable path";
    } else if (best->peer == peer.id) {
      one["why_not"] = "the best path came from it";
    } else if (const auto withheld = engine.withheld_from(peer.id, filter(prefix, Match::exact)); !withheld.empty()) {
      // Reasons that the engine has counted come before those that are concluded here.
      one["why_not"] = minibgp::to_text(withheld.front().why, prefix, peer);
    } else {
      const bool ibgp_learned = best->peer != minibgp::kLocalPeer && peer.type == minibgp::PeerType::ibgp;
      const auto from = engine.peer(best->peer);
      const bool ibgp_to_ibgp = ibgp_learned && from && from->type == minibgp::PeerType::ibgp;
      one["why_not"] = ibgp_to_ibgp ? "learned by iBGP, and not reflected (RFC 4456)"
                                    : "refused by export policy, community or family";
    }
    to.push_back(std::move(one));
  }
  return to;
}

/// Any table of the kernel may have the prefix, so all of our routes are looked at.
void answer_with_kernel(Context& context, const Reply& reply, const minibgp::Prefix& prefix, Json answer) {
  const minibgp::fib::Fib* fib = context.daemon.fib();
  if (fib == nullptr) return reply.result(std::move(answer));
  using Rows = std::vector<minibgp::fib::RouteStatus>;
  // By the prefix alone: table and metric may be anything that a policy gave.
  minibgp::fib::Fib::RouteFilter exact;
  exact.prefix = prefix;
  const auto read = [fib, exact, at = minibgp::fib::RouteCursor{}](Rows& into) mutable {
    fib->routes_part(exact, at, 10 * kStepsInATurn, into);  // Hardly one of them is copied.
    return !at.ended();
  };
  const auto make = [answer = std::move(answer), names = interface_names(*fib)](std::vector<Rows>& parts) {
    Json whole = answer;
    // Sorted and without doubles: a route may have been visited twice while the table changed between two turns.
    for (const auto* route :
         in_order(parts, minibgp::fib::shown_before, [](const auto&a, const auto&b) { return a.key == b.key; }))
      whole["kernel"].push_back(to_json(*route, names));
    return whole;
  };
  Parts<minibgp::fib::RouteStatus>::answer(reply, read, make);
}

void explain(Context& context, const Request& request, const Reply& reply) {
  const auto wanted = prefix_argument(request, reply);
  if (!wanted) return;
  const minibgp::Engine& engine = context.daemon.speaker().engine();
  auto paths = engine.routes(filter(*wanted, Match::exact));
  // By hash, a probe for each length: an explanation costs the same however large the table is.
  // An address, or a prefix that was not announced: the route that covers it.
  if (paths.empty()) paths = engine.routes(filter(*wanted, Match::lookup));
  if (paths.empty())
    return reply.error(
        "no route to " + minibgp::to_text(*wanted) + ": neither it nor a prefix that covers it was announced", 1);
  const minibgp::Prefix prefix = paths.front().prefix;
  // Best first, then those that share the traffic, then the rest in the order of the engine.
  std::stable_sort(paths.begin(), paths.end(), [](const auto& a, const auto& b) {
    return std::make_pair(!a.best, !a.multipath) < std::make_pair(!b.best, !b.multipath);
  });
  const auto found = std::find_if(paths.begin(), paths.end(), [](const auto& path) { return path.best; });
  const minibgp::PathSnapshot* best = found == paths.end() ? nullptr : &*found;
  Json candidates = Json::array();
  for (const minibgp::PathSnapshot& path : paths) {
    Json one = to_json(path, peer_name(context.daemon, path.peer));
    if (const std::string why = why_not(path, best); !why.empty()) one["why_not"] = why;
    candidates.push_back(std::move(one));
  }
  Json next_hops = Json::array();
  if (minibgp::fib::Fib* fib = context.daemon.fib())
    for (const minibgp::fib::NextHopState& state : fib->next_hops())
      // By peer as well: a link-local next hop means another router on each interface.
      for (const minibgp::PathSnapshot& path : paths)
        if (state.peer == path.peer && state.next_hop == path.received.next_hop.address)
          next_hops.push_back(to_json(state, peer_name(context.daemon, state.peer)));
  Json answer{{"prefix", minibgp::to_text(prefix)},
              {"asked", minibgp::to_text(*wanted)},
              {"candidates", std::move(candidates)},
              {"next_hops", std::move(next_hops)},
              {"kernel", Json::array()},
              {"announced_to", announced_json(context, prefix, best)}};
  answer_with_kernel(context, reply, prefix, std::move(answer));
}

void verify(Context& context, const Request&, const Reply& reply) {
  minibgp::fib::Fib* fib = context.daemon.fib();
  if (fib == nullptr) return reply.error("no routes go into the kernel (fib.enabled: false)", 1);
  // Answers come when the kernel's table was read, after this function has returned.
  fib->verify([reply](const minibgp::fib::Comparison& comparison) {
    reply.result({{"same", comparison.difference_count == 0},
                  {"compared", comparison.compared},
                  {"difference_count", comparison.difference_count},
                  {"repairable", comparison.repairable},
                  {"differences", comparison.differences}});
  });
}

}  // namespace

std::vector<Command> explain_commands() {
  return {{"explain", Access::read, explain}, {"verify", Access::read, verify}};
}

}  // namespace bgplite::control
