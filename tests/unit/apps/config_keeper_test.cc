/// What runs and until when, and what a start finds after the process died at any system call of the store.
#include <apps/bgplite/config_keeper.h>
#include <apps/bgplite/state_file.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

namespace bgplite {
namespace {

using namespace std::chrono_literals;
using minibgp::Time;
using Origin = ConfigKeeper::Origin;
using Kind = ConfigKeeper::Answer::Kind;

const std::string kState = "/state/configuration";

Bundle files(const std::string& text) {
  Bundle bundle;
  bundle.add("/etc/gw.yaml", text);
  bundle.add("/etc/sets/vpc", "of " + text);
  return bundle;
}

/// The text of the configuration in `bundle`; "a mix" when its files do not belong together.
std::string name_of(const Bundle& bundle) {
  if (bundle.empty()) return "";
  const std::string& text = *bundle.find("/etc/gw.yaml");
  return *bundle.find("/etc/sets/vpc") == "of " + text ? text : "a mix";
}

/// A disk. What was written and not synced may be there or not after a crash; `crash_at` counts system calls.
class Disk final : public FilePort {
 public:
  struct Crash {};
  enum class Unsynced { lost, kept } unsynced = Unsynced::lost;
  int crash_at = -1;  ///< Before this call. -1: never.
  int full_at = -1;   ///< This call and all writes after it answer ENOSPC. -1: never.
  int calls = 0;

  int create(const std::string& path) override {
    if (const int error = step()) return -error;
    open_ = path;
    files_[path] = {"", ""};
    return 3;
  }
  long write(int, std::string_view text) override {
    if (const int error = step()) return -error;
    const std::size_t taken = std::min<std::size_t>(text.size(), 37);  // Short writes.
    files_[open_].now += text.substr(0, taken);
    return static_cast<long>(taken);
  }
  int sync(int) override {
    if (const int error = step()) return error;
    files_[open_].synced = files_[open_].now;
    return 0;
  }
  int close(int) override { return step(); }
  int rename(const std::string& from, const std::string& to) override {
    if (const int error = step()) return error;
    files_[to] = files_[from];
    files_.erase(from);
    return 0;
  }
  int sync_directory(const std::string&) override { return step(); }
  int remove(const std::string& path) override {
    files_.erase(path);
    return 0;
  }
  std::optional<std::string> read(const std::string& path, int& error) override {
    const auto found = files_.find(path);
    if (found == files_.end()) return error = ENOENT, std::nullopt;
    return found->second.now;
  }
  /// The machine comes back.
  void reboot() {
    crash_at = full_at = -1;
    calls = 0;
    for (auto& [path, file] : files_)
      if (unsynced == Unsynced::lost) file.now = file.synced;
  }

 private:
  struct File {
    std::string now, synced;
  };
  int step() {
    const int call = calls++;
    if (call == crash_at) throw Crash{};
    return full_at >= 0 && call >= full_at ? ENOSPC : 0;
  }
  std::map<std::string, File> files_;
  std::string open_;
};

/// A daemon without anything but its keeper: the user's file, the disk, and what runs.
struct Host {
  Disk disk;
  std::string user_file = "A";
  std::string runs;
  std::string note;
  std::optional<ConfigKeeper> keeper;
  ConfigKeeper::Answer answer;
  Time now{1000s};

