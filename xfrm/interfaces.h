/// Interfaces: what tunnels need of the kernel's links, addresses and underlay routes, against what it has. Gives the
/// next step for each tunnel until nothing is left to do; whoever deletes or changes something later only makes a step
/// necessary again. What is marked as ours and no longer wanted goes, whoever of us made it: the last configuration or
/// the last process.
///
/// An XFRM interface with our if_id is adopted whatever its name, and set right. One that we made carries kOurAlias:
/// only such a one is ever deleted, to be made anew (its underlying device cannot be changed) or at the end.
///
/// Pure. Not here: netlink (netlink/), which tunnel is usable (tunnel_table.h).
#pragma once

#include <bgp/types.h>
#include <xfrm/tunnel.h>
#include <xfrm/tunnel_table.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace minibgp::xfrm {

/// The mark on interfaces we made; `ip link` shows it as alias.
inline constexpr std::string_view kOurAlias = "bgplite";

/// A network interface as the kernel describes it.
struct Link {
  std::uint32_t index = 0;
  std::string name;
  std::string kind;  ///< "xfrm"; empty: hardware.
  std::string alias;
  std::uint32_t if_id = 0;
  std::uint32_t underlying = 0;  ///< Index; 0: none.
  std::uint32_t master = 0;      ///< Index; 0: none.
  std::uint32_t mtu = 0;
  bool up = false;
  bool collects_metadata = false;
  bool carrier = true;
  bool operator==(const Link&) const = default;
};

/// The route the kernel takes to an address.
struct RouteFound {
  Prefix prefix;  ///< The entry that matched.
  IpAddress gateway;
  std::uint32_t device = 0;  ///< 0: the route has several next hops; `gateway` is not set then.
  std::uint8_t protocol = 0;
  bool reachable = true;  ///< false: an unreachable, prohibit or blackhole route.
  bool operator==(const RouteFound&) const = default;
};

/// A host route with our protocol in our table.
struct OwnRoute {
  IpAddress destination;
  IpAddress gateway;
  auto operator<=>(const OwnRoute&) const = default;
};

struct CreateLink {
  std::string name;
  std::uint32_t if_id = 0;
  std::uint32_t underlying = 0;
  std::uint32_t mtu = 0;
  bool operator==(const CreateLink&) const = default;
};
struct DeleteLink {
  std::uint32_t index = 0;
  bool operator==(const DeleteLink&) const = default;
};
/// What is not set stays.
struct ChangeLink {
  std::uint32_t index = 0;
  std::optional<std::uint32_t> mtu;
  std::optional<std::uint32_t> master;
  bool mark = false;  ///< Sets kOurAlias, which the kernel does not take when it makes the interface.
  bool set_up = false;
  bool operator==(const ChangeLink&) const = default;
};
struct ChangeAddress {
  std::uint32_t index = 0;
  InterfaceAddress address;
  bool add = true;
  bool operator==(const ChangeAddress&) const = default;
};
/// A host route; replaces one of ours to the same address.
struct ChangeRoute {
  IpAddress destination;
  IpAddress gateway;
  std::uint32_t device = 0;
  bool add = true;
  bool operator==(const ChangeRoute&) const = default;
};
using LinkStep = std::variant<CreateLink, DeleteLink, ChangeLink, ChangeAddress, ChangeRoute>;

class Interfaces {
 public:
  /// A step that failed, or that seems to have had no effect, is tried again after this.
  static constexpr std::chrono::milliseconds kRetry{1000};

  explicit Interfaces(std::uint8_t route_protocol) : route_protocol_(route_protocol) {}

  void set_tunnels(std::span<const TunnelOptions> tunnels);

  // The kernel. Dumps are: dump_begins(), all that is there, dump_ended().
  void link(const Link& link);
  void link_gone(std::uint32_t index);
  void address(std::uint32_t index, const InterfaceAddress& address);
  void address_gone(std::uint32_t index, const InterfaceAddress& address);
  void dump_begins();
  void dump_ended();

