#include <apps/bgplite/host/keeper.h>

#include <algorithm>
#include <utility>

namespace bgplite::host {

using minibgp::LogArea;
using minibgp::LogLevel;

void Keeper::keep(const Config& config, std::chrono::seconds every) {
  const bool had_none = wanted_.empty();
  wanted_ = wanted_of(config);
  every_ = every;
  // With nothing wanted before and now, nft need not be asked.
  if (!had_none || !wanted_.empty()) look();
}

void Keeper::look() {
  // One thread at a time; of several wishes meanwhile one more look is enough, because it uses the latest.
  // Set before the thread begins; looked() clears it.
  if (looking_) return void(again_ = true);
  looking_ = true;
  again_ = false;
  timer_.cancel();
  auto report = std::make_shared<Host::Report>();
  // `wanted` by value: the next configuration may come while the thread works.
  background_.run([host = host_, wanted = wanted_, report] { *report = host->apply(wanted); },
                  [this, report] { looked(*report); });
}

void Keeper::looked(const Host::Report& report) {
  looking_ = false;
  for (const std::string& line : report.changed)
    if (log_.wants(LogLevel::info, LogArea::config)) log_.write(LogLevel::info, LogArea::config, line);
  for (const std::string& line : report.problems)
    // A problem that stays is logged once.
    if (std::find(problems_.begin(), problems_.end(), line) == problems_.end() &&
        log_.wants(LogLevel::warning, LogArea::config))
      log_.write(LogLevel::warning, LogArea::config, line);
  // As they are now: a problem that went away and comes back is logged again.
  problems_ = report.problems;
  // A caller waits for the thread to be idle, and nothing is begun after that.
  if (at_rest_) return std::exchange(at_rest_, {})();
  if (again_) return look();
  if (wanted_.empty()) return;
  timer_.expires_after(every_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) look();
  });
}

void Keeper::stop(bool restore, std::function<void()> done) {
  timer_.cancel();
  const auto end = [host = host_, restore, done = std::move(done)] {
    if (restore) static_cast<void>(host->restore());
    done();
  };
  // Not while the thread works on the same settings.
  looking_ ? void(at_rest_ = end) : end();
}

}  // namespace bgplite::host