  void start() {
    int error = 0;
    const auto text = disk.read(kState, error);
    auto stored = text ? parse_stored(*text) : std::nullopt;
    EXPECT_EQ(text.has_value(), stored.has_value()) << "a file that is there is whole";
    const StartChoice choice = choose_at_start("gw.yaml", files(user_file), stored);
    note = choice.note;
    const bool good = choice.run == StartChoice::Run::good;
    Bundle running = good ? stored->good : files(user_file);
    runs = name_of(running);
    good ? keeper.emplace(std::move(running), stored->pending, stored->confirm_by) : keeper.emplace(std::move(running));
    store(keeper->wanted());
  }
  void store(const StoredConfig& stored) {
    const auto written = replace_file(disk, kState, to_octets(stored));
    keeper->input(ConfigKeeper::Stored{written ? std::string{} : written.error()}, now);
  }
  Kind ask(ConfigKeeper::Event event) {
    keeper->input(std::move(event), now);
    while (auto output = keeper->poll()) {
      if (const auto* wanted = std::get_if<ConfigKeeper::Store>(&*output)) store(wanted->stored);
      if (const auto* run = std::get_if<ConfigKeeper::Run>(&*output)) runs = name_of(run->files);
      if (const auto* one = std::get_if<ConfigKeeper::Answer>(&*output)) answer = *one;
    }
    return answer.kind;
  }
  Kind apply(const std::string& text, std::optional<std::chrono::seconds> confirm = std::nullopt,
             Origin origin = Origin::command) {
    user_file = text;
    return ask(ConfigKeeper::Apply{files(text), origin, confirm, 1'700'000'000});
  }
};

TEST(ConfigKeeper, WaitsForTheConfirmationUntilItsTimeIsUp) {
  Host host;
  host.start();
  host.apply("B", 60s);
  EXPECT_EQ(host.runs, "B");
  EXPECT_EQ(host.keeper->next_deadline(), host.now + 60s);
  host.now += 59s;
  host.ask(ConfigKeeper::TimeUp{});
  EXPECT_EQ(host.runs, "B") << "too early";
  host.now += 1s;
  host.ask(ConfigKeeper::TimeUp{});
  EXPECT_EQ(host.runs, "A");
  EXPECT_EQ(host.keeper->next_deadline(), minibgp::kNever);
}

TEST(ConfigKeeper, AnApplyDuringATrialBeginsItsTimeAnewAndKeepsTheSameWayBack) {
  Host host;
  host.start();
  host.apply("B", 60s);
  host.now += 50s;
  host.apply("C", 60s);
  EXPECT_EQ(host.keeper->next_deadline(), host.now + 60s);
  host.ask(ConfigKeeper::Rollback{"asked"});
  EXPECT_EQ(host.runs, "A") << "B was never good";
}

TEST(ConfigKeeper, AReloadNeverEndsATrialWhateverTheFilesHold) {
  for (const char* text : {"A", "B", "C"}) {
    Host host;
    host.start();
    host.apply("B", 60s);
    EXPECT_EQ(host.apply(text, std::nullopt, Origin::signal), Kind::refused) << text;
    EXPECT_EQ(host.runs, "B");
    EXPECT_EQ(host.keeper->next_deadline(), host.now + 60s);
  }
}

TEST(ConfigKeeper, TheDeadlineIsOnDisk) {
  Host host;
  host.start();
  host.apply("B", 60s);
  int error = 0;
  const auto stored = parse_stored(*host.disk.read(kState, error));
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->confirm_by, 1'700'000'060);
}

TEST(ConfigKeeper, AConfirmationThatCannotBeWrittenIsRefusedAndTheTrialGoesOn) {
  Host host;
  host.start();
  host.apply("B", 60s);
  host.disk.full_at = 0;
  EXPECT_EQ(host.ask(ConfigKeeper::Confirm{}), Kind::not_stored);
  EXPECT_EQ(host.answer.text, "cannot write /state/configuration: No space left on device: nothing was changed");
  EXPECT_NE(host.keeper->next_deadline(), minibgp::kNever);
  host.now += 60s;
  host.ask(ConfigKeeper::TimeUp{});
  EXPECT_EQ(host.runs, "A") << "a rollback needs no disk";
}

TEST(ConfigKeeper, NothingIsWrittenWhenNothingChanges) {
  Host host;
  host.start();
  const int before = host.disk.calls;
  EXPECT_EQ(host.apply("A", std::nullopt, Origin::signal), Kind::done);
  EXPECT_EQ(host.disk.calls, before);
}

/// A death at each system call of the store: what the next start may run, and what it runs after none.
struct Story {
  const char* name;
  void (*before)(Host&);
  void (*during)(Host&);
  std::vector<std::string> may_run;
  std::string runs_when_done;
};

void nothing(Host&) {}
void trial(Host& host) { host.apply("B", 60s); }
void trial_and_back(Host& host) {
  trial(host);
  host.ask(ConfigKeeper::Rollback{"asked"});
}
void applied(Host& host) { host.apply("B"); }
void time_is_up(Host& host) {
  host.now += 60s;
  host.ask(ConfigKeeper::TimeUp{});
}

/// An operator who applies has written the file before: a start that knows of no trial runs it.
const std::vector<Story> kStories = {
    {"start", nothing, [](Host& host) { host.start(); }, {"A"}, "A"},
    {"apply", nothing, applied, {"B"}, "B"},
    {"apply until confirmed", nothing, trial, {"A", "B"}, "A"},
    {"confirm", trial, [](Host& host) { host.ask(ConfigKeeper::Confirm{}); }, {"A", "B"}, "B"},
    {"the time to confirm is up", trial, time_is_up, {"A"}, "A"},
    {"rollback of a trial", trial, [](Host& host) { host.ask(ConfigKeeper::Rollback{"asked"}); }, {"A"}, "A"},
    {"apply in a trial", trial, [](Host& host) { host.apply("C"); }, {"C"}, "C"},
    {"apply until confirmed in a trial", trial, [](Host& host) { host.apply("C", 60s); }, {"A", "C"}, "A"},
    {"rollback of what was applied for good",
     applied,
     [](Host& host) { host.ask(ConfigKeeper::Rollback{"asked"}); },
     {"A", "B"},
     "A"},
    {"apply of what was taken back", trial_and_back, applied, {"A", "B"}, "B"},
    {"reload of what was taken back",
     trial_and_back,
     [](Host& host) { host.apply("B", std::nullopt, Origin::signal); },
     {"A"},
     "A"},
};

TEST(ConfigKeeper, ADeathAtAnySystemCallOfTheStoreLeavesTheOldOrTheNewConfiguration) {
  int points = 0;
  for (const Story& story : kStories) {
    for (const auto unsynced : {Disk::Unsynced::lost, Disk::Unsynced::kept}) {
      std::string ran;
      for (int call = 0, crashed = 1; crashed != 0; ++call) {
        SCOPED_TRACE(std::string{story.name} + ", call " + std::to_string(call));
        Host host;
        host.disk.unsynced = unsynced;
        host.start();
        story.before(host);
        host.disk.calls = 0;
        host.disk.crash_at = call;
        crashed = 0;
        try {
          story.during(host);
        } catch (const Disk::Crash&) {
          crashed = 1;
        }
        host.disk.reboot();
        host.start();
        ++points;
        ran += (crashed == 0 ? " done: " : " ") + host.runs;
        const std::vector<std::string> may = crashed == 0 ? std::vector{story.runs_when_done} : story.may_run;
        EXPECT_NE(std::find(may.begin(), may.end(), host.runs), may.end()) << host.runs;
        EXPECT_EQ(host.runs == host.user_file, host.note.empty()) << host.note;
        // The second start finds what the first one decided.
        const std::string first = host.runs;
        host.start();
        EXPECT_EQ(host.runs, first);
      }
      std::cout << story.name << (unsynced == Disk::Unsynced::lost ? ", unsynced lost" : ", unsynced kept")
                << ", runs after a death before call 1, 2, ...:" << ran << '\n';
    }
  }
  EXPECT_GT(points, 100);
}

TEST(ConfigKeeper, AFullDiskAtAnySystemCallRefusesTheChangeAndLeavesTheOldOne) {
  for (const Story& story : kStories) {
    for (int call = 0; call < 20; ++call) {
      SCOPED_TRACE(std::string{story.name} + ", call " + std::to_string(call));
      Host host;
      host.start();
      story.before(host);
      const std::string before = host.runs;
      host.disk.calls = 0;
      host.disk.full_at = call;
      host.answer = {};
      story.during(host);
      EXPECT_TRUE(host.answer.kind != Kind::not_stored || host.runs == before) << host.runs;
    }
  }
}

TEST(StoredConfig, IsReadAsItWasWrittenOctetForOctet) {
  StoredConfig stored{files("A"), files(std::string("\0\xFF\xFE end 1\n", 10)), 1'700'000'000};
  stored.pending.add("/etc/caf\xE9 1 2\n", "end 7\n");
  stored.pending.add("/etc/empty", "");
  EXPECT_EQ(parse_stored(to_octets(stored)), stored);
  EXPECT_EQ(parse_stored(to_octets({})), StoredConfig{});
}

TEST(StoredConfig, ADamagedOneIsRefusedWhereverItIsCutOrChanged) {
  const std::string text = to_octets({files("A"), files("B"), 7});
  for (std::size_t i = 0; i < text.size(); ++i) {
    EXPECT_FALSE(parse_stored(text.substr(0, i))) << i;
    std::string other = text;
    other[i] = static_cast<char>(other[i] ^ 1);
    EXPECT_FALSE(parse_stored(other)) << i;
  }
  EXPECT_FALSE(parse_stored(text + "x"));
  EXPECT_FALSE(parse_stored("bgplite configuration 1\nconfirm by 0\ngood 99999999999999\n"));
}

}  // namespace
}  // namespace bgplite
