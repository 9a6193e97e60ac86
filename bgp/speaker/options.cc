/// Options: which can be used, and what a change of them costs. Pure functions of the values, declared in bgp/engine.h.
#include <bgp/policy.h>
#include <bgp/speaker_options.h>
#include <bgp/wire/numbers.h>

#include <algorithm>

namespace minibgp {
namespace {

/// TCP_MD5SIG_MAXKEYLEN.
constexpr std::size_t kMd5KeyMax = 80;

// AS_TRANS stands for a number that does not fit; no peer can have it (RFC 6793).
bool is_bad_asn(Asn asn) { return asn == Asn{0} || asn == Asn{wire::kAsTrans}; }

bool is_unicast(const IpAddress& address) {
  if (!address.is_set()) return false;
  if (address.family == Family::ipv4) return address.octets[0] < 224;
  // ::ffff:0:0/96 would be an IPv4 peer under a second name.
  const bool mapped = std::all_of(address.octets.begin(), address.octets.begin() + 10, [](auto o) { return o == 0; }) &&
                      address.octets[10] == 0xFF && address.octets[11] == 0xFF;
  return address.octets[0] != 0xFF && !mapped;
}

/// The options as they are in force: defaults that depend on others are filled in, and what has no effect beside the
/// others has its default.
PeerOptions in_force(PeerOptions options, const SpeakerOptions& speaker) {
  const PeerOptions none;
  const bool external = options.remote_as != options.local_as.value_or(speaker.asn);
  options.local_as = options.local_as.value_or(speaker.asn);
  if (options.name.empty()) options.name = none.name;

  const std::uint16_t third = std::max<std::uint16_t>(1, options.timers.hold_s / 3);
  if (options.timers.keepalive_s == 0 || options.timers.keepalive_s > third || options.timers.hold_s == 0)
    options.timers.keepalive_s = third;
  if (options.tcp_user_timeout_ms == 0) options.tcp_user_timeout_ms = std::uint32_t{options.timers.hold_s} * 1000U;
  if (options.ttl_security_hops != 0) {
    options.ttl = 255;
  } else if (options.ttl == 0) {
    options.ttl = external ? 1 : 255;
  }
  if (options.passive) options.port = none.port;
  if (options.graceful_restart == GracefulRestart::off) options.restart_time_s = none.restart_time_s;

  const auto policy = [&](std::shared_ptr<const Policy>& of) {
    // A policy that takes or refuses all is the same whatever it is called, so that such a change costs nothing.
    // RFC 8212 s.3.
    if (of == nullptr) of = external ? Policy::reject_all() : Policy::accept_all();
    if (of->takes_all()) of = Policy::accept_all();
    if (of->refuses_all()) of = Policy::reject_all();
  };
  policy(options.import_policy);
  policy(options.export_policy);

  if (external) {
    options.route_reflector_client = none.route_reflector_client;
    options.next_hop_self = none.next_hop_self;
    if (options.role == Role::none) options.role_strict = none.role_strict;
  } else {
    options.role = none.role;
    options.role_strict = none.role_strict;
    options.prepend = none.prepend;
    options.as_override = none.as_override;
    options.remove_private_as = none.remove_private_as;
    options.enforce_first_as = none.enforce_first_as;
  }
  return options;
}

/// `after` with those options taken from `before` that change nothing but the options themselves.
PeerOptions without_live(PeerOptions after, const PeerOptions& before) {
  // A name that a policy reads may change what it says.
  const bool named = after.import_policy->reads_peer() || after.export_policy->reads_peer();
  if (!named) after.name = before.name;
  after.timers.keepalive_s = before.timers.keepalive_s;
  after.timers.connect_retry_s = before.timers.connect_retry_s;
  after.timers.send_hold_s = before.timers.send_hold_s;
  after.import_limit = before.import_limit;
  after.export_limit = before.export_limit;
  return after;
}

/// The same for those that have routes evaluated again. What is not here resets: a new option does until it is known to
/// cost less.
PeerOptions without_refresh(PeerOptions after, const PeerOptions& before) {
  after.name = before.name;
  after.import_policy = before.import_policy;
  after.export_policy = before.export_policy;
  after.next_hop_self = before.next_hop_self;
  after.prepend = before.prepend;
  after.export_med = before.export_med;
  after.default_local_pref = before.default_local_pref;
  after.allow_as_in = before.allow_as_in;
  after.as_override = before.as_override;
  after.remove_private_as = before.remove_private_as;
  after.enforce_first_as = before.enforce_first_as;
  after.route_reflector_client = before.route_reflector_client;
  after.ecmp_weight = before.ecmp_weight;
  after.graceful_shutdown = before.graceful_shutdown;
  after.audience = before.audience;
  return after;
}

}  // namespace

std::optional<ApiError> validate(const SpeakerOptions& options) {
  if (is_bad_asn(options.asn)) return ApiError::bad_asn;
  if (options.router_id == RouterId{0}) return ApiError::bad_router_id;
  if (options.maximum_paths < 1 || options.maximum_paths > 64) return ApiError::bad_paths;
  return std::nullopt;
}

std::optional<ApiError> validate(const PeerOptions& options) {
  const IpAddress& address = options.address;
  if (!is_unicast(address)) return ApiError::bad_address;
  if (options.local_address.is_set() && options.local_address.family != address.family) return ApiError::bad_address;
  if (address.is_link_local_v6() && options.device.empty()) return ApiError::bad_address;
  if (is_bad_asn(options.remote_as) || (options.local_as && is_bad_asn(*options.local_as))) return ApiError::bad_asn;
  // RFC 4271 s.4.2: 0, or at least 3 seconds. RFC 4724 s.3: the restart time has 12 bits.
  if (options.timers.hold_s == 1 || options.timers.hold_s == 2 || options.restart_time_s > 4095)
    return ApiError::bad_timer;
  if (!options.families[0] && !options.families[1]) return ApiError::no_family;
  // GTSM trusts 255 - hops + 1; 255 hops would accept any packet that arrived.
  if (options.ttl_security_hops == 255) return ApiError::bad_ttl;
  if (options.ecmp_weight == 0) return ApiError::bad_weight;
  if (options.import_limit.max == 0 || options.export_limit.max == 0) return ApiError::bad_limit;
  if (options.md5_key.view().size() > kMd5KeyMax) return ApiError::bad_md5_key;
  return std::nullopt;
}

std::string_view to_text(ApiError error) {
  switch (error) {
    case ApiError::bad_address:
      return "the address is not a unicast address, or an IPv6 link-local one without a device";
    case ApiError::bad_asn:
      return "an AS number is 0 or 23456 (AS_TRANS)";
    case ApiError::bad_router_id:
      return "the router id is 0.0.0.0";
    case ApiError::bad_timer:
      return "the hold time is 1 s or 2 s, or the restart time is beyond 4095 s";
    case ApiError::bad_paths:
      return "maximum_paths is not 1 to 64";
    case ApiError::no_family:
      return "no address family is on: neither IPv4 nor IPv6";
    case ApiError::bad_ttl:
      return "ttl_security is beyond 254 hops";
    case ApiError::bad_weight:
      return "the weight is 0";
    case ApiError::bad_limit:
      return "a prefix limit is 0";
    case ApiError::bad_md5_key:
      return "the TCP-MD5 key is longer than 80 octets";
    case ApiError::duplicate_peer:
      return "another peer has the same address";
    case ApiError::too_many_peers:
      return "there are 65534 peers already";
    case ApiError::unknown_peer:
      return "the peer was removed";
    case ApiError::session_is_up:
      return "the session is up: stop the peer first";
  }
  return "";
}

ChangeCost cost_of_change(const PeerOptions& before, const PeerOptions& after, const SpeakerOptions& speaker) {
  const PeerOptions running = in_force(before, speaker);
  PeerOptions wanted = in_force(after, speaker);
  if (wanted == running) return ChangeCost::none;
  // Without a session there is none to end, and enabling a peer ends none.
  // A disabled peer has no session that a change could end.
  if (!running.enabled) return ChangeCost::live;
  wanted = without_live(std::move(wanted), running);
  if (wanted == running) return ChangeCost::live;
  wanted = without_refresh(std::move(wanted), running);
  return wanted == running ? ChangeCost::refresh : ChangeCost::reset;
}

ChangeCost cost_of_change(const SpeakerOptions& before, const SpeakerOptions& after) {
  if (before.asn != after.asn || before.router_id != after.router_id) return ChangeCost::reset;
  const auto cluster = [](const SpeakerOptions& of) {
    return of.cluster_id != RouterId{0} ? of.cluster_id : of.router_id;
  };
  if (cluster(before) != cluster(after)) return ChangeCost::refresh;
  const bool same = before.maximum_paths == after.maximum_paths && before.multipath == after.multipath &&
                    before.always_compare_med == after.always_compare_med &&
                    before.prefer_oldest == after.prefer_oldest;
  return same ? ChangeCost::none : ChangeCost::live;
}

}  // namespace minibgp
