#include <apps/bgplite/config/saved.h>
#include <apps/bgplite/life.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include <fcntl.h>
#include <fnmatch.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace bgplite {
namespace {

using minibgp::LogArea;

/// The host's files, noting what was read.
FileSource recording(Bundle& into) {
  const FileSource host = host_files();
  return {[host, &into](const std::string& path, std::string& error) {
            auto text = host.read(path, error);
            if (text) into[path] = *text;
            return text;
          },
          host.list, host.saved};
}

/// The files as they were when `bundle` was made.
FileSource from_bundle(const Bundle& bundle) {
  return {[&bundle](const std::string& path, std::string& error) -> std::optional<std::string> {
            if (const auto found = bundle.find(path); found != bundle.end()) return found->second;
            error = "it was not part of the last good configuration";
            return std::nullopt;
          },
          [&bundle](const std::string& pattern) {
            std::vector<std::string> files;
            for (const auto& [path, text] : bundle)
              if (::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0) files.push_back(path);
            return files;
          },
          host_files().saved};
}

std::string good_file(const std::string& directory) { return directory + "/last-good.json"; }
std::string unconfirmed_file(const std::string& directory) { return directory + "/unconfirmed.json"; }

/// Replaces the file in one step, so that a crash leaves the old or the new one. False: errno says why.
bool store(const std::string& file, const std::string& text) {
  const std::string fresh = file + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return false;
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const bool closed = ::close(fd) == 0;
  return written && closed && ::rename(fresh.c_str(), file.c_str()) == 0;
}

bool store(const std::string& file, const Bundle& bundle) {
  return store(file, nlohmann::json(bundle).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::optional<Bundle> restore(const std::string& file) {
  std::ifstream in{file, std::ios::binary};
  if (!in) return std::nullopt;
  const std::string text{std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
  const nlohmann::json parsed = nlohmann::json::parse(text, nullptr, false);
  if (!parsed.is_object()) return std::nullopt;
  Bundle bundle;
  for (const auto& [path, content] : parsed.items()) {
    if (!content.is_string()) return std::nullopt;
    bundle[path] = content.get<std::string>();
  }
  return bundle;
}

}  // namespace

StartConfig load_for_start(const std::string& path) {
  StartConfig start;
  start.loaded = load_config(path, recording(start.bundle));
  const std::string& directory = start.loaded.config.state_dir;
  const auto unconfirmed = restore(unconfirmed_file(directory));
  if (!unconfirmed || *unconfirmed != start.bundle) return start;
  const auto good = restore(good_file(directory));
  if (!good) return start;
  Loaded loaded = load_config(path, from_bundle(*good));
  if (loaded.diagnostics.has_errors()) return start;
  start.note =
      path + " was applied and never confirmed: running the last good configuration instead; 'bgplite apply' takes it";
  start.loaded = std::move(loaded);
  start.bundle = *good;
  return start;
}

Life::Life(boost::asio::io_context& io, Logging& log, Daemon& daemon, std::string path, Bundle running)
    : daemon_(daemon), log_(log), path_(std::move(path)), good_(std::move(running)), timer_(io) {
  static_cast<void>(::mkdir(daemon_.config().state_dir.c_str(), 0750));
  if (!store(good_file(daemon_.config().state_dir), good_))
    log_.info(LogArea::config, "the last good configuration is not kept on disk: " + daemon_.config().state_dir + ": " +
                                   std::strerror(errno));
}

Life::Candidate Life::read() const {
  Candidate candidate;
  candidate.loaded = load_config(path_, recording(candidate.bundle));
  return candidate;
}

Life::Outcome Life::plan() const {
  Candidate candidate = read();
  Outcome outcome{std::move(candidate.loaded.diagnostics), {}, {}};
  if (!outcome.diagnostics.has_errors()) outcome.plan = daemon_.plan(candidate.loaded.config);
  return outcome;
}

Plan Life::carry_out(Config config) {
  Plan plan = daemon_.apply(std::move(config));
  const bool host = std::any_of(plan.begin(), plan.end(), [](const Step& step) {
    return step.kind == Step::Kind::host || step.kind == Step::Kind::tunnels;
  });
  if (host && at_host) at_host(daemon_.config());
  return plan;
}

Life::Outcome Life::apply(std::optional<std::chrono::seconds> confirm) {
  Candidate candidate = read();
  Outcome outcome{std::move(candidate.loaded.diagnostics), {}, {}};
  if (outcome.diagnostics.has_errors()) return outcome;
  const std::string& directory = daemon_.config().state_dir;
  if (confirm) {
    if (!store(unconfirmed_file(directory), candidate.bundle)) {
      outcome.failure = "cannot write to " + directory + ": " + std::strerror(errno) +
                        ": without it an unconfirmed change would survive a crash";
      return outcome;
    }
    candidate_ = std::move(candidate.bundle);
    waiting_ = true;
    timer_.expires_after(*confirm);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) rollback("not confirmed in time");
    });
    log_.warning(LogArea::config,
                 "applied until confirmed: 'bgplite confirm' within " + std::to_string(confirm->count()) + " s");
  } else {
    timer_.cancel();
    waiting_ = false;
    if (candidate.bundle != good_) before_ = std::exchange(good_, std::move(candidate.bundle));
    static_cast<void>(store(good_file(directory), good_));
    ::unlink(unconfirmed_file(directory).c_str());
  }
  outcome.plan = carry_out(std::move(candidate.loaded.config));
  return outcome;
}

