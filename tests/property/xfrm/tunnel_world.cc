#include "tunnel_world.h"

#include <bgp/text.h>

#include <algorithm>

namespace minibgp::xfrm::testing {
namespace {

constexpr std::uint8_t kEsp = 50;
const IpAddress kLocal = IpAddress::v4(0xAC101450);  // 172.16.20.80

IpAddress remote_of(std::size_t tunnel) {
  return IpAddress::v4(0xCB007100U + static_cast<std::uint32_t>(tunnel));  // 203.0.113.0 and following
}

}  // namespace

std::string_view to_text(Event event) {
  constexpr std::array<std::string_view, kEvents> kNames = {
      "sa added",   "sa deleted",     "sa expired",    "sa unknown",  "sas flushed",    "dump begins",
      "dump ended", "link seen",      "link missing",  "child up",    "child down",     "child rekeyed",
      "ike down",   "ike rekeyed",    "snapshot",      "charon gone", "retransmitting", "answering",
      "probe lost", "probe answered", "probe unknown", "counters"};
  return kNames[static_cast<std::size_t>(event)];
}

TunnelWorld::TunnelWorld(std::uint64_t seed) : engine_(seed) {
  for (std::size_t i = 0; i < kTunnels; ++i) {
    TunnelOptions tunnel;
    tunnel.name = "t" + std::to_string(i);
    tunnel.mode = i + 1 == kTunnels ? Mode::policy : Mode::interface;
    if (tunnel.mode == Mode::interface) tunnel.if_id = static_cast<std::uint32_t>(42 + i);
    tunnel.ike.emplace().remote_addresses = {minibgp::to_text(remote_of(i))};
    options_.push_back(std::move(tunnel));
  }
}

void TunnelWorld::kernel_event(Event event, std::size_t tunnel, std::function<void(TunnelTable&)> tell) {
  kernel_queue_.push_back({event, tunnel, std::move(tell)});
}

void TunnelWorld::charon_event(Event event, std::size_t tunnel, std::function<void(TunnelTable&)> tell) {
  charon_queue_.push_back({event, tunnel, std::move(tell)});
}

std::array<Sa, 2> TunnelWorld::sas_of(const ChildSa& child, std::size_t tunnel) const {
  Sa in, out;
  in.key = {kLocal, child.spi_in, kEsp};
  in.source = remote_of(tunnel);
  out.key = {remote_of(tunnel), child.spi_out, kEsp};
  out.source = kLocal;
  in.if_id = out.if_id = options_[tunnel].if_id;
  in.reqid = out.reqid = static_cast<std::uint32_t>(tunnel + 1);
  // The kernel says the direction from 6.10 on; the rim finds it out for interfaces; for policies the table does.
  if (options_[tunnel].mode == Mode::interface) {
    in.direction = SaDirection::inbound;
    out.direction = SaDirection::outbound;
  }
  return {in, out};
}

std::size_t TunnelWorld::tunnel_of(const Sa& sa) const {
  for (std::size_t i = 0; i < kTunnels; ++i)
    if (sa.source == remote_of(i) || sa.key.destination == remote_of(i)) return i;
  return 0;
}

ChildSa TunnelWorld::new_child(std::size_t tunnel, std::uint32_t ike_id) {
  ChildSa child;
  child.id = ++last_id_;
  child.ike_id = ike_id;
  child.connection = "bgplite-" + options_[tunnel].name;
  child.name = options_[tunnel].name;
  child.if_id = options_[tunnel].if_id;
  child.spi_in = ++last_spi_;
  child.spi_out = ++last_spi_;
  return child;
}

std::vector<std::uint32_t> TunnelWorld::children_of(std::size_t tunnel) const {
  std::vector<std::uint32_t> ids;
  for (const auto& [id, child] : children_)
    if (child.name == options_[tunnel].name) ids.push_back(id);
  return ids;
}

void TunnelWorld::install(const ChildSa& child, std::size_t tunnel) {
  for (const Sa& sa : sas_of(child, tunnel)) {
    kernel_[sa.key] = sa;
    kernel_event(Event::sa_added, tunnel, [sa](TunnelTable& table) { table.sa_added(sa); });
  }
}

void TunnelWorld::remove(const SaKey& key, std::size_t tunnel, bool expired) {
  if (kernel_.erase(key) == 0) return;
  const Reason why = expired ? Reason::sa_expired : Reason::sa_deleted;
  kernel_event(expired ? Event::sa_expired : Event::sa_deleted, tunnel,
               [key, why](TunnelTable& table) { table.sa_gone(key, why); });
}

/// A new IKE_SA with a child; also while there is one already, which makes a duplicate.
void TunnelWorld::establish(std::size_t tunnel) {
  if (!charon_) return;
  const ChildSa child = new_child(tunnel, ++last_id_);
  children_[child.id] = child;
  sides_[tunnel].retransmitting = false;  // The peer has just answered.
  install(child, tunnel);
  charon_event(Event::child_up, tunnel, [child](TunnelTable& table) { table.child_up(child); });
}

void TunnelWorld::rekey(std::size_t tunnel) {
  const auto ids = children_of(tunnel);
  if (!charon_ || ids.empty()) return;
  const ChildSa old = children_[ids[random(ids.size())]];
  const ChildSa child = new_child(tunnel, old.ike_id);
  children_.erase(old.id);
  children_[child.id] = child;
  install(child, tunnel);
  charon_event(Event::child_rekeyed, tunnel,
               [id = old.id, child](TunnelTable& table) { table.child_rekeyed(id, child); });
  for (const Sa& sa : sas_of(old, tunnel)) remove(sa.key, tunnel, false);
}

void TunnelWorld::rekey_ike(std::size_t tunnel) {
  const auto ids = children_of(tunnel);
  if (!charon_ || ids.empty()) return;
  const std::uint32_t before = children_[ids.front()].ike_id;
  const std::uint32_t after = ++last_id_;
  for (auto& [id, child] : children_)
    if (child.ike_id == before) child.ike_id = after;
  charon_event(Event::ike_rekeyed, tunnel, [before, after](TunnelTable& table) { table.ike_rekeyed(before, after); });
}

/// The peer or the operator deletes a child, or the whole IKE_SA: charon tells, then takes the kernel's SAs away.
void TunnelWorld::end_child(std::size_t tunnel, bool whole_ike) {
  const auto ids = children_of(tunnel);
  if (!charon_ || ids.empty()) return;
  const ChildSa chosen = children_[ids[random(ids.size())]];
  if (whole_ike)
    charon_event(Event::ike_down, tunnel, [id = chosen.ike_id](TunnelTable& table) { table.ike_down(id); });
  for (const std::uint32_t id : ids) {
    const ChildSa child = children_[id];
    if (whole_ike ? child.ike_id != chosen.ike_id : id != chosen.id) continue;
    charon_event(Event::child_down, tunnel, [child](TunnelTable& table) { table.child_down(child); });
    children_.erase(id);
    for (const Sa& sa : sas_of(child, tunnel)) remove(sa.key, tunnel, false);
  }
}

/// One SA reaches its hard lifetime; the kernel deletes it, charon follows with the other.
void TunnelWorld::expire(std::size_t tunnel) {
  const auto ids = children_of(tunnel);
  if (ids.empty()) return;
  const ChildSa child = children_[ids[random(ids.size())]];
  const auto sas = sas_of(child, tunnel);
  const std::size_t first = random(2);
  remove(sas[first].key, tunnel, true);
  if (!charon_) return;
  charon_event(Event::child_down, tunnel, [child](TunnelTable& table) { table.child_down(child); });
  children_.erase(child.id);
  remove(sas[1 - first].key, tunnel, false);
}

void TunnelWorld::flush() {
  kernel_.clear();
  kernel_event(Event::sas_flushed, random(kTunnels), [](TunnelTable& table) { table.sas_flushed(); });
}

/// A charon that dies leaves its SAs in the kernel; one that starts knows none of them.
void TunnelWorld::crash_or_start_charon() {
  charon_queue_.clear();
  reply_queue_.clear();
  const std::size_t tunnel = random(kTunnels);
  if (charon_) {
    charon_ = false;
    children_.clear();
    charon_event(Event::charon_gone, tunnel, [](TunnelTable& table) { table.charon_gone(); });
    for (Side& side : sides_) side.retransmitting = false;
  } else {
    charon_ = true;
    // What was told of the end of the last one may not have been delivered.
    charon_event(Event::charon_gone, tunnel, [](TunnelTable& table) { table.charon_gone(); });
    push_snapshot();
  }
}

void TunnelWorld::push_snapshot() {
  if (!charon_) return;
  std::vector<ChildSa> all;
  for (const auto& [id, child] : children_) all.push_back(child);
  // Over the other connection: it overtakes events, and is overtaken. Not before the connection is known to stand,
  // though, which the first snapshot tells.
  auto& queue =
      charon_queue_.empty() || charon_queue_.front().event != Event::charon_gone ? reply_queue_ : charon_queue_;
  queue.push_back({Event::snapshot, random(kTunnels), [all](TunnelTable& table) { table.set_children(all); }});
}

std::optional<TunnelLink> TunnelWorld::link_of(std::size_t tunnel) const {
  const Side& side = sides_[tunnel];
  if (!side.link) return std::nullopt;
  return TunnelLink{static_cast<std::uint32_t>(10 + tunnel), side.up, side.addressed};
}

void TunnelWorld::change_link(std::size_t tunnel) {
  Side& side = sides_[tunnel];
  switch (random(4)) {
    case 0:
      side.link = !side.link;
      break;
    case 1:
      side.up = !side.up;
      break;
    case 2:
      side.addressed = !side.addressed;
      break;
    default:
      side = Side{true, true, true, side.probe, side.retransmitting};
      break;
  }
  const auto link = link_of(tunnel);
  const auto tell = [name = options_[tunnel].name, link](TunnelTable& table) {
    table.set_link(name, link ? &*link : nullptr);
  };
  link_queue_.push_back({link ? Event::link_seen : Event::link_missing, tunnel, tell});
}

void TunnelWorld::change_probe(std::size_t tunnel) {
  constexpr std::array kResults = {ProbeResult::unknown, ProbeResult::answered, ProbeResult::lost,
                                   ProbeResult::answered};
  constexpr std::array kTold = {Event::probe_unknown, Event::probe_answered, Event::probe_lost, Event::probe_answered};
  const std::size_t which = random(kResults.size());
  sides_[tunnel].probe = kResults[which];
  probe_queue_.push_back(
      {kTold[which], tunnel, [name = options_[tunnel].name, result = kResults[which]](TunnelTable& table) {
         table.set_probe(name, result);
       }});
}

void TunnelWorld::change_retransmission(std::size_t tunnel) {
  if (!charon_) return;
  const bool silent = random(2) == 0;
  sides_[tunnel].retransmitting = silent;
  charon_event(silent ? Event::retransmitting : Event::answering, tunnel,
               [connection = "bgplite-" + options_[tunnel].name, silent](TunnelTable& table) {
                 table.set_retransmitting(connection, silent);
               });
}

/// The kernel drops what waits in the socket; the rim sees ENOBUFS and dumps.
void TunnelWorld::overrun() {
  kernel_queue_.clear();
  dump_fresh_ = true;
  dump_at_ = SaKey{};
  kernel_event(Event::dump_begins, random(kTunnels), [](TunnelTable& table) { table.dump_begins(); });
}

/// The kernel walks its table while it changes: entries are told as they are when the walk comes by.
void TunnelWorld::go_on_with_dump() {
  if (!dump_at_) return;
  const auto next = dump_fresh_ ? kernel_.begin() : kernel_.upper_bound(*dump_at_);
  if (next == kernel_.end()) {
    dump_at_.reset();
    kernel_event(Event::dump_ended, random(kTunnels), [](TunnelTable& table) { table.dump_ended(); });
    return;
  }
  dump_fresh_ = false;
  dump_at_ = next->first;
  kernel_event(Event::sa_added, tunnel_of(next->second),
               [sa = next->second](TunnelTable& table) { table.sa_added(sa); });
}

void TunnelWorld::change() {
  const std::size_t tunnel = random(kTunnels);
  if (dump_at_ && random(2) == 0) go_on_with_dump();
  switch (random(25)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
      return establish(tunnel);
    case 6:
    case 7:
      return rekey(tunnel);
    case 8:
      return rekey_ike(tunnel);
    case 9:
    case 10:
      return end_child(tunnel, false);
    case 11:
      return end_child(tunnel, true);
    case 12:
      return expire(tunnel);
    case 13:
      return flush();
    case 14:
      return crash_or_start_charon();
    case 15:
    case 16:
      return change_link(tunnel);
    case 17:
    case 18:
      return change_probe(tunnel);
    case 19:
      return change_retransmission(tunnel);
    case 20:
      return overrun();
    case 21:
    case 22:
      return push_snapshot();
    case 23:
      return kernel_event(Event::sa_unknown, tunnel, [spi = ++last_spi_](TunnelTable& table) {
        table.sa_gone({kLocal, spi, kEsp}, Reason::sa_deleted);
      });
    default: {
      if (kernel_.empty()) return;
      const Sa sa = std::next(kernel_.begin(), static_cast<std::ptrdiff_t>(random(kernel_.size())))->second;
      return kernel_event(Event::counters, tunnel_of(sa), [key = sa.key, packets = random(1000)](TunnelTable& table) {
        table.set_counters(key, packets, packets * 100);
      });
    }
  }
}

std::optional<Message> TunnelWorld::deliver() {
  std::vector<std::deque<Message>*> waiting;
  for (auto* queue : {&kernel_queue_, &link_queue_, &charon_queue_, &reply_queue_, &probe_queue_})
    if (!queue->empty()) waiting.push_back(queue);
  if (waiting.empty()) return std::nullopt;
  auto& queue = *waiting[random(waiting.size())];
  Message message = std::move(queue.front());
  queue.pop_front();
  return message;
}

void TunnelWorld::come_to_rest() {
  while (dump_at_) go_on_with_dump();
  // The keeper lists the SAs every few seconds: the last list is newer than every event.
  if (!charon_) return;
  std::vector<ChildSa> all;
  for (const auto& [id, child] : children_) all.push_back(child);
  charon_event(Event::snapshot, 0, [all](TunnelTable& table) { table.set_children(all); });
  for (const Message& older : std::exchange(reply_queue_, {})) charon_queue_.push_front(older);
}

void TunnelWorld::tell_all(TunnelTable& table) const {
  table.set_tunnels(options_);
  table.dump_begins();
  for (const auto& [key, sa] : kernel_) table.sa_added(sa);
  table.dump_ended();
  std::vector<ChildSa> all;
  for (const auto& [id, child] : children_) all.push_back(child);
  if (charon_) table.set_children(all);
  for (std::size_t i = 0; i < kTunnels; ++i) {
    const auto link = link_of(i);
    table.set_link(options_[i].name, link ? &*link : nullptr);
    table.set_probe(options_[i].name, sides_[i].probe);
    table.set_retransmitting("bgplite-" + options_[i].name, sides_[i].retransmitting);
  }
}

TunnelState TunnelWorld::naive_state(std::size_t tunnel) const {
  const Side& side = sides_[tunnel];
  if (options_[tunnel].mode == Mode::interface && !(side.link && side.up && side.addressed)) return TunnelState::down;
  bool in = false, out = false, known_in = false, known_out = false;
  for (const auto& [key, sa] : kernel_) {
    if (sa.source != remote_of(tunnel) && key.destination != remote_of(tunnel)) continue;
    const bool outbound = key.destination == remote_of(tunnel);
    (outbound ? out : in) = true;
    for (const auto& [id, child] : children_)
      if (child.spi_in == key.spi || child.spi_out == key.spi) (outbound ? known_out : known_in) = true;
  }
  if (!in || !out || side.probe == ProbeResult::lost) return TunnelState::down;
  if (known_in && known_out) return TunnelState::up;
  return side.probe == ProbeResult::answered ? TunnelState::suspect : TunnelState::down;
}

}  // namespace minibgp::xfrm::testing
