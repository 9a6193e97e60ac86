/// bgplite policy diff: a table of routes through two versions of a policy, and every route they treat differently.
#include <apps/bgplite/cli/compressed_file.h>
#include <apps/bgplite/cli/policy_bench.h>
#include <apps/bgplite/cli/policy_verbs.h>
#include <apps/bgplite/cli/rib_file.h>
#include <bgp/text.h>

#include <iostream>
#include <map>

#include <nlohmann/json.hpp>

namespace bgplite::cli {
namespace {

using Json = nlohmann::ordered_json;
using minibgp::Judgement;
using minibgp::PathAttributes;
using minibgp::PolicyContext;

enum class Fate : std::uint8_t { same, now_accepted, now_rejected, changed };

struct Counts {
  std::size_t accepted_by_both = 0, rejected_by_both = 0, now_accepted = 0, now_rejected = 0, changed = 0;
  [[nodiscard]] std::size_t different() const { return now_accepted + now_rejected + changed; }
};

/// One version: its bench and the seats of the peers the routes come from.
class Side {
 public:
  Side(PolicyBench bench, const DiffOptions& options) : bench_(std::move(bench)), options_(options) {
    direction_ = options.direction == "export" ? minibgp::Direction::export_ : minibgp::Direction::import;
  }

  /// The seat for a route; the same one as long as the peer stays the same. Null: the configuration has no such peer.
  const Seat* seat_of(const PolicyRoute& route, std::string& error) {
    // One key for all where the options name a policy or a peer.
    const std::string& key = options_.policy.empty() && options_.peer.empty() ? route.peer.value_or("") : kOne;
    if (last_ != seats_.end() && last_->first == key) return last_->second ? &*last_->second : nullptr;
    last_ = seats_.find(key);
    if (last_ == seats_.end()) {
      auto seat = !options_.policy.empty()
                      ? bench_.seat_of_policy(options_.policy, error)
                      : bench_.seat_at_peer(options_.peer.empty() ? key : options_.peer, direction_, error);
      // A policy has no direction of its own.
      if (seat) seat->direction = direction_;
      // Also when there is none: the question is not asked again.
      last_ = seats_.emplace(key, std::move(seat)).first;
    }
    return last_->second ? &*last_->second : nullptr;
  }

  Judgement judge(const Seat& seat, const PolicyRoute& route) {
    context_ = bench_.context(seat, route);
    // The peer of the seat is meant, whoever the table says the route came from.
    if (!options_.peer.empty()) {
      context_.peer = seat.peer;
      context_.peer_address = seat.peer_address;
      context_.peer_as = seat.peer_as;
    }
    policy_ = &bench_.policy(seat);
    return policy_->judge(route.attributes, context_);
  }

  /// After judge() of the same route.
  // 0: no edits, and no copy.
  const PathAttributes& result(const Judgement& judgement, const PolicyRoute& route) {
    if (judgement.outcome == 0) return route.attributes;
    scratch_ = route.attributes;
    policy_->apply(judgement.outcome, context_, scratch_);
    return scratch_;
  }

 private:
  inline static const std::string kOne = "*";
  PolicyBench bench_;
  const DiffOptions& options_;
  minibgp::Direction direction_;
  std::map<std::string, std::optional<Seat>> seats_;
  // Stays valid: nothing is erased from seats_.
  std::map<std::string, std::optional<Seat>>::iterator last_ = seats_.end();
  PolicyContext context_;
  const minibgp::Policy* policy_ = nullptr;
  PathAttributes scratch_;
};

class Differ {
 public:
  Differ(Side& before, Side& after, std::size_t max) : before_(before), after_(after), max_(max) {}

  void route(const PolicyRoute& route) {
    const Seat* old_seat = before_.seat_of(route, error);
    const Seat* new_seat = after_.seat_of(route, error);
    if (old_seat == nullptr || new_seat == nullptr) {
      ++without_peer;
      return;
    }
    const Judgement was = before_.judge(*old_seat, route);
    const Judgement is = after_.judge(*new_seat, route);
    if (!was.accepted && !is.accepted) {
      ++counts.rejected_by_both;
    } else if (was.accepted != is.accepted) {
      ++(is.accepted ? counts.now_accepted : counts.now_rejected);
      report(route, is.accepted ? "now accepted" : "now rejected", {});
    } else {
      ++counts.accepted_by_both;
      if (was.outcome == 0 && is.outcome == 0) return;
      const PathAttributes& old_result = before_.result(was, route);
      const PathAttributes& new_result = after_.result(is, route);
      if (old_result == new_result) return;
      ++counts.changed;
      // Beyond the list only the count matters, and comparing attributes as text costs most.
      report(route, "changed", full() ? std::vector<AttributeChange>{} : changes_between(old_result, new_result));
    }
  }

