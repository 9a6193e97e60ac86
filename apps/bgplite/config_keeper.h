/// ConfigKeeper: which configuration runs, until when, and what the state directory says about it. The only owner of
/// these answers. Pure: what it wants done comes out of poll(), what happened goes in by input(); time is an argument.
///
///   good      what a rollback and a start without a confirmation go back to
///   trial     runs now and waits for its confirmation; its time is up at next_deadline()
///   pending   files that were applied until confirmed or were taken back: a start or a reload that finds exactly these
///             leaves what runs; only an apply takes them
///
/// Every change is written down before it is carried out, in one file that is replaced in one step. So a crash leaves
/// the old state or the new one, and a full disk refuses the change instead of forgetting it.
///
/// One request at a time: the next one goes in after the Answer to the last one came out.
#pragma once

#include <apps/bgplite/config/bundle.h>
#include <bgp/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace bgplite {

/// What a start does with the files it read and what the last run left behind.
struct StartChoice {
  enum class Run : std::uint8_t { files, good } run = Run::files;
  std::string note;  ///< Why `good` runs; a sentence.
};
[[nodiscard]] StartChoice choose_at_start(const std::string& path, const Bundle& files,
                                          const std::optional<StoredConfig>& stored);

class ConfigKeeper {
 public:
  enum class Origin : std::uint8_t {
    command,  ///< `bgplite apply`: the operator's word.
    signal,   ///< SIGHUP: may come from a script that knows nothing of a trial.
  };
  struct Apply {
    Bundle files;  ///< Read, and without mistakes.
    Origin origin = Origin::command;
    std::optional<std::chrono::seconds> confirm;  ///< Roll back after this time without a confirmation.
    std::int64_t wall_s = 0;                      ///< Now, in seconds since 1970.
  };
  struct Confirm {};
  struct Rollback {
    std::string why;
  };
  struct TimeUp {};  ///< next_deadline() has passed.
  struct Stored {    ///< The answer to Store.
    std::string error;
  };
  using Event = std::variant<Apply, Confirm, Rollback, TimeUp, Stored>;

  struct Store {
    StoredConfig stored;
  };
  struct Run {  ///< Carry this configuration out.
    Bundle files;
    std::string note;  ///< For the log; a sentence.
    enum class Kind : std::uint8_t { applied, until_confirmed, taken_back } kind = Kind::applied;
  };
  struct Answer {
    enum class Kind : std::uint8_t {
      done,
      refused,     ///< What was asked is not possible now; nothing was changed.
      not_stored,  ///< The state directory could not be written; nothing was changed.
    } kind = Kind::done;
    std::string text;
  };
  using Output = std::variant<Store, Run, Answer>;

  /// `running`: what the start chose. `pending`: the files it left alone, with their StoredConfig::confirm_by.
  explicit ConfigKeeper(Bundle running, Bundle pending = {}, std::int64_t confirm_by = 0);

  void input(Event event, minibgp::Time now);
  [[nodiscard]] std::optional<Output> poll();
  [[nodiscard]] minibgp::Time next_deadline() const { return trial_ ? trial_->until : minibgp::kNever; }

  /// Time left to confirm; none when nothing waits.
  [[nodiscard]] std::optional<minibgp::Duration> unconfirmed_for(minibgp::Time now) const;
  /// What a rollback would run.
  [[nodiscard]] const Bundle& rollback_to() const { return trial_ || before_.empty() ? good_ : before_; }
  [[nodiscard]] const Bundle& running() const { return trial_ ? trial_->files : good_; }
  /// What the state directory should hold.
  [[nodiscard]] StoredConfig wanted() const { return {good_, pending_, confirm_by_}; }

 private:
  struct Trial {
    Bundle files;
    minibgp::Time until{};
  };
  struct Next {  ///< What holds once it is stored.
    StoredConfig stored;
    std::optional<Trial> trial;
    Bundle before;
    Run run;
    bool runs = true;
  };

  void on(Apply event, minibgp::Time now);
  void on(const Confirm& event, minibgp::Time now);
  void on(Rollback event, minibgp::Time now);
  void on(const TimeUp& event, minibgp::Time now);
  void on(Stored event, minibgp::Time now);
  void propose(Next next);
  void enter(Next next);
  void refuse(std::string text);
  void take_trial_back(const std::string& why);

  Bundle good_;
  Bundle before_;  ///< The good one before the last apply; empty: none.
  Bundle pending_;
  std::int64_t confirm_by_ = 0;
  std::optional<Trial> trial_;
  std::optional<StoredConfig> on_disk_;  ///< Nothing: not known.
  std::optional<Next> next_;             ///< Being stored.
  std::deque<Output> outputs_;
};

}  // namespace bgplite
