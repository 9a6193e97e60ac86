/// Speaker: the public face of Driver and Engine. Every call becomes an input of the engine (driver.h says when).
#include <bgp/net/driver.h>
#include <bgp/speaker.h>

#include <string>
#include <utility>
#include <vector>

namespace minibgp {

namespace {

[[nodiscard]] Result<void, std::error_code> to_result(std::error_code error) {
  if (error) return unexpected(error);
  return {};
}

}  // namespace

Speaker::Speaker(boost::asio::io_context& io, const SpeakerOptions& options, Observer& observer, LogSink* log)
    : driver_(std::make_shared<net::Driver>(io, options, observer, log)) {}

Speaker::~Speaker() { driver_->shutdown(); }

Result<void, std::error_code> Speaker::listen(const ListenOptions& options) {
  if (!options.enabled) return {};
  return to_result(driver_->listen(options));
}

Result<void, std::error_code> Speaker::adopt_socket(int fd) { return to_result(driver_->adopt(fd)); }

Result<PeerId, ApiError> Speaker::add_peer(const PeerOptions& options) {
  auto added = driver_->ask([&](Engine& engine, Time at) { return engine.add_peer(options, at); });
  if (added) driver_->update_md5(nullptr, &options);
  return added;
}

Result<void, ApiError> Speaker::update_peer(PeerId peer, const PeerOptions& options) {
  const PeerOptions* configured = driver_->engine().options_of(peer);
  if (configured == nullptr) return unexpected(ApiError::unknown_peer);
  const PeerOptions before = *configured;
  auto updated = driver_->ask([&](Engine& engine, Time at) { return engine.update_peer(peer, options, at); });
  if (updated) driver_->update_md5(&before, &options);
  return updated;
}

void Speaker::remove_peer(PeerId peer) {
  driver_->input([driver = driver_.get(), peer](Engine& engine, Time at) {
    driver->update_md5(engine.options_of(peer), nullptr);
    engine.remove_peer(peer, at);
  });
}

void Speaker::enable_peer(PeerId peer) {
  driver_->input([peer](Engine& engine, Time at) { engine.enable_peer(peer, at); });
}

void Speaker::disable_peer(PeerId peer, std::string_view reason) {
  driver_->input([peer, text = std::string{reason}](Engine& engine, Time at) { engine.disable_peer(peer, text, at); });
}

void Speaker::reset_peer(PeerId peer, std::string_view reason) {
  driver_->input([peer, text = std::string{reason}](Engine& engine, Time at) { engine.reset_peer(peer, text, at); });
}

void Speaker::refresh_peer(PeerId peer, Direction direction) {
  driver_->input([peer, direction](Engine& engine, Time at) { engine.refresh_peer(peer, direction, at); });
}

void Speaker::set_transport_usable(PeerId peer, bool usable) {
  driver_->input([peer, usable](Engine& engine, Time at) { engine.set_transport_usable(peer, usable, at); });
}

void Speaker::set_next_hop(PeerId peer, const IpAddress& next_hop, bool usable, std::uint32_t cost) {
  driver_->input([peer, next_hop, usable, cost](Engine& engine, Time at) {
    engine.set_next_hop(peer, next_hop, usable, cost, at);
  });
}

Result<void, ApiError> Speaker::set_options(const SpeakerOptions& options) {
  return driver_->ask([&](Engine& engine, Time at) { return engine.set_options(options, at); });
}

void Speaker::set_protected_addresses(std::vector<IpAddress> addresses) {
  driver_->input([list = std::move(addresses)](Engine& engine, Time at) { engine.set_protected_addresses(list, at); });
}

void Speaker::announce(const Prefix& prefix, const PathAttributes& attributes) {
  driver_->input([prefix, attributes](Engine& engine, Time at) { engine.announce(prefix, attributes, at); });
}

void Speaker::withdraw(const Prefix& prefix) {
  driver_->input([prefix](Engine& engine, Time at) { engine.withdraw(prefix, at); });
}

void Speaker::stop(Engine::Stop how, std::string_view reason, std::function<void()> done) {
  driver_->stop(how, reason, std::move(done));
}

const Engine& Speaker::engine() const { return driver_->engine(); }
Time Speaker::now() const { return net::now(); }

}  // namespace minibgp
