/// TunnelKeeper: all that is decided about tunnels, as one pure machine: which interfaces, addresses and underlay
/// routes are made, which tunnel carries traffic, what charon is asked, where follow groups send, and what is taken
/// away at the end. No socket and no clock.
///
///   input(event, now)  ->  poll() until it returns nothing: carry each effect out, in order; its answer is an input
///                      ->  next_deadline(): give it input::TimePassed then
///
/// An input states a fact; what follows from all facts so far is decided by poll(), in the stages of a turn. So a dump
/// of many SAs is given as many inputs and polled once. Inputs given while effects are carried out cause another turn.
///
/// The real rim is netlink/tunnels.cc. Parts: interfaces.h, tunnel_table.h, underlay.h, follow_groups.h, vici/keeper.h.
#pragma once

#include <bgp/log.h>
#include <bgp/types.h>
#include <xfrm/follow_groups.h>
#include <xfrm/ike_port.h>
#include <xfrm/inputs.h>
#include <xfrm/interfaces.h>
#include <xfrm/options.h>
#include <xfrm/tunnel.h>
#include <xfrm/tunnel_table.h>
#include <xfrm/underlay.h>
#include <xfrm/vici/keeper.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace minibgp::xfrm {

/// What poll() hands out.
namespace effect {

/// From now on charon is needed; once.
struct ConnectToCharon {};
/// Answered by input::CharonReplied, before which no other is asked.
struct AskCharon {
  vici::IkeRequest request;
};
/// For LinkPort::execute().
struct TakeStep {
  std::uint64_t id = 0;
  LinkStep step;
};
struct LookUp {
  IpAddress endpoint;
};
struct ReadCounters {
  std::vector<Sa> sas;
};
struct ReadOwnRoutes {};
/// Dumps that the kernel refused are tried again.
struct RetryDumps {};
struct DeleteSa {
  SaKey sa;
};
using RedirectPolicies = FollowGroups::Redirect;
struct TunnelChanged {
  std::string tunnel;
  TunnelChange change;  ///< Its `tunnel` is not set.
};
using FollowChanged = FollowGroups::Move;
struct WriteLog {
  LogLevel level{};
  std::string line;
};
/// The end of what input::Stop began. Nothing comes after it.
struct Stopped {};

}  // namespace effect

using Effect =
    std::variant<effect::ConnectToCharon, effect::AskCharon, effect::TakeStep, effect::LookUp, effect::ReadCounters,
                 effect::ReadOwnRoutes, effect::RetryDumps, effect::DeleteSa, effect::RedirectPolicies,
                 effect::TunnelChanged, effect::FollowChanged, effect::WriteLog, effect::Stopped>;

class TunnelKeeper {
 public:
  /// An end with OnExit::remove waits so long for charon, then for the kernel.
  static constexpr std::chrono::seconds kCharonPatience{8};
  static constexpr std::chrono::seconds kKernelPatience{2};
  static constexpr std::chrono::milliseconds kBusyPause{100};  ///< Before the kernel is asked again within it.

  /// `keys` outlives the keeper.
  TunnelKeeper(const TunnelsOptions& options, KeySource& keys);

  void input(const Input& input, Time now);
  [[nodiscard]] std::optional<Effect> poll();
  [[nodiscard]] Time next_deadline() const;

  [[nodiscard]] std::vector<TunnelStatus> status() const;
  [[nodiscard]] std::optional<TunnelStatus> status(std::string_view tunnel) const;
  [[nodiscard]] bool usable(std::string_view tunnel) const { return xfrm::usable(table_.state(tunnel)); }
  [[nodiscard]] std::string followed(std::string_view group) const { return follow_.followed(group); }
  [[nodiscard]] std::vector<std::uint32_t> owned_if_ids() const;
  [[nodiscard]] IkeLink ike_link() const;
  [[nodiscard]] const std::string& ike_version() const { return ike_.version(); }
  [[nodiscard]] std::vector<IpAddress> underlay_endpoints() const;
  [[nodiscard]] std::vector<std::string> warnings() const { return ike_.warnings(); }
  [[nodiscard]] bool has_ipsec_tunnels() const;  ///< Tunnels that are more than links.

 private:
  /// Stages of a turn, in their order: each begins when the effects of the one before were carried out.
  enum class Stage : std::uint8_t { clocks, tunnels, follow, kernel, charon, leave, rest };
  struct Turn {
    Time began{};
    Stage stage = Stage::rest;
    bool due = false;            ///< An input came after it began.
    bool follow_is_due = false;  ///< Tunnels changed in it.
  };
  /// An end with OnExit::remove: charon first, while its packets still find their way, then the kernel.
  struct Leaving {
    Time until{};
    bool of_kernel = false;
    std::size_t steps = 0;  ///< Of the kernel, not answered yet.
    bool busy = false;      ///< The kernel refused one for the moment.
    Time again = kNever;    ///< When all are asked for once more.
  };
  static constexpr std::uint64_t kRemovalId = 0;  ///< Steps of Interfaces begin at 1.

  struct On;  ///< What each alternative of Input means.

  void connect_to_charon();
  void run(Stage stage);
  void look_at_clocks();
  void settle_tunnels();
  void sample_groups();
  void redirect_policies();
  void step_interfaces();
  void look_up_routes();
  void ask_charon();
  void leave();
  void take_interfaces_away();
  void write_log(LogLevel level, std::string line) { effects_.push_back(effect::WriteLog{level, std::move(line)}); }

  TunnelsOptions options_;
  std::vector<TunnelOptions> tunnels_;
  std::vector<std::uint32_t> former_;  ///< if_ids of tunnels that we had.
  Interfaces interfaces_;
  Neighbors neighbors_;
  TunnelTable table_;
  vici::IkeKeeper ike_;
  FollowGroups follow_;
  std::set<IpAddress> looking_up_;
  bool running_ = false, has_xfrm_ = true, links_known_ = false, sas_known_ = false;
  IkeLink charon_ = IkeLink::unused;
  Time next_sync_{}, next_counters_{};
  std::optional<Leaving> leaving_;
  std::deque<Effect> effects_;
  Time now_{};
  Turn turn_;
};

}  // namespace minibgp::xfrm
