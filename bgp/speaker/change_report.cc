#include <bgp/speaker/change_report.h>

namespace minibgp::speaker {

std::optional<BestChanged> ChangeReport::next_batch(Selection selection) {
  base::DirtySet& changed = of_.table.changed();
  batch_.clear();
  const auto ecmp_weight = [this](PeerId peer) -> std::uint16_t {
    const Peering* const peering = of_.peers.find(peer);
    return peering == nullptr ? 1 : peering->options.ecmp_weight;
  };
  std::size_t count = 0;
  const bool deferred = selection == Selection::deferred;
  // What was held back comes before what changed since, within the same limit for a turn.
  for (; !deferred && count < kBestChangesPerTurn && !unreported_.empty(); ++count) {
    const rib::RouteId id{unreported_.take()};
    // What came and went during the deferral was never reported; what changed since comes below, once.
    if (changed.contains(static_cast<std::uint32_t>(id))) continue;
    if (of_.table.contains(id) && of_.table.route(id).best_path() != nullptr)
      batch_.add(of_.table.route(id), ecmp_weight);
  }
  for (; count < kBestChangesPerTurn && !changed.empty(); ++count) {
    const rib::RouteId id{changed.take()};
    ++taken_;
    if (deferred) {
      unreported_.add(static_cast<std::uint32_t>(id));
    } else {
      batch_.add(of_.table.route(id), ecmp_weight);
    }
    of_.exporter.route_changed(id);  // May free the route.
  }
  if (batch_.empty()) return std::nullopt;
  // The view is valid until the batch is cleared by the next call.
  return BestChanged{batch_.changes()};
}

/// Routes of the peer are settled when the stale ones are gone and the next hop of each is known; from then on a count
/// of the changes that wait says when they were reported.
std::optional<EndOfRib> ChangeReport::next_end_of_rib(Selection selection) {
  // After the deferral everything held back is reported first; it may be routes of that peer.
  if (ends_.empty() || selection == Selection::deferred || !unreported_.empty()) return std::nullopt;
  for (auto pending = ends_.begin(); pending != ends_.end(); ++pending) {
    if (pending->after == kNotSettled) {
      if (!of_.sweeper.idle(pending->end.peer) || of_.next_hops.waits_for_answers()) continue;
      // All that waits now may be of this peer. `taken_` counts changes that were taken, so this many later all were
      // reported.
      pending->after = taken_ + of_.table.changed().size();
    }
    if (taken_ < pending->after) continue;
    const EndOfRib end = pending->end;
    ends_.erase(pending);
    return end;
  }
  return std::nullopt;
}

void ChangeReport::forget(PeerId peer) {
  std::erase_if(ends_, [&](const PendingEndOfRib& pending) { return pending.end.peer == peer; });
}

bool ChangeReport::take_restart_complete(bool restart_is_over) {
  if (!restart_is_over || restart_reported_ || !of_.table.changed_empty() || !unreported_.empty()) return false;
  restart_reported_ = true;
  return true;
}

}  // namespace minibgp::speaker
