#include <tests/sim/gateway/host.h>
#include <tests/sim/gateway/names.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <variant>

namespace bgplite::sim {
namespace {

using minibgp::IpAddress;
using minibgp::Prefix;
using minibgp::fib::IfIndex;
using minibgp::xfrm::Link;
using minibgp::xfrm::RouteFound;
namespace xfrm = minibgp::xfrm;

constexpr std::uint32_t kDefaultDevice = 99;  ///< Always works.
constexpr std::uint32_t kUplinks = 100;       ///< The index of the first.
constexpr std::uint8_t kOurRoutes = 156;
constexpr std::uint8_t kStaticRoutes = 4;

std::uint32_t uplink_of(std::size_t tunnel) { return kUplinks + static_cast<std::uint32_t>(tunnel); }

}  // namespace

ModelHost::ModelHost(minibgp::testing::FakeKernel& kernel, std::function<void(const xfrm::Input&)> tell)
    : kernel_(kernel), tell_(std::move(tell)) {
  links_[kDefaultDevice] = Link{kDefaultDevice, "eth0", "", "", 0, 0, 0, 1500, true, false, true};
}

IpAddress ModelHost::gateway(std::size_t tunnel) {
  return IpAddress::v4(0xC00002FEU - static_cast<std::uint32_t>(tunnel));
}

void ModelHost::add_uplink(std::size_t tunnel, const IpAddress& local) {
  const std::uint32_t index = uplink_of(tunnel);
  links_[index] = Link{index, uplink_name(tunnel), "", "", 0, 0, 0, 1500, true, false, true};
  addresses_[index] = {{local, 24}};
}

void ModelHost::set_uplink(std::size_t tunnel, bool carrier) {
  Link& link = links_.at(uplink_of(tunnel));
  link.carrier = carrier;
  tell_(link);
}

void ModelHost::set_interface(std::size_t tunnel, bool up) {
  const auto found = links_.find(if_id_of(tunnel));
  if (found == links_.end()) return;
  found->second.up = up;
  kernel_.set_link(index_of(tunnel), up);
  tell_(found->second);
  changed(found->first);
}

void ModelHost::remove_interface(std::size_t tunnel) { static_cast<void>(execute(xfrm::DeleteLink{if_id_of(tunnel)})); }

bool ModelHost::interface_up(std::size_t tunnel) const {
  const auto found = links_.find(if_id_of(tunnel));
  return found != links_.end() && found->second.up;
}

void ModelHost::changed(std::uint32_t index) const {
  if (on_changed) on_changed(index - 1);
}

// The keeper's

void ModelHost::dump_links() const {
  for (const auto& [index, link] : links_) tell_(link);
  for (const auto& [index, addresses] : addresses_)
    for (const xfrm::InterfaceAddress& address : addresses) tell_(xfrm::AddressSeen{index, address, false});
}

int ModelHost::execute(const xfrm::LinkStep& step) {
  if (kernel_.refuse_one_in != 0 && ++steps_ % kernel_.refuse_one_in == 0) return EBUSY;
  return std::visit([this](const auto& one) { return execute(one); }, step);
}

int ModelHost::execute(const xfrm::CreateLink& step) {
  if (links_.contains(step.if_id)) return EEXIST;
  const Link& link = links_[step.if_id] = {step.if_id, step.name, "xfrm", "",    step.if_id, step.underlying,
                                           0,          step.mtu,  false,  false, true};
  kernel_.add_link(IfIndex{step.if_id}, step.name);
  kernel_.set_link(IfIndex{step.if_id}, false);
  tell_(link);
  changed(step.if_id);
  return 0;
}

int ModelHost::execute(const xfrm::DeleteLink& step) {
  if (links_.erase(step.index) == 0) return ENODEV;
  addresses_.erase(step.index);
  kernel_.remove_link(IfIndex{step.index});
  tell_(xfrm::LinkGone{step.index});
  changed(step.index);
  return 0;
}

int ModelHost::execute(const xfrm::ChangeLink& step) {
  const auto found = links_.find(step.index);
  if (found == links_.end()) return ENODEV;
  Link& link = found->second;
  link.mtu = step.mtu.value_or(link.mtu);
  if (step.mark) link.alias = xfrm::kOurAlias;
  if (step.set_up) link.up = true;
  if (step.set_up) kernel_.set_link(IfIndex{step.index}, true);
  tell_(link);
  changed(step.index);
  return 0;
}

int ModelHost::execute(const xfrm::ChangeAddress& step) {
  const auto found = links_.find(step.index);
  if (found == links_.end()) return ENODEV;
  const minibgp::fib::AddressInfo info{IfIndex{step.index}, step.address.address, step.address.address,
                                       step.address.length_bits, false};
  if (step.add) {
    addresses_[step.index].push_back(step.address);
    kernel_.add_address(info);
  } else {
    std::erase(addresses_[step.index], step.address);
    kernel_.remove_address(info);
  }
  tell_(xfrm::AddressSeen{step.index, step.address, !step.add});
  return 0;
}

int ModelHost::execute(const xfrm::ChangeRoute& step) {
  if (!step.add) return routes_.erase(step.destination) == 0 ? ESRCH : 0;
  routes_[step.destination] = step;
  return 0;
}

std::optional<RouteFound> ModelHost::look_up(const IpAddress& endpoint) const {
  if (const auto found = routes_.find(endpoint); found != routes_.end())
    return RouteFound{Prefix::of(endpoint, 32), found->second.gateway, found->second.device, kOurRoutes, true};
  return RouteFound{Prefix::of(IpAddress::v4(0), 0), gateway(0), kDefaultDevice, kStaticRoutes, true};
}

std::vector<xfrm::OwnRoute> ModelHost::own_routes() const {
  std::vector<xfrm::OwnRoute> all;
  for (const auto& [destination, route] : routes_) all.push_back({destination, route.gateway});
  return all;
}

std::vector<std::uint32_t> ModelHost::interfaces() const {
  std::vector<std::uint32_t> all;
  for (const auto& [index, link] : links_)
    if (index < kDefaultDevice) all.push_back(index);
  return all;
}

}  // namespace bgplite::sim
