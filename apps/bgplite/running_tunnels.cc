#include <apps/bgplite/gateway/options.h>
#include <apps/bgplite/running_tunnels.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

namespace bgplite {

using minibgp::LogArea;
using minibgp::xfrm::Tunnels;
using minibgp::xfrm::TunnelsOptions;

RunningTunnels::RunningTunnels(boost::asio::io_context& io, Logging& log, OwnedTables& owned,
                               minibgp::xfrm::TunnelObserver& observer)
    : io_(io),
      log_(log),
      owned_(owned),
      observer_(observer),
      probes_(io, log, std::random_device{}(), [this](std::string_view tunnel, Probes::Result result) {
        if (tunnels_ && !leaving_) tunnels_->feed_probe(tunnel, result);
      }) {}

/// Two instances would unload each other's connections.
minibgp::Result<void, std::string> RunningTunnels::own_charon(const Config& config) {
  const bool ours = std::any_of(config.tunnels.begin(), config.tunnels.end(),
                                [](const auto& tunnel) { return tunnel.second.options.ike.has_value(); }) ||
                    !owned_.if_ids().empty();
  // Tunnels without `ike` are only watched: any number of instances may do that.
  if (!ours || charon_lock_) return {};
  std::error_code ignored;
  // The same socket may have several names.
  const auto path = std::filesystem::weakly_canonical(config.ipsec.vici_socket, ignored).string();
  // A name is short; the end of a long path tells more than its beginning.
  constexpr std::size_t kPathMax = 80;
  const std::string end = path.size() > kPathMax ? path.substr(path.size() - kPathMax) : path;
  auto taken = minibgp::netlink::OwnerLock::take(io_, "minibgp/charon/" + end);
  if (taken) {
    charon_lock_ = std::move(*taken);
    return {};
  }
  if (taken.error() != std::errc::address_in_use)
    return minibgp::unexpected("cannot lock charon's connections: " + taken.error().message());
  return minibgp::unexpected("cannot hand connections to charon at " + path + ": " + taken.error().message() +
                             ": end that one, or leave 'ike' out of the tunnels of one of the two");
}

minibgp::Result<void, std::string> RunningTunnels::open(const Config& config) {
  const bool none = config.tunnels.empty();
  if (none && owned_.if_ids().empty()) return {};
  // Where no tunnel is left, what is left of them is removed, unless it is another instance's by now.
  // Not an error then: there is nothing that has to work.
  if (auto owned = own_charon(config); !owned) return none ? minibgp::Result<void, std::string>{} : owned;
  TunnelsOptions options = config.ipsec;
  options.on_exit = config.on_exit == OnExit::keep ? TunnelsOptions::OnExit::keep : TunnelsOptions::OnExit::remove;
  options.former_if_ids = owned_.if_ids();
  tunnels_ = std::make_unique<Tunnels>(io_, options, observer_, &log_);
  set_up(config, tunnel_setup(config));
  if (const auto started = tunnels_->start(); !started)
    return minibgp::unexpected("cannot open the kernel's IPsec socket: " + started.error().message());
  return {};
}

void RunningTunnels::set(const Config& config, const effect::SetTunnels& setup) {
  if (!tunnels_) {
    if (const auto opened = open(config); !opened) log_.error(LogArea::tunnel, opened.error());
    return;
  }
  if (const auto owned = own_charon(config); !owned)
    return log_.error(LogArea::tunnel, owned.error() + ": tunnels stay as they were");
  set_up(config, setup);
}

void RunningTunnels::set_up(const Config& config, const effect::SetTunnels& setup) {
  tunnels_->set_tunnels(setup.tunnels, setup.follow);
  // On disk before charon or the kernel can have made anything: a crash from here on leaves nothing that the next start
  // does not know of.
  remember();
  probes_.set(config, *tunnels_);
}

void RunningTunnels::remember() {
  if (!tunnels_ || owned_.store_if_ids(tunnels_->owned_if_ids())) return;
  log_.warning(LogArea::tunnel, "cannot write " + owned_.path() + ": " + std::strerror(errno) +
                                    ": a later start without one of these tunnels would leave its SAs");
}

void RunningTunnels::leave() {
  leaving_ = true;
  // A last time while the tunnels can still be asked.
  remember();
}

std::optional<minibgp::Duration> RunningTunnels::silent_for(const std::string& tunnel) const {
  const auto* probe = probes_.find(tunnel);
  if (!tunnels_ || probe == nullptr || !probe->probe().last_answer()) return std::nullopt;
  return tunnels_->now() - *probe->probe().last_answer();
}

void RunningTunnels::stop(bool keep, const std::function<void()>& done) {
  using OnExitOfTunnels = minibgp::xfrm::TunnelsOptions::OnExit;
  tunnels_ ? tunnels_->stop(keep ? OnExitOfTunnels::keep : OnExitOfTunnels::remove, done) : done();
}

}  // namespace bgplite
