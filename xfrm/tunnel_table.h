/// TunnelTable: which tunnel carries traffic, since when and why. Facts come in from four sides (the kernel's SAs, its
/// links, charon, probes and counters), settle() compares what they add up to with what was told last. Level-triggered:
/// a rekey, a duplicate CHILD_SA or the late "down" of an old SA changes nothing, because what counts is which SAs are
/// there, not which event came.
///
/// The rule. A tunnel is up when its interface is there, up and addressed, when all that its SAs stand on (underlay.h)
/// is there, and when it has a live SA in each direction. An SA is live while the kernel has it and charon has not said
/// that its child is gone. Where charon is connected and does not know any of the SAs, they are orphans: suspect;
/// beside a pair that charon knows, orphans are dead and are to be deleted. Probes that fail bring the tunnel down; a
/// silent peer makes it suspect for a time that verdict.h bounds. A tunnel of Mode::link has no SAs: link, addresses
/// and probes decide.
///
/// Pure: time is an argument. Not here: making interfaces (interfaces.h), talking to charon (vici/).
#pragma once

#include <bgp/types.h>
#include <xfrm/tunnel.h>

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minibgp::xfrm {

enum class SaDirection : std::uint8_t { unknown, inbound, outbound };

/// What the kernel knows an SA by.
struct SaKey {
  IpAddress destination;
  std::uint32_t spi = 0;      ///< Host order.
  std::uint8_t protocol = 0;  ///< 50: ESP.
  auto operator<=>(const SaKey&) const = default;
};

struct Sa {
  SaKey key;
  IpAddress source;
  std::uint32_t if_id = 0;
  std::uint32_t reqid = 0;
  SaDirection direction = SaDirection::unknown;
  std::uint64_t added_s = 0;  ///< Wall clock, as the kernel noted it; 0: not known.
  bool in_udp = false;        ///< ESP in UDP: what comes in needs charon's socket.
  bool operator==(const Sa&) const = default;
};

/// The outer addresses of a tunnel's SAs.
struct OuterEnds {
  IpAddress local, remote;
  bool operator==(const OuterEnds&) const = default;
};

/// The interface of a tunnel, as far as the table cares.
struct TunnelLink {
  std::uint32_t index = 0;
  bool up = false;
  bool addressed = false;  ///< All configured addresses are on it.
  bool carrier = true;
  bool operator==(const TunnelLink&) const = default;
};

/// A CHILD_SA as charon describes it.
struct ChildSa {
  std::uint32_t id = 0;      ///< uniqueid
  std::uint32_t ike_id = 0;  ///< uniqueid of the IKE_SA it belongs to.
  std::string connection;    ///< Name of the IKE_SA's configuration.
  std::string name;
  std::uint32_t if_id = 0;
  std::uint32_t spi_in = 0, spi_out = 0;
  bool usable = true;  ///< INSTALLED, UPDATING or REKEYING.
  /// What was agreed on; empty: not known.
  std::vector<Prefix> local_ts, remote_ts;
  bool at_rest = true;  ///< INSTALLED, REKEYED or DELETED: charon waits for nothing but time or the peer.
  bool operator==(const ChildSa&) const = default;
};

enum class ProbeResult : std::uint8_t { unknown, answered, lost };

/// What a tunnel needs of charon.
enum class Need : std::uint8_t {
  nothing,
  sas,      ///< It has no SAs that charon knows.
  new_sas,  ///< It has, but nothing passes: others beside them, which the peer may accept.
};

class TunnelTable {
 public:
  /// charon confirms an SA within this, or it is an orphan: its event may trail the kernel's, and a snapshot be older
  /// than it. Longer than any sync interval in use. A child that no snapshot shows any more is forgotten after two of
  /// them and this time: `list-sas noblock` leaves out an IKE_SA that charon works on. A charon that does not answer is
  /// silent after this.
  static constexpr std::chrono::seconds kConfirmGrace{5};

  /// Keeps what is known of tunnels that stay. Names are unique.
  void set_tunnels(std::span<const TunnelOptions> tunnels);
  /// if_ids of tunnels that we had and that are configured no more: SAs with one of them that charon does not know are
  /// dead.
  void set_former(std::set<std::uint32_t> if_ids) { former_ = std::move(if_ids); }
  /// charon has not yet been asked, or there are such SAs.
  [[nodiscard]] bool has_former_sas() const;
  void set_damping(const Damping& damping) { damping_ = damping; }
  /// 0: never suspect for silence.
  void set_silence(Duration silence) { silence_ = silence; }

  // The kernel's SAs. A dump is: dump_begins(), sa_added() for each, dump_ended(), with live events in between.
  void sa_added(const Sa& sa);
  /// Unknown SAs are ignored. `why` is sa_deleted or sa_expired.
  void sa_gone(const SaKey& key, Reason why);
  void sas_flushed();
  void dump_begins();
  void dump_ended();

  /// nullptr: there is no such interface.
  void set_link(std::string_view tunnel, const TunnelLink* link);

  // charon. A snapshot (list-sas) replaces what was known, but for children that it leaves out for the first time.
  void charon_gone();
  void charon_refuses();  ///< charon_gone(), and there is no charon: its socket refuses.
  void set_children(std::vector<ChildSa> children);
  void child_up(const ChildSa& child);
  void child_down(const ChildSa& child);
  void child_rekeyed(std::uint32_t old_id, const ChildSa& successor);
  void ike_down(std::uint32_t ike_id);
  void ike_rekeyed(std::uint32_t old_ike_id, std::uint32_t new_ike_id);
  void set_retransmitting(std::string_view connection, bool retransmitting);

  /// Reason::ready, or what the tunnel's SAs stand on and lack; see underlay.h.
  void set_underlay(std::string_view tunnel, Reason underlay);
  void set_probe(std::string_view tunnel, ProbeResult result);
  /// Totals of one SA since it was made.
  void set_counters(const SaKey& key, std::uint64_t packets, std::uint64_t bytes);

  /// Brings what is told up to date with the facts. The changes (each tunnel at most once) are valid until the next
  /// call of set_tunnels(). Cheap: linear in SAs and tunnels.
  [[nodiscard]] std::vector<TunnelChange> settle(Time now);
  /// When settle() is due without any new fact.
  [[nodiscard]] Time next_deadline() const { return deadline_; }

  /// SAs that are known dead and not deleted yet, of tunnels whose connections are or were ours. Each is given once.
  [[nodiscard]] std::vector<SaKey> take_dead();
  [[nodiscard]] Need need(std::string_view tunnel) const;
  /// Of the tunnel's live SAs, each pair once.
  [[nodiscard]] std::vector<OuterEnds> ends_of(std::string_view tunnel) const;

  [[nodiscard]] TunnelState state(std::string_view tunnel) const;  ///< As told; down for unknown tunnels.
  /// Fills the parts of a status that this table knows; false: no such tunnel.
  bool fill(std::string_view tunnel, TunnelStatus& out) const;
  [[nodiscard]] std::vector<Sa> sas() const;
  /// Of live inbound SAs, summed since the tunnel is known; grows only. 0 for unknown tunnels.
  [[nodiscard]] std::uint64_t inbound_packets(std::string_view tunnel) const;
  /// SAs of one tunnel with their direction resolved.
  [[nodiscard]] std::vector<Sa> sas_of(std::string_view tunnel) const;

 private:
  struct Judgement {
    TunnelState state = TunnelState::down;
    Reason reason = Reason::starting;
    bool operator==(const Judgement&) const = default;
  };
  struct SaRecord {
    Sa sa;
    bool in_dump = false;
    bool dead = false, deleted = false;  ///< Known dead; its deletion was asked for.
    /// Held against its tunnel: charon was silent, or did not know it. That charon is back proves nothing: the doubt
    /// stays until charon lists the SA.
    bool doubted = false;
    Time unconfirmed_since = kNever;
    std::uint64_t packets = 0, bytes = 0;
  };
  /// Live SAs of a tunnel, counted by one walk over all of them.
  struct SaCount {
    std::size_t inbound = 0, outbound = 0;
    /// In this direction charon knows one, or cannot be asked, or has not had the time.
    bool confirmed_in = false, confirmed_out = false;
    bool known_in = false, known_out = false;      ///< In this direction charon knows one.
    bool trusted_in = false, trusted_out = false;  ///< As confirmed, and not doubted.
    std::uint64_t newest_known_s = 0;              ///< Sa::added_s of those.
    bool in_udp = false;
    std::uint32_t newest_child = 0;
    bool narrowed = false;   ///< By the selectors of that child.
    bool condemned = false;  ///< There are SAs charon has given up.
    Reason condemned_why = Reason::child_down;
  };
  struct Child {
    ChildSa sa;
    Reason gone = Reason::ready;  ///< child_down or ike_down once charon said so.
    unsigned absent = 0;          ///< Snapshots in a row without it.
    Time absent_since = kNever;
  };
  struct Tunnel {
    std::string name;
    std::string connection;
    std::string group;
    Mode mode = Mode::interface;
    std::uint32_t if_id = 0;
    std::vector<IpAddress> remotes;
    std::vector<IpAddress> carries;
    bool ours = false;  ///< We keep charon's connection.
    // Facts.
    bool has_link = false;
    TunnelLink link;
    Reason underlay = Reason::ready;
    bool retransmitting = false;
    Time retransmitting_until = kNever;  ///< Set by the next settle(); kNever: not yet.
    ProbeResult probe = ProbeResult::unknown;
    Reason last_loss = Reason::sa_missing;
    std::uint64_t received = 0, sent = 0;  ///< Packets, over all SAs it ever had.
    std::uint64_t sent_at_last_received = 0, received_seen = 0;
    Time last_received = kNever;
    Time suspect_since = kNever;
    std::uint64_t received_when_suspect = 0;
    // Told.
    Judgement raw, told;
    std::uint32_t told_link = 0;
    Time since{};
    std::uint32_t flaps = 0;
    std::uint64_t went_down = 0;
    std::array<std::uint64_t, kReasons> went_down_for{};
    Time hold_until{};
    Time stable_since = kNever;
    bool settled = false;
    SaCount count;
  };

  [[nodiscard]] std::size_t owner_of(const Sa& sa) const;
  [[nodiscard]] std::size_t owner_of(const ChildSa& child) const;
  [[nodiscard]] bool owns(const Tunnel& tunnel, const Sa& sa) const;
  [[nodiscard]] const Child* child_of(const Sa& sa, std::size_t owner) const;
  [[nodiscard]] bool is_of_others(const Sa& sa, std::size_t owner) const;
  [[nodiscard]] SaDirection direction_of(const Sa& sa, std::size_t owner) const;
  void forget_absent_children(Time now);
  void count_sas(Time now);
  void judge_former(SaRecord& record, Time now);
  [[nodiscard]] Judgement judge(Tunnel& tunnel, Time now);
  [[nodiscard]] Reason hint(Tunnel& tunnel, Time now);
  /// charon does not renew the tunnel's SAs. Where charon was never seen, a tunnel that is only watched may have
  /// another keeper.
  [[nodiscard]] bool without_charon(const Tunnel& tunnel) const {
    return charon_ != Charon::answers && (tunnel.ours || charon_seen_);
  }
  [[nodiscard]] bool in_kernel(const ChildSa& child) const;
  void damp(Tunnel& tunnel, Time now) const;
  void release_last_of_groups(Time now);
  Tunnel* find(std::string_view name);
  [[nodiscard]] const Tunnel* find(std::string_view name) const;

  std::vector<Tunnel> tunnels_;
  std::set<std::uint32_t> former_;
  std::map<SaKey, SaRecord> sas_;
  std::map<std::uint32_t, Child> children_;
  enum class Charon : std::uint8_t { never_seen, answers, silent, dead } charon_ = Charon::never_seen;
  bool charon_seen_ = false;
  Time charon_silent_since_ = kNever;
  bool dumping_ = false;
  Damping damping_;
  Duration silence_{};
  Time deadline_ = kNever;
};

}  // namespace minibgp::xfrm
