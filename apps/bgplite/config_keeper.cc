#include <apps/bgplite/config_keeper.h>

#include <utility>

namespace bgplite {

using minibgp::Time;

StartChoice choose_at_start(const std::string& path, const Bundle& files, const std::optional<StoredConfig>& stored) {
  if (!stored || stored->pending.empty() || stored->pending != files) return {};
  const std::string what = stored->confirm_by == 0 ? " was taken back" : " was applied and never confirmed";
  return {StartChoice::Run::good,
          path + what + ": running the last good configuration instead; 'bgplite apply' takes it"};
}

ConfigKeeper::ConfigKeeper(Bundle running, Bundle pending, std::int64_t confirm_by)
    : good_(std::move(running)), pending_(std::move(pending)), confirm_by_(confirm_by) {
  // Most files are the same in both: their text is kept once.
  good_.share_with(pending_);
}

std::optional<ConfigKeeper::Output> ConfigKeeper::poll() {
  if (outputs_.empty()) return std::nullopt;
  Output output = std::move(outputs_.front());
  outputs_.pop_front();
  return output;
}

std::optional<minibgp::Duration> ConfigKeeper::unconfirmed_for(Time now) const {
  if (!trial_) return std::nullopt;
  // May be negative for a moment, until the timer is served.
  return trial_->until - now;
}

void ConfigKeeper::input(Event event, Time now) {
  std::visit([&](auto& one) { on(std::move(one), now); }, event);
}

void ConfigKeeper::refuse(std::string text) { outputs_.emplace_back(Answer{Answer::Kind::refused, std::move(text)}); }

/// Nothing changes before it is on disk.
void ConfigKeeper::propose(Next next) {
  // The same again (a second apply of the same files) needs no disk, and so cannot fail.
  // `on_disk_` is empty after a failed write, so the comparison then fails and it is written again.
  if (on_disk_ == next.stored) return enter(std::move(next));
  outputs_.emplace_back(Store{next.stored});
  next_ = std::move(next);
}

/// The order is part of the contract: the configuration runs before its answer leaves, so that whoever reads the answer
/// and asks again sees it.
void ConfigKeeper::enter(Next next) {
  good_ = next.stored.good;
  pending_ = next.stored.pending;
  confirm_by_ = next.stored.confirm_by;
  before_ = std::move(next.before);
  trial_ = std::move(next.trial);
  on_disk_ = std::move(next.stored);
  if (next.runs) outputs_.emplace_back(std::move(next.run));
  outputs_.emplace_back(Answer{});
}

void ConfigKeeper::on(Stored event, Time) {
  if (!next_) {  // The first one, which the start asks for by wanted().
    // A failure is logged by who wrote; the next proposal writes again.
    if (event.error.empty()) on_disk_ = wanted();
    return;
  }
  Next next = std::move(*next_);
  next_.reset();
  if (event.error.empty()) return enter(std::move(next));
  // A write that failed may have replaced the file or not: the next proposal must write again, even the old value.
  on_disk_.reset();
  outputs_.emplace_back(Answer{Answer::Kind::not_stored, event.error + ": nothing was changed"});
}

void ConfigKeeper::on(Apply event, Time now) {
  if (event.origin == Origin::signal) {
    if (trial_) {
      const auto left = std::chrono::duration_cast<std::chrono::seconds>(trial_->until - now);
      return refuse("a change waits for its confirmation, " + std::to_string(left.count()) +
                    " s are left: 'bgplite confirm' or 'bgplite rollback' first");
    }
    if (!pending_.empty() && pending_ == event.files)
      return refuse("exactly these files were taken back or never confirmed: 'bgplite apply' takes them all the same");
  }
  // Three configurations are kept (running, good, the one before); of equal files all share one text.
  event.files.share_with(running());
  event.files.share_with(good_);
  Next next;
  next.run.files = event.files;
  if (event.confirm) {
    // `good_` stays what a start falls back to until the trial is confirmed.
    next.stored = {good_, event.files, event.wall_s + event.confirm->count()};
    next.trial = Trial{std::move(event.files), now + *event.confirm};
    next.before = before_;
    next.run.note =
        "applied until confirmed: 'bgplite confirm' within " + std::to_string(event.confirm->count()) + " s";
    next.run.kind = Run::Kind::until_confirmed;
  } else {
    if (trial_) next.run.note = "applied for good: the change that waited for its confirmation waits no more";
    // What a rollback goes back to. Applied twice, the same files are not their own predecessor: the one before them
    // stays reachable.
    next.before = event.files == good_ ? before_ : good_;
    next.stored = {std::move(event.files), {}, 0};
  }
  propose(std::move(next));
}

void ConfigKeeper::on(const Confirm&, Time) {
  if (!trial_) return refuse("nothing waits to be confirmed");
  Next next;
  next.stored = {trial_->files, {}, 0};
  next.before = good_;
  // The trial runs already. Only the disk learns that a start may run it, too.
  next.runs = false;
  propose(std::move(next));
}

void ConfigKeeper::take_trial_back(const std::string& why) {
  // The disk says it already: a start that finds these files runs the good ones.
  trial_.reset();
  outputs_.emplace_back(Run{good_, "rolling back to the last good configuration: " + why, Run::Kind::taken_back});
  outputs_.emplace_back(Answer{});
}

void ConfigKeeper::on(const TimeUp&, Time now) {
  if (trial_ && now >= trial_->until) return take_trial_back("not confirmed in time");
  outputs_.emplace_back(Answer{});
}

void ConfigKeeper::on(Rollback event, Time) {
  if (trial_) return take_trial_back(event.why);
  Next next;
  next.run = {rollback_to(), "rolling back to the last good configuration: " + event.why, Run::Kind::taken_back};
  // Files that were applied for good and are taken back are not to be run by the next start either.
  // With nothing before it only the disk is brought in line.
  next.stored = before_.empty() ? wanted() : StoredConfig{before_, good_, 0};
  propose(std::move(next));
}

}  // namespace bgplite
