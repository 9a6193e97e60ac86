/// Interfaces: what tunnels need of the kernel's links, addresses and underlay routes, against what it has. Gives the
/// next step for each tunnel until nothing is left to do; whoever deletes or changes something later only makes a step
/// necessary again.
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
  bool operator==(const Link&) const = default;
};

/// The route the kernel takes to an address.
struct RouteFound {
  Prefix prefix;  ///< The entry that matched.
  IpAddress gateway;
  std::uint32_t device = 0;
  std::uint8_t protocol = 0;
  bool operator==(const RouteFound&) const = default;
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

  /// The addresses whose route must be looked up, because a gateway is configured for them.
  [[nodiscard]] std::vector<IpAddress> guarded_endpoints() const;
  /// The answer to a look-up; nullopt: unreachable. Stays valid until forget_routes().
  void route(const IpAddress& endpoint, const std::optional<RouteFound>& found);
  [[nodiscard]] bool route_known(const IpAddress& endpoint) const { return routes_.contains(endpoint); }
  /// Routes may have changed: no route step is made before they were looked up again.
  void forget_routes() { routes_.clear(); }

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

  std::uint8_t route_protocol_;
  std::vector<Entry> entries_;
  std::vector<TunnelOptions> leaving_;  ///< No longer wanted; what we made for them goes.
  std::map<std::uint32_t, Link> links_;
  std::map<std::uint32_t, std::vector<InterfaceAddress>> addresses_;
  std::map<std::uint32_t, Link> dumped_links_;
  std::map<std::uint32_t, std::vector<InterfaceAddress>> dumped_addresses_;
  bool dumping_ = false;
  std::map<IpAddress, std::optional<RouteFound>> routes_;
  std::uint64_t last_id_ = 0;
};

}  // namespace minibgp::xfrm