  Counts counts;
  std::size_t without_peer = 0;
  std::string error;
  Json listed = Json::array();
  std::string lines;

 private:
  [[nodiscard]] bool full() const { return listed_count_ >= max_; }

  void report(const PolicyRoute& route, const char* fate, const std::vector<AttributeChange>& changes) {
    if (listed_count_++ >= max_) return;
    Json one{{"prefix", minibgp::to_text(*route.prefix)}, {"fate", fate}};
    if (route.peer) one["peer"] = *route.peer;
    lines += std::string(fate) + "  " + minibgp::to_text(*route.prefix) +
             (route.peer ? "  from " + *route.peer : std::string{}) + "\n";
    for (const AttributeChange& change : changes) {
      one["changes"][std::string(change.name)] = {{"before", change.before}, {"after", change.after}};
      lines += "  " + std::string(change.name) + ": " + change.before + " -> " + change.after + "\n";
    }
    listed.push_back(std::move(one));
  }

  Side& before_;
  Side& after_;
  std::size_t max_;
  std::size_t listed_count_ = 0;
};

}  // namespace

Exit run_policy_diff(const DiffOptions& options, const Common& common) {
  Diagnostics diagnostics;
  auto old_bench = open_bench(options.before, diagnostics);
  auto new_bench = open_bench(options.after, diagnostics);
  if (!old_bench || !new_bench) return complain(diagnostics);
  std::string error;
  // A name that neither side knows is a mistake; one that a side lacks shows as routes without a seat.
  for (const auto* bench : {&*old_bench, &*new_bench}) {
    if (!options.policy.empty() && !bench->seat_of_policy(options.policy, error)) return fail(Exit::bad_input, error);
    if (!options.peer.empty() && !bench->seat_at_peer(options.peer, minibgp::Direction::import, error))
      return fail(Exit::bad_input, error);
  }
  const auto file = read_whole_file(options.rib, error);
  if (!file) return fail(Exit::io, options.rib + ": " + error);

  Side before(*std::move(old_bench), options);
  Side after(*std::move(new_bench), options);
  Differ differ(before, after, options.max);
  RibSummary summary;
  if (!each_route(
          *file, [&](const PolicyRoute& route) { differ.route(route); }, summary, error))
    return fail(Exit::bad_input, options.rib + ": " + error);

  for (const std::string& problem : summary.problems) std::cerr << options.rib << ": " << problem << '\n';
  const Counts& counts = differ.counts;
  if (common.json) {
    std::cout << Json{{"routes", summary.routes},
                      {"skipped", summary.skipped},
                      {"without_peer", differ.without_peer},
                      {"accepted_by_both", counts.accepted_by_both},
                      {"rejected_by_both", counts.rejected_by_both},
                      {"now_accepted", counts.now_accepted},
                      {"now_rejected", counts.now_rejected},
                      {"changed", counts.changed},
                      {"differences", differ.listed}}
                     .dump(2)
              << '\n';
  } else {
    std::cout << differ.lines;
    if (counts.different() > options.max) std::cout << "... " << counts.different() - options.max << " more (--max)\n";
    std::cout << summary.routes << " routes: " << counts.now_accepted << " now accepted, " << counts.now_rejected
              << " now rejected, " << counts.changed << " with changed attributes, "
              << counts.accepted_by_both + counts.rejected_by_both - counts.changed << " the same ("
              << counts.accepted_by_both - counts.changed << " accepted, " << counts.rejected_by_both << " rejected)\n";
    if (differ.without_peer != 0)
      std::cout << differ.without_peer << " routes come from peers that are not configured (" << differ.error
                << "); --peer or --policy says which policy is meant\n";
  }
  // A table of which nothing could be read is a mistake; one that was cut still says something.
  if (!summary.problems.empty() && summary.routes == 0) return Exit::bad_input;
  return options.fail_on_change && counts.different() != 0 ? Exit::assertion_failed : Exit::ok;
}

}  // namespace bgplite::cli
