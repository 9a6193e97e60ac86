/// Keys of peers that change inside their files: a daemon uses them after the next apply, reset or enable, and a plan
/// says so before.
#include <apps/bgplite/daemon.h>
#include <apps/bgplite/life.h>
#include <apps/bgplite/peer_key.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

namespace bgplite {
namespace {

namespace fs = std::filesystem;

class KeyRotation : public testing::Test {
 protected:
  KeyRotation() {
    char name[] = "/tmp/bgplite-keys-XXXXXX";
    directory_ = ::mkdtemp(name);
    path_ = directory_ + "/bgplite.yaml";
    std::ofstream{path_} << "router: { asn: 65530, router_id: 192.0.2.1 }\nfib: { enabled: false }\n"
                         << "listen: { addresses: [127.0.0.1], port: " << 20000 + ::getpid() % 10000
                         << " }\nstate_dir: " << directory_ << "\ncontrol: { socket: " << directory_
                         << "/s }\nlog: { level: error }\n"
                         << "peers: { 192.0.2.9: { asn: 65001, accept_all: true, passive: true, md5_file: "
                         << directory_ << "/key } }\n";
  }
  ~KeyRotation() override { fs::remove_all(directory_); }

  void write_key(const std::string& key) const {
    std::ofstream{directory_ + "/key"} << key << "\n";
    fs::permissions(directory_ + "/key", fs::perms::owner_read | fs::perms::owner_write);
  }

  struct Running {
    explicit Running(const std::string& path) : start{load_for_start(path)}, daemon{io, log, start.loaded.config} {
      log.set_levels(start.loaded.config.log);
      EXPECT_TRUE(daemon.start());
      life = std::make_unique<Life>(io, log, daemon, path, start);
    }
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
    Life::Outcome apply() {
      return wait([&](auto done) { life->apply(std::nullopt, ConfigKeeper::Origin::command, done); });
    }
    [[nodiscard]] minibgp::PeerId peer() const { return *daemon.find_peer("192.0.2.9"); }
    [[nodiscard]] std::string key() const {
      return std::string{daemon.speaker().engine().options_of(peer())->md5_key.view()};
    }
    [[nodiscard]] bool enabled() const { return daemon.speaker().engine().peer(peer())->enabled; }
    void ask(Input wish) { EXPECT_TRUE(daemon.ask(std::move(wish))); }
    void reset() { ask(input::ResetPeer{peer(), "", key_on_disk(daemon.gateway(), peer(), log)}); }
    boost::asio::io_context io{1};
    Logging log{LogFormat::text};
    StartConfig start;
    Daemon daemon;
    std::unique_ptr<Life> life;
  };

  std::string directory_, path_;
};

TEST_F(KeyRotation, APlanNamesTheKeyAndAnApplyUsesIt) {
  write_key("the-first");
  Running run{path_};
  EXPECT_EQ(run.key(), "the-first");
  EXPECT_TRUE(run.plan().plan.empty());
  write_key("the-second");
  const Life::Outcome outcome = run.plan();
  ASSERT_FALSE(outcome.diagnostics.has_errors()) << outcome.diagnostics.to_text();
  const Plan plan = outcome.plan;
  ASSERT_EQ(plan.size(), 1U);
  EXPECT_EQ(plan[0].effect, Effect::reset);
  EXPECT_NE(plan[0].text.find("TCP-MD5 key"), std::string::npos);
  EXPECT_EQ(plan[0].text.find("the-"), std::string::npos) << "a key is never printed";
  EXPECT_EQ(run.key(), "the-first") << "a plan changes nothing";
  EXPECT_EQ(run.apply().plan.size(), 1U);
  EXPECT_EQ(run.key(), "the-second");
  EXPECT_TRUE(run.plan().plan.empty());
}

TEST_F(KeyRotation, ResetAndEnableReadTheKeyToo) {
  write_key("the-first");
  Running run{path_};
  write_key("the-second");
  run.reset();
  EXPECT_EQ(run.key(), "the-second");
  run.ask(input::DisablePeer{run.peer(), ""});
  write_key("the-third");
  run.ask(input::EnablePeer{run.peer(), key_on_disk(run.daemon.gateway(), run.peer(), run.log)});
  EXPECT_EQ(run.key(), "the-third");
  EXPECT_TRUE(run.enabled());
  EXPECT_TRUE(run.plan().plan.empty());
}

TEST_F(KeyRotation, AKeyThatCannotBeReadLeavesTheOneInUse) {
  write_key("the-first");
  Running run{path_};
  for (const bool gone : {false, true}) {
    write_key("the-second");
    if (gone) fs::remove(directory_ + "/key");
    if (!gone) fs::permissions(directory_ + "/key", fs::perms::others_read, fs::perm_options::add);
    EXPECT_TRUE(run.apply().diagnostics.has_errors()) << "an apply is refused";
    run.reset();
    EXPECT_EQ(run.key(), "the-first");
    EXPECT_TRUE(run.enabled());
  }
}

TEST_F(KeyRotation, APeerWithoutItsKeyIsDisabledUntilThatCanBeRead) {
  Running run{path_};
  EXPECT_FALSE(run.enabled()) << "a start goes on without it";
  EXPECT_TRUE(run.apply().diagnostics.has_errors());
  EXPECT_FALSE(run.enabled());
  write_key("the-first");
  run.apply();
  EXPECT_TRUE(run.enabled());
  EXPECT_EQ(run.key(), "the-first");
}

}  // namespace
}  // namespace bgplite
