/// IkeKeeper: keeps charon as the configuration wants it. Every few seconds a round: which connections and keys of ours
/// does it have, load what is missing or changed, unload what is ours and no longer wanted, list the SAs, initiate what
/// is not up. So it does not matter why something is missing: charon restarted, somebody ran `swanctl --load-all`, or
/// the negotiation was refused, after which charon never tries again by itself.
///
/// Nothing is initiated beside a living pair of SAs: one list without an IKE_SA decides nothing, because `noblock`
/// leaves out those that charon works on; the kernel's SAs (set_need()) and a second list do. An IKE_SA too many is
/// ended once two lists showed it, a CHILD_SA whose successor works after kRekeyOverlap. Where SAs are known to be
/// dead, a new IKE_SA is made beside the old one.
///
/// A change of one tunnel touches no other. Requests are made one at a time. Pure: time is an argument; keys are read
/// through KeySource when they are loaded and not kept.
#pragma once

#include <bgp/types.h>
#include <xfrm/ike_port.h>
#include <xfrm/tunnel.h>
#include <xfrm/tunnel_table.h>
#include <xfrm/vici/ike_config.h>
#include <xfrm/vici/packet.h>
#include <xfrm/vici/sa_view.h>
#include <xfrm/vici/symptoms.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minibgp::xfrm::vici {

struct IkeRequest {
  std::string name;
  Section message;
};

class IkeKeeper {
 public:
  /// Between two tries to bring a tunnel up: doubles from the first to the last. Short enough that a key mended on the
  /// other side brings the tunnel back before anybody has looked.
  static constexpr std::chrono::seconds kFirstRetry{1};
  static constexpr std::chrono::seconds kLastRetry{30};
  /// After an SA went down charon or the peer may bring it back by themselves; look again after this.
  static constexpr std::chrono::milliseconds kLookAgain{300};
  /// New SAs beside dead ones: the first after this, then doubling up to the last.
  static constexpr std::chrono::seconds kFirstRenewal{1};
  static constexpr std::chrono::seconds kLastRenewal{60};
  /// SAs that charon has and the kernel has not: its events may trail.
  static constexpr std::chrono::seconds kKernelGrace{5};
  /// What a rekey leaves behind is ended after this: longer than charon and the peer keep the old SAs beside the new.
  static constexpr std::chrono::seconds kRekeyOverlap{30};
  /// An IKE_SA whose negotiation takes longer is ended for a new one: charon's repetitions come minutes apart then.
  static constexpr std::chrono::seconds kNegotiation{30};

  IkeKeeper(KeySource& keys, Duration interval) : keys_(keys), interval_(interval) {}

  void set_tunnels(std::span<const TunnelOptions> tunnels, Time now);
  void connected(Time now);
  void disconnected();

  /// The next request, when none is under way and one is due.
  [[nodiscard]] std::optional<IkeRequest> next_request(Time now);
  void replied(const IkeReply& reply, Time now);
  [[nodiscard]] Time next_deadline() const;

  /// charon said that something went down or failed: a round comes soon.
  void look_again(Time now);
  void symptom(const Symptom& symptom, Time now);
  /// What the kernel's SAs, the probes and the hints say; see TunnelTable::need().
  void set_need(std::string_view tunnel, Need need, Time now);
  void initiate(std::string_view tunnel, Time now);
  void terminate(std::string_view tunnel, Time now);
  /// Unloads what is ours, SAs included: for OnExit::remove. Begins anew with a charon that was lost on the way;
  /// nothing is loaded any more.
  void unload_all();
  /// charon has listed what it has, and nothing there is of tunnels that we no longer have.
  [[nodiscard]] bool has_no_former() const { return listed_ && unwanted_.empty(); }
  /// That is through, or there was no charon to ask.
  [[nodiscard]] bool unloaded() const { return unload_ == Unload::done; }

  /// The SAs charon listed since the last call; nullopt: no new list.
  [[nodiscard]] std::optional<std::vector<ChildSa>> take_snapshot();
  /// The peers' addresses of our tunnels' IKE_SAs in the last list.
  [[nodiscard]] const std::set<IpAddress>& remote_hosts() const { return remote_hosts_; }

