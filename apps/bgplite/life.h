/// Life: the life of a configuration: read, planned, applied, confirmed or rolled back. What holds and until when is
/// decided by ConfigKeeper (config_keeper.h); this reads and writes the files for it, beside the loop, and carries out
/// in the Daemon what it says.
///
/// An apply that must be confirmed and is not rolls back by itself. That also holds when the daemon dies meanwhile: a
/// start that finds exactly these files runs the last good configuration instead and says so, until an `apply` takes
/// them. The user's files are never written. What commands saved (runtime.yaml) is no part of that: it holds with each
/// of them.
#pragma once

#include <apps/bgplite/background.h>
#include <apps/bgplite/config/bundle.h>
#include <apps/bgplite/config/yaml.h>
#include <apps/bgplite/config_keeper.h>
#include <apps/bgplite/daemon.h>
#include <apps/bgplite/logging.h>
#include <apps/bgplite/state_file.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace bgplite {

/// What to run with at a start.
struct StartConfig {
  Loaded loaded;
  Bundle bundle;
  Bundle pending;  ///< The files that were left alone; empty: none.
  std::int64_t confirm_by = 0;
  std::string note;  ///< Why it is not what the file says; empty: it is.
};
/// `path` is absolute: it is compared with what the last run noted.
[[nodiscard]] StartConfig load_for_start(const std::string& path, FilePort& port = host_file_port());

class Life {
 public:
  /// All outlive it. `start.loaded` is not used.
  Life(boost::asio::io_context& io, Logging& log, Daemon& daemon, std::string path, StartConfig start,
       FilePort& port = host_file_port());

  /// Called after every apply: what others changed of the host's settings is set again then.
  std::function<void(const Config&)> at_host;

  struct Outcome {
    Diagnostics diagnostics;  ///< Of the file; with errors nothing was changed.
    Plan plan;
    std::string failure;      ///< Why nothing was changed besides errors in the file; empty: none.
    bool impossible = false;  ///< Of a failure: what was asked is not so (exit 1), not that the system refused (3).
  };
  using Done = std::function<void(Outcome)>;

  // Each ends with a call of `done`, in a later turn of the loop. They happen one after the other.
  /// What apply would do now.
  void plan(Done done);
  /// Reads the file again and carries the difference out; with `confirm`, rolls back unless confirm() comes in time.
  void apply(std::optional<std::chrono::seconds> confirm, ConfigKeeper::Origin origin, Done done);
  void confirm(Done done);
  /// Back to the last good configuration; when nothing waits for a confirmation, to the one before it.
  void rollback(const std::string& why, Done done);
  /// What rollback() would do now.
  void plan_rollback(Done done);

  /// Keeps what `change` makes of the saved settings on disk for the next start. Outcome::failure: nothing was changed.
  void save(std::function<Saved(const Config&)> change, Done done);
  /// Time left to confirm; none when nothing waits.
  [[nodiscard]] std::optional<std::chrono::seconds> unconfirmed_for() const;
  /// The last apply, by command or SIGHUP, was carried out; true before the first. False: the files are not what runs.
  [[nodiscard]] bool last_apply_succeeded() const { return last_apply_succeeded_; }
  /// The file it reads.
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  /// A configuration that was read beside the loop, with what would change.
  struct Candidate {
    Config config;
    Diagnostics diagnostics;
    Bundle bundle;
    Running running;  ///< When it was read. Until the request is answered nothing else changes it.
    Plan plan;
    /// In the thread: what of it is not needed any more is freed there, too.
    void load(Loaded loaded) {
      config = std::move(loaded.config);
      diagnostics = std::move(loaded.diagnostics);
      if (!diagnostics.has_errors()) plan = plan_of(running, config);
    }
  };
  void enqueue(std::function<void()> action, const Done& done);
  void begin_next();
  void finish();
  void read(std::function<void()> then);
  void load(const Bundle& bundle, std::function<void()> then);
  void tell(ConfigKeeper::Event event);
  void pump();
  void store(const StoredConfig& stored, std::function<void(const std::string& error)> then);
  void store_first();
  void run(const ConfigKeeper::Run& run);
  void carry_out();
  void settle();
  void arm();
  [[nodiscard]] static minibgp::Time now();

  boost::asio::io_context& io_;
  Daemon& daemon_;
  Logging& log_;
  FilePort& port_;
  std::string path_;
  std::string state_file_;
  ConfigKeeper keeper_;
  boost::asio::steady_timer timer_;
  struct Request {
    std::function<void()> action;
    Done done;
  };
  std::deque<Request> waiting_;
  bool busy_ = false;
  bool last_apply_succeeded_ = true;

  // Of the request under way.
  Done done_;
  Outcome outcome_;
  std::shared_ptr<Candidate> candidate_;
  Background background_;  ///< Last: it ends first.
};

}  // namespace bgplite
