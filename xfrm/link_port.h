/// The seam between this folder's decisions and the kernel: what the kernel says (KernelEvents) and what it is told
/// (LinkPort). netlink/monitor.h is the real one; tests write their own.
#pragma once

#include <bgp/types.h>
#include <xfrm/inputs.h>
#include <xfrm/interfaces.h>
#include <xfrm/tunnel_table.h>

#include <cstdint>
#include <span>

namespace minibgp::xfrm {

class KernelEvents {
 public:
  virtual ~KernelEvents() = default;
  /// Called while a datagram is read, and by the functions of Monitor; on_batch_ended() once all that waited is
  /// through. on_kernel() must not call a function of Monitor nor destroy it, because the rest of the datagram follows;
  /// on_batch_ended() may do both.
  virtual void on_kernel(const Input& input) = 0;
  virtual void on_batch_ended() = 0;
};

class LinkPort {
 public:
  virtual ~LinkPort() = default;
  /// Answered by input::StepAnswered.
  virtual void execute(std::uint64_t id, const LinkStep& step) = 0;
  /// Answered by input::RouteAnswered.
  virtual void look_up(const IpAddress& endpoint) = 0;
  /// Answered by SaCounters for each SA that is still there.
  virtual void read_counters(std::span<const Sa> sas) = 0;
  virtual void delete_sa(const SaKey& key) = 0;
  /// Answered by input::OwnRoutesRead.
  virtual void read_own_routes() = 0;
};

}  // namespace minibgp::xfrm
