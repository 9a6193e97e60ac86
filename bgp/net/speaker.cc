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

void Speaker::input(Input input) { driver_->input(std::move(input)); }

Result<void, ApiError> Speaker::set_options(const SpeakerOptions& options) {
  return driver_->ask([&](Engine& engine, Time at) { return engine.set_options(options, at); });
}

void Speaker::stop(Engine::Stop how, std::string_view reason, std::function<void()> done) {
  driver_->stop(how, reason, std::move(done));
}

const Engine& Speaker::engine() const { return driver_->engine(); }
Time Speaker::now() const { return net::now(); }

}  // namespace minibgp
