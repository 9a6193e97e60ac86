#include <bgp/text.h>
#include <xfrm/tunnel_table.h>
#include <xfrm/verdict.h>

#include <algorithm>
#include <utility>

namespace minibgp::xfrm {
namespace {

constexpr std::size_t kNobody = static_cast<std::size_t>(-1);

/// With fewer packets sent than this since the last one received, silence means nothing.
constexpr std::uint64_t kSentInSilence = 3;

std::vector<IpAddress> remote_addresses(const TunnelOptions& options) {
  std::vector<IpAddress> remotes;
  if (!options.ike) return remotes;
  for (const std::string& text : options.ike->remote_addresses)
    if (const auto address = parse_address(text)) remotes.push_back(*address);
  return remotes;
}

std::string connection_of(const TunnelOptions& options) {
  // The prefix of the connections that IkeKeeper loads; pure code does not include vici.
  return options.ike ? "bgplite-" + options.name : options.watch_connection;
}

bool covers(const std::vector<Prefix>& selectors, const IpAddress& address) {
  return std::any_of(selectors.begin(), selectors.end(), [&](const Prefix& it) { return it.contains(address); });
}

bool contains(const std::vector<IpAddress>& addresses, const IpAddress& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

}  // namespace

TunnelTable::Tunnel* TunnelTable::find(std::string_view name) {
  const auto found = std::find_if(tunnels_.begin(), tunnels_.end(), [&](const Tunnel& it) { return it.name == name; });
  return found == tunnels_.end() ? nullptr : &*found;
}

const TunnelTable::Tunnel* TunnelTable::find(std::string_view name) const {
  return const_cast<TunnelTable*>(this)->find(name);  // NOLINT: the lookup changes nothing.
}

void TunnelTable::set_tunnels(std::span<const TunnelOptions> tunnels) {
  std::vector<Tunnel> next;
  for (const TunnelOptions& options : tunnels) {
    Tunnel tunnel;
    // What is known of the tunnel's state stays. Another mode or if_id means other SAs and another interface.
    if (Tunnel* old = find(options.name); old && old->mode == options.mode && old->if_id == options.if_id)
      tunnel = std::move(*old);
    tunnel.name = options.name;
    tunnel.connection = connection_of(options);
    tunnel.group = options.group;
    tunnel.mode = options.mode;
    tunnel.if_id = options.if_id;
    tunnel.remotes = remote_addresses(options);
    tunnel.carries = options.carries;
    tunnel.ours = options.ike.has_value();
    next.push_back(std::move(tunnel));
  }
  tunnels_ = std::move(next);
}

std::size_t TunnelTable::owner_of(const ChildSa& child) const {
  for (std::size_t i = 0; i < tunnels_.size(); ++i) {
    const Tunnel& tunnel = tunnels_[i];
    if (tunnel.mode == Mode::link) continue;
    // Of an interface the if_id decides, whoever made the SA; of a policy the connection.
    if (tunnel.mode == Mode::interface ? child.if_id == tunnel.if_id : child.connection == tunnel.connection) return i;
  }
  return kNobody;
}

std::size_t TunnelTable::owner_of(const Sa& sa) const {
  for (std::size_t i = 0; i < tunnels_.size(); ++i) {
    const Tunnel& tunnel = tunnels_[i];
    if (tunnel.mode == Mode::link) continue;
    if (tunnel.mode == Mode::interface) {
      if (sa.if_id == tunnel.if_id) return i;
    } else if (sa.if_id == 0 && (contains(tunnel.remotes, sa.source) || contains(tunnel.remotes, sa.key.destination))) {
      return i;
    }
  }
  // SAs with an if_id have been looked at above; what follows is for policies.
  if (sa.if_id != 0) return kNobody;
  // Last, because it is O(children) for each SA.
  // A policy-based tunnel whose remote address is a name, or that we only watch: charon knows the SPIs.
  for (const auto& [id, child] : children_)
    if (child.sa.if_id == 0 && (child.sa.spi_in == sa.key.spi || child.sa.spi_out == sa.key.spi))
      return owner_of(child.sa);
  return kNobody;
}

bool TunnelTable::owns(const Tunnel& tunnel, const Sa& sa) const {
  const std::size_t owner = owner_of(sa);
  return owner != kNobody && &tunnels_[owner] == &tunnel;
}

const TunnelTable::Child* TunnelTable::child_of(const Sa& sa, std::size_t owner) const {
  for (const auto& [id, child] : children_) {
    // An SPI is unique only together with its destination, so the direction is part of the comparison where it is
    // known.
    const bool spi_fits = sa.direction == SaDirection::inbound ? child.sa.spi_in == sa.key.spi
                          : sa.direction == SaDirection::outbound
                              ? child.sa.spi_out == sa.key.spi
                              : child.sa.spi_in == sa.key.spi || child.sa.spi_out == sa.key.spi;
    if (spi_fits && owner_of(child.sa) == owner) return &child;
  }
  return nullptr;
}

/// Whether charon made it for a connection that is not the tunnel's, between the same addresses.
bool TunnelTable::is_of_others(const Sa& sa, std::size_t owner) const {
  return std::any_of(children_.begin(), children_.end(), [&](const auto& it) {
    const ChildSa& child = it.second.sa;
    return child.if_id == sa.if_id && (child.spi_in == sa.key.spi || child.spi_out == sa.key.spi) &&
           owner_of(child) != owner;
  });
}

SaDirection TunnelTable::direction_of(const Sa& sa, std::size_t owner) const {
  // From the most certain to the least: the kernel, the peer's addresses, charon.
  if (sa.direction != SaDirection::unknown) return sa.direction;
  if (contains(tunnels_[owner].remotes, sa.key.destination)) return SaDirection::outbound;
  if (contains(tunnels_[owner].remotes, sa.source)) return SaDirection::inbound;
  if (const Child* child = child_of(sa, owner))
    return child->sa.spi_in == sa.key.spi ? SaDirection::inbound : SaDirection::outbound;
  return SaDirection::unknown;
}

void TunnelTable::sa_added(const Sa& sa) {
  SaRecord& record = sas_[sa.key];
  const SaDirection known = record.sa.direction;
  record.sa = sa;
  // Known again, by a dump or a renewed notification, which may lack the direction that was found before.
  if (sa.direction == SaDirection::unknown) record.sa.direction = known;
  // Also outside of a dump, where the mark means nothing.
  record.in_dump = true;
}

void TunnelTable::sa_gone(const SaKey& key, Reason why) {
  const auto found = sas_.find(key);
  if (found == sas_.end()) return;
  if (const std::size_t owner = owner_of(found->second.sa); owner != kNobody) {
    // What charon gave up before is not lost a second time: the first cause stays.
    const Child* child = child_of(found->second.sa, owner);
    tunnels_[owner].last_loss = child && child->gone != Reason::ready ? child->gone : why;
  }
  sas_.erase(found);
}

void TunnelTable::sas_flushed() {
  for (const auto& [key, record] : sas_)
    if (const std::size_t owner = owner_of(record.sa); owner != kNobody) tunnels_[owner].last_loss = Reason::sa_flushed;
  sas_.clear();
}

void TunnelTable::dump_begins() {
  dumping_ = true;
  for (auto& [key, record] : sas_) record.in_dump = false;
}

void TunnelTable::dump_ended() {
  if (!dumping_) return;
  dumping_ = false;
  // What the dump did not show is gone, and its notification was lost.
  for (auto it = sas_.begin(); it != sas_.end();) {
    if (it->second.in_dump) {
      ++it;
      continue;
    }
    // Before it is erased: its owner may be found through charon's children only.
    if (const std::size_t owner = owner_of(it->second.sa); owner != kNobody)
      tunnels_[owner].last_loss = Reason::sa_missing;
    it = sas_.erase(it);
  }
}

void TunnelTable::set_link(std::string_view tunnel, const TunnelLink* link) {
  Tunnel* found = find(tunnel);
  if (!found) return;
  found->has_link = link != nullptr;
  found->link = link ? *link : TunnelLink{};
}

void TunnelTable::charon_gone() {
  if (charon_ == Charon::answers) charon_ = Charon::silent;
  // What it said does not hold any more: until it answers again the kernel's SAs are judged alone.
  children_.clear();
}

void TunnelTable::charon_refuses() {
  charon_gone();
  charon_ = Charon::dead;
}

void TunnelTable::set_children(std::vector<ChildSa> children) {
  charon_ = Charon::answers;
  charon_seen_ = true;
  charon_silent_since_ = kNever;
  // Each list begins by marking all as absent; those in it are replaced below.
  for (auto& [id, child] : children_) ++child.absent;
  // What charon gave up stays the verdict over its SAs as long as the kernel has them.
  std::erase_if(children_, [&](const auto& it) { return it.second.gone != Reason::ready && !in_kernel(it.second.sa); });
  for (ChildSa& child : children) {
    const std::uint32_t id = child.id;
    const Reason gone = child.usable ? Reason::ready : Reason::child_down;
    // The whole record is new, `absent` and all.
    children_[id] = Child{std::move(child), gone, 0, kNever};
  }
}

bool TunnelTable::in_kernel(const ChildSa& child) const {
  return std::any_of(sas_.begin(), sas_.end(),
                     [&](const auto& it) { return it.first.spi == child.spi_in || it.first.spi == child.spi_out; });
}

void TunnelTable::forget_absent_children(Time now) {
  for (auto it = children_.begin(); it != children_.end();) {
    Child& child = it->second;
    if (child.absent == 0 || child.gone != Reason::ready) {
      ++it;
      continue;
    }
    if (child.absent_since == kNever) child.absent_since = now;
    // One list alone may have been made in the middle of a rekey.
    // Two lists and some time: charon may be asked several times within one rekey.
    const bool forgotten = child.absent >= 2 && now - child.absent_since >= kConfirmGrace;
    if (!forgotten && child.absent >= 2) deadline_ = std::min(deadline_, child.absent_since + kConfirmGrace);
    it = forgotten ? children_.erase(it) : std::next(it);
  }
}

void TunnelTable::child_up(const ChildSa& child) {
  children_[child.id] = Child{child};
  // A new CHILD_SA was negotiated, so the peer has answered.
  if (const std::size_t owner = owner_of(child); owner != kNobody) tunnels_[owner].retransmitting = false;
}

void TunnelTable::child_down(const ChildSa& child) {
  // Kept, as the verdict over its SAs, until the next snapshot; of two causes the first stays.
  const auto known = children_.find(child.id);
  const bool condemned = known != children_.end() && known->second.gone != Reason::ready;
  children_[child.id] = Child{child, condemned ? known->second.gone : Reason::child_down, 0, kNever};
}

void TunnelTable::child_rekeyed(std::uint32_t old_id, const ChildSa& successor) {
  // charon may give the successor the id of the old one.
  if (old_id != successor.id) children_.erase(old_id);
  children_[successor.id] = Child{successor};
}

void TunnelTable::ike_down(std::uint32_t ike_id) {
  // The CHILD_SAs of an IKE_SA go with it, and charon does not report each.
  for (auto& [id, child] : children_)
    if (child.sa.ike_id == ike_id) child.gone = Reason::ike_down;
}

void TunnelTable::ike_rekeyed(std::uint32_t old_ike_id, std::uint32_t new_ike_id) {
  for (auto& [id, child] : children_)
    if (child.sa.ike_id == old_ike_id) child.sa.ike_id = new_ike_id;
}

void TunnelTable::set_retransmitting(std::string_view connection, bool retransmitting) {
  for (Tunnel& tunnel : tunnels_) {
    if (connection.empty() || tunnel.connection != connection) continue;
    tunnel.retransmitting = retransmitting;
    // hint() sets the time anew: a hint lives for kHintLife from when it is judged first.
    tunnel.retransmitting_until = kNever;
  }
}

void TunnelTable::set_underlay(std::string_view tunnel, Reason underlay) {
  if (Tunnel* found = find(tunnel)) found->underlay = underlay;
}

void TunnelTable::set_probe(std::string_view tunnel, ProbeResult result) {
  if (Tunnel* found = find(tunnel)) found->probe = result;
}

void TunnelTable::set_counters(const SaKey& key, std::uint64_t packets, std::uint64_t bytes) {
  const auto found = sas_.find(key);
  if (found == sas_.end()) return;
  SaRecord& record = found->second;
  // Fewer than before: the kernel has the same SA anew, and counts from 0.
  // Counts are sums over SAs, so that a rekey does not look like silence.
  const std::uint64_t more = packets > record.packets ? packets - record.packets : 0;
  record.packets = packets;
  record.bytes = bytes;
  const std::size_t owner = owner_of(record.sa);
  if (owner == kNobody) return;
  const SaDirection direction = direction_of(record.sa, owner);
  if (direction == SaDirection::inbound) tunnels_[owner].received += more;
  if (direction == SaDirection::outbound) tunnels_[owner].sent += more;
}

/// An SA without a tunnel.
void TunnelTable::judge_former(SaRecord& record, Time now) {
  if (record.dead || !former_.contains(record.sa.if_id)) return;
  const bool known = std::any_of(children_.begin(), children_.end(), [&](const auto& it) {
    return it.second.sa.spi_in == record.sa.key.spi || it.second.sa.spi_out == record.sa.key.spi;
  });
  // Without charon nothing can be confirmed, so the time does not run.
  if (known || charon_ != Charon::answers) {
    record.unconfirmed_since = kNever;
    return;
  }
  if (record.unconfirmed_since == kNever) record.unconfirmed_since = now;
  record.dead = now - record.unconfirmed_since >= kConfirmGrace;
  if (!record.dead) deadline_ = std::min(deadline_, record.unconfirmed_since + kConfirmGrace);
}

bool TunnelTable::has_former_sas() const {
  if (former_.empty()) return false;
  // While charon is silent it is not known, and the question has to be asked again.
  return charon_ != Charon::answers || std::any_of(sas_.begin(), sas_.end(), [&](const auto& it) {
           return former_.contains(it.second.sa.if_id) && owner_of(it.second.sa) == kNobody;
         });
}

void TunnelTable::count_sas(Time now) {
  for (Tunnel& tunnel : tunnels_) tunnel.count = SaCount{};
  std::vector<std::pair<SaRecord*, std::size_t>> orphans;
  const bool silent = charon_silent_since_ != kNever && now - charon_silent_since_ >= kConfirmGrace;
  for (auto& [key, record] : sas_) {
    const std::size_t owner = owner_of(record.sa);
    if (owner == kNobody) judge_former(record, now);
    if (owner == kNobody || record.dead || is_of_others(record.sa, owner)) continue;
    const SaDirection direction = direction_of(record.sa, owner);
    // Stored, because ends_of() and fill() use the direction without looking for it again.
    record.sa.direction = direction;
    SaCount& count = tunnels_[owner].count;
    // With a child that charon gave up the SA does not count, although the kernel has it.
    const Child* child = child_of(record.sa, owner);
    if (child && child->gone != Reason::ready) {
      count.condemned = true;
      count.condemned_why = child->gone;
      continue;
    }
    if (child) record.doubted = false;
    if (silent && without_charon(tunnels_[owner])) record.doubted = true;
    if (child || charon_ != Charon::answers) {
      record.unconfirmed_since = kNever;
    } else if (record.unconfirmed_since == kNever) {
      record.unconfirmed_since = now;
    }
    const bool orphan = record.unconfirmed_since != kNever && now - record.unconfirmed_since >= kConfirmGrace;
    if (record.unconfirmed_since != kNever && !orphan)
      // settle() is called again when the time is over, without any event.
      deadline_ = std::min(deadline_, record.unconfirmed_since + kConfirmGrace);
    if (orphan) {
      // Known to the kernel alone, while charon answers: it may be left from a crash of charon.
      record.doubted = true;
      orphans.emplace_back(&record, owner);
      continue;
    }
    count.confirmed_in = count.confirmed_in || direction == SaDirection::inbound;
    count.confirmed_out = count.confirmed_out || direction == SaDirection::outbound;
    count.trusted_in = count.trusted_in || (direction == SaDirection::inbound && !record.doubted);
    count.trusted_out = count.trusted_out || (direction == SaDirection::outbound && !record.doubted);
    count.in_udp = count.in_udp || record.sa.in_udp;
    if (direction == SaDirection::inbound) ++count.inbound;
    if (direction == SaDirection::outbound) ++count.outbound;
    if (!child) continue;
    count.known_in = count.known_in || direction == SaDirection::inbound;
    count.known_out = count.known_out || direction == SaDirection::outbound;
    count.newest_known_s = std::max(count.newest_known_s, record.sa.added_s);
    // Of several pairs the youngest decides about selectors.
    if (child->sa.id < count.newest_child) continue;
    count.newest_child = child->sa.id;
    const Tunnel& tunnel = tunnels_[owner];
    count.narrowed = !child->sa.remote_ts.empty() &&
                     !std::all_of(tunnel.carries.begin(), tunnel.carries.end(),
                                  [&](const IpAddress& address) { return covers(child->sa.remote_ts, address); });
  }
  // After all others, because what is known of them decides.
  for (const auto& [record, owner] : orphans) {
    SaCount& count = tunnels_[owner].count;
    if (count.known_in && count.known_out) {
      // The peer has had a newer pair agreed on since: it may end the older one without a word to a charon that does
      // not know it, and the kernel would go on sending into it.
      record->dead = record->sa.added_s < count.newest_known_s;
      continue;
    }
    count.in_udp = count.in_udp || record->sa.in_udp;
    if (record->sa.direction == SaDirection::inbound) ++count.inbound;
    if (record->sa.direction == SaDirection::outbound) ++count.outbound;
  }
}

/// The first hint against a tunnel with a pair of SAs; Reason::ready: none.
Reason TunnelTable::hint(Tunnel& tunnel, Time now) {
  if (without_charon(tunnel)) {
    if (charon_silent_since_ == kNever) charon_silent_since_ = now;
    if (now - charon_silent_since_ >= kConfirmGrace) return Reason::charon_silent;
    deadline_ = std::min(deadline_, charon_silent_since_ + kConfirmGrace);
  }
  // A pair that only the kernel confirms works now, but will not be renewed.
  if (!tunnel.count.trusted_in || !tunnel.count.trusted_out) return Reason::sa_orphaned;
  if (tunnel.retransmitting) {
    if (tunnel.retransmitting_until == kNever) tunnel.retransmitting_until = now + kHintLife;
    tunnel.retransmitting = now < tunnel.retransmitting_until;
    if (tunnel.retransmitting) {
      deadline_ = std::min(deadline_, tunnel.retransmitting_until);
      return Reason::retransmitting;
    }
  }
  // The first look counts as received, so that silence begins there.
  if (tunnel.received != tunnel.received_seen || tunnel.last_received == kNever) {
    tunnel.received_seen = tunnel.received;
    tunnel.last_received = now;
    tunnel.sent_at_last_received = tunnel.sent;
  }
  if (silence_ != Duration{} && now - tunnel.last_received >= silence_ &&
      // Only what was sent and not answered is silence: an idle tunnel is quiet for both sides.
      tunnel.sent - tunnel.sent_at_last_received >= kSentInSilence)
    return Reason::no_inbound;
  return Reason::ready;
}

// From what stops all traffic to what merely speaks against it; the first reason wins.
TunnelTable::Judgement TunnelTable::judge(Tunnel& tunnel, Time now) {
  const auto is = [](Reason reason) { return Judgement{verdict_of(reason).state, reason}; };
  if (tunnel.mode != Mode::policy) {
    if (!tunnel.has_link) return is(Reason::interface_missing);
    if (!tunnel.link.up) return is(Reason::interface_down);
    if (tunnel.mode == Mode::link && !tunnel.link.carrier) return is(Reason::no_carrier);
    if (!tunnel.link.addressed) return is(Reason::address_missing);
  }
  if (tunnel.mode == Mode::link) return is(tunnel.probe == ProbeResult::lost ? Reason::probe_lost : Reason::ready);
  if (tunnel.underlay != Reason::ready) return is(tunnel.underlay);
  const SaCount& count = tunnel.count;
  if (count.inbound == 0 || count.outbound == 0) {
    // When it is back, silence is counted anew.
    tunnel.last_received = kNever;
    tunnel.suspect_since = kNever;
    return is(count.condemned ? count.condemned_why : tunnel.last_loss);
  }
  if (count.narrowed) return is(Reason::selectors_narrowed);
  if (charon_ == Charon::dead && without_charon(tunnel) && count.in_udp) return is(Reason::charon_dead);
  if (tunnel.probe == ProbeResult::lost) return is(Reason::probe_lost);

  const Reason against = hint(tunnel, now);
  if (against == Reason::ready) {
    tunnel.suspect_since = kNever;
    return is(against);
  }
  // Each packet that comes in is a proof, and so is an answered probe.
  // A hint has to hold against the tunnel without a break for its whole bound.
  if (tunnel.suspect_since == kNever || tunnel.received != tunnel.received_when_suspect ||
      tunnel.probe == ProbeResult::answered) {
    tunnel.suspect_since = now;
    tunnel.received_when_suspect = tunnel.received;
  }
  const Verdict& verdict = verdict_of(against);
  if (now - tunnel.suspect_since < verdict.bound) {
    deadline_ = std::min(deadline_, tunnel.suspect_since + verdict.bound);
    return is(against);
  }
  // A hint without a consequence ends as no reason at all.
  return {verdict.afterwards, verdict.afterwards == TunnelState::up ? Reason::ready : against};
}

/// Counts flaps and starts a hold when a flapping tunnel comes back.
void TunnelTable::damp(Tunnel& tunnel, Time now) const {
  // A tunnel that is held down counts as usable before: the hold is our own decision.
  const bool was = usable(tunnel.told.state) || tunnel.told.reason == Reason::damped;
  const bool is = usable(tunnel.raw.state);
  if (was && !is) {
    ++tunnel.flaps;
    // Only what others were told to be usable has gone down for them.
    if (usable(tunnel.told.state)) {
      ++tunnel.went_down;
      ++tunnel.went_down_for[static_cast<std::size_t>(tunnel.raw.reason)];
    }
    // The hold was for a tunnel that is back; it is down again.
    tunnel.hold_until = Time{};
    tunnel.stable_since = kNever;
  }
  if (!is) return;
  if (!was) {
    tunnel.stable_since = now;
    // The first flaps are free.
    if (damping_.enabled && tunnel.flaps > damping_.free_flaps) {
      // Compared before it is multiplied: the product may be more than a Duration holds.
      const std::uint32_t doublings = std::min(tunnel.flaps - damping_.free_flaps - 1, 30U);
      const std::int64_t factor = std::int64_t{1} << doublings;
      const Duration longest = damping_.longest_hold;
      const Duration first = damping_.first_hold;
      tunnel.hold_until = now + (first > longest / factor ? longest : first * factor);
    }
  }
  // One flap is forgotten for each forget_after of being up.
  while (tunnel.flaps > 0 && now - tunnel.stable_since >= damping_.forget_after) {
    --tunnel.flaps;
    tunnel.stable_since += damping_.forget_after;
  }
}

/// The last usable tunnel of a group is not held down: the one closest to its release goes free.
void TunnelTable::release_last_of_groups(Time now) {
  for (Tunnel& tunnel : tunnels_) {
    if (!usable(tunnel.raw.state) || tunnel.hold_until <= now) continue;
    Tunnel* first = &tunnel;
    bool another_is_free = false;
    for (Tunnel& other : tunnels_) {
      // Tunnels without a group have an empty one in common: they stand in for each other.
      if (other.group != tunnel.group || !usable(other.raw.state)) continue;
      if (other.hold_until <= now) another_is_free = true;
      if (other.hold_until < first->hold_until) first = &other;
    }
    if (!another_is_free) first->hold_until = Time{};
  }
}

std::vector<TunnelChange> TunnelTable::settle(Time now) {
  deadline_ = kNever;
  forget_absent_children(now);
  count_sas(now);
  // All are judged before any is released: the last one of a group depends on the others.
  for (Tunnel& tunnel : tunnels_) {
    tunnel.raw = judge(tunnel, now);
    damp(tunnel, now);
  }
  release_last_of_groups(now);

  std::vector<TunnelChange> changes;
  for (Tunnel& tunnel : tunnels_) {
    Judgement next = tunnel.raw;
    if (usable(tunnel.raw.state) && tunnel.hold_until > now) {
      next = {TunnelState::down, Reason::damped};
      deadline_ = std::min(deadline_, tunnel.hold_until);
    }
    // The index is part of what is reported: routes name it.
    if (tunnel.settled && next == tunnel.told && tunnel.told_link == tunnel.link.index) continue;
    changes.push_back(TunnelChange{tunnel.name, next.state, tunnel.told.state, next.reason, tunnel.link.index, now});
    if (!tunnel.settled || next.state != tunnel.told.state) tunnel.since = now;
    tunnel.told = next;
    tunnel.told_link = tunnel.link.index;
    tunnel.settled = true;
  }
  return changes;
}

std::vector<SaKey> TunnelTable::take_dead() {
  std::vector<SaKey> dead;
  for (auto& [key, record] : sas_) {
    if (!record.dead || record.deleted) continue;
    const std::size_t owner = owner_of(record.sa);
    // SAs that another program made are not ours to delete.
    if (owner != kNobody && !tunnels_[owner].ours) continue;
    record.deleted = true;
    dead.push_back(key);
  }
  return dead;
}

Need TunnelTable::need(std::string_view tunnel) const {
  const Tunnel* found = find(tunnel);
  if (!found || found->mode == Mode::link) return Need::nothing;
  const SaCount& count = found->count;
  // A pair without one that charon confirms will not be renewed.
  if (!count.confirmed_in || !count.confirmed_out) return Need::sas;
  if (found->raw.reason == Reason::probe_lost) return Need::new_sas;
  const bool out_of_time = found->raw.reason == Reason::retransmitting && found->raw.state == TunnelState::down;
  return out_of_time ? Need::new_sas : Need::nothing;
}

std::vector<OuterEnds> TunnelTable::ends_of(std::string_view tunnel) const {
  std::vector<OuterEnds> ends;
  const Tunnel* found = find(tunnel);
  for (const auto& [key, record] : sas_) {
    if (!found || record.dead || record.sa.direction != SaDirection::outbound || !owns(*found, record.sa)) continue;
    const OuterEnds one{record.sa.source, key.destination};
    if (std::find(ends.begin(), ends.end(), one) == ends.end()) ends.push_back(one);
  }
  return ends;
}

TunnelState TunnelTable::state(std::string_view tunnel) const {
  const Tunnel* found = find(tunnel);
  return found ? found->told.state : TunnelState::down;
}

bool TunnelTable::fill(std::string_view tunnel, TunnelStatus& out) const {
  const Tunnel* found = find(tunnel);
  if (!found) return false;
  out.name = found->name;
  out.mode = found->mode;
  out.if_id = found->if_id;
  out.if_index = found->link.index;
  out.state = found->told.state;
  out.reason = found->told.reason;
  out.since = found->since;
  out.held_until = found->hold_until;
  out.flaps = found->flaps;
  out.went_down = found->went_down;
  out.went_down_for = found->went_down_for;
  out.probed = found->probe != ProbeResult::unknown;
  out.connection = found->connection;
  for (const auto& [key, record] : sas_) {
    if (record.dead || !owns(*found, record.sa)) continue;
    if (record.sa.direction == SaDirection::inbound) {
      ++out.inbound_sas;
      // Of several SAs in a direction the last one in the order of keys is shown.
      out.inbound_spi = key.spi;
      out.inbound_packets += record.packets;
      out.inbound_bytes += record.bytes;
    } else if (record.sa.direction == SaDirection::outbound) {
      ++out.outbound_sas;
      out.outbound_spi = key.spi;
      out.outbound_packets += record.packets;
      out.outbound_bytes += record.bytes;
    }
  }
  return true;
}

std::vector<Sa> TunnelTable::sas() const {
  std::vector<Sa> all;
  for (const auto& [key, record] : sas_) all.push_back(record.sa);
  return all;
}

std::vector<Sa> TunnelTable::sas_of(std::string_view tunnel) const {
  std::vector<Sa> all;
  const Tunnel* found = find(tunnel);
  for (const auto& [key, record] : sas_)
    if (found && !record.dead && owns(*found, record.sa)) all.push_back(record.sa);
  return all;
}

std::uint64_t TunnelTable::inbound_packets(std::string_view tunnel) const {
  const Tunnel* found = find(tunnel);
  return found ? found->received : 0;
}

}  // namespace minibgp::xfrm
