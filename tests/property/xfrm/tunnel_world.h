/// TunnelWorld: a host with tunnels as it really is (SAs in the kernel, charon's children, links), which changes at
/// random and tells of each change through queues that deliver late, interleaved, and sometimes not at all (an overrun,
/// a charon that dies). And the naive answer: what state a tunnel has, computed from the real world alone.
#pragma once

#include <xfrm/tunnel_table.h>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace minibgp::xfrm::testing {

/// Every kind of event a TunnelTable can be told.
enum class Event : std::uint8_t {
  sa_added,
  sa_deleted,
  sa_expired,
  sa_unknown,  ///< DELSA of an SA nobody knows: a negotiation that failed.
  sas_flushed,
  dump_begins,
  dump_ended,
  link_seen,
  link_missing,
  child_up,
  child_down,
  child_rekeyed,
  ike_down,
  ike_rekeyed,
  snapshot,
  charon_gone,
  retransmitting,
  answering,
  probe_lost,
  probe_answered,
  probe_unknown,
  counters,
};
inline constexpr std::size_t kEvents = static_cast<std::size_t>(Event::counters) + 1;
[[nodiscard]] std::string_view to_text(Event event);

/// One thing to tell the table, and which tunnel it is about.
struct Message {
  Event event{};
  std::size_t tunnel = 0;
  std::function<void(TunnelTable&)> tell;
};

class TunnelWorld {
 public:
  static constexpr std::size_t kTunnels = 3;  ///< Two with interfaces; the last is policy-based.

  explicit TunnelWorld(std::uint64_t seed);

  [[nodiscard]] const std::vector<TunnelOptions>& tunnels() const { return options_; }
  /// One random change of the world; its events go into the queues.
  void change();
  /// One event from one of the queues; nullopt: all are empty.
  [[nodiscard]] std::optional<Message> deliver();
  /// Ends what is under way (a dump, an outage of charon's answers), so that after the queues are empty the table has
  /// heard of everything at least once.
  void come_to_rest();
  /// Everything as a fresh start would read it.
  void tell_all(TunnelTable& table) const;
  [[nodiscard]] std::uint64_t random(std::uint64_t below) { return engine_() % below; }

  /// The second opinion, once every grace, bound and hint is over: from what is, not from what happened. What charon
  /// does not know, or cannot keep because there is none, is down by then unless a probe is answered.
  [[nodiscard]] TunnelState naive_state(std::size_t tunnel) const;

 private:
  struct Side {
    bool link = true, up = true, addressed = true;
    ProbeResult probe = ProbeResult::unknown;
    bool retransmitting = false;
  };

  void establish(std::size_t tunnel);
  void rekey(std::size_t tunnel);
  void rekey_ike(std::size_t tunnel);
  void end_child(std::size_t tunnel, bool whole_ike);
  void expire(std::size_t tunnel);
  void flush();
  void crash_or_start_charon();
  void change_link(std::size_t tunnel);
  void change_probe(std::size_t tunnel);
  void change_retransmission(std::size_t tunnel);
  void overrun();
  void go_on_with_dump();
  void push_snapshot();
  void install(const ChildSa& child, std::size_t tunnel);
  void remove(const SaKey& key, std::size_t tunnel, bool expired);
  [[nodiscard]] std::array<Sa, 2> sas_of(const ChildSa& child, std::size_t tunnel) const;
  [[nodiscard]] ChildSa new_child(std::size_t tunnel, std::uint32_t ike_id);
  [[nodiscard]] std::vector<std::uint32_t> children_of(std::size_t tunnel) const;
  [[nodiscard]] std::optional<TunnelLink> link_of(std::size_t tunnel) const;
  [[nodiscard]] std::size_t tunnel_of(const Sa& sa) const;
  void kernel_event(Event event, std::size_t tunnel, std::function<void(TunnelTable&)> tell);
  void charon_event(Event event, std::size_t tunnel, std::function<void(TunnelTable&)> tell);

  std::mt19937_64 engine_;
  std::vector<TunnelOptions> options_;
  std::map<SaKey, Sa> kernel_;
  bool charon_ = true;
  std::map<std::uint32_t, ChildSa> children_;
  std::array<Side, kTunnels> sides_;
  std::uint32_t last_id_ = 0;
  std::uint32_t last_spi_ = 0xC0000000;
  std::optional<SaKey> dump_at_;  ///< A dump is under way; entries up to here are told.
  bool dump_fresh_ = false;       ///< It has told none yet.
  std::deque<Message> kernel_queue_, link_queue_, charon_queue_, reply_queue_, probe_queue_;
};

}  // namespace minibgp::xfrm::testing
