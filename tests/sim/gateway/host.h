/// ModelHost: links, their addresses and the host routes to the peers' IKE endpoints, as a TunnelKeeper sees and
/// changes them. Each tunnel has a device of its own below it; the tunnels' own interfaces are those of a FakeKernel.
#pragma once

#include <tests/support/fake_kernel.h>
#include <xfrm/inputs.h>
#include <xfrm/interfaces.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

namespace bgplite::sim {

class ModelHost {
 public:
  /// `tell` gets what the kernel says.
  ModelHost(minibgp::testing::FakeKernel& kernel, std::function<void(const minibgp::xfrm::Input&)> tell);

  /// The device below a tunnel, with the address that its IKE and ESP packets are sent from.
  void add_uplink(std::size_t tunnel, const minibgp::IpAddress& local);
  void set_uplink(std::size_t tunnel, bool carrier);
  void set_interface(std::size_t tunnel, bool up);  ///< Nothing, where the interface is not there.
  void remove_interface(std::size_t tunnel);
  [[nodiscard]] bool interface_up(std::size_t tunnel) const;
  [[nodiscard]] static std::string uplink_name(std::size_t tunnel) { return "up" + std::to_string(tunnel); }
  [[nodiscard]] static minibgp::IpAddress gateway(std::size_t tunnel);

  // What a TunnelKeeper asks for.
  void dump_links() const;
  [[nodiscard]] int execute(const minibgp::xfrm::LinkStep& step);  ///< The kernel's errno; 0: done.
  [[nodiscard]] std::optional<minibgp::xfrm::RouteFound> look_up(const minibgp::IpAddress& endpoint) const;
  [[nodiscard]] std::vector<minibgp::xfrm::OwnRoute> own_routes() const;

  /// Indexes of the interfaces that we made.
  [[nodiscard]] std::vector<std::uint32_t> interfaces() const;
  [[nodiscard]] const std::map<minibgp::IpAddress, minibgp::xfrm::ChangeRoute>& routes() const { return routes_; }
  std::function<void(std::size_t)> on_changed;  ///< A tunnel's interface came, went or changed.

 private:
  [[nodiscard]] int execute(const minibgp::xfrm::CreateLink& step);
  [[nodiscard]] int execute(const minibgp::xfrm::DeleteLink& step);
  [[nodiscard]] int execute(const minibgp::xfrm::ChangeLink& step);
  [[nodiscard]] int execute(const minibgp::xfrm::ChangeAddress& step);
  [[nodiscard]] int execute(const minibgp::xfrm::ChangeRoute& step);
  void changed(std::uint32_t index) const;

  minibgp::testing::FakeKernel& kernel_;
  std::function<void(const minibgp::xfrm::Input&)> tell_;
  std::map<std::uint32_t, minibgp::xfrm::Link> links_;
  std::map<std::uint32_t, std::vector<minibgp::xfrm::InterfaceAddress>> addresses_;
  std::map<minibgp::IpAddress, minibgp::xfrm::ChangeRoute> routes_;
  unsigned steps_ = 0;
};

}  // namespace bgplite::sim
