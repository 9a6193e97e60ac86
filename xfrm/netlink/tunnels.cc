// The Tunnels of xfrm/tunnels.h: a TunnelKeeper, the kernel, charon and one timer. Inputs go in, then run() carries out
// what the keeper hands out. Decides nothing.
#include <xfrm/netlink/monitor.h>
#include <xfrm/netlink/policy_redirect.h>
#include <xfrm/tunnel_keeper.h>
#include <xfrm/tunnels.h>
#include <xfrm/vici/client.h>
#include <xfrm/vici/key_file.h>

#include <chrono>
#include <optional>
#include <utility>
#include <variant>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace minibgp::xfrm {
namespace {

Time steady_now() {
  return Time{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

ProbeResult result_of(Tunnels::Probe probe) {
  switch (probe) {
    case Tunnels::Probe::answered:
      return ProbeResult::answered;
    case Tunnels::Probe::lost:
      return ProbeResult::lost;
    case Tunnels::Probe::unknown:
      break;
  }
  return ProbeResult::unknown;
}

}  // namespace

class Tunnels::Impl final : public std::enable_shared_from_this<Tunnels::Impl>,
                            private KernelEvents,
                            private vici::ClientEvents {
 public:
  Impl(boost::asio::io_context& io, const TunnelsOptions& options, TunnelObserver& observer, LogSink* log)
      : io_(io),
        observer_(observer),
        log_(log),
        timer_(io),
        keeper_(options, keys_),
        monitor_(io, RouteOwner{options.route_protocol, options.route_table}, *this, log),
        client_(io, {.socket = options.vici_socket, .timeout = options.vici_timeout}, *this, log) {}

  Result<void, std::error_code> start() {
    const auto xfrm = keeper_.has_ipsec_tunnels() ? Monitor::Xfrm::required : Monitor::Xfrm::if_there;
    if (auto started = monitor_.start(xfrm); !started) return started;
    // From here on the keeper has a clock; what the first dumps have brought is settled in this turn.
    input(input::Started{monitor_.has_xfrm()});
    return {};
  }

  void stop(std::optional<TunnelsOptions::OnExit> on_exit, std::function<void()> done) {
    // Closed already: nothing follows any more, but `done` is still owed.
    if (closed_) return boost::asio::post(io_, std::move(done));
    stopped_ = std::move(done);
    input(input::Stop{on_exit});
  }

  void close() {
    closed_ = true;
    timer_.cancel();
    client_.stop();
    monitor_.close();
  }

  void input(const Input& input) {
    keeper_.input(input, steady_now());
    run();
  }

  [[nodiscard]] const TunnelKeeper& keeper() const { return keeper_; }

 private:
  void on_kernel(const Input& input) override { keeper_.input(input, steady_now()); }
  void on_batch_ended() override { run(); }
  void on_ike_connected() override { input(input::CharonConnected{}); }
  void on_ike_disconnected(std::string_view) override { input(input::CharonGone{client_.refused()}); }
  void on_ike_event(std::string_view name, const vici::Section& message) override {
    input(input::CharonEvent{name, message});
  }

  void run() {
    // An input from within an observer ends here; the loop below, which called that observer, takes its effects.
    if (closed_ || std::exchange(performing_, true)) return;
    const auto self = shared_from_this();  // An observer may destroy the Tunnels.
    while (!closed_) {
      auto effect = keeper_.poll();
      if (!effect) break;
      std::visit([this](auto& what) { perform(what); }, *effect);
    }
    performing_ = false;
    if (!closed_) arm();
  }

  void arm() {
    const Time next = keeper_.next_deadline();
    // One timer. A handler that was queued already finds nothing to do.
    timer_.cancel();
    if (next == kNever) return;
    timer_.expires_at(std::chrono::steady_clock::time_point{
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(next.time_since_epoch())});
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      if (const auto self = weak.lock(); self && !error) self->input(input::TimePassed{});
    });
  }

