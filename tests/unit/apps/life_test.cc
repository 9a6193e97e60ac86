/// The configuration's life against a daemon without peers or kernel: apply, confirm, roll back, and what a start finds
/// after a death in between.
#include <apps/bgplite/config/saved.h>
#include <apps/bgplite/life.h>
#include <bgp/text.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <string>

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

namespace bgplite {
namespace {

using namespace std::chrono_literals;

class LifeTest : public testing::Test {
 protected:
  LifeTest() {
    char name[] = "/tmp/bgplite-life-XXXXXX";
    directory_ = ::mkdtemp(name);
    path_ = directory_ + "/bgplite.yaml";
    write("10.1.0.0/16");
  }
  ~LifeTest() override { std::filesystem::remove_all(directory_); }

  /// The configuration announces `network`.
  void write(const std::string& network) const {
    std::ofstream{path_} << "router: { asn: 65530, router_id: 192.0.2.1 }\nnetworks: [" << network
                         << "]\nfib: { enabled: false }\nlisten: { enabled: false }\nstate_dir: " << directory_
                         << "\ncontrol: { socket: " << directory_ << "/s }\nlog: { level: error }\n";
  }

  /// One run of the daemon.
  struct Running {
    explicit Running(const std::string& path) : start{load_for_start(path)}, daemon{io, log, start.loaded.config} {
      log.set_levels(start.loaded.config.log);
      EXPECT_FALSE(start.loaded.diagnostics.has_errors()) << start.loaded.diagnostics.to_text();
      EXPECT_TRUE(daemon.start());
      life = std::make_unique<Life>(io, log, daemon, path, start);
    }
    /// Runs the loop until the request that `begin` makes was answered.
    template <typename Begin>
    Life::Outcome wait(Begin begin) {
      std::optional<Life::Outcome> answer;
      begin([&](const Life::Outcome& outcome) { answer = outcome; });
      while (!answer) io.run_one();
      return *answer;
    }
    Life::Outcome plan() {
      return wait([&](auto done) { life->plan(done); });
    }
    Life::Outcome apply(std::optional<std::chrono::seconds> confirm = std::nullopt,
                        ConfigKeeper::Origin origin = ConfigKeeper::Origin::command) {
      return wait([&](auto done) { life->apply(confirm, origin, done); });
    }
    Life::Outcome reload() { return apply(std::nullopt, ConfigKeeper::Origin::signal); }
    Life::Outcome confirm() {
      return wait([&](auto done) { life->confirm(done); });
    }
    Life::Outcome rollback() {
      return wait([&](auto done) { life->rollback("the test says so", done); });
    }
    /// What `--save` does.
    std::string save(std::function<Saved(const Config&)> change) {
      return wait([&](auto done) { life->save(change, done); }).failure;
    }
    [[nodiscard]] std::string announced() const {
      std::string all;
      for (const auto& one : daemon.speaker().engine().announcements()) all += minibgp::to_text(one.prefix) + " ";
      return all;
    }
    boost::asio::io_context io{1};
    Logging log{LogFormat::text};
    StartConfig start;
    Daemon daemon;
    std::unique_ptr<Life> life;
  };

