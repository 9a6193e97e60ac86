/// IkeKeeper: keeps charon as the configuration wants it. Every few seconds a round: which connections and keys of ours
/// does it have, load what is missing or changed, unload what is ours and no longer wanted, list the SAs, initiate what
/// is not up. So it does not matter why something is missing: charon restarted, somebody ran `swanctl --load-all`, or
/// the negotiation was refused, after which charon never tries again by itself.
///
/// A change of one tunnel touches no other. Requests are made one at a time. Pure: time is an argument; keys are read
/// through KeySource when they are loaded and not kept.
#pragma once

#include <bgp/types.h>
#include <xfrm/ike_port.h>
#include <xfrm/tunnel.h>
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
  void initiate(std::string_view tunnel, Time now);
  void terminate(std::string_view tunnel, Time now);
  /// Unloads what is ours, SAs included: for OnExit::remove. Begins anew with a charon that was lost on the way;
  /// nothing is loaded any more.
  void unload_all();
  /// That is through, or there was no charon to ask.
  [[nodiscard]] bool unloaded() const { return unload_ == Unload::done; }

  /// The SAs charon listed since the last call; nullopt: no new list.
  [[nodiscard]] std::optional<std::vector<IkeView>> take_snapshot();

  struct View {
    bool loaded = false;
    IkeFailure failure = IkeFailure::none;
    std::string failure_text;
    std::string problem;  ///< What keeps the connection from being loaded; empty: nothing.
    Time next_initiate = kNever;
  };
  [[nodiscard]] View view(std::string_view tunnel) const;
  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
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
    bool replaced = false;     ///< Its configuration changed while SAs of the old one may live.
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
  void plan_key(Tunnel& tunnel);
  void plan_initiates(Time now);
  void enter(Step step, Time now);
  void add(Step step, std::string name, Section message, std::string tunnel = {});
  void judge_lists(const IkeReply& reply);
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
  bool round_again_ = false;
  enum class Unload : std::uint8_t { no, under_way, done } unload_ = Unload::no;
  std::set<std::string> connections_, keys_loaded_;  ///< Of ours, as charon has them.
  std::optional<std::vector<IkeView>> snapshot_;
  std::string version_;
  std::optional<Section> algorithms_;
  std::vector<std::string> warnings_;
  std::vector<std::string> log_;
};

}  // namespace minibgp::xfrm::vici
