/// Keeper: keeps the host's managed settings as they should be while the daemon runs: at the start, after an apply, and
/// every so often, because others change them too. In a thread of its own: nft takes its time.
#pragma once

#include <apps/bgplite/background.h>
#include <apps/bgplite/host/host.h>
#include <bgp/log.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace bgplite::host {

/// Threads: the io_context's, besides its own. `io` and `log` outlive it.
class Keeper {
 public:
  Keeper(boost::asio::io_context& io, minibgp::LogSink& log, const std::string& state_file)
      : log_(log), host_(std::make_shared<Host>(state_file)), timer_(io), background_(io) {}

  /// See Host::keep_nft().
  void keep_nft(const Config& config) { host_->keep_nft(wanted_of(config)); }
  /// From now on; begins at once, and looks again after each `every`.
  void keep(const Config& config, std::chrono::seconds every);
  /// No more changes; with `restore`, what was there before is put back first. Then `done`.
  void stop(bool restore, std::function<void()> done);

 private:
  void look();
  void looked(const Host::Report& report);

  minibgp::LogSink& log_;
  std::shared_ptr<Host> host_;
  Wanted wanted_;
  std::chrono::seconds every_{60};
  boost::asio::steady_timer timer_;
  std::vector<std::string> problems_;  ///< Of the last time: each is logged once.
  bool looking_ = false, again_ = false;
  std::function<void()> at_rest_;  ///< To be called when nothing is under way any more.
  Background background_;          ///< Last: it ends first.
};

}  // namespace bgplite::host