  struct View {
    bool loaded = false;
    IkeFailure failure = IkeFailure::none;
    std::string failure_text;
    std::string problem;  ///< What keeps the connection from being loaded; empty: nothing.
    Time next_initiate = kNever;
  };
  [[nodiscard]] View view(std::string_view tunnel) const;
  [[nodiscard]] const std::string& version() const { return version_; }
  /// What charon cannot do, and connections of others that meddle with our tunnels.
  [[nodiscard]] std::vector<std::string> warnings() const;
  /// Lines for the log since the last call.
  [[nodiscard]] std::vector<std::string> take_log();

 private:
  enum class Step : std::uint8_t { version, algorithms, conns, shared, load, list, initiate, done };
  struct Tunnel {
    TunnelOptions options;
    // What charon was given, to see what changed. Empty: nothing by this process.
    Section loaded_connection;
    std::vector<std::string> loaded_owners;
    std::optional<std::uint64_t> loaded_stamp;
    bool present = false;      ///< charon has the connection.
    bool key_present = false;  ///< charon has its key.
    bool up = false;           ///< A usable child in the last list.
    bool busy = false;         ///< An IKE_SA being negotiated.
    bool listed = false;       ///< This charon has listed an IKE_SA of it, and we did not end that.
    unsigned absent = 0;       ///< Lists in a row without one.
    std::optional<Need> need;  ///< nullopt: the kernel has not been read.
    Time need_since{};
    std::uint32_t newest_ike = 0;  ///< The largest id of its IKE_SAs in the last list; charon counts them up.
    ConnectionForm form = 0;       ///< Loaded last.
    unsigned renewals = 0;
    Time next_renewal{};
    std::map<std::uint32_t, Time> negotiating;      ///< IKE_SAs without a child, and since when.
    std::map<std::uint32_t, Time> superseded;       ///< CHILD_SAs beside their successors, and since when.
    std::map<std::uint32_t, Time> empty;            ///< IKE_SAs without a child beside one with, and since when.
    std::set<std::uint32_t> too_many, end_of_list;  ///< IKE_SAs beside a newer one: in the last list, and in two.
    bool replaced = false;                          ///< Its configuration changed while SAs of the old one may live.
    unsigned tries = 0;
    Time next_try{};
    IkeFailure failure = IkeFailure::none;
    std::string failure_text;
    std::string problem;
  };
  struct Todo {
    IkeRequest request;
    Step step = Step::load;
    std::string tunnel;  ///< Empty: none.
  };

  void begin_round(Time now);
  void plan_loads();
  void plan_unloads();
  void note_problem(Tunnel& tunnel, const std::string& problem);
  void plan_key(Tunnel& tunnel);
  void plan_initiates(Time now);
  void plan_initiate(Tunnel& tunnel);
  void plan_ends(Tunnel& tunnel, Time now);
  [[nodiscard]] bool is_due(const Tunnel& tunnel, Time now) const;
  [[nodiscard]] bool is_renewal_due(const Tunnel& tunnel, Time now) const;
  void enter(Step step, Time now);
  void add(Step step, std::string name, Section message, std::string tunnel = {});
  void judge_lists(const IkeReply& reply, Time now);
  void judge_sas(std::vector<IkeView> all, Time now);
  void judge_tunnel(Tunnel& tunnel, const std::vector<IkeView>& all, Time now);
  void note_foreign(const std::vector<IkeView>& all);
  void note_load(const Todo& todo, const IkeReply& reply);
  void note_warnings(const Section& algorithms);
  Tunnel* find(std::string_view name);
  Tunnel* find_connection(std::string_view connection);
  [[nodiscard]] const Tunnel* find(std::string_view name) const;

  KeySource& keys_;
  Duration interval_;
  std::vector<Tunnel> tunnels_;
  bool connected_ = false;
  bool asked_ = true;  ///< Connected, or charon has not yet shown that it is not there.
  Step step_ = Step::done;
  std::deque<Todo> todo_;
  std::optional<Todo> under_way_;
  Time next_round_ = kNever;
  bool round_again_ = false, round_soon_ = false;
  enum class Unload : std::uint8_t { no, under_way, done } unload_ = Unload::no;
  std::set<std::string> connections_, keys_loaded_;  ///< Of ours, as charon has them.
  std::set<std::string> unwanted_;                   ///< Connections of ours with an IKE_SA and without a tunnel.
  std::optional<std::vector<ChildSa>> snapshot_;
  bool listed_ = false;  ///< This charon has listed its SAs.
  std::set<IpAddress> remote_hosts_;
  std::string version_;
  std::optional<Section> algorithms_;
  std::vector<std::string> warnings_, foreign_;
  std::vector<std::string> log_;
};

}  // namespace minibgp::xfrm::vici