bool Life::confirm() {
  if (!std::exchange(waiting_, false)) return false;
  timer_.cancel();
  before_ = std::exchange(good_, std::exchange(candidate_, {}));
  const std::string& directory = daemon_.config().state_dir;
  if (store(good_file(directory), good_)) ::unlink(unconfirmed_file(directory).c_str());
  log_.info(LogArea::config, "the applied configuration is confirmed");
  return true;
}

Life::Outcome Life::rollback(const std::string& why) {
  timer_.cancel();
  // A file that was applied for good and is taken back is not to be run by the next start either.
  if (!std::exchange(waiting_, false) && !before_.empty()) {
    static_cast<void>(store(unconfirmed_file(daemon_.config().state_dir), good_));
    good_ = std::exchange(before_, {});
    static_cast<void>(store(good_file(daemon_.config().state_dir), good_));
  }
  candidate_.clear();
  Loaded loaded = load_config(path_, from_bundle(good_));
  Outcome outcome{std::move(loaded.diagnostics), {}, {}};
  if (outcome.diagnostics.has_errors()) {
    outcome.failure = "the last good configuration cannot be read any more";
    return outcome;
  }
  log_.warning(LogArea::config,
               "rolling back to the last good configuration: " + why + "; " + path_ + " stays as it is");
  outcome.plan = carry_out(std::move(loaded.config));
  return outcome;
}

Life::Outcome Life::plan_rollback() const {
  Loaded loaded = load_config(path_, from_bundle(waiting_ || before_.empty() ? good_ : before_));
  Outcome outcome{std::move(loaded.diagnostics), {}, {}};
  if (!outcome.diagnostics.has_errors()) outcome.plan = daemon_.plan(loaded.config);
  return outcome;
}

minibgp::Result<void, std::string> Life::save(Saved saved) {
  const std::string file = saved_file(daemon_.config().state_dir);
  if (!store(file, to_yaml(saved)))
    return minibgp::unexpected("cannot write " + file + ": " + std::strerror(errno) + ": nothing was changed");
  daemon_.set_saved(std::move(saved));
  return {};
}

std::optional<std::chrono::seconds> Life::unconfirmed_for() const {
  if (!waiting_) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(timer_.expiry() - std::chrono::steady_clock::now());
}

}  // namespace bgplite
