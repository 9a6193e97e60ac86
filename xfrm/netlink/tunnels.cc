// The facade xfrm/tunnels.h: the pure parts of this folder, the kernel and charon, driven by one pump.
#include <bgp/text.h>
#include <xfrm/interfaces.h>
#include <xfrm/netlink/monitor.h>
#include <xfrm/netlink/policy_redirect.h>
#include <xfrm/policy_failover.h>
#include <xfrm/tunnel_table.h>
#include <xfrm/tunnels.h>
#include <xfrm/underlay.h>
#include <xfrm/vici/client.h>
#include <xfrm/vici/events.h>
#include <xfrm/vici/keeper.h>
#include <xfrm/vici/key_file.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace minibgp::xfrm {
namespace {

/// How long stop() waits for charon and the kernel to take away what we made.
/// An end with OnExit::remove waits so long for charon, then for the kernel.
constexpr std::chrono::seconds kCharonPatience{8};
constexpr std::chrono::seconds kKernelPatience{2};

TunnelsOptions checked(TunnelsOptions options) {
  // Zero would make the loop spin.
  options.sync_interval = std::max(options.sync_interval, std::chrono::milliseconds{100});
  return options;
}

}  // namespace

/// The rim: facts go into the pure parts, then pump() until nothing is left to do.
class Tunnels::Impl final : public std::enable_shared_from_this<Tunnels::Impl>,
                            private KernelEvents,
                            private vici::ClientEvents {
 public:
  Impl(boost::asio::io_context& io, const TunnelsOptions& options, TunnelObserver& observer, LogSink* log)
      : io_(io),
        options_(checked(options)),
        observer_(observer),
        log_(log),
        timer_(io),
        interfaces_(options_.route_protocol),
        keeper_(keys_, options_.sync_interval),
        monitor_(io, RouteOwner{options_.route_protocol, options_.route_table}, *this, log),
        client_(io, {.socket = options_.vici_socket, .timeout = options_.vici_timeout}, *this, log) {
    former_ = options_.former_if_ids;
    table_.set_former({former_.begin(), former_.end()});
    table_.set_damping(options_.damping);
    if (options_.counter_interval.count() != 0) table_.set_silence(options_.silence);
  }

  Result<void, std::error_code> start() {
    running_ = true;
    if (auto started = monitor_.start(any_sas() ? Monitor::Xfrm::required : Monitor::Xfrm::if_there); !started) {
      running_ = false;
      return started;
    }
    ask_for_charon();
    next_sync_ = next_counters_ = now();
    pump();
    return {};
  }

  void set_tunnels(const std::vector<TunnelOptions>& tunnels, const std::vector<FollowGroup>& follow) {
    former_ = owned_if_ids();
    tunnels_ = with_policy_priorities(tunnels);
    interfaces_.set_tunnels(tunnels_);
    table_.set_tunnels(tunnels_);
    table_.set_former({former_.begin(), former_.end()});
    keeper_.set_tunnels(tunnels_, now());
    std::vector<FollowGroup> groups = follow;
    for (std::vector<std::string>& names : tunnels_with_same_selectors(tunnels_))
      groups.push_back({"policies of " + names.front(), std::move(names)});
    std::vector<Follow> next;
    for (const FollowGroup& group : groups) {
      const auto old =
          std::find_if(follow_.begin(), follow_.end(), [&](const Follow& it) { return it.group == group; });
      next.push_back(old != follow_.end() ? *old : Follow{group, {}, {}});
    }
    follow_ = std::move(next);
    if (running_) {
      ask_for_charon();
      pump();
    }
  }

  void stop(std::function<void()> done) {
    if (!running_) {
      boost::asio::post(io_, std::move(done));
      return;
    }
    stopping_ = std::move(done);
    if (options_.on_exit == TunnelsOptions::OnExit::keep) return finish_stop();
    stop_deadline_ = now() + kCharonPatience;
    keeper_.unload_all();
    pump();
  }

  void close() {
    running_ = false;
    timer_.cancel();
    client_.stop();
    monitor_.close();
  }

  void feed_probe(std::string_view tunnel, Probe result) {
    table_.set_probe(tunnel, result == Probe::answered ? ProbeResult::answered
                             : result == Probe::lost   ? ProbeResult::lost
                                                       : ProbeResult::unknown);
    if (running_) pump();
  }

  void initiate(std::string_view tunnel) {
    keeper_.initiate(tunnel, now());
    pump();
  }
  void terminate(std::string_view tunnel) {
    keeper_.terminate(tunnel, now());
    pump();
  }

  [[nodiscard]] std::optional<TunnelStatus> status(std::string_view tunnel) const {
    TunnelStatus status;
    if (!table_.fill(tunnel, status)) return std::nullopt;
    if (const Link* link = interfaces_.link_of(tunnel)) {
      status.interface = link->name;
      status.mtu = link->mtu;
    }
    const vici::IkeKeeper::View view = keeper_.view(tunnel);
    status.failure = view.failure;
    status.failure_text = view.failure_text;
    status.connection_loaded = view.loaded;
    status.next_initiate = view.next_initiate;
    status.problem = view.problem.empty() ? interfaces_.problem(tunnel) : view.problem;
    return status;
  }

  [[nodiscard]] std::vector<TunnelStatus> all_status() const {
    std::vector<TunnelStatus> all;
    for (const TunnelOptions& tunnel : tunnels_)
      if (auto one = status(tunnel.name)) all.push_back(std::move(*one));
    return all;
  }

  [[nodiscard]] bool usable(std::string_view tunnel) const { return xfrm::usable(table_.state(tunnel)); }

  [[nodiscard]] std::string followed(std::string_view group) const {
    for (const Follow& it : follow_)
      if (it.group.name == group) return it.current;
    return {};
  }

  [[nodiscard]] std::vector<std::uint32_t> owned_if_ids() const {
    std::set<std::uint32_t> all;
    for (const TunnelOptions& tunnel : tunnels_)
      if (tunnel.ike && tunnel.if_id != 0) all.insert(tunnel.if_id);
    if (!keeper_.has_no_former() || table_.has_former_sas()) all.insert(former_.begin(), former_.end());
    return {all.begin(), all.end()};
  }
  [[nodiscard]] IkeLink ike_link() const {
    if (tunnels_.empty() || !running_ || !asking_charon_) return IkeLink::unused;
    return client_.connected() ? IkeLink::connected : IkeLink::connecting;
  }
  [[nodiscard]] const std::string& ike_version() const { return keeper_.version(); }

  [[nodiscard]] std::vector<IpAddress> underlay_endpoints() const {
    std::set<IpAddress> all = keeper_.remote_hosts();
    for (const TunnelOptions& tunnel : tunnels_)
      if (tunnel.ike)
        for (const std::string& text : tunnel.ike->remote_addresses)
          if (const auto address = parse_address(text)) all.insert(*address);
    return {all.begin(), all.end()};
  }

  [[nodiscard]] std::vector<std::string> warnings() const { return keeper_.warnings(); }

  [[nodiscard]] static Time now() {
    return Time{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
  }

 private:
  [[nodiscard]] bool any_sas() const {
    return std::any_of(tunnels_.begin(), tunnels_.end(), [](const TunnelOptions& it) { return it.mode != Mode::link; });
  }
  /// From the first tunnel on that has to do with IPsec.
  void ask_for_charon() {
    if ((!any_sas() && former_.empty()) || std::exchange(asking_charon_, true)) return;
    if (!monitor_.has_xfrm()) write_log(LogLevel::error, "this kernel has no IPsec: only tunnels of mode link work");
    client_.start();
  }

  struct Follow {
    FollowGroup group;
    InboundFollower follower;
    std::string current;
  };
  static constexpr std::uint64_t kRemovalId = 0;  ///< Steps of next_steps() begin at 1.

  // --- the kernel ---------------------------------------------------------------------------------------------------

  void on_sa(const Sa& sa) override {
    Sa known = sa;
    if (known.direction == SaDirection::unknown) {
      if (interfaces_.is_local(sa.key.destination)) {
        known.direction = SaDirection::inbound;
      } else if (interfaces_.is_local(sa.source)) {
        known.direction = SaDirection::outbound;
      }
    }
    table_.sa_added(known);
  }
  void on_sa_gone(const SaKey& key, Reason why) override {
    table_.sa_gone(key, why);
    keeper_.look_again(now());
  }
  void on_sas_flushed() override {
    table_.sas_flushed();
    keeper_.look_again(now());
  }
  void on_sa_dump_begins() override { table_.dump_begins(); }
  void on_sa_dump_ended() override {
    table_.dump_ended();
    sas_known_ = true;
  }
  void on_counters(const SaKey& key, std::uint64_t packets, std::uint64_t bytes) override {
    table_.set_counters(key, packets, bytes);
  }
  void on_link(const Link& link) override {
    if (!link.up || !link.carrier) neighbors_.forget(link.index);
    interfaces_.link(link);
    interfaces_.forget_routes();
  }
  void on_link_gone(std::uint32_t index) override {
    neighbors_.forget(index);
    interfaces_.link_gone(index);
    interfaces_.forget_routes();
  }
  void on_address(std::uint32_t index, const InterfaceAddress& address, bool gone) override {
    if (gone) {
      interfaces_.address_gone(index, address);
    } else {
      interfaces_.address(index, address);
    }
    interfaces_.forget_routes();
  }
  void on_link_dump_begins() override { interfaces_.dump_begins(); }
  void on_link_dump_ended() override {
    interfaces_.dump_ended();
    links_known_ = true;
  }
  void on_step_answer(std::uint64_t id, int error) override {
    if (id == kRemovalId) {
      if (removals_ > 0) --removals_;
      return;
    }
    interfaces_.answered(id, error, now());
  }
  void on_route(const IpAddress& endpoint, const std::optional<RouteFound>& found) override {
    looking_up_.erase(endpoint);
    interfaces_.route(endpoint, found);
  }
  void on_neighbor(std::uint32_t device, const IpAddress& address, bool failed) override {
    neighbors_.seen(device, address, failed);
  }
  void on_own_routes(std::vector<OwnRoute> routes) override { interfaces_.own_routes(std::move(routes)); }
  void on_batch_ended() override { pump(); }

  // --- charon -------------------------------------------------------------------------------------------------------

  void on_ike_connected() override {
    write_log(LogLevel::info, "connected to charon at " + options_.vici_socket);
    keeper_.connected(now());
    pump();
  }
  void on_ike_disconnected(std::string_view) override {
    keeper_.disconnected();
    client_.refused() ? table_.charon_refuses() : table_.charon_gone();
    pump();
  }
  void on_ike_event(std::string_view name, const vici::Section& message) override {
    vici::take_event(name, message, table_, keeper_, now());
    // A renewal has installed charon's policies again.
    if (name == "child-rekey" || name == "child-updown")
      for (const Follow& it : follow_) redirect(it);
    pump();
  }

  // --- the pump -----------------------------------------------------------------------------------------------------

  void pump() {
    if (!running_) return;
    if (pumping_) {
      again_ = true;
      return;
    }
    pumping_ = true;
    const auto self = shared_from_this();  // An observer may destroy the Tunnels.
    do {
      again_ = false;
      pump_once();
    } while (again_ && running_);
    pumping_ = false;
    if (!running_) return;
    if (stopping_ && leave()) return finish_stop();
    arm();
  }

  /// The end with OnExit::remove: charon first, while its packets still find their way, then the kernel. True: done.
  bool leave() {
    const bool patient = now() < stop_deadline_;
    if (leaving_kernel_) return !patient || removals_ == 0;
    const bool unloaded = !asking_charon_ || keeper_.unloaded();
    if (patient && !unloaded) return false;
    if (!unloaded)
      write_log(LogLevel::warning,
                "charon did not take our connections out within " + std::to_string(kCharonPatience.count()) +
                    " s: they and their SAs stay until it is restarted (systemctl restart strongswan)");
    leaving_kernel_ = true;
    stop_deadline_ = now() + kKernelPatience;
    if (options_.manage_interfaces)
      for (const LinkStep& step : interfaces_.removal()) {
        ++removals_;
        monitor_.execute(kRemovalId, step);
      }
    return removals_ == 0;
  }

  void pump_once() {
    const Time at = now();
    if (at >= next_sync_) sync(at);
    if (at >= next_counters_ && options_.counter_interval.count() != 0) count(at);
    if (auto children = keeper_.take_snapshot()) table_.set_children(std::move(*children));
    // What the kernel forwards comes before what makes the kernel right.
    tell(at);
    if (!running_) return;
    if (links_known_ && !stopping_) look_up_routes();
    if (options_.manage_interfaces && links_known_ && !stopping_) step_interfaces(at);
    ask_charon(at);
    for (const std::string& line : keeper_.take_log()) write_log(LogLevel::info, line);
  }

  void sync(Time at) {
    next_sync_ = at + options_.sync_interval;
    monitor_.resume();
    interfaces_.forget_routes();
    looking_up_.clear();
  }

  void count(Time at) {
    next_counters_ = at + options_.counter_interval;
    std::vector<Sa> sas;
    for (const TunnelOptions& tunnel : tunnels_)
      for (const Sa& sa : table_.sas_of(tunnel.name)) sas.push_back(sa);
    // The answers come in the next turn; what is followed now are those of the reading before.
    follow(at);
    monitor_.read_counters(sas);
  }

  void tell(Time at) {
    if (!links_known_ || !sas_known_) return;
    for (const TunnelOptions& tunnel : tunnels_) {
      const auto link = interfaces_.tunnel_link(tunnel.name);
      table_.set_link(tunnel.name, link ? &*link : nullptr);
      table_.set_underlay(tunnel.name, judge_underlay(tunnel, table_.ends_of(tunnel.name), interfaces_, neighbors_));
    }
    // The names in the changes live in the table, which a callback may change: copies.
    std::vector<std::pair<std::string, TunnelChange>> told;
    for (const TunnelChange& change : table_.settle(at)) told.emplace_back(change.tunnel, change);
    for (const SaKey& dead : table_.take_dead()) {
      write_log(LogLevel::info, "an SA to " + to_text(dead.destination) + " that charon no longer knows is deleted");
      monitor_.delete_sa(dead);
    }
    for (const TunnelOptions& tunnel : tunnels_) keeper_.set_need(tunnel.name, table_.need(tunnel.name), at);
    bool lost = false;
    for (auto& [name, change] : told) {
      change.tunnel = name;
      lost = lost || !xfrm::usable(change.state);
      if (change.state != change.previous || !xfrm::usable(change.state))
        write_log(
            xfrm::usable(change.state) ? LogLevel::info : LogLevel::warning,
            "tunnel " + name + ": " + std::string{to_text(change.state)} + ": " + std::string{to_text(change.reason)});
      observer_.on_tunnel_changed(change);
      if (!running_) return;
    }
    if (lost || !told.empty()) follow(at);
  }

  void follow(Time at) {
    std::vector<std::pair<FollowChange, std::array<std::string, 3>>> moves;
    for (Follow& it : follow_) {
      std::vector<InboundFollower::Sample> samples;
      for (const std::string& name : it.group.tunnels) samples.push_back({usable(name), table_.inbound_packets(name)});
      const auto move = it.follower.sample(samples, at);
      if (move) {
        const std::string previous =
            std::exchange(it.current, move->to == InboundFollower::kNone ? std::string{} : it.group.tunnels[move->to]);
        write_log(LogLevel::info, "group " + it.group.name + ": sending through " +
                                      (it.current.empty() ? "nothing" : it.current) + ": " + std::string{move->why});
        moves.push_back({FollowChange{{}, {}, {}, move->why}, {it.group.name, it.current, previous}});
      }
      redirect(it);
    }
    for (auto& [change, names] : moves) {
      change.group = names[0];
      change.tunnel = names[1];
      change.previous = names[2];
      observer_.on_follow_changed(change);
      if (!running_) return;
    }
  }

  /// Policy-based tunnels: the kernel's policies lead through the followed tunnel, whatever charon installed last.
  void redirect(const Follow& it) {
    const auto mode_of = [&](const std::string& name) {
      const auto found =
          std::find_if(tunnels_.begin(), tunnels_.end(), [&](const TunnelOptions& t) { return t.name == name; });
      return found == tunnels_.end() ? Mode::interface : found->mode;
    };
    if (it.current.empty() || mode_of(it.current) != Mode::policy) return;
    const auto wanted = ends_of(table_.sas_of(it.current));
    std::vector<TunnelEnds> others;
    for (const std::string& name : it.group.tunnels)
      if (name != it.current)
        if (const auto ends = ends_of(table_.sas_of(name))) others.push_back(*ends);
    if (!wanted || others.empty()) return;
    monitor_.read_policies(
        [this, wanted = *wanted, others, name = it.current](const std::vector<PolicySeen>& policies) {
          const auto changed = redirected(policies, wanted, others);
          if (changed.empty()) return;
          write_log(LogLevel::info,
                    "tunnel " + name + ": " + std::to_string(changed.size()) + " kernel policies now lead through it");
          monitor_.write_policies(changed);
        });
  }

  void step_interfaces(Time at) {
    for (const auto& [id, step] : interfaces_.next_steps(at)) monitor_.execute(id, step);
    if (interfaces_.take_own_routes_request()) monitor_.read_own_routes();
  }
  void look_up_routes() {
    std::vector<IpAddress> endpoints;
    for (const TunnelOptions& tunnel : tunnels_)
      for (const OuterEnds& ends : table_.ends_of(tunnel.name)) endpoints.push_back(ends.remote);
    interfaces_.watch_routes_to(std::move(endpoints));
    for (const IpAddress& endpoint : interfaces_.endpoints_to_look_up())
      if (looking_up_.insert(endpoint).second) monitor_.look_up(endpoint);
  }

  void ask_charon(Time at) {
    auto request = keeper_.next_request(at);
    if (!request) return;
    client_.request(std::move(request->name), std::move(request->message), [weak = weak_from_this()](IkeReply reply) {
      const auto self = weak.lock();
      if (!self || !self->running_) return;
      self->keeper_.replied(reply, now());
      self->pump();
    });
  }

  void arm() {
    Time next = std::min({next_sync_, table_.next_deadline(), keeper_.next_deadline(), interfaces_.next_deadline()});
    if (options_.counter_interval.count() != 0) next = std::min(next, next_counters_);
    if (stopping_) next = std::min(next, stop_deadline_);
    timer_.expires_at(std::chrono::steady_clock::time_point{
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(next.time_since_epoch())});
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      if (const auto self = weak.lock(); self && !error) self->pump();
    });
  }

  void finish_stop() {
    close();
    if (auto done = std::exchange(stopping_, nullptr)) boost::asio::post(io_, std::move(done));
  }

  void write_log(LogLevel level, const std::string& line) {
    if (log_ && log_->wants(level, LogArea::tunnel)) log_->write(level, LogArea::tunnel, line);
  }

  boost::asio::io_context& io_;
  TunnelsOptions options_;
  TunnelObserver& observer_;
  LogSink* log_;
  boost::asio::steady_timer timer_;
  std::vector<TunnelOptions> tunnels_;
  std::vector<std::uint32_t> former_;  ///< if_ids of tunnels that we had.
  Interfaces interfaces_;
  Neighbors neighbors_;
  TunnelTable table_;
  vici::KeyFiles keys_;
  vici::IkeKeeper keeper_;
  Monitor monitor_;
  vici::Client client_;
  std::vector<Follow> follow_;
  std::set<IpAddress> looking_up_;
  bool running_ = false, links_known_ = false, sas_known_ = false;
  bool pumping_ = false, again_ = false;
  bool asking_charon_ = false;
  Time next_sync_{}, next_counters_{};
  std::function<void()> stopping_;
  Time stop_deadline_ = kNever;
  bool leaving_kernel_ = false;
  std::size_t removals_ = 0;
};

