#include <xfrm/vici/symptoms.h>

#include <algorithm>
#include <array>

namespace minibgp::xfrm::vici {
namespace {

using Kind = Symptom::Kind;

struct LogRow {
  std::string_view words;  ///< Occur in the line,
  std::string_view also;   ///< and these do.
  Kind kind;
  IkeFailure failure;
};

/// First match wins.
constexpr std::array kLogRows = {
    LogRow{"but MAC mismatched", "", Kind::failed, IkeFailure::authentication},
    LogRow{"received AUTHENTICATION_FAILED", "", Kind::final_failure, IkeFailure::authentication},
    LogRow{"received AUTH_FAILED", "", Kind::final_failure, IkeFailure::authentication},
    LogRow{"calculated HASH does not match", "", Kind::final_failure, IkeFailure::authentication},
    LogRow{"could not decrypt payloads", "", Kind::failed, IkeFailure::authentication},
    LogRow{"no shared key found", "", Kind::final_failure, IkeFailure::no_key},
    LogRow{"no private key found", "", Kind::final_failure, IkeFailure::no_key},
    LogRow{"constraint check failed: identity", "", Kind::final_failure, IkeFailure::identity},
    LogRow{"IDir '", "", Kind::final_failure, IkeFailure::identity},
    LogRow{"no matching peer config found", "", Kind::failed, IkeFailure::identity},
    LogRow{"received TS_UNACCEPTABLE", "", Kind::failed, IkeFailure::traffic_selectors},
    LogRow{"no acceptable traffic selectors found", "", Kind::failed, IkeFailure::traffic_selectors},
    LogRow{"received INVALID_ID_INFORMATION", "", Kind::failed, IkeFailure::traffic_selectors},
    LogRow{"received NO_PROPOSAL_CHOSEN", "no CHILD_SA", Kind::failed, IkeFailure::esp_proposal},
    LogRow{"no matching proposal found, trying", "", Kind::failed, IkeFailure::esp_proposal},
    LogRow{"received NO_PROPOSAL_CHOSEN", "", Kind::final_failure, IkeFailure::ike_proposal},
    LogRow{"received proposals unacceptable", "", Kind::failed, IkeFailure::ike_proposal},
    LogRow{"received proposals inacceptable", "", Kind::failed, IkeFailure::ike_proposal},
    LogRow{"received INVALID_KE_PAYLOAD", "no CHILD_SA", Kind::failed, IkeFailure::esp_proposal},
    LogRow{"received INVALID_MAJOR_VERSION", "", Kind::final_failure, IkeFailure::version},
    LogRow{"unable to install", "", Kind::failed, IkeFailure::kernel},
    LogRow{"giving up after", "", Kind::final_failure, IkeFailure::peer_silent},
    LogRow{"peer not responding", "", Kind::silent, IkeFailure::peer_silent},
    // Repeated by the peer: it did not get our answer, but it is alive and asks. Before our own repetitions.
    LogRow{"received retransmit of ", "", Kind::answered, IkeFailure::none},
    LogRow{"retransmit ", " of request ", Kind::silent, IkeFailure::peer_silent},
    LogRow{"parsed ", " response ", Kind::answered, IkeFailure::none},
    LogRow{"parsed ", " request ", Kind::answered, IkeFailure::none},
};

struct AlertRow {
  std::string_view type;
  Kind kind;
  IkeFailure failure;
};

constexpr std::array kAlertRows = {
    AlertRow{"retransmit-send", Kind::silent, IkeFailure::peer_silent},
    AlertRow{"retransmit-send-cleared", Kind::answered, IkeFailure::none},
    AlertRow{"retransmit-send-timeout", Kind::final_failure, IkeFailure::peer_silent},
    AlertRow{"peer-init-unreachable", Kind::final_failure, IkeFailure::peer_silent},
    AlertRow{"peer-auth-failed", Kind::final_failure, IkeFailure::authentication},
    AlertRow{"local-auth-failed", Kind::final_failure, IkeFailure::authentication},
    AlertRow{"proposal-mismatch-ike", Kind::final_failure, IkeFailure::ike_proposal},
    AlertRow{"proposal-mismatch-child", Kind::failed, IkeFailure::esp_proposal},
    AlertRow{"ts-mismatch", Kind::failed, IkeFailure::traffic_selectors},
    AlertRow{"install-child-sa-failed", Kind::failed, IkeFailure::kernel},
    AlertRow{"install-child-policy-failed", Kind::failed, IkeFailure::kernel},
};

}  // namespace

std::optional<Symptom> read_log_event(const Section& event) {
  const std::string_view line = event.value("msg");
  const auto row = std::find_if(kLogRows.begin(), kLogRows.end(), [&](const LogRow& it) {
    // find() of an empty text is at 0, so a row without `also` needs the first words only.
    return line.find(it.words) != std::string_view::npos && line.find(it.also) != std::string_view::npos;
  });
  if (row == kLogRows.end()) return std::nullopt;
  return Symptom{row->kind, row->failure, std::string{event.value("ikesa-name")}, std::string{line}};
}

std::optional<Symptom> read_alert_event(const Section& event) {
  const std::string_view type = event.value("type");
  const auto row =
      std::find_if(kAlertRows.begin(), kAlertRows.end(), [&](const AlertRow& it) { return it.type == type; });
  if (row == kAlertRows.end()) return std::nullopt;
  Symptom symptom{row->kind, row->failure, {}, std::string{type}};
  if (const Section* ike = event.section("ike-sa"); ike && !ike->entries().empty())
    // The section is named after the connection.
    symptom.connection = ike->entries().front().name;
  return symptom;
}

}  // namespace minibgp::xfrm::vici
