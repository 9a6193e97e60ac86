/// Monitor: the kernel's SAs, links and addresses as events, and steps to the kernel. Two netlink sockets: NETLINK_XFRM
/// (groups SA and EXPIRE; never AEVENTS, which floods) and NETLINK_ROUTE (LINK, IPV4_IFADDR, IPV6_IFADDR, NEIGH).
/// Tables are read at the start and again after every overrun, over the socket that also brings the events, so that
/// dump and events come in the order in which things happened.
///
/// Not here: what the events mean (tunnel_table.h, interfaces.h).
#pragma once

#include <bgp/log.h>
#include <bgp/result.h>
#include <fib/netlink/socket.h>
#include <xfrm/link_port.h>
#include <xfrm/netlink/event_codec.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <system_error>
#include <vector>

namespace minibgp::xfrm {

/// Threads:  the io_context's.
/// Lifetime: `events` and `log` must outlive it; nothing is called after close().
class Monitor final : public LinkPort {
 public:
  Monitor(boost::asio::io_context& io, const RouteOwner& owner, KernelEvents& events, LogSink* log);
  ~Monitor() override;

  /// What a kernel without XFRM means: that nothing works, or that there are no SAs.
  enum class Xfrm : std::uint8_t { required, if_there };
  /// Errors: EPROTONOSUPPORT (the kernel has no XFRM), EPERM (no CAP_NET_ADMIN).
  [[nodiscard]] Result<void, std::error_code> start(Xfrm xfrm);
  [[nodiscard]] bool has_xfrm() const { return xfrm_ != nullptr; }
  void close();
  /// Tries a dump again that the kernel refused; call it now and then.
  void resume();

  void execute(std::uint64_t id, const LinkStep& step) override;
  void look_up(const IpAddress& endpoint) override;
  void read_counters(std::span<const Sa> sas) override;
  void delete_sa(const SaKey& key) override;
  void read_own_routes() override;

  /// Reads all policies; `done` gets them, or nothing after an error. One at a time. While another dump runs, `done` is
  /// called with nothing before the function returns. It may read and write policies, but not close the Monitor.
  void read_policies(std::function<void(std::vector<PolicySeen>)> done);
  void write_policies(std::span<const PolicySeen> policies);

  /// Overruns since the start, of both sockets.
  [[nodiscard]] std::uint64_t overruns() const { return overruns_; }

 private:
  enum class LinkDump : std::uint8_t { none, links, addresses, routes_v4, routes_v6 };
  void dump_sas();
  void dump_links();
  void read_xfrm();
  void read_links();
  void handle_xfrm(const netlink::Message& message);
  void handle_link(const netlink::Message& message);
  void answer_link(const netlink::Answer& answer);
  void answer_link_dump(const netlink::Answer& answer);
  void go_on(LinkDump dump);
  void dump_what_waits();
  void fail_outstanding();
  void send_links();
  void send_xfrm();

  boost::asio::io_context& io_;
  RouteOwner owner_;
  KernelEvents& events_;
  LogSink* log_;
  std::shared_ptr<netlink::Socket> xfrm_, links_;
  netlink::MessageWriter writer_;
  std::uint32_t sa_dump_ = 0, policy_dump_ = 0, link_dump_sequence_ = 0;  ///< Sequence numbers under way; 0: none.
  LinkDump link_dump_ = LinkDump::none;
  bool sa_dump_again_ = false, link_dump_again_ = false, route_dump_again_ = false;
  std::vector<OwnRoute> own_routes_;
  std::vector<PolicySeen> policies_;
  std::function<void(std::vector<PolicySeen>)> policies_done_;
  std::map<std::uint32_t, std::uint64_t> steps_;  ///< Step id by sequence number.
  std::map<std::uint32_t, IpAddress> look_ups_;   ///< Endpoint by sequence number.
  std::uint64_t overruns_ = 0;
};

}  // namespace minibgp::xfrm
