/// Symptoms: what charon's words mean. Before strongSwan 6.0.3 (its `alert` event) the reason why a negotiation failed
/// is only in the log, which VICI streams too: one table turns a line of it, or an alert, into a value.
///
/// The words are strongSwan 5.9's and 6.0's. A line this table does not know changes nothing. They are the last resort:
/// what the kernel and charon's lists say counts more, and TunnelTable lets each hint expire.
#pragma once

#include <xfrm/tunnel.h>
#include <xfrm/vici/packet.h>

#include <optional>
#include <string>
#include <string_view>

namespace minibgp::xfrm::vici {

struct Symptom {
  enum class Kind : std::uint8_t {
    failed,        ///< A negotiation failed; `failure` says why.
    silent,        ///< The peer did not answer a request: it is being repeated.
    answered,      ///< It answers, or asks: it is alive.
    final_failure  ///< charon gave the negotiation up for good and will not try again by itself.
  };
  Kind kind = Kind::failed;
  IkeFailure failure = IkeFailure::none;
  std::string connection;  ///< charon's name; empty: not bound to one.
  std::string words;       ///< charon's.
};

/// From an event "log": {group, level, ikesa-name, ikesa-uniqueid, msg}.
[[nodiscard]] std::optional<Symptom> read_log_event(const Section& event);
/// From an event "alert": {type, ike-sa {NAME {...}}}.
[[nodiscard]] std::optional<Symptom> read_alert_event(const Section& event);

}  // namespace minibgp::xfrm::vici
