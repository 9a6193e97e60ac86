/// Daemon: what it opens at a start, and what it passes on. The effects are carried out in perform.cc.
#include <apps/bgplite/config/yaml.h>
#include <apps/bgplite/daemon.h>
#include <apps/bgplite/perform.h>
#include <bgp/text.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>
#include <utility>

namespace bgplite {
namespace {

using minibgp::LogArea;
using minibgp::Prefix;
using minibgp::fib::Fib;
using minibgp::xfrm::Tunnels;

std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

std::string identity(const Config& config) {
  return "AS " + to_text(config.router.asn) + " table " + std::to_string(config.fib.table) + " protocol " +
         std::to_string(config.fib.protocol);
}

std::string plural(std::size_t count, const char* noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace

Daemon::Daemon(boost::asio::io_context& io, Logging& log, Config config)
    : io_(io),
      log_(log),
      gateway_(std::move(config), *this, std::random_device{}()),
      pump_(
          io, gateway_, [this] { return speaker_->now(); },
          [this](GatewayEffect& effect) { std::visit(Performer{*this}, effect); }),
      marker_(directory_of(this->config().control.socket) + "forwarding", identity(this->config())),
      owned_tables_(this->config().state_dir),
      started_(std::chrono::steady_clock::now()),
      probes_(io, log, std::random_device{}(), [this](std::string_view tunnel, Probes::Result result) {
        if (tunnels_ && !gateway_.stopping()) tunnels_->feed_probe(tunnel, result);
      }) {}

Daemon::~Daemon() = default;

std::chrono::seconds Daemon::uptime() const {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_);
}

minibgp::Result<void, std::string> Daemon::start() {
  gateway_.set_restarted(config().fib.enabled && marker_.found());
  speaker_ = std::make_unique<minibgp::Speaker>(io_, gateway_.speaker_options(), static_cast<minibgp::Observer&>(*this),
                                                &log_);
  if (auto opened = open_listeners(); !opened) return opened;
  if (auto opened = open_fib(); !opened) return opened;
  if (auto opened = open_tunnels(); !opened) return opened;
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

minibgp::Result<void, std::string> Daemon::open_listeners() {
  minibgp::ListenOptions options;
  options.enabled = config().listen.enabled;
  options.port = config().listen.port;
  if (!options.enabled) return {};
  std::vector<minibgp::IpAddress> addresses = config().listen.addresses;
  if (addresses.empty()) addresses.emplace_back();
  for (const minibgp::IpAddress& address : addresses) {
    options.address = address;
    const auto listening = speaker_->listen(options);
    if (listening) continue;
    std::string text = "cannot listen on " + (address.is_set() ? to_text(address) + " " : std::string{}) + "port " +
                       std::to_string(options.port) + ": " + listening.error().message();
    if (listening.error() == std::errc::permission_denied) text += " (needs CAP_NET_BIND_SERVICE)";
    if (listening.error() == std::errc::address_in_use)
      text += " (another BGP daemon runs here: ss -ltnp sport = :179)";
    return minibgp::unexpected(std::move(text));
  }
  return {};
}

minibgp::Result<void, std::string> Daemon::open_fib() {
  const OwnedTables::Memory& memory = owned_tables_.load();
  if (memory.damaged)
    log_.warning(LogArea::fib,
                 owned_tables_.path() + " is damaged: routes of an earlier run in other tables may stay in the kernel");
  if (!gateway_.needs_fib() && memory.tables.empty()) return {};
  minibgp::fib::FibOptions options = gateway_.fib_options();
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

/// Two instances would unload each other's connections.
minibgp::Result<void, std::string> Daemon::own_charon() {
  const bool ours = std::any_of(config().tunnels.begin(), config().tunnels.end(),
                                [](const auto& tunnel) { return tunnel.second.options.ike.has_value(); }) ||
                    !owned_tables_.if_ids().empty();
  if (!ours || charon_lock_) return {};
  std::error_code ignored;
  const auto path = std::filesystem::weakly_canonical(config().ipsec.vici_socket, ignored).string();
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

minibgp::Result<void, std::string> Daemon::open_tunnels() {
  const bool none = config().tunnels.empty();
  if (none && owned_tables_.if_ids().empty()) return {};
  // Where no tunnel is left, what is left of them is removed, unless it is another instance's by now.
  if (auto owned = own_charon(); !owned) return none ? minibgp::Result<void, std::string>{} : owned;
  using OnExitOfTunnels = minibgp::xfrm::TunnelsOptions::OnExit;
  minibgp::xfrm::TunnelsOptions options = config().ipsec;
  options.on_exit = config().on_exit == OnExit::keep ? OnExitOfTunnels::keep : OnExitOfTunnels::remove;
  options.former_if_ids = owned_tables_.if_ids();
  tunnels_ = std::make_unique<Tunnels>(io_, options, static_cast<minibgp::xfrm::TunnelObserver&>(*this), &log_);
  set_tunnels(gateway_.tunnel_setup());
  if (const auto started = tunnels_->start(); !started)
    return minibgp::unexpected("cannot open the kernel's IPsec socket: " + started.error().message());
  return {};
}

void Daemon::set_tunnels(const effect::SetTunnels& setup) {
  if (!tunnels_) {
    if (const auto opened = open_tunnels(); !opened) log_.error(LogArea::tunnel, opened.error());
    return;
  }
  if (const auto owned = own_charon(); !owned)
    return log_.error(LogArea::tunnel, owned.error() + ": tunnels stay as they were");
  tunnels_->set_tunnels(setup.tunnels, setup.follow);
  remember_tunnels();
  probes_.set(config(), *tunnels_);
  guard_underlay();
}

void Daemon::remember_tunnels() {
  if (!tunnels_ || owned_tables_.store_if_ids(tunnels_->owned_if_ids())) return;
  log_.warning(LogArea::tunnel, "cannot write " + owned_tables_.path() + ": " + std::strerror(errno) +
                                    ": a later start without one of these tunnels would leave its SAs");
}

void Daemon::guard_underlay() {
  if (!tunnels_) return;
  const std::vector<minibgp::IpAddress> endpoints = tunnels_->underlay_endpoints();
  if (fib_) fib_->set_underlay_endpoints(endpoints);
  speaker_->set_protected_addresses(endpoints);
}

void Daemon::stop(std::function<void()> done) {
  if (gateway_.stopping()) return;
  stopped_ = std::move(done);
  remember_tunnels();
  pump_.input(input::Stop{});
}

Plan Daemon::apply(Config wanted) {
  Plan plan = gateway_.plan(wanted);
  pump_.input(input::Apply{std::move(wanted), plan});
  return plan;
}

minibgp::Result<void, std::string> Daemon::ask(Input wish) {
  refused_.reset();
  pump_.input(std::move(wish));
  if (auto why = std::exchange(refused_, std::nullopt)) return minibgp::unexpected(std::move(*why));
  return {};
}

std::optional<minibgp::Secret> Daemon::key_on_disk(minibgp::PeerId peer) const {
  const PeerConfig* config = gateway_.peer_config(peer);
  if (config == nullptr || config->md5_file.empty()) return std::nullopt;
  std::string why;
  const auto text = host_files_and_keys().key(config->md5_file, why);
  if (text) return minibgp::Secret{*text};
  log_.error(LogArea::config, "peer " + *gateway_.peer_key(peer) + ": " + why + ": the key in use stays");
  return std::nullopt;
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
    on_event("route", {{"prefix", to_text(change.prefix)}, {"paths", std::to_string(change.paths.size())}});
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
  pump_.input(input::TunnelChanged{tunnel, change.state, change.previous, change.reason});
  probes_.on_tunnel_changed(tunnel, change.state, change.reason);
}
void Daemon::on_follow_changed(const minibgp::xfrm::FollowChange& change) {
  pump_.input(input::FollowChanged{std::string{change.group}, std::string{change.tunnel}, std::string{change.previous},
                                   std::string{change.why}});
}

// --- What the Gateway reads

std::vector<minibgp::PeerStatus> Daemon::sessions() const { return speaker_->engine().peers(); }
std::optional<minibgp::PeerStatus> Daemon::session(minibgp::PeerId peer) const { return speaker_->engine().peer(peer); }
std::vector<minibgp::fib::NextHopState> Daemon::next_hops() const {
  return fib_ ? fib_->next_hops() : std::vector<minibgp::fib::NextHopState>{};
}
minibgp::fib::FibCounters Daemon::fib_counters() const {
  return fib_ ? fib_->status().counters : minibgp::fib::FibCounters{};
}
bool Daemon::tunnel_usable(const std::string& tunnel) const { return tunnels_ && tunnels_->usable(tunnel); }
std::string Daemon::followed(const std::string& group) const {
  return tunnels_ ? tunnels_->followed(group) : std::string{};
}

}  // namespace bgplite
