/// bgplite run: the daemon, in the foreground.
#include <apps/bgplite/call_filter.h>
#include <apps/bgplite/cli/verbs.h>
#include <apps/bgplite/control/commands.h>
#include <apps/bgplite/control/server.h>
#include <apps/bgplite/daemon.h>
#include <apps/bgplite/footprint.h>
#include <apps/bgplite/host/keeper.h>
#include <apps/bgplite/life.h>
#include <apps/bgplite/logging.h>
#include <apps/bgplite/loop_turns.h>
#include <apps/bgplite/metrics/responder.h>
#include <apps/bgplite/metrics/text.h>
#include <apps/bgplite/notify.h>
#include <apps/bgplite/privileges.h>

#include <csignal>
#include <filesystem>
#include <iostream>
#include <utility>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bgplite::cli {
namespace {

using minibgp::LogArea;
using Error = boost::system::error_code;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

/// The daemon's directories belong to the user it becomes.
void give_directories(const Config& config) {
  if (config.user.empty() || ::geteuid() != 0) return;
  const passwd* user = ::getpwnam(config.user.c_str());
  if (user == nullptr) return;  // drop_privileges() says so.
  // The directories exist already under systemd (RuntimeDirectory=, StateDirectory=); by hand they may not.
  for (const std::string& directory :
       {config.control.socket.substr(0, config.control.socket.rfind('/')), config.state_dir}) {
    if (directory.empty()) continue;
    static_cast<void>(::mkdir(directory.c_str(), 0755));
    static_cast<void>(::chown(directory.c_str(), user->pw_uid, user->pw_gid) == 0);
  }
  // Also what an earlier run left there as root: it is read and replaced by the user from now on.
  for (const char* file : {"host", "configuration", "runtime.yaml"})
    // lchown(): what is a link is not followed, because the directory may be the user's already.
    static_cast<void>(::lchown((config.state_dir + "/" + file).c_str(), user->pw_uid, user->pw_gid) == 0);
}

class Run {
 public:
  Run(StartConfig start, const std::string& path)
      : log_(start.loaded.config.log.format),
        server_(io_, log_,
                [this](const control::Request& request, const control::Reply& reply) {
                  // Commands are made at the end of open(); no request comes before the loop runs.
                  commands_->handle(request, reply);
                }),
        daemon_(io_, log_, start.loaded.config),
        host_(io_, log_, start.loaded.config.state_dir + "/host"),
        metrics_(io_, [this] { return metrics::to_text(daemon_, *life_, turns_, daemon_.config().metrics.names); }),
        signals_(io_, SIGTERM, SIGINT, SIGHUP),
        watchdog_(io_) {
    log_.set_levels(start.loaded.config.log);
    start_ = std::make_unique<StartConfig>(std::move(start));
    path_ = path;
    // Held since main(): from now on it is ours.
    sigset_t reload;
    ::sigemptyset(&reload);
    ::sigaddset(&reload, SIGHUP);
    // A SIGHUP that came while the configuration was read is delivered here, and waits in the signal set.
    ::sigprocmask(SIG_UNBLOCK, &reload, nullptr);
  }

  Exit run() {
    // Writing to a peer or a client that is gone gives EPIPE.
    ::signal(SIGPIPE, SIG_IGN);
    for (const Diagnostic& one : start_->loaded.diagnostics.all()) log_.warning(LogArea::config, to_text(one));
    if (!start_->note.empty()) log_.error(LogArea::config, start_->note);
    if (const auto opened = open(); !opened) {
      log_.error(LogArea::config, opened.error());
      return Exit::io;
    }
    // A configuration is large, and the daemon has its own copy.
    start_.reset();
    // After open(), whose last threads have been started.
    filter_calls();
    give_back_startup_memory();
    notify_systemd("READY=1\nSTATUS=running");
    feed_watchdog();
    wait_for_signal();
    turns_.run(io_);
    return Exit::ok;
  }

