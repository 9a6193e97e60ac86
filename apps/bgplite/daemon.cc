/// Daemon: what it opens at a start, and what it passes on. The effects are carried out in perform.cc.
#include <apps/bgplite/daemon.h>
#include <apps/bgplite/gateway/options.h>
#include <apps/bgplite/listeners.h>
#include <bgp/text.h>

#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

namespace bgplite {
namespace {

using minibgp::LogArea;
using minibgp::Prefix;
using minibgp::fib::Fib;

std::string plural(std::size_t count, const char* noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace

Daemon::Daemon(boost::asio::io_context& io, Logging& log, Config config)
    : io_(io),
      log_(log),
      view_(speaker_, fib_, tunnels_),
      gateway_(std::move(config), view_, std::random_device{}()),
      pump_(
          io, gateway_, [this] { return speaker_->now(); }, [this](GatewayEffect& effect) { perform(effect); }),
      marker_(this->config()),
      owned_tables_(this->config().state_dir),
      started_(std::chrono::steady_clock::now()),
      tunnels_(io, log, owned_tables_, static_cast<minibgp::xfrm::TunnelObserver&>(*this)) {}

Daemon::~Daemon() = default;

std::chrono::seconds Daemon::uptime() const {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_);
}

minibgp::Result<void, std::string> Daemon::start() {
  // Set before the speaker is made, whose first OPEN says whether we restart.
  gateway_.set_restarted(config().fib.enabled && marker_.found());
  speaker_ =
      std::make_unique<minibgp::Speaker>(io_, gateway_.router_options(), static_cast<minibgp::Observer&>(*this), &log_);
  if (config().listen.enabled)
    if (auto opened = open_listeners(*speaker_, config().listen); !opened) return opened;
  if (auto opened = open_fib(); !opened) return opened;
  if (auto opened = tunnels_.open(config()); !opened) return opened;
  // Before Start: the first routes must not lead to an IKE endpoint through its own tunnel.
  guard_underlay();
  if (config().fib.enabled && !marker_.set())
    log_.warning(LogArea::config, std::string{"cannot remember that routes are in the kernel: "} +
                                      std::strerror(errno) + ": the next start is not a graceful restart");
  pump_.input(input::Start{});
  log_.info(LogArea::config, "AS " + to_text(config().router.asn) + ", router id " +
                                 to_text(config().router.router_id) + ": " + plural(config().peers.size(), "peer") +
                                 ", " + plural(config().tunnels.size(), "tunnel") + ", " +
                                 plural(config().networks.size(), "network") +
                                 (gateway_.restarted() ? "; restarted, forwarding was preserved" : ""));
  return {};
}

minibgp::Result<void, std::string> Daemon::open_fib() {
  const OwnedTables::Memory& memory = owned_tables_.load();
  if (memory.damaged)
    log_.warning(LogArea::fib,
                 owned_tables_.path() + " is damaged: routes of an earlier run in other tables may stay in the kernel");
  // Also without routes of our own: what an earlier run left in other tables is removed.
  if (!needs_fib(config()) && memory.tables.empty()) return {};
  minibgp::fib::FibOptions options = fib_options(config());
  options.former = memory.tables;
  fib_ = std::make_unique<Fib>(io_, options, static_cast<minibgp::fib::FibObserver&>(*this), &log_);
  const auto started = fib_->start();
  if (started) return {};
  if (started.error() == std::errc::address_in_use)
    return minibgp::unexpected("cannot keep routes in table " + std::to_string(options.table) + " with protocol " +
                               std::to_string(options.protocol) + ": " + started.error().message() +
                               ": end that one, or give one of the two another fib.table or fib.protocol");
  return minibgp::unexpected("cannot open the kernel's routing socket: " + started.error().message());
}

void Daemon::guard_underlay() {
  // Endpoints are known with tunnels only.
  if (tunnels() == nullptr) return;
  const std::vector<minibgp::IpAddress> endpoints = tunnels()->underlay_endpoints();
  if (fib_) fib_->set_underlay_endpoints(endpoints);
  speaker_->set_protected_addresses(endpoints);
}

void Daemon::stop(std::function<void()> done) {
  if (gateway_.stopping()) return;
  stopped_ = std::move(done);
  // Written before anything is ended, so that a crash on the way out leaves what the next start has to know.
  tunnels_.leave();
  pump_.input(input::Stop{});
}

minibgp::Result<void, std::string> Daemon::ask(Input wish) {
  refused_.reset();
  // The input is worked on within the call, so a refusal has come by the next line.
  pump_.input(std::move(wish));
  if (auto why = std::exchange(refused_, std::nullopt)) return minibgp::unexpected(std::move(*why));
  return {};
}

// --- What the others report

void Daemon::on_peer_changed(const minibgp::PeerChanged& change) { pump_.input(input::PeerChanged{change}); }
void Daemon::on_next_hop_interest(const minibgp::NextHopInterest& interest) {
  pump_.input(input::NextHopInterest{interest});
}
void Daemon::on_end_of_rib(const minibgp::EndOfRib& end) { pump_.input(input::EndOfRib{end}); }
void Daemon::on_restart_complete() { pump_.input(input::RestartComplete{}); }

void Daemon::on_best_changed(std::span<const minibgp::BestChange> changes) {
  if (fib_ && gateway_.forwards()) fib_->on_best_changed(changes);
  if (!on_event || gateway_.stopping()) return;
  for (const minibgp::BestChange& change : changes)
    on_event("route", {{"prefix", to_text(change.prefix)}, {"paths", std::uint64_t{change.paths.size()}}});
}

void Daemon::on_next_hops_changed(std::span<const minibgp::fib::NextHopState> states) {
  pump_.input(input::NextHops{{states.begin(), states.end()}});
}
void Daemon::on_network_changed(const Prefix& prefix, minibgp::fib::NetworkWatch watch, bool present) {
  pump_.input(input::NetworkChanged{prefix, watch, present});
}
void Daemon::on_fib_failed(std::error_code error) {
  log_.error(LogArea::fib, "the kernel's routing socket failed: " + error.message() + ": routes are not kept any more");
}
void Daemon::on_owned_changed(std::span<const minibgp::fib::OwnedTable> tables) {
  if (owned_tables_.store(tables)) return;
  log_.warning(LogArea::fib, "cannot write " + owned_tables_.path() + ": " + std::strerror(errno) +
                                 ": a later start with another fib.table or fib.protocol would leave these routes");
}

void Daemon::on_tunnel_changed(const minibgp::xfrm::TunnelChange& change) {
  const std::string tunnel{change.tunnel};
  // The gateway first: the kernel's groups lose the interface before a probe is paused.
  pump_.input(input::TunnelChanged{tunnel, change.state, change.previous, change.reason});
  tunnels_.on_changed(tunnel, change.state, change.reason);
}
void Daemon::on_follow_changed(const minibgp::xfrm::FollowChange& change) {
  pump_.input(input::FollowChanged{std::string{change.group}, std::string{change.tunnel}, std::string{change.previous},
                                   std::string{change.why}});
}

}  // namespace bgplite
