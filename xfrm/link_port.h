/// The seam between this folder's decisions and the kernel: what the kernel says (KernelEvents) and what it is told
/// (LinkPort). netlink/monitor.h is the real one; tests write their own.
#pragma once

#include <bgp/types.h>
#include <xfrm/interfaces.h>
#include <xfrm/tunnel_table.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace minibgp::xfrm {

/// Called while a datagram is worked on; on_batch_ended() once all that waited is through.
class KernelEvents {
 public:
  virtual ~KernelEvents() = default;
  virtual void on_sa(const Sa& sa) = 0;
  virtual void on_sa_gone(const SaKey& key, Reason why) = 0;
  virtual void on_sas_flushed() = 0;
  virtual void on_sa_dump_begins() = 0;
  virtual void on_sa_dump_ended() = 0;
  virtual void on_counters(const SaKey& key, std::uint64_t packets, std::uint64_t bytes) = 0;
  virtual void on_link(const Link& link) = 0;
  virtual void on_link_gone(std::uint32_t index) = 0;
  virtual void on_address(std::uint32_t index, const InterfaceAddress& address, bool gone) = 0;
  virtual void on_link_dump_begins() = 0;
  virtual void on_link_dump_ended() = 0;
  virtual void on_step_answer(std::uint64_t id, int error) = 0;
  virtual void on_route(const IpAddress& endpoint, const std::optional<RouteFound>& found) = 0;
  /// failed: the kernel asked for its link address and got no answer.
  virtual void on_neighbor(std::uint32_t device, const IpAddress& address, bool failed) = 0;
  virtual void on_own_routes(std::vector<OwnRoute> routes) = 0;
  virtual void on_batch_ended() = 0;
};

class LinkPort {
 public:
  virtual ~LinkPort() = default;
  /// Answered by on_step_answer(id).
  virtual void execute(std::uint64_t id, const LinkStep& step) = 0;
  /// Answered by on_route(endpoint).
  virtual void look_up(const IpAddress& endpoint) = 0;
  /// Answered by on_counters() for each SA that is still there.
  virtual void read_counters(std::span<const Sa> sas) = 0;
  virtual void delete_sa(const SaKey& key) = 0;
  /// Answered by on_own_routes().
  virtual void read_own_routes() = 0;
};

}  // namespace minibgp::xfrm