Tunnels::Tunnels(boost::asio::io_context& io, const TunnelsOptions& options, TunnelObserver& observer, LogSink* log)
    : impl_(std::make_shared<Impl>(io, options, observer, log)) {}
Tunnels::~Tunnels() { impl_->close(); }
Result<void, std::error_code> Tunnels::start() { return impl_->start(); }
void Tunnels::set_tunnels(const std::vector<TunnelOptions>& tunnels, const std::vector<FollowGroup>& follow) {
  impl_->set_tunnels(tunnels, follow);
}
void Tunnels::stop(std::function<void()> done) { impl_->stop(std::move(done)); }
void Tunnels::feed_probe(std::string_view tunnel, Probe result) { impl_->feed_probe(tunnel, result); }
void Tunnels::initiate(std::string_view tunnel) { impl_->initiate(tunnel); }
void Tunnels::terminate(std::string_view tunnel) { impl_->terminate(tunnel); }
std::vector<TunnelStatus> Tunnels::status() const { return impl_->all_status(); }
std::optional<TunnelStatus> Tunnels::status(std::string_view tunnel) const { return impl_->status(tunnel); }
bool Tunnels::usable(std::string_view tunnel) const { return impl_->usable(tunnel); }
std::string Tunnels::followed(std::string_view group) const { return impl_->followed(group); }
std::vector<std::uint32_t> Tunnels::owned_if_ids() const { return impl_->owned_if_ids(); }
IkeLink Tunnels::ike_link() const { return impl_->ike_link(); }
std::string Tunnels::ike_version() const { return impl_->ike_version(); }
std::vector<IpAddress> Tunnels::underlay_endpoints() const { return impl_->underlay_endpoints(); }
std::vector<std::string> Tunnels::warnings() const { return impl_->warnings(); }
Time Tunnels::now() const { return Impl::now(); }

}  // namespace minibgp::xfrm
