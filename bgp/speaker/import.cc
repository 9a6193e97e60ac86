#include <bgp/speaker/import.h>

#include <algorithm>

namespace minibgp::speaker {

Importer::Importer(rib::AttrTable& attributes, rib::Table& table, const PrefixFacts& facts)
    : attributes_(attributes), table_(table), facts_(facts) {}

const wire::Update& Importer::on_update(const ImportRules& rules, Bytes body, const wire::UpdateContext& context,
                                        Counters& counters) {
  wire::decode_update(body, context, update_);
  too_many_paths_.reset();
  // Nothing of such a message is used, so nothing is counted; the caller ends the session.
  if (update_.severity == wire::Severity::session_reset) return update_;
  for (const wire::AttrError& error : update_.errors)
    if (error.severity == wire::Severity::attribute_discard) ++counters.attribute_discards;

  counters.prefixes_withdrawn_received += update_.withdrawn.size();
  counters.prefixes_announced_received += update_.announced.size() + update_.mp_announced.size();
  // Withdrawals come before announcements, as in the message: a prefix in both is announced (RFC 4271 s.4.3).
  withdraw(rules, update_.withdrawn);
  if (update_.severity == wire::Severity::treat_as_withdraw) {
    ++counters.treated_as_withdraw;
    withdraw(rules, update_.announced);
    withdraw(rules, update_.mp_announced);
    return update_;
  }
  const bool announces = !update_.announced.empty() || !update_.mp_announced.empty();
  if (announces && has_foreign_first(rules, update_.attributes)) ++counters.treated_as_withdraw;
  announce(rules, update_.announced);
  if (!update_.mp_announced.empty()) {
    // The next hop of MP_REACH_NLRI belongs to its own prefixes; NEXT_HOP belongs to those of the NLRI field.
    update_.attributes.next_hop = update_.mp_next_hop;
    announce(rules, update_.mp_announced);
  }
  return update_;
}

void Importer::withdraw(const ImportRules& rules, std::span<const wire::Nlri> prefixes) {
  for (const wire::Nlri& nlri : prefixes) static_cast<void>(table_.remove_path(nlri.prefix, {rules.id, nlri.path_id}));
}

void Importer::announce(const ImportRules& rules, std::span<const wire::Nlri> prefixes) {
  if (prefixes.empty()) return;
  const AttrId received = attributes_.intern(update_.attributes);
  const bool refuse = refused(rules, update_.attributes);
  // One answer for the whole message, unless a rule reads the prefix.
  const bool once = refuse || !rules.policy->reads_prefix();
  begin_run(rules);
  AttrId accepted = kNoAttributes;
  if (once && !refuse) accepted = judge(rules, prefixes.front().prefix, received, update_.attributes);
  constexpr std::size_t kAhead = 6;  // Buckets of the index on the way into the cache.
  for (std::size_t i = 0; i < std::min(kAhead, prefixes.size()); ++i) table_.prefetch(prefixes[i].prefix);
  for (std::size_t i = 0; i < prefixes.size(); ++i) {
    if (i + kAhead < prefixes.size()) table_.prefetch(prefixes[i + kAhead].prefix);
    if (!once) accepted = judge(rules, prefixes[i].prefix, received, update_.attributes);
    // False: the route holds as many paths as it can. The rest of the message is stored all the same.
    if (!table_.set_path(prefixes[i].prefix, {rules.id, prefixes[i].path_id}, received, accepted))
      too_many_paths_ = prefixes[i].prefix;
  }
  end_run();
  attributes_.release(received);
}

/// RFC 4271 s.6.3: the neighbor must have put its AS first. RFC 7606 s.7.2 makes that treat-as-withdraw: such a path is
/// refused, and kept like all that is refused, for when the option changes.
bool Importer::has_foreign_first(const ImportRules& rules, const PathAttributes& attributes) {
  return rules.enforce_first_as && rules.peer_type == PeerType::ebgp && attributes.as_path.first() != rules.remote_as;
}

bool Importer::refused(const ImportRules& rules, const PathAttributes& attributes) {
  if (has_foreign_first(rules, attributes)) return true;
  // Our own AS in the path: it has been here (RFC 4271 s.9.1.2).
  const auto own = [&](Asn asn) { return asn == rules.speaker_as || asn == rules.local_as; };
  const auto& asns = attributes.as_path.asns;
  // `allow_as_in` is how many occurrences are still accepted.
  if (std::count_if(asns.begin(), asns.end(), own) > rules.allow_as_in) return true;
  if (rules.peer_type == PeerType::ibgp) {
    // RFC 4456 s.8: reflected back to its originator, or through our cluster before.
    if (attributes.originator_id == rules.router_id) return true;
    const auto& clusters = attributes.cluster_list;
    if (std::find(clusters.begin(), clusters.end(), rules.cluster_id) != clusters.end()) return true;
  }
  // RFC 4271 s.5.1.3: a next hop that is ourselves leads nowhere.
  if (rules.local_address.is_set() && attributes.next_hop.address == rules.local_address) return true;
  // RFC 9234 s.5, ingress 1 and 2: a path marked for customers only cannot come from one, nor from a peer that did not
  // mark it.
  if (attributes.only_to_customer && rules.peer_type == PeerType::ebgp) {
    if (rules.role == Role::provider || rules.role == Role::route_server) return true;
    if (rules.role == Role::peer && *attributes.only_to_customer != rules.remote_as) return true;
  }
  return false;
}

AttrId Importer::judge(const ImportRules& rules, const Prefix& prefix, AttrId received,
                       const PathAttributes& attributes) {
  context_.prefix = prefix;
  facts_.fill(context_);
  const Judgement judgement = rules.policy->judge(attributes, context_, run_);
  if (!judgement.accepted) return kNoAttributes;

  // RFC 9234 s.5, ingress 3: what a provider, peer or route server did not mark, we mark for it.
  const bool from_above =
      rules.role == Role::customer || rules.role == Role::peer || rules.role == Role::route_server_client;
  const bool mark = from_above && rules.peer_type == PeerType::ebgp && !attributes.only_to_customer;
  const bool external = rules.peer_type == PeerType::ebgp;
  const bool leaves = rules.graceful_shutdown || (external && attributes.has(kGracefulShutdown));
  if (judgement.outcome == 0 && !mark && !leaves) return received;

  // The same edits on the same attributes have the same result.
  for (const Edited& known : edited_)
    if (known.outcome == judgement.outcome) return known.id;
  scratch_ = attributes;
  rules.policy->apply(judgement.outcome, context_, scratch_);
  if (mark) scratch_.only_to_customer = rules.remote_as;
  // RFC 8326 s.4: the least preferred, after policy, which might raise it again for all.
  if (rules.graceful_shutdown || (external && scratch_.has(kGracefulShutdown))) scratch_.local_pref = 0;
  // On import "self" can only mean the sender: traffic to us is what we are about to forward.
  if (scratch_.local.next_hop == NextHopChoice::peer || scratch_.local.next_hop == NextHopChoice::self)
    scratch_.next_hop = NextHop{rules.address, {}};
  // The choice is used up. Left as it is, it would change the next hop again on export.
  scratch_.local.next_hop = NextHopChoice::by_rule;
  AttrId id = received;
  if (scratch_ == attributes) {
    attributes_.add_ref(received);  // end_run() releases one.
  } else {
    id = attributes_.intern(scratch_);
  }
  edited_.push_back({judgement.outcome, id});
  return edited_.back().id;
}

void Importer::begin_run(const ImportRules& rules) {
  context_ = {};
  context_.direction = Direction::import;
  context_.peer_type = rules.peer_type;
  context_.peer = rules.peer;
  context_.peer_address = rules.peer_address;
  context_.tunnel = rules.tunnel;
  context_.local_as = rules.local_as;
  context_.peer_as = rules.remote_as;
}

void Importer::end_run() {
  for (const Edited& edited : edited_) attributes_.release(edited.id);
  edited_.clear();
  run_ = {};
}

void Importer::judge_again(const ImportRules& rules, rib::RouteId id, std::uint32_t path_index) {
  const rib::Route& route = table_.route(id);
  const AttrId received = route.path(path_index).received;
  // Routes are walked in their own order, and neighbors mostly share attributes: these are unpacked once for each run.
  if (again_id_ != received || again_peer_ != rules.id) {
    forget_judgements();
    begin_run(rules);
    // The id must not be given to other attributes while it is remembered here.
    attributes_.add_ref(received);
    again_id_ = received;
    again_peer_ = rules.id;
    attributes_.load(received, again_);
    again_refused_ = refused(rules, again_);
  }
  const AttrId accepted = again_refused_ ? kNoAttributes : judge(rules, route.prefix, received, again_);
  table_.set_accepted_at(id, path_index, accepted);
}

void Importer::forget_judgements() {
  end_run();
  attributes_.release(again_id_);
  again_id_ = kNoAttributes;
}

}  // namespace minibgp::speaker
