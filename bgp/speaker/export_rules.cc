#include <bgp/speaker/export_rules.h>
#include <bgp/text.h>

#include <algorithm>

namespace minibgp::speaker {
namespace {

/// RFC 6996.
constexpr bool is_private(Asn asn) {
  const auto number = static_cast<std::uint32_t>(asn);
  return (number >= 64512 && number <= 65534) || (number >= 4200000000U && number <= 4294967294U);
}

void remove_private(AsPath& path) {
  std::size_t at = 0;
  // Segment counts and `asns` are changed together; `at` is where the segment begins in what is left.
  for (AsPath::Segment& segment : path.segments) {
    const auto begin = path.asns.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = begin + segment.count;
    const auto kept = std::remove_if(begin, end, is_private);
    segment.count = static_cast<std::uint16_t>(kept - begin);
    path.asns.erase(kept, end);
    at += segment.count;
  }
  std::erase_if(path.segments, [](const AsPath::Segment& segment) { return segment.count == 0; });
  // Two sequences that became neighbors are one (AsPath keeps that form).
  for (std::size_t i = 1; i < path.segments.size();) {
    AsPath::Segment& before = path.segments[i - 1];
    const AsPath::Segment& here = path.segments[i];
    if (before.type == AsPath::SegmentType::sequence && here.type == AsPath::SegmentType::sequence) {
      before.count = static_cast<std::uint16_t>(before.count + here.count);
      path.segments.erase(path.segments.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
}

/// RFC 4360 s.3.1, the T bit of the type: not beyond the AS.
constexpr bool is_non_transitive(ExtendedCommunity community) {
  // Bit 62 of 64: the second highest bit of the type's first octet.
  return (static_cast<std::uint64_t>(community) >> 62U & 1U) != 0;
}

OwnNextHop own_next_hop_form(Family family, const IpAddress& local, const LinkAddresses& link, bool ipv4_over_ipv6) {
  // Without RFC 8950 a session over IPv6 can advertise IPv4 only with an IPv4 address of the same link.
  if (family == Family::ipv4 && local.family == Family::ipv6 && !ipv4_over_ipv6)
    return link.ipv4.is_set() ? OwnNextHop::ipv4 : OwnNextHop::none;
  if (family == Family::ipv6 && local.family == Family::ipv4)
    return link.ipv6.is_set() ? OwnNextHop::ipv6 : OwnNextHop::none;
  if (local.family == Family::ipv4) return OwnNextHop::ipv4;
  // A session between link-local addresses has no global one: both halves are the link-local (RFC 2545 s.3).
  return local.is_link_local_v6() ? OwnNextHop::ipv6_both : OwnNextHop::ipv6;
}

/// Whether a next hop of this family can stand in a message about prefixes of that: IPv4 over IPv6 needs RFC 8950, and
/// there is no form for IPv6 over IPv4.
bool next_hop_fits(const IpAddress& next_hop, Family family, const wire::UpdateContext& context) {
  return next_hop.family == family || (family == Family::ipv4 && context.ipv4_over_ipv6_next_hop);
}

}  // namespace

PolicyContext ExportRules::policy_context() const {
  PolicyContext context_of;
  context_of.direction = Direction::export_;
  context_of.peer_type = peer_type;
  context_of.peer = peer;
  context_of.peer_address = peer_address;
  context_of.tunnel = tunnel;
  context_of.local_as = local_as;
  return context_of;
}

ExportRules make_export_rules(PeerId peer, const PeerOptions& options, const SpeakerOptions& speaker,
                              const session::Negotiated& negotiated, const IpAddress& local_address,
                              const LinkAddresses& link) {
  ExportRules rules;
  rules.peer_type = negotiated.peer_type;
  rules.local_as = options.local_as.value_or(speaker.asn);
  // RFC 4456 s.7: the identifier stands for the cluster unless one is configured.
  rules.cluster_id = speaker.cluster_id != RouterId{0} ? speaker.cluster_id : speaker.router_id;
  rules.policy = options.export_policy;
  // RFC 8212 s.3: without a policy nothing is advertised to an eBGP peer.
  if (rules.policy == nullptr)
    rules.policy = rules.peer_type == PeerType::ebgp ? Policy::reject_all() : Policy::accept_all();
  // Only then: a name in the rules would keep peers with equal policies in groups of their own.
  if (rules.policy->reads_peer()) {
    rules.peer = options.name.empty() ? to_text(options.address) : options.name;
    rules.peer_address = to_text(options.address);
    rules.tunnel = options.tunnel;
  }
  // Not for the policy, which does not read it: peers in many ASes with one policy are one group.
  if (options.as_override) rules.peer_as = options.remote_as;
  rules.role = options.role;
  rules.families = negotiated.families;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto i = static_cast<std::size_t>(family);
    if (!rules.families[i]) continue;
    rules.own_next_hop[i] = own_next_hop_form(family, local_address, link, negotiated.send.ipv4_over_ipv6_next_hop);
  }
  // The link matters only where a link-local next hop can be sent, and splits groups otherwise.
  if (rules.peer_type == PeerType::ibgp && rules.families[static_cast<std::size_t>(Family::ipv6)])
    rules.link = link.link;
  rules.context = negotiated.send;
  rules.prepend = options.prepend;
  rules.export_med = options.export_med;
  rules.next_hop_self = options.next_hop_self;
  rules.as_override = options.as_override;
  rules.remove_private_as = options.remove_private_as;
  rules.route_reflector_client = options.route_reflector_client;
  rules.graceful_shutdown = options.graceful_shutdown;
  rules.audience = options.audience;
  // A limit counts what one peer holds, so such a peer is a group of its own.
  if (options.export_limit.max != PrefixLimit{}.max && !options.export_limit.warn_only) {
    rules.limit = options.export_limit.max;
    rules.limited_peer = peer;
  }
  return rules;
}

bool may_tell(const ExportRules& rules, const Source& source, const rib::HotAttrs& attributes) {
  // NO_ADVERTISE: to nobody. NO_EXPORT and NO_EXPORT_SUBCONFED: not beyond our AS (RFC 1997).
  if (attributes.has(rib::HotAttrs::kNoAdvertise)) return false;
  if (rules.peer_type == PeerType::ebgp) {
    if (attributes.has(rib::HotAttrs::kNoExport)) return false;
    // RFC 9234 s.5: what came from a provider, peer or route server goes to customers only.
    const bool away_from_customers =
        rules.role == Role::customer || rules.role == Role::peer || rules.role == Role::route_server_client;
    return !(away_from_customers && attributes.has(rib::HotAttrs::kHasOtc));
  }
  // iBGP: what an internal peer said is not repeated to another, but for reflection (RFC 4456 s.6).
  return source.local || source.external || source.reflector_client || rules.route_reflector_client;
}

bool drops_med(const ExportRules& rules, const Source& source) {
  // RFC 4271 s.5.1.4: a MED that was received is not passed on to another AS. The operator's own is.
  return rules.peer_type == PeerType::ebgp && !source.local;
}

namespace {

/// Everything but the rules about address families and links. True: the next hop is to be our own.
bool shape(const ExportRules& rules, const Source& source, PathAttributes& attributes) {
  if (rules.export_med) attributes.med = rules.export_med;
  if (rules.graceful_shutdown && !attributes.has(kGracefulShutdown)) {  // RFC 8326 s.4.2.
    auto& communities = attributes.communities;
    communities.insert(std::upper_bound(communities.begin(), communities.end(), kGracefulShutdown), kGracefulShutdown);
  }
  const NextHopChoice choice = attributes.local.next_hop;
  const bool unset = !attributes.next_hop.address.is_set();
  if (rules.peer_type == PeerType::ibgp) {
    if (!attributes.local_pref) attributes.local_pref = source.default_local_pref;  // Mandatory (RFC 4271 s.5.1.5).
    const bool reflected = !source.local && !source.external;
    if (reflected) {
      if (!attributes.originator_id) attributes.originator_id = source.router_id;  // RFC 4456 s.8.
      // The newest entry is the leftmost (RFC 4456 s.8).
      attributes.cluster_list.insert(attributes.cluster_list.begin(), rules.cluster_id);
    }
    switch (choice) {
      case NextHopChoice::self:
        return true;
      case NextHopChoice::address:
      case NextHopChoice::unchanged:
        return unset;
      case NextHopChoice::by_rule:
      case NextHopChoice::peer:
        break;
    }
    // A reflector does not touch the next hop (RFC 4456 s.10).
    return unset || (rules.next_hop_self && source.external && !source.local);
  }

  // Before our own AS is added: that one may be private, too.
  if (rules.remove_private_as) remove_private(attributes.as_path);
  if (rules.as_override)
    std::replace(attributes.as_path.asns.begin(), attributes.as_path.asns.end(), rules.peer_as, rules.local_as);
  // Once in any case; `prepend` is what the operator wants beyond it.
  attributes.as_path.prepend(rules.local_as, 1U + rules.prepend);
  // All three mean something within one AS only (RFC 4271 s.5.1.5, RFC 4456 s.8).
  attributes.local_pref.reset();
  attributes.originator_id.reset();
  attributes.cluster_list.clear();
  // RFC 4360 s.6, whoever gave it: after policy, as BIRD and FRR do.
  std::erase_if(attributes.extended_communities, is_non_transitive);
  // RFC 9234 s.5, egress 1: toward a customer, peer or route server client the mark is set where it is missing.
  const bool marks = rules.role == Role::provider || rules.role == Role::peer || rules.role == Role::route_server;
  if (marks && !attributes.only_to_customer) attributes.only_to_customer = rules.local_as;
  switch (choice) {
    case NextHopChoice::address:
    case NextHopChoice::unchanged:
      return unset;
    case NextHopChoice::by_rule:
    case NextHopChoice::self:
    case NextHopChoice::peer:
      break;
  }
  // An announcement of our own may name a next hop; what was learned goes through us.
  return unset || !source.local || choice == NextHopChoice::self;
}

}  // namespace

NextHopFrom make_outgoing(const ExportRules& rules, const Source& source, Family family, PathAttributes& attributes) {
  bool own = shape(rules, source, attributes);
  NextHop& next_hop = attributes.next_hop;
  // RFC 2545 s.3: the link-local half goes only to a peer on the link where it means something. A next hop that is
  // nothing but link-local is replaced elsewhere. What the operator wrote stays.
  const bool written = source.local || attributes.local.next_hop == NextHopChoice::address;
  // A source on our peer's link: its link-local address works there, too.
  if (!own && !written && (source.link == 0 || source.link != rules.link)) {
    next_hop.link_local = {};
    own = next_hop.address.is_link_local_v6();
  }
  // The peer resolves the next hop itself, so its family must be one that the message can carry.
  if (!own && next_hop_fits(next_hop.address, family, rules.context)) return NextHopFrom::route;
  const OwnNextHop form = rules.own_next_hop[static_cast<std::size_t>(family)];
  return form == OwnNextHop::none ? NextHopFrom::nowhere : NextHopFrom::session;
}

OwnAddresses own_addresses(const ExportRules& rules, const IpAddress& local_address, const LinkAddresses& link) {
  OwnAddresses own;
  for (std::size_t i = 0; i < kFamilies; ++i) {
    const OwnNextHop form = rules.own_next_hop[i];
    if (!rules.families[i] || form == OwnNextHop::none) continue;
    const Family family = form == OwnNextHop::ipv4 ? Family::ipv4 : Family::ipv6;
    own[i] = local_address.family == family ? local_address : family == Family::ipv4 ? link.ipv4 : link.ipv6;
  }
  return own;
}

NextHop own_next_hop(const ExportRules& rules, Family family, const OwnAddresses& own) {
  const auto i = static_cast<std::size_t>(family);
  NextHop next_hop;
  next_hop.address = own[i];
  if (rules.own_next_hop[i] == OwnNextHop::ipv6_both) next_hop.link_local = own[i];
  return next_hop;
}

}  // namespace minibgp::speaker
