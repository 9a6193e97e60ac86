#include <apps/bgplite/config/saved.h>
#include <apps/bgplite/life.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <boost/asio/post.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace bgplite {
namespace {

using minibgp::LogArea;

/// Requests that wait for others to end. A client that sends more is refused.
constexpr std::size_t kWaitingMax = 16;

std::string state_file(const std::string& directory) { return directory + "/configuration"; }

std::int64_t wall_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

StartConfig load_for_start(const std::string& path, FilePort& port) {
  StartConfig start;
  // Before anything is chosen: what was read decides, also if a file changes meanwhile.
  start.loaded = load_config(path, recording(host_files_and_keys(Severity::warning), start.bundle));
  const std::string file = state_file(start.loaded.config.state_dir);
  int error = 0;
  const auto text = port.read(file, error);
  if (!text && error != ENOENT && error != ENOTDIR)
    start.note = "cannot read " + file + ": " + std::strerror(error) + ": what was not confirmed is not known";
  auto stored = text ? parse_stored(*text) : std::nullopt;
  if (text && !stored) start.note = file + " is damaged: whether " + path + " was confirmed is not known; running it";
  const StartChoice choice = choose_at_start(path, start.bundle, stored);
  if (choice.run == StartChoice::Run::files) return start;
  // Read from the stored text, because the files on the disk are others by now.
  Loaded loaded = load_config(path, from_bundle(stored->good));
  if (loaded.diagnostics.has_errors()) {
    start.note =
        path + " was never confirmed, but the last good configuration cannot be read any more: running " + path;
    return start;
  }
  start.note = choice.note;
  start.loaded = std::move(loaded);
  start.bundle = std::move(stored->good);
  start.pending = std::move(stored->pending);
  start.confirm_by = stored->confirm_by;
  return start;
}

Life::Life(boost::asio::io_context& io, Logging& log, Daemon& daemon, std::string path, StartConfig start,
           FilePort& port)
    : io_(io),
      daemon_(daemon),
      log_(log),
      port_(port),
      path_(std::move(path)),
      state_file_(state_file(daemon.config().state_dir)),
      keeper_(std::move(start.bundle), std::move(start.pending), start.confirm_by),
      timer_(io),
      background_(io) {
  // It may be there already.
  static_cast<void>(::mkdir(daemon_.config().state_dir.c_str(), 0750));
  // What the start chose goes to the disk before any request is begun, but no session waits for the disk: it is written
  // beside the first turns of the loop.
  waiting_.push_back({[this] { store_first(); }, [](const Outcome&) {}});
  timer_.expires_after(std::chrono::seconds{0});
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !busy_) begin_next();
  });
}

