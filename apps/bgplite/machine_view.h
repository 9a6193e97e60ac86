/// MachineView: what the Gateway reads of the speaker, the fib and the tunnels, where there are any.
#pragma once

#include <apps/bgplite/gateway/gateway.h>
#include <apps/bgplite/running_tunnels.h>
#include <bgp/speaker.h>
#include <fib/fib.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bgplite {

/// All outlive it, and may be empty yet.
class MachineView final : public GatewayView {
 public:
  MachineView(const std::unique_ptr<minibgp::Speaker>& speaker, const std::unique_ptr<minibgp::fib::Fib>& fib,
              const RunningTunnels& tunnels)
      : speaker_(speaker), fib_(fib), tunnels_(tunnels) {}

  [[nodiscard]] std::vector<minibgp::PeerStatus> sessions() const override { return speaker_->engine().peers(); }
  [[nodiscard]] std::optional<minibgp::PeerStatus> session(minibgp::PeerId peer) const override {
    return speaker_->engine().peer(peer);
  }
  [[nodiscard]] bool has_fib() const override { return fib_ != nullptr; }
  [[nodiscard]] std::vector<minibgp::fib::NextHopState> next_hops() const override {
    return fib_ ? fib_->next_hops() : std::vector<minibgp::fib::NextHopState>{};
  }
  [[nodiscard]] minibgp::fib::FibCounters fib_counters() const override {
    return fib_ ? fib_->status().counters : minibgp::fib::FibCounters{};
  }
  [[nodiscard]] bool has_tunnels() const override { return tunnels_.get() != nullptr; }
  [[nodiscard]] bool tunnel_usable(const std::string& tunnel) const override {
    return has_tunnels() && tunnels_.get()->usable(tunnel);
  }
  [[nodiscard]] std::string followed(const std::string& group) const override {
    return has_tunnels() ? tunnels_.get()->followed(group) : std::string{};
  }

 private:
  const std::unique_ptr<minibgp::Speaker>& speaker_;
  const std::unique_ptr<minibgp::fib::Fib>& fib_;
  const RunningTunnels& tunnels_;
};

}  // namespace bgplite