  void perform(const effect::ConnectToCharon&) { client_.start(); }
  void perform(effect::AskCharon& ask) {
    client_.request(std::move(ask.request.name), std::move(ask.request.message),
                    // The answer may come after the Tunnels are gone.
                    [weak = weak_from_this()](const IkeReply& reply) {
                      if (const auto self = weak.lock(); self && !self->closed_)
                        self->input(input::CharonReplied{reply});
                    });
  }
  void perform(const effect::TakeStep& it) { monitor_.execute(it.id, it.step); }
  void perform(const effect::LookUp& it) { monitor_.look_up(it.endpoint); }
  void perform(const effect::ReadCounters& it) { monitor_.read_counters(it.sas); }
  void perform(const effect::ReadOwnRoutes&) { monitor_.read_own_routes(); }
  void perform(const effect::RetryDumps&) { monitor_.resume(); }
  void perform(const effect::DeleteSa& it) { monitor_.delete_sa(it.sa); }
  void perform(const effect::RedirectPolicies& it) {
    monitor_.read_policies([this, it](const std::vector<PolicySeen>& policies) {
      const auto changed = redirected(policies, it.wanted, it.others);
      if (changed.empty()) return;
      write_log(LogLevel::info,
                "tunnel " + it.tunnel + ": " + std::to_string(changed.size()) + " kernel policies now lead through it");
      monitor_.write_policies(changed);
    });
  }
  void perform(effect::TunnelChanged& it) {
    // The view is set here, where the string that it shows stays in place.
    it.change.tunnel = it.tunnel;
    observer_.on_tunnel_changed(it.change);
  }
  void perform(const effect::FollowChanged& it) {
    observer_.on_follow_changed({it.group, it.tunnel, it.previous, it.why});
  }
  void perform(const effect::WriteLog& it) { write_log(it.level, it.line); }
  void perform(const effect::Stopped&) {
    close();
    // Posted, not called: it may destroy the Tunnels.
    if (auto done = std::exchange(stopped_, nullptr)) boost::asio::post(io_, std::move(done));
  }

  void write_log(LogLevel level, const std::string& line) {
    if (log_ && log_->wants(level, LogArea::tunnel)) log_->write(level, LogArea::tunnel, line);
  }

  boost::asio::io_context& io_;
  TunnelObserver& observer_;
  LogSink* log_;
  boost::asio::steady_timer timer_;
  vici::KeyFiles keys_;
  TunnelKeeper keeper_;
  Monitor monitor_;
  vici::Client client_;
  std::function<void()> stopped_;
  bool performing_ = false, closed_ = false;
};

Tunnels::Tunnels(boost::asio::io_context& io, const TunnelsOptions& options, TunnelObserver& observer, LogSink* log)
    : impl_(std::make_shared<Impl>(io, options, observer, log)) {}
Tunnels::~Tunnels() { impl_->close(); }
Result<void, std::error_code> Tunnels::start() { return impl_->start(); }
void Tunnels::set_tunnels(const std::vector<TunnelOptions>& tunnels, const std::vector<FollowGroup>& follow) {
  impl_->input(input::SetTunnels{tunnels, follow});
}
void Tunnels::stop(std::function<void()> done) { impl_->stop(std::nullopt, std::move(done)); }
void Tunnels::stop(TunnelsOptions::OnExit on_exit, std::function<void()> done) {
  impl_->stop(on_exit, std::move(done));
}
void Tunnels::feed_probe(std::string_view tunnel, Probe result) {
  impl_->input(input::Probed{tunnel, result_of(result)});
}
void Tunnels::initiate(std::string_view tunnel) { impl_->input(input::Initiate{tunnel}); }
void Tunnels::terminate(std::string_view tunnel) { impl_->input(input::Terminate{tunnel}); }
std::vector<TunnelStatus> Tunnels::status() const { return impl_->keeper().status(); }
std::optional<TunnelStatus> Tunnels::status(std::string_view tunnel) const { return impl_->keeper().status(tunnel); }
bool Tunnels::usable(std::string_view tunnel) const { return impl_->keeper().usable(tunnel); }
std::string Tunnels::followed(std::string_view group) const { return impl_->keeper().followed(group); }
std::vector<std::uint32_t> Tunnels::owned_if_ids() const { return impl_->keeper().owned_if_ids(); }
IkeLink Tunnels::ike_link() const { return impl_->keeper().ike_link(); }
std::string Tunnels::ike_version() const { return impl_->keeper().ike_version(); }
std::vector<IpAddress> Tunnels::underlay_endpoints() const { return impl_->keeper().underlay_endpoints(); }
std::vector<std::string> Tunnels::warnings() const { return impl_->keeper().warnings(); }
Time Tunnels::now() const { return steady_now(); }

}  // namespace minibgp::xfrm
