#include <xfrm/vici/events.h>
#include <xfrm/vici/sa_view.h>
#include <xfrm/vici/symptoms.h>

namespace minibgp::xfrm::vici {
namespace {

void take_symptom(const std::optional<Symptom>& symptom, TunnelTable& table, IkeKeeper& keeper, Time now) {
  if (!symptom) return;
  if (symptom->kind == Symptom::Kind::silent) table.set_retransmitting(symptom->connection, true);
  if (symptom->kind == Symptom::Kind::answered) table.set_retransmitting(symptom->connection, false);
  keeper.symptom(*symptom, now);
}

void take_children(const Section& message, TunnelTable& table) {
  const bool up = message.yes("up");
  for (IkeView& ike : read_ikes(message))
    for (ChildSa& child : ike.children) {
      // The state of a child in this event is not its own: `up` says what happened.
      child.usable = up;
      up ? table.child_up(child) : table.child_down(child);
    }
}

}  // namespace

void take_event(std::string_view name, const Section& message, TunnelTable& table, IkeKeeper& keeper, Time now) {
  if (name == "log") return take_symptom(read_log_event(message), table, keeper, now);
  if (name == "alert") return take_symptom(read_alert_event(message), table, keeper, now);
  if (name == "child-updown") take_children(message, table);
  // Only its end means something for the SAs; its begin is followed by child-updown.
  if (name == "ike-updown" && !message.yes("up"))
    for (const IkeView& ike : read_ikes(message)) table.ike_down(ike.id);
  if (name == "child-rekey")
    for (const ChildRekey& rekey : read_child_rekeys(message)) table.child_rekeyed(rekey.old_id, rekey.successor);
  if (name == "ike-rekey")
    for (const auto& [before, after] : read_ike_rekeys(message)) table.ike_rekeyed(before, after);
  // After any event the list is read again soon: an event may have been lost.
  keeper.look_again(now);
}

}  // namespace minibgp::xfrm::vici
