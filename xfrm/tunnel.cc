#include <xfrm/tunnel.h>

namespace minibgp::xfrm {

std::string_view to_text(TunnelState state) {
  switch (state) {
    case TunnelState::down:
      return "down";
    case TunnelState::suspect:
      return "suspect";
    case TunnelState::up:
      return "up";
  }
  return "?";
}

std::string_view to_text(Reason reason) {
  switch (reason) {
    case Reason::ready:
      return "ready";
    case Reason::starting:
      return "starting";
    case Reason::interface_missing:
      return "interface missing";
    case Reason::interface_down:
      return "interface down";
    case Reason::no_carrier:
      return "interface has no carrier";
    case Reason::underlay_missing:
      return "underlay device missing";
    case Reason::underlay_down:
      return "underlay device down";
    case Reason::underlay_no_carrier:
      return "underlay device has no carrier";
    case Reason::local_address_missing:
      return "local IKE address missing";
    case Reason::endpoint_unroutable:
      return "no route to the peer's IKE address";
    case Reason::gateway_silent:
      return "underlay gateway does not answer";
    case Reason::selectors_narrowed:
      return "traffic selectors narrowed by the peer";
    case Reason::charon_dead:
      return "charon is not running";
    case Reason::charon_silent:
      return "charon does not answer";
    case Reason::address_missing:
      return "address missing";
    case Reason::sa_missing:
      return "no SA";
    case Reason::sa_deleted:
      return "SA deleted";
    case Reason::sa_expired:
      return "SA expired";
    case Reason::sa_flushed:
      return "all SAs flushed";
    case Reason::child_down:
      return "CHILD_SA down";
    case Reason::ike_down:
      return "IKE_SA down";
    case Reason::probe_lost:
      return "no answer to echo probes";
    case Reason::damped:
      return "held down: it flaps";
    case Reason::sa_orphaned:
      return "SAs unknown to charon";
    case Reason::retransmitting:
      return "peer does not answer IKE";
    case Reason::no_inbound:
      return "nothing comes back";
  }
  return "?";
}

std::string_view to_text(Mode mode) {
  return mode == Mode::interface ? "interface" : mode == Mode::policy ? "policy" : "link";
}

std::string_view to_text(IkeFailure failure) {
  switch (failure) {
    case IkeFailure::none:
      return "none";
    case IkeFailure::authentication:
      return "authentication failed: key or identity differ";
    case IkeFailure::identity:
      return "the peer's identity is not the configured one";
    case IkeFailure::no_key:
      return "no key for this pair of identities";
    case IkeFailure::ike_proposal:
      return "no common IKE proposal or version";
    case IkeFailure::esp_proposal:
      return "no common ESP proposal";
    case IkeFailure::traffic_selectors:
      return "traffic selectors not acceptable";
    case IkeFailure::version:
      return "IKE version not supported by the peer";
    case IkeFailure::peer_silent:
      return "the peer does not answer";
    case IkeFailure::kernel:
      return "the kernel refused the SA or policy";
  }
  return "?";
}

}  // namespace minibgp::xfrm