  std::string directory_, path_;
};

TEST_F(LifeTest, ApplyCarriesTheDifferenceOut) {
  Running run{path_};
  EXPECT_EQ(run.announced(), "10.1.0.0/16 ");
  write("10.2.0.0/16");
  EXPECT_EQ(run.plan().plan.size(), 2U);
  EXPECT_EQ(run.announced(), "10.1.0.0/16 ") << "a plan changes nothing";
  run.apply();
  EXPECT_EQ(run.announced(), "10.2.0.0/16 ");
  EXPECT_TRUE(run.plan().plan.empty());
}

TEST_F(LifeTest, AFileWithMistakesChangesNothing) {
  Running run{path_};
  write("10.2.0.1/16");
  EXPECT_TRUE(run.life->last_apply_succeeded()) << "the start's";
  EXPECT_TRUE(run.apply().diagnostics.has_errors());
  EXPECT_EQ(run.announced(), "10.1.0.0/16 ");
  EXPECT_FALSE(run.life->last_apply_succeeded());
  static_cast<void>(run.plan());
  EXPECT_FALSE(run.life->last_apply_succeeded()) << "a plan applies nothing";
  write("10.2.0.0/16");
  run.apply();
  EXPECT_TRUE(run.life->last_apply_succeeded());
}

TEST_F(LifeTest, WhatIsNotConfirmedRollsBackByItself) {
  Running run{path_};
  write("10.2.0.0/16");
  run.apply(1s);
  EXPECT_EQ(run.announced(), "10.2.0.0/16 ");
  ASSERT_TRUE(run.life->unconfirmed_for());
  // The loop waits for nothing but the timer (and sockets of the speaker: none).
  while (run.announced() != "10.1.0.0/16 ") run.io.run_one();
  EXPECT_FALSE(run.life->unconfirmed_for());
  EXPECT_EQ(run.confirm().failure, "nothing waits to be confirmed") << "too late";
}

TEST_F(LifeTest, WhatIsConfirmedStays) {
  {
    Running run{path_};
    write("10.2.0.0/16");
    run.apply(60s);
    EXPECT_EQ(run.confirm().failure, "");
    EXPECT_FALSE(run.life->unconfirmed_for());
  }
  Running again{path_};
  EXPECT_EQ(again.start.note, "");
  EXPECT_EQ(again.announced(), "10.2.0.0/16 ");
}

TEST_F(LifeTest, ADaemonThatDiesUnconfirmedStartsWithTheLastGoodOne) {
  {
    Running run{path_};
    write("10.2.0.0/16");
    run.apply(60s);
  }
  Running again{path_};
  EXPECT_NE(again.start.note.find("never confirmed"), std::string::npos);
  EXPECT_EQ(again.announced(), "10.1.0.0/16 ");
  // An apply without --confirm is the operator's word.
  again.apply();
  EXPECT_EQ(again.announced(), "10.2.0.0/16 ");
  Running third{path_};
  EXPECT_EQ(third.announced(), "10.2.0.0/16 ");
}

TEST_F(LifeTest, AFileThatWasMendedAfterwardsIsRunAsItIs) {
  {
    Running run{path_};
    write("10.2.0.0/16");
    run.apply(60s);
  }
  write("10.3.0.0/16");
  Running again{path_};
  EXPECT_EQ(again.announced(), "10.3.0.0/16 ");
}

TEST_F(LifeTest, RollbackTakesTheLastApplyBackAndTheNextStartKeepsToThat) {
  {
    Running run{path_};
    write("10.2.0.0/16");
    run.apply();
    run.rollback();
    EXPECT_EQ(run.announced(), "10.1.0.0/16 ");
  }
  Running again{path_};
  EXPECT_EQ(again.announced(), "10.1.0.0/16 ");
}

TEST_F(LifeTest, WithoutAPlaceToKeepTheLastGoodOneConfirmIsRefused) {
  Running run{path_};
  std::filesystem::create_directory(directory_ + "/configuration.new");
  write("10.2.0.0/16");
  EXPECT_EQ(run.apply(60s).failure,
            "cannot write " + directory_ + "/configuration: Is a directory: nothing was changed");
  EXPECT_EQ(run.announced(), "10.1.0.0/16 ");
  EXPECT_FALSE(run.life->unconfirmed_for());
  EXPECT_NE(run.apply().failure, "") << "nor one without a confirmation: a later start would go back behind it";
  EXPECT_EQ(run.announced(), "10.1.0.0/16 ");
  std::filesystem::remove(directory_ + "/configuration.new");
  EXPECT_EQ(run.apply().failure, "");
  EXPECT_EQ(run.announced(), "10.2.0.0/16 ");
}

TEST_F(LifeTest, AChangeOfTheStateDirectoryCannotWaitForItsConfirmation) {
  Running run{path_};
  std::ofstream{path_} << "router: { asn: 65530, router_id: 192.0.2.1 }\nfib: { enabled: false }\n"
                          "listen: { enabled: false }\nstate_dir: /elsewhere\n";
  EXPECT_NE(run.apply(60s).failure.find("without --confirm"), std::string::npos);
  EXPECT_EQ(run.announced(), "10.1.0.0/16 ");
}

TEST_F(LifeTest, AReloadWhileAChangeWaitsForItsConfirmationIsRefusedAndTheTimeRunsOn) {
  Running run{path_};
  write("10.2.0.0/16");
  run.apply(1s);
  const std::string same = run.reload().failure;
  EXPECT_NE(same.find("'bgplite confirm' or 'bgplite rollback' first"), std::string::npos) << same;
  write("10.3.0.0/16");
  EXPECT_NE(run.reload().failure, "");
  EXPECT_EQ(run.announced(), "10.2.0.0/16 ");
  while (run.announced() != "10.1.0.0/16 ") run.io.run_one();
  EXPECT_FALSE(run.life->unconfirmed_for());
  EXPECT_EQ(run.reload().failure, "") << "these files were never applied";
  EXPECT_EQ(run.announced(), "10.3.0.0/16 ");
}

TEST_F(LifeTest, AReloadDoesNotTakeFilesThatWereTakenBackAndAnApplyDoes) {
  const auto refuses = [](Running& run) {
    EXPECT_NE(run.reload().failure.find("'bgplite apply' takes them"), std::string::npos);
    EXPECT_EQ(run.announced(), "10.1.0.0/16 ");
  };
  {
    Running run{path_};
    write("10.2.0.0/16");
    run.apply(60s);
    run.rollback();
    refuses(run);
    run.apply(60s);
  }
  {
    Running again{path_};  // It died before the confirmation.
    refuses(again);
    again.apply();
    EXPECT_EQ(again.announced(), "10.2.0.0/16 ");
    EXPECT_EQ(again.reload().failure, "");
  }
}

/// A set in a file decides whether 10.1.0.0/16 is accepted.
TEST_F(LifeTest, ARollbackTakesBackTheFilesThatSetsName) {
  const std::string set = directory_ + "/set.txt";
  std::ofstream{path_, std::ios::app} << "prefix_sets: { ours: { file: set.txt } }\n"
                                         "policies: { p: [ { match: { prefix: ours }, accept: true } ] }\n"
                                         "peers: { 192.0.2.2: { asn: 65001, import: p, export: p, enabled: false } }\n";
  std::ofstream{set} << "10.9.0.0/16\n";
  const auto text = [](const Running& run) { return run.daemon.config().policies.at("p").canonical; };
  Running run{path_};
  const std::string before = text(run);
  std::ofstream{set} << "10.8.0.0/16\n";
  EXPECT_EQ(run.apply(60s).plan.size(), 2U) << "the policy, and the peer that has it";
  EXPECT_NE(text(run), before);
  run.rollback();
  EXPECT_EQ(text(run), before);
  run.apply(60s);
  Running again{path_};  // It died before the confirmation.
  EXPECT_NE(again.start.note, "");
  EXPECT_EQ(text(again), before);
}

TEST_F(LifeTest, ARollbackTakesBackTheKeyThatWasRotatedInItsFile) {
  const std::string key = directory_ + "/key";
  const auto write_key = [&](const char* text) {
    std::ofstream{key} << text << "\n";
    std::filesystem::permissions(key, std::filesystem::perms{0600});
  };
  write_key("first");
  std::ofstream{path_, std::ios::app}
      << "peers: { 192.0.2.2: { asn: 65001, accept_all: true, enabled: false, md5_file: " << key << " } }\n";
  Running run{path_};
  const auto used = [&] { return run.daemon.config().peers.at("192.0.2.2").options.md5_key.view(); };
  write_key("second");
  const auto outcome = run.apply(60s);
  ASSERT_EQ(outcome.plan.size(), 1U);
  EXPECT_EQ(outcome.plan[0].effect, Effect::live) << "the peer is disabled: no session ends";
  EXPECT_EQ(used(), "second");
  run.rollback();
  EXPECT_EQ(used(), "first");
  std::filesystem::remove(key);
  EXPECT_TRUE(run.apply().diagnostics.has_errors()) << "a peer without its key would stay disabled";
  EXPECT_EQ(used(), "first");
}

TEST_F(LifeTest, FilesThatAreNotUtf8AreKeptOctetForOctet) {
  {
    std::ofstream{path_, std::ios::app} << "# caf\xE9\n";
    Running run{path_};
    write("10.2.0.0/16");
    std::ofstream{path_, std::ios::app} << "# caf\xE9 \xFF\xFE\n";
    run.apply(60s);
  }
  Running again{path_};
  EXPECT_NE(again.start.note.find("never confirmed"), std::string::npos);
  EXPECT_EQ(again.announced(), "10.1.0.0/16 ");
}

TEST_F(LifeTest, ASaveWhileAnApplyReadsIsNotForgotten) {
  Running run{path_};
  write("10.2.0.0/16");
  std::optional<Life::Outcome> answer;
  run.life->apply(std::nullopt, ConfigKeeper::Origin::command, [&](const auto& outcome) { answer = outcome; });
  Saved saved;
  saved.announcements[*minibgp::parse_prefix("10.9.0.0/16")];
  ASSERT_EQ(run.save([&](const Config&) { return saved; }), "");
  EXPECT_TRUE(answer) << "they happen one after the other";
  ASSERT_TRUE(run.daemon.ask(input::Announce{*minibgp::parse_prefix("10.9.0.0/16"), {}}));
  EXPECT_EQ(run.announced(), "10.2.0.0/16 10.9.0.0/16 ");
  EXPECT_EQ(run.daemon.config().saved, saved);
}

TEST_F(LifeTest, RequestsAreAnsweredInTurnAndBeyondACrowdRefused) {
  Running run{path_};
  EXPECT_EQ(run.plan().failure, "") << "what the start writes is written";
  int done = 0;
  int refused = 0;
  for (int i = 0; i < 30; ++i)
    run.life->plan([&](const auto& outcome) { outcome.failure.empty() ? ++done : ++refused; });
  while (done + refused < 30) run.io.run_one();
  EXPECT_EQ(done, 17) << "the first, and sixteen that waited";
  EXPECT_EQ(run.plan().failure, "");
}

/// A disk that takes no octet before it may, or before the loop has waited for it too long.
class StuckDisk final : public FilePort {
 public:
  int create(const std::string& path) override {
    in_time = may_go_.get_future().wait_for(5s) == std::future_status::ready;
    return host_file_port().create(path);
  }
  long write(int file, std::string_view text) override { return host_file_port().write(file, text); }
  int sync(int file) override { return host_file_port().sync(file); }
  int close(int file) override { return host_file_port().close(file); }
  int rename(const std::string& from, const std::string& to) override { return host_file_port().rename(from, to); }
  int sync_directory(const std::string& path) override { return host_file_port().sync_directory(path); }
  int remove(const std::string& path) override { return host_file_port().remove(path); }
  std::optional<std::string> read(const std::string& path, int& error) override {
    return host_file_port().read(path, error);
  }
  void go() { may_go_.set_value(); }
  std::atomic<bool> in_time = false;

