#include <apps/bgplite/cli/policy_bench.h>
#include <bgp/text.h>

#include <algorithm>
#include <set>
#include <utility>

namespace bgplite::cli {

using minibgp::AsnChoice;
using minibgp::Direction;
using minibgp::PeerType;
using minibgp::Policy;
using minibgp::SourceMark;

namespace {

bool writes_own(const minibgp::PolicyEdit& edit) {
  const auto* prepend = std::get_if<minibgp::edit::Prepend>(&edit.action);
  const auto* replace = std::get_if<minibgp::edit::ReplaceAsn>(&edit.action);
  return (prepend != nullptr && prepend->asn.which == AsnChoice::Which::own) ||
         (replace != nullptr && replace->with.which == AsnChoice::Which::own);
}

/// The first edit that writes our own AS, in a policy or in one it calls. `seen`: policies without one, so that each is
/// looked into once however often it is called.
std::optional<SourceMark> first_own(const minibgp::PolicyLibrary& library, const std::string& name,
                                    std::set<std::string>& seen) {
  if (!seen.insert(name).second) return std::nullopt;
  for (const minibgp::PolicyDefinition& definition : library.policies) {
    if (definition.name != name) continue;
    for (const minibgp::PolicyTerm& term : definition.terms) {
      for (const minibgp::PolicyEdit& edit : term.edits)
        if (writes_own(edit)) return edit.mark;
      if (!term.call) continue;
      if (const auto called = first_own(library, term.call->name, seen)) return called;
    }
  }
  return std::nullopt;
}

}  // namespace

PolicyBench::PolicyBench(Loaded loaded) : loaded_(std::move(loaded)) {
  // What `covers_ike_endpoint` asks; names that would have to be resolved are left out, because this runs without a
  // network.
  for (const auto& [name, tunnel] : loaded_.config.tunnels) {
    if (!tunnel.options.ike) continue;
    for (const std::string& text : tunnel.options.ike->remote_addresses)
      if (const auto address = minibgp::parse_address(text)) endpoints_.push_back(*address);
  }
  for (const minibgp::PolicyDefinition& definition : library().policies) {
    std::set<std::string> seen;
    if (const auto mark = first_own(library(), definition.name, seen)) write_own_.emplace(definition.name, *mark);
  }
}

std::optional<Seat> PolicyBench::seat_at_peer(const std::string& peer, Direction direction, std::string& error) const {
  const auto& peers = loaded_.config.peers;
  const auto found = std::find_if(peers.begin(), peers.end(), [&](const auto& one) {
    const minibgp::PeerOptions& options = one.second.options;
    // By any of the three names that a peer has.
    return one.first == peer || options.name == peer || (!options.tunnel.empty() && options.tunnel == peer);
  });
  if (found == peers.end()) {
    std::vector<std::string_view> known;
    for (const auto& [key, config] : peers) known.emplace_back(config.options.name.empty() ? key : config.options.name);
    const std::string hint = did_you_mean(peer, known);
    error = "no peer '" + peer + "'" + (hint.empty() ? "" : " (" + hint + ")");
    return std::nullopt;
  }
  return seat_at(found->second, direction);
}

std::vector<Seat> PolicyBench::seats_at_peers(Direction direction) const {
  std::vector<Seat> seats;
  for (const auto& [key, config] : loaded_.config.peers) seats.push_back(seat_at(config, direction));
  return seats;
}

Seat PolicyBench::seat_at(const PeerConfig& config, Direction direction) const {
  const minibgp::PeerOptions& options = config.options;
  Seat seat;
  seat.peer_address = to_text(options.address);
  seat.peer = options.name.empty() ? seat.peer_address : options.name;
  seat.tunnel = options.tunnel;
  seat.direction = direction;
  seat.local_as = options.local_as.value_or(loaded_.config.router.asn);
  seat.peer_as = options.remote_as;
  seat.reflector_client = options.route_reflector_client;
  seat.peer_type = seat.peer_as == seat.local_as ? PeerType::ibgp : PeerType::ebgp;
  seat.policy = direction == Direction::import ? config.import_policy : config.export_policy;
  // Without a policy: RFC 8212 for eBGP, everything for iBGP.
  if (!seat.policy.empty()) return seat;
  const bool open = config.accept_all || seat.peer_type == PeerType::ibgp;
  seat.policy = open ? "accept_all" : "reject_all (RFC 8212)";
  seat.built_in = open ? Policy::accept_all() : Policy::reject_all();
  return seat;
}

std::optional<Seat> PolicyBench::seat_of_policy(const std::string& policy, std::string& error) const {
  const auto& policies = loaded_.config.policies;
  if (policies.count(policy) == 0) {
    std::vector<std::string_view> known;
    for (const auto& [name, definition] : policies) known.emplace_back(name);
    const std::string hint = did_you_mean(policy, known);
    error = "no policy '" + policy + "'" + (hint.empty() ? "" : " (" + hint + ")");
    return std::nullopt;
  }
  Seat seat;
  seat.policy = policy;
  seat.local_as = loaded_.config.router.asn;
  return seat;
}

std::optional<Diagnostic> PolicyBench::own_as_unknown(const Seat& seat, const PolicyRoute& route) const {
  const auto own = write_own_.find(seat.policy);
  if (own == write_own_.end() || route.local_as.value_or(seat.local_as) != minibgp::Asn{}) return std::nullopt;
  const Place place = sources().place(own->second);
  return Diagnostic{place.file, place.line, place.column, "our own AS is not known: the configuration has no router",
                    "add router: { asn: 65001, router_id: 192.0.2.1 }, or local_as: 65001 to the route"};
}

minibgp::PolicyContext PolicyBench::context(const Seat& seat, const PolicyRoute& route) const {
  minibgp::PolicyContext context;
  // What the route says goes before what the seat says.
  context.prefix = route.prefix.value_or(minibgp::Prefix{});
  context.direction = seat.direction;
  context.peer_type = route.peer_type.value_or(seat.peer_type);
  context.peer = route.peer ? *route.peer : seat.peer;
  // A route that names its peer does not come from this seat's.
  context.peer_address = route.peer ? std::string_view{} : std::string_view{seat.peer_address};
  context.tunnel = route.tunnel ? *route.tunnel : seat.tunnel;
  context.local_as = route.local_as.value_or(seat.local_as);
  context.peer_as = route.peer_as.value_or(seat.peer_as);
  context.rpki = route.rpki.value_or(minibgp::RpkiState::not_found);
  const auto& networks = loaded_.config.networks;
  context.own_prefix = route.own_prefix.value_or(std::any_of(
      networks.begin(), networks.end(), [&](const Network& ours) { return ours.prefix.covers(context.prefix); }));
  context.covers_ike_endpoint = route.covers_ike_endpoint.value_or(
      std::any_of(endpoints_.begin(), endpoints_.end(),
                  [&](const minibgp::IpAddress& endpoint) { return context.prefix.contains(endpoint); }));
  return context;
}

const Policy& PolicyBench::policy(const Seat& seat) const {
  return seat.built_in ? *seat.built_in : *loaded_.config.policies.at(seat.policy).compiled;
}

std::optional<PolicyBench> open_bench(const std::string& path, Diagnostics& diagnostics) {
  Loaded loaded = load_policies(path);
  // Warnings are `bgplite check`'s to show.
  for (const Diagnostic& one : loaded.diagnostics.all())
    if (one.severity == Severity::error) diagnostics.add(one);
  if (loaded.diagnostics.has_errors()) return std::nullopt;
  return PolicyBench(std::move(loaded));
}

}  // namespace bgplite::cli