 private:
  /// Either everything is open afterwards, or nothing was touched that others would notice.
  minibgp::Result<void, std::string> open() {
    const Config& config = daemon_.config();
    // In this order: the lock first, which tells whether another daemon runs; then what root may do; then the rest.
    if (auto reserved = server_.reserve(config.control.socket); !reserved) return reserved;
    give_directories(config);
    // Its process starts with root's rights, and before there are threads.
    host_.keep_nft(config);
    if (auto dropped = drop_privileges(config); !dropped) return dropped;
    // Without routes and tunnels an ordinary user may run it.
    const bool needs_admin = config.fib.enabled || !config.tunnels.empty();
    if (needs_admin && !may_administer_network())
      return minibgp::unexpected(
          std::string{"kernel routes and tunnels need CAP_NET_ADMIN: start as root, or set fib.enabled: false"});
    if (!config.metrics.listen.empty())
      if (auto opened = metrics_.open(config.metrics.listen); !opened) return opened;
    // Nothing is answered before the loop runs.
    if (auto opened = server_.open(config.control.socket, config.control.group); !opened) return opened;
    // The socket is taken away again: clients shall not wait for a daemon that ends.
    if (auto started = daemon_.start(); !started) return server_.close(), started;
    life_ = std::make_unique<Life>(io_, log_, daemon_, path_, std::move(*start_));
    life_->at_host = [this](const Config& now) { host_.keep(now, now.fib.audit_interval); };
    commands_ = std::make_unique<control::Commands>(control::Context{daemon_, *life_, log_, turns_});
    host_.keep(config, config.fib.audit_interval);
    return {};
  }

  /// Last, when every thread runs and nothing is loaded any more. A sanitizer's own end would be refused.
  void filter_calls() {
    if (kSanitized) return;
    if (const auto filtered = filter_system_calls(); !filtered) log_.warning(LogArea::config, filtered.error());
  }

  void wait_for_signal() {
    signals_.async_wait([this](const Error& error, int signal) {
      if (error) return;
      // Armed again in any case, so that a second signal is seen while the first is worked on.
      signal == SIGHUP ? reload() : stop(signal);
      wait_for_signal();
    });
  }

  void reload() {
    // systemd waits for READY=1 after this.
    notify_systemd("RELOADING=1");
    life_->apply(std::nullopt, ConfigKeeper::Origin::signal,
                 [this](const Life::Outcome& outcome) { reloaded(outcome); });
  }

  void reloaded(const Life::Outcome& outcome) {
    for (const Diagnostic& one : outcome.diagnostics.all())
      one.severity == Severity::error ? log_.error(LogArea::config, to_text(one))
                                      : log_.warning(LogArea::config, to_text(one));
    if (outcome.diagnostics.has_errors()) {
      log_.error(LogArea::config, "reload refused, nothing was changed");
    } else if (!outcome.failure.empty()) {
      log_.error(LogArea::config, "reload refused: " + outcome.failure);
    } else if (outcome.plan.empty()) {
      log_.info(LogArea::config, "reload: nothing has changed");
    }
    give_back_startup_memory();
    notify_systemd("READY=1");
  }

  void stop(int signal) {
    if (std::exchange(stopping_, true)) {
      log_.warning(LogArea::config, "stopped at once, on a second signal");
      // What the kernel has stays; nothing is taken out any more.
      return io_.stop();
    }
    log_.info(LogArea::config, std::string{"stopping on "} + (signal == SIGINT ? "SIGINT" : "SIGTERM"));
    notify_systemd("STOPPING=1");
    // New requests and scrapes would only delay the end.
    server_.close();
    metrics_.close();
    daemon_.stop([this] {
      // With on_exit: keep, routes and tunnels go on working, and with them what they need of the host.
      host_.stop(daemon_.config().on_exit == OnExit::remove, [this] { io_.stop(); });
    });
  }

  /// The timer runs on the daemon's own loop: a loop that hangs does not feed it.
  void feed_watchdog() {
    const auto interval = watchdog_interval();
    if (!interval) return;
    notify_systemd("WATCHDOG=1");
    // Twice as often as asked, so that one late turn is no death.
    watchdog_.expires_after(*interval / 2);
    watchdog_.async_wait([this](const Error& error) { error ? void() : feed_watchdog(); });
  }

  std::unique_ptr<StartConfig> start_;  ///< Until everything runs; a configuration is large.
  std::string path_;
  boost::asio::io_context io_{1};
  LoopTurns turns_;
  Logging log_;
  std::unique_ptr<control::Commands> commands_;
  control::Server server_;
  Daemon daemon_;
  host::Keeper host_;
  std::unique_ptr<Life> life_;
  metrics::Responder metrics_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer watchdog_;
  bool stopping_ = false;
};

Exit run_daemon(const std::string& file) {
  // Absolute, because a reload must find it whatever the working directory is.
  const std::string path = std::filesystem::absolute(file);
  StartConfig start = load_for_start(path);
  if (start.loaded.diagnostics.has_errors()) {
    std::cerr << start.loaded.diagnostics.to_text();
    return Exit::bad_input;
  }
  return Run{std::move(start), path}.run();
}

}  // namespace

void add_run(Verbs& verbs) {
  CLI::App& verb = verbs.add("run", "Run the router in the foreground");
  verbs.action(verb, [&common = verbs.common()] { return run_daemon(common.config); });
}

}  // namespace bgplite::cli