  /// Addresses whose route is to be known, beside those that a gateway is configured for.
  void watch_routes_to(std::vector<IpAddress> endpoints) { watched_ = std::move(endpoints); }
  /// The addresses whose route must be looked up now.
  [[nodiscard]] std::vector<IpAddress> endpoints_to_look_up() const;
  /// The answer to a look-up; nullopt: unreachable. Valid until forget_routes().
  void route(const IpAddress& endpoint, const std::optional<RouteFound>& found);
  /// Routes may have changed: no route step is made before they were looked up again.
  void forget_routes();
  /// The last answer, forgotten or not; nullptr: none yet.
  [[nodiscard]] const std::optional<RouteFound>* route_to(const IpAddress& endpoint) const;

  /// True once after the tunnels changed: dump the routes with our protocol, then own_routes().
  [[nodiscard]] bool take_own_routes_request() { return std::exchange(wants_own_routes_, false); }
  void own_routes(std::vector<OwnRoute> routes) { own_routes_ = std::move(routes); }

  struct Numbered {
    std::uint64_t id = 0;  ///< For answered().
    LinkStep step;
  };
  /// What to do now; at most one step for each tunnel is under way. Empty: nothing, until something changes or
  /// next_deadline().
  [[nodiscard]] std::vector<Numbered> next_steps(Time now);
  /// `error` is the kernel's errno; 0: done.
  void answered(std::uint64_t id, int error, Time now);
  [[nodiscard]] Time next_deadline() const;

  /// Steps that take away what we made.
  [[nodiscard]] std::vector<LinkStep> removal() const;

  /// nullptr: no such interface.
  [[nodiscard]] const Link* link_of(std::string_view tunnel) const;
  [[nodiscard]] std::optional<TunnelLink> tunnel_link(std::string_view tunnel) const;
  /// What keeps the tunnel from being as configured; empty: nothing.
  [[nodiscard]] std::string problem(std::string_view tunnel) const;
  [[nodiscard]] bool is_local(const IpAddress& address) const;
  [[nodiscard]] const Link* link_named(std::string_view name) const { return find_link(name); }
  [[nodiscard]] const Link* link_at(std::uint32_t index) const;

 private:
  struct Pending {
    std::uint64_t id = 0;
    LinkStep step;
    bool in_flight = false;
    Time not_before{};
  };
  struct Entry {
    TunnelOptions options;
    std::optional<Pending> pending;
    std::string problem;
    std::uint32_t made_if_id = 0;  ///< Of the interface we just made and have not marked yet; 0: none.
  };
  struct Wish {
    std::optional<LinkStep> step;
    std::string problem;
  };

  [[nodiscard]] const Link* find_xfrm(std::uint32_t if_id) const;
  [[nodiscard]] const Link* find_link(std::string_view name) const;
  [[nodiscard]] bool has_address(std::uint32_t index, const InterfaceAddress& address) const;
  [[nodiscard]] Wish wish(const Entry& entry) const;
  [[nodiscard]] Wish link_wish(const Entry& entry) const;
  [[nodiscard]] Wish route_wish(const TunnelOptions& options) const;
  [[nodiscard]] const Entry* find(std::string_view tunnel) const;
  [[nodiscard]] std::vector<IpAddress> guarded_endpoints() const;
  [[nodiscard]] bool is_unwanted(const Link& link) const;
  [[nodiscard]] std::vector<LinkStep> unwanted_routes() const;

  std::uint8_t route_protocol_;
  std::vector<Entry> entries_;
  std::vector<IpAddress> watched_;
  std::vector<OwnRoute> own_routes_;           ///< Of the last dump, until those not wanted were taken away.
  std::map<std::uint32_t, Time> deletion_at_;  ///< Of interfaces of ours that no tunnel wants: when to try again.
  bool wants_own_routes_ = false;
  Time read_own_routes_at_ = kNever;  ///< To see whether those that were to be removed are gone.
  std::map<std::uint32_t, Link> links_;
  std::map<std::uint32_t, std::vector<InterfaceAddress>> addresses_;
  std::map<std::uint32_t, Link> dumped_links_;
  std::map<std::uint32_t, std::vector<InterfaceAddress>> dumped_addresses_;
  bool dumping_ = false;
  struct LookedUp {
    std::optional<RouteFound> found;
    bool fresh = true;
  };
  std::map<IpAddress, LookedUp> routes_;
  std::uint64_t last_id_ = 0;
};

}  // namespace minibgp::xfrm