 private:
  std::promise<void> may_go_;
};

TEST_F(LifeTest, AStartDoesNotWaitForTheDiskAndRequestsDo) {
  StuckDisk disk;
  Running run{path_};
  run.life = std::make_unique<Life>(run.io, run.log, run.daemon, path_, run.start, disk);
  bool planned = false;
  run.life->plan([&](const Life::Outcome& outcome) { planned = outcome.failure.empty(); });
  bool turned = false;
  boost::asio::post(run.io, [&] { turned = true; });
  while (!turned) run.io.run_one();
  run.io.poll();
  EXPECT_FALSE(planned) << "the request must know what the disk says";
  disk.go();
  while (!planned) run.io.run_one();
  EXPECT_TRUE(disk.in_time) << "the loop waited";
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/configuration"));
}

// --- What commands saved -------------------------------------------------------------------------------------------

minibgp::Prefix prefix(const char* text) { return *minibgp::parse_prefix(text); }

/// What `announce --save` does.
template <typename Running>
void announce_saved(Running& run, const char* text, const minibgp::PathAttributes& attributes = {}) {
  const auto change = [&](const Config& config) {
    Saved saved = config.saved;
    saved.announcements[prefix(text)] = attributes;
    return saved;
  };
  ASSERT_EQ(run.save(change), "");
  EXPECT_TRUE(run.daemon.ask(input::Announce{prefix(text), attributes}).has_value());
}

TEST_F(LifeTest, WhatWasSavedIsThereAfterARestartAndIsNoDifference) {
  {
    Running run{path_};
    announce_saved(run, "10.9.0.0/16");
    EXPECT_TRUE(run.plan().plan.empty()) << "what is on disk is what runs";
  }
  Running again{path_};
  EXPECT_EQ(again.announced(), "10.1.0.0/16 10.9.0.0/16 ");
  EXPECT_EQ(again.daemon.config().files.back(), directory_ + "/runtime.yaml") << "read last";
  EXPECT_TRUE(again.daemon.ask(input::Withdraw{prefix("10.9.0.0/16")}));
  ASSERT_EQ(again.save([](const Config&) { return Saved{}; }), "");
  Running third{path_};
  EXPECT_EQ(third.announced(), "10.1.0.0/16 ");
}

TEST_F(LifeTest, SavedByHandIsPlannedAndApplied) {
  Running run{path_};
  std::ofstream{directory_ + "/runtime.yaml"} << "announce: [ { prefix: 10.9.0.0/16, med: 5 } ]\n";
  const Life::Outcome plan = run.plan();
  ASSERT_EQ(plan.plan.size(), 1U);
  EXPECT_EQ(plan.plan[0].text, "saved announcement 10.9.0.0/16: announced");
  run.apply();
  EXPECT_EQ(run.announced(), "10.1.0.0/16 10.9.0.0/16 ");
  std::filesystem::remove(directory_ + "/runtime.yaml");
  run.apply();
  EXPECT_EQ(run.announced(), "10.1.0.0/16 ");
}

TEST_F(LifeTest, ARollbackKeepsWhatWasSaved) {
  {
    Running run{path_};
    write("10.2.0.0/16");
    run.apply(60s);
    announce_saved(run, "10.9.0.0/16");
    run.rollback();
    EXPECT_EQ(run.announced(), "10.1.0.0/16 10.9.0.0/16 ");
    run.apply(60s);
  }
  Running again{path_};
  EXPECT_NE(again.start.note.find("never confirmed"), std::string::npos) << "saving confirms nothing";
  EXPECT_EQ(again.announced(), "10.1.0.0/16 10.9.0.0/16 ");
}

TEST_F(LifeTest, WhatCannotBeSavedIsSaidAndChangesNothing) {
  Running run{path_};
  std::filesystem::create_directory(directory_ + "/runtime.yaml.new");
  Saved saved;
  saved.announcements[prefix("10.9.0.0/16")];
  EXPECT_EQ(run.save([&](const Config&) { return saved; }),
            "cannot write " + directory_ + "/runtime.yaml: Is a directory: nothing was changed");
  EXPECT_TRUE(run.daemon.config().saved.announcements.empty());
}

TEST_F(LifeTest, AWrongRuntimeFileIsToldWithItsPlaceAndNothingStarts) {
  std::ofstream{directory_ + "/runtime.yaml"} << "announce: [ { prefix: 10.9.0.1/16 }, { med: 5 } ]\npears: {}\n";
  std::string text = load_config(path_).diagnostics.to_text();
  for (std::size_t at; (at = text.find(directory_ + "/")) != std::string::npos;) text.erase(at, directory_.size() + 1);
  EXPECT_EQ(text,
            "runtime.yaml:1:23: error: '10.9.0.1/16' has bits set beyond its length (the prefix is 10.9.0.0/16)\n"
            "runtime.yaml:1:38: error: an announcement needs a 'prefix'\n"
            "runtime.yaml:2:1: error: unknown key 'pears' (did you mean 'peers'?)\n");
  std::ofstream{directory_ + "/runtime.yaml"} << "announce: [ {";
  EXPECT_TRUE(load_config(path_).diagnostics.has_errors());
  std::filesystem::remove(directory_ + "/runtime.yaml");
  EXPECT_TRUE(load_config(path_).diagnostics.empty());
}

TEST(Saved, IsReadAsItWasWritten) {
  Saved saved;
  minibgp::PathAttributes& attributes = saved.announcements[prefix("10.9.0.0/16")];
  attributes.med = 5;
  attributes.local_pref = 200;
  attributes.next_hop.address = *minibgp::parse_address("192.0.2.7");
  attributes.as_path = *minibgp::parse_as_path("65010 {65011,65012}");
  attributes.communities = {*minibgp::parse_community("65530:1"), *minibgp::parse_community("no-export")};
  attributes.large_communities = {*minibgp::parse_large_community("65530:1:2")};
  saved.announcements[prefix("2001:db8::/32")];
  saved.peers["192.0.2.2"] = {false, true};
  saved.peers["fe80::1%eth0"] = {true, false};
  const std::string main =
      "router: { asn: 65530, router_id: 192.0.2.1 }\n"
      "peers: { 192.0.2.2: { asn: 65001, accept_all: true },\n"
      "         \"fe80::1%eth0\": { asn: 65001, accept_all: true, enabled: false } }\n";
  const Loaded loaded =
      load_config("a.yaml", {[&](const std::string&, std::string&) { return std::optional{main}; },
                             [](const std::string&) { return std::vector<std::string>{}; },
                             [&](const std::string&, std::string&) { return std::optional{to_yaml(saved)}; }});
  EXPECT_EQ(loaded.diagnostics.to_text(), "");
  EXPECT_EQ(loaded.config.saved, saved);
  EXPECT_FALSE(loaded.config.peers.at("192.0.2.2").options.enabled);
  EXPECT_TRUE(loaded.config.peers.at("fe80::1%eth0").options.enabled);
  // What the file says by itself needs no entry, so that it holds again.
  EXPECT_EQ(with_peer(loaded.config, "192.0.2.2", true).peers.size(), 1U);
  EXPECT_EQ(with_peer(loaded.config, "192.0.2.2", false), saved);
}

TEST(Saved, APeerThatIsGoneIsAWarning) {
  const std::string main = "router: { asn: 65530, router_id: 192.0.2.1 }\n",
                    text = "peers: { 192.0.2.2: { enabled: false } }\n";
  const Loaded loaded = load_config("a.yaml", {[&](const std::string&, std::string&) { return std::optional{main}; },
                                               [](const std::string&) { return std::vector<std::string>{}; },
                                               [&](const std::string&, std::string&) { return std::optional{text}; }});
  EXPECT_EQ(loaded.diagnostics.to_text(),
            "/var/lib/bgplite/runtime.yaml:1:10: warning: no peer '192.0.2.2' any more (what was saved for it means "
            "nothing)\n");
}

}  // namespace
}  // namespace bgplite
