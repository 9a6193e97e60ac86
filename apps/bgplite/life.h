/// Life: the life of a configuration: read, planned, applied, confirmed or rolled back. Keeps the last good one on
/// disk.
///
/// An apply that must be confirmed and is not rolls back by itself. That also holds when the daemon dies meanwhile:
/// until the confirmation, `unconfirmed.json` holds the new files, and a start that finds exactly these files runs the
/// last good configuration instead and says so, until an `apply` takes them. The user's files are never written.
/// What commands saved (runtime.yaml) is no part of that: it holds with each of them.
#pragma once

#include <apps/bgplite/config/yaml.h>
#include <apps/bgplite/daemon.h>
#include <apps/bgplite/logging.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace bgplite {

/// The texts of the files a configuration was read from, by path.
using Bundle = std::map<std::string, std::string>;

/// What to run with at a start.
struct StartConfig {
  Loaded loaded;
  Bundle bundle;
  std::string note;  ///< Why it is not what the file says; empty: it is.
};
[[nodiscard]] StartConfig load_for_start(const std::string& path);

class Life {
 public:
  /// `daemon` and `log` outlive it. `at_host` is called after an apply that concerns the host's settings.
  Life(boost::asio::io_context& io, Logging& log, Daemon& daemon, std::string path, Bundle running);

  std::function<void(const Config&)> at_host;

  struct Outcome {
    Diagnostics diagnostics;  ///< Of the file; with errors nothing was changed.
    Plan plan;
    std::string failure;  ///< Why nothing was changed besides errors in the file; empty: none.
  };
  /// What apply would do now.
  [[nodiscard]] Outcome plan() const;
  /// Reads the file again and carries the difference out; with `confirm`, rolls back unless confirm() comes in time.
  Outcome apply(std::optional<std::chrono::seconds> confirm = std::nullopt);
  /// False: nothing waits for it.
  bool confirm();
  /// Back to the last good configuration; when nothing waits for a confirmation, to the one before it.
  Outcome rollback(const std::string& why);
  /// Keeps `saved` on disk for the next start. The error is a sentence; nothing was changed then.
  [[nodiscard]] minibgp::Result<void, std::string> save(Saved saved);
  /// What rollback() would do now.
  [[nodiscard]] Outcome plan_rollback() const;
  /// Time left to confirm; none when nothing waits.
  [[nodiscard]] std::optional<std::chrono::seconds> unconfirmed_for() const;

 private:
  struct Candidate {
    Loaded loaded;
    Bundle bundle;
  };
  [[nodiscard]] Candidate read() const;
  Plan carry_out(Config config);

  Daemon& daemon_;
  Logging& log_;
  std::string path_;
  Bundle good_;       ///< What a rollback goes back to.
  Bundle before_;     ///< The good one before the last apply; empty: none.
  Bundle candidate_;  ///< What waits for its confirmation.
  bool waiting_ = false;
  boost::asio::steady_timer timer_;
};

}  // namespace bgplite