minibgp::Time Life::now() {
  return minibgp::Time{
      std::chrono::duration_cast<minibgp::Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

// --- One request after the other -----------------------------------------------------------------------------------

void Life::enqueue(std::function<void()> action, const Done& done) {
  // Each waiting request holds a client; without a limit a script that does not wait fills memory.
  if (waiting_.size() >= kWaitingMax) {
    Outcome refused;
    refused.failure = "too many requests wait for the configuration: try again";
    return boost::asio::post(io_, [done, refused] { done(refused); });
  }
  waiting_.push_back({std::move(action), done});
  if (!busy_) begin_next();
}

void Life::begin_next() {
  busy_ = !waiting_.empty();
  if (!busy_) return arm();
  Request request = std::move(waiting_.front());
  waiting_.pop_front();
  // One request at a time owns done_, outcome_ and candidate_; that is why they are members and not captured.
  done_ = std::move(request.done);
  outcome_ = {};
  request.action();
}

void Life::finish() {
  // Shared, because a function that is handed on may be copied, and a plan may be large.
  auto answer = [this, done = std::exchange(done_, {}),
                 outcome = std::make_shared<Outcome>(std::exchange(outcome_, {}))] {
    // In a turn of its own: it may ask for the next thing, and the next request begins now.
    boost::asio::post(io_, [done, outcome] { done(std::move(*outcome)); });
    begin_next();
  };
  // A configuration that was replaced is freed beside the loop, too.
  if (!candidate_) return answer();
  background_.run([old = std::move(candidate_)] {}, std::move(answer));
}

/// Reads the files into candidate_; with mistakes in them the request ends here.
void Life::read(std::function<void()> then) {
  candidate_ = std::make_shared<Candidate>();
  // Taken before the files are read. Requests are worked on one after the other, so it still holds when this one is
  // carried out; only an address that a session got meanwhile is not in it: then the plan has one change of an end
  // point too many.
  candidate_->running = daemon_.gateway().running();
  // In the thread: a large policy file takes a second and more.
  const auto job = [candidate = candidate_, path = path_] {
    candidate->load(load_config(path, recording(host_files_and_keys(), candidate->bundle)));
  };
  background_.run(job, [this, then = std::move(then)] {
    outcome_.diagnostics = candidate_->diagnostics;
    outcome_.diagnostics.has_errors() ? finish() : then();
  });
}

/// Reads them from `bundle`.
void Life::load(const Bundle& bundle, std::function<void()> then) {
  candidate_ = std::make_shared<Candidate>();
  candidate_->bundle = bundle;
  candidate_->running = daemon_.gateway().running();
  const auto job = [candidate = candidate_, path = path_] {
    candidate->load(load_config(path, from_bundle(candidate->bundle)));
  };
  background_.run(job, [this, then = std::move(then)] {
    outcome_.diagnostics = candidate_->diagnostics;
    then();
  });
}

// --- What is asked for ---------------------------------------------------------------------------------------------

void Life::plan(Done done) {
  const auto compare = [this] {
    outcome_.plan = std::move(candidate_->plan);
    finish();
  };
  enqueue([this, compare] { read(compare); }, done);
}

void Life::apply(std::optional<std::chrono::seconds> confirm, ConfigKeeper::Origin origin, Done done) {
  const auto ask = [this, confirm, origin] {
    // A start after a crash would look for the trial in the other directory, and find none.
    if (confirm && candidate_->config.state_dir != daemon_.config().state_dir) {
      outcome_.failure = "a change of state_dir cannot be taken back: apply it without --confirm";
      outcome_.impossible = true;
      return finish();
    }
    tell(ConfigKeeper::Apply{candidate_->bundle, origin, confirm, wall_s()});
  };
  const auto noted = [this, done = std::move(done)](Outcome outcome) {
    last_apply_succeeded_ = outcome.failure.empty() && !outcome.diagnostics.has_errors();
    done(std::move(outcome));
  };
  enqueue([this, ask] { read(ask); }, noted);
}

void Life::confirm(Done done) {
  const auto told = [this, done = std::move(done)](Outcome outcome) {
    if (outcome.failure.empty()) log_.info(LogArea::config, "the applied configuration is confirmed");
    done(std::move(outcome));
  };
  enqueue([this] { tell(ConfigKeeper::Confirm{}); }, told);
}

void Life::rollback(const std::string& why, Done done) {
  enqueue([this, why] { tell(ConfigKeeper::Rollback{why}); }, done);
}

void Life::plan_rollback(Done done) {
  const auto compare = [this] {
    outcome_.plan = std::move(candidate_->plan);
    finish();
  };
  // Only read and compared: nothing is stored, nothing runs.
  enqueue([this, compare] { load(keeper_.rollback_to(), compare); }, done);
}

// --- What the keeper wants -----------------------------------------------------------------------------------------

void Life::tell(ConfigKeeper::Event event) {
  keeper_.input(std::move(event), now());
  pump();
}

void Life::pump() {
  const auto output = keeper_.poll();
  if (!output) return;
  if (const auto* wanted = std::get_if<ConfigKeeper::Store>(&*output))
    // The write takes time; the answer to it is an input like any other.
    return store(wanted->stored, [this](const std::string& error) { tell(ConfigKeeper::Stored{error}); });
  if (const auto* wanted = std::get_if<ConfigKeeper::Run>(&*output)) return run(*wanted);
  const auto& answer = std::get<ConfigKeeper::Answer>(*output);
  outcome_.failure = answer.text;
  outcome_.impossible = answer.kind == ConfigKeeper::Answer::Kind::refused;
  finish();
}

void Life::store(const StoredConfig& stored, std::function<void(const std::string& error)> then) {
  auto result = std::make_shared<minibgp::Result<void, std::string>>();
  // A copy: the keeper may be asked meanwhile, but its state must not be read from the thread.
  background_.run([this, stored, result] { *result = replace_file(port_, state_file_, to_octets(stored)); },
                  [result, then = std::move(then)] { then(*result ? std::string{} : result->error()); });
}

void Life::store_first() {
  store(keeper_.wanted(), [this](const std::string& error) {
    if (!error.empty())
      log_.warning(LogArea::config, error + ": changes of the configuration are refused until it can be written");
    keeper_.input(ConfigKeeper::Stored{error}, now());
    finish();
  });
}

void Life::run(const ConfigKeeper::Run& run) {
  const bool back = run.kind == ConfigKeeper::Run::Kind::taken_back;
  const std::string note = run.note + (back ? "; " + path_ + " stays as it is" : std::string{});
  if (!note.empty())
    run.kind == ConfigKeeper::Run::Kind::applied ? log_.info(LogArea::config, note)
                                                 : log_.warning(LogArea::config, note);
  // What was just read and stored need not be parsed again. A rollback runs other files than were read, or none were.
  if (candidate_ && candidate_->bundle == run.files) return carry_out();
  load(run.files, [this] {
    if (outcome_.diagnostics.has_errors()) {
      for (const Diagnostic& one : outcome_.diagnostics.all()) log_.error(LogArea::config, to_text(one));
      log_.error(LogArea::config, "it cannot be read any more: what runs goes on");
      return pump();
    }
    carry_out();
  });
}

void Life::carry_out() {
  outcome_.plan = std::move(candidate_->plan);
  daemon_.apply(std::move(candidate_->config), outcome_.plan);
  if (at_host) at_host(daemon_.config());
  settle();
}

/// What is answered has happened: many networks take the daemon a few turns.
void Life::settle() {
  if (daemon_.gateway().settled()) return pump();
  // Each turn lets other handlers run, so a long change does not stop the loop.
  boost::asio::post(io_, [this] { settle(); });
}

void Life::arm() {
  // Only while nothing is under way: the time is looked at again when the request has ended.
  if (keeper_.next_deadline() == minibgp::kNever) return static_cast<void>(timer_.cancel());
  timer_.expires_at(std::chrono::steady_clock::time_point(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(keeper_.next_deadline().time_since_epoch())));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    // In front of what waits, but after what is under way: the time is up for the files that run, whichever these are
    // by then; the keeper looks again.
    waiting_.push_front({[this] { tell(ConfigKeeper::TimeUp{}); }, [](const Outcome&) {}});
    if (!busy_) begin_next();
  });
}

// --- What commands saved -------------------------------------------------------------------------------------------

/// In the queue of the others: none of them sees half of it, and two of them never write the same file at once.
void Life::save(std::function<Saved(const Config&)> change, Done done) {
  const auto write = [this, change = std::move(change)] {
    const auto saved = std::make_shared<Saved>(change(daemon_.config()));
    const auto result = std::make_shared<minibgp::Result<void, std::string>>();
    const auto job = [this, saved, result, file = saved_file(daemon_.config().state_dir)] {
      *result = replace_file(port_, file, to_yaml(*saved));
    };
    background_.run(job, [this, saved, result] {
      if (*result) static_cast<void>(daemon_.ask(input::Save{std::move(*saved)}));
      if (!*result) outcome_.failure = result->error() + ": nothing was changed";
      finish();
    });
  };
  enqueue(write, std::move(done));
}

std::optional<std::chrono::seconds> Life::unconfirmed_for() const {
  const auto left = keeper_.unconfirmed_for(now());
  if (!left) return std::nullopt;
  return std::max(std::chrono::duration_cast<std::chrono::seconds>(*left), std::chrono::seconds{0});
}

}  // namespace bgplite
