/// The configuration's life against a daemon without peers or kernel: apply, confirm, roll back, and what a start finds
/// after a death in between.
#include <apps/bgplite/life.h>
#include <bgp/text.h>

#include <filesystem>
#include <fstream>
#include <string>

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
      life = std::make_unique<Life>(io, log, daemon, path, start.bundle);
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
  EXPECT_EQ(run.life->plan().plan.size(), 2U);
  EXPECT_EQ(run.announced(), "10.1.0.0/16 ") << "a plan changes nothing";
  run.life->apply();
  EXPECT_EQ(run.announced(), "10.2.0.0/16 ");
  EXPECT_TRUE(run.life->plan().plan.empty());
}

TEST_F(LifeTest, AFileWithMistakesChangesNothing) {
  Running run{path_};
  write("10.2.0.1/16");
  EXPECT_TRUE(run.life->apply().diagnostics.has_errors());
  EXPECT_EQ(run.announced(), "10.1.0.0/16 ");
}

TEST_F(LifeTest, WhatIsNotConfirmedRollsBackByItself) {
  Running run{path_};
  write("10.2.0.0/16");
  run.life->apply(1s);
  EXPECT_EQ(run.announced(), "10.2.0.0/16 ");
  ASSERT_TRUE(run.life->unconfirmed_for());
  // The loop waits for nothing but the timer (and sockets of the speaker: none).
  while (run.life->unconfirmed_for()) run.io.run_one();
  EXPECT_EQ(run.announced(), "10.1.0.0/16 ");
  EXPECT_FALSE(run.life->confirm()) << "too late";
}

TEST_F(LifeTest, WhatIsConfirmedStays) {
  {
    Running run{path_};
    write("10.2.0.0/16");
    run.life->apply(60s);
    EXPECT_TRUE(run.life->confirm());
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
    run.life->apply(60s);
  }
  Running again{path_};
  EXPECT_NE(again.start.note.find("never confirmed"), std::string::npos);
  EXPECT_EQ(again.announced(), "10.1.0.0/16 ");
  // An apply without --confirm is the operator's word.
  again.life->apply();
  EXPECT_EQ(again.announced(), "10.2.0.0/16 ");
  Running third{path_};
  EXPECT_EQ(third.announced(), "10.2.0.0/16 ");
}

TEST_F(LifeTest, AFileThatWasMendedAfterwardsIsRunAsItIs) {
  {
    Running run{path_};
    write("10.2.0.0/16");
    run.life->apply(60s);
  }
  write("10.3.0.0/16");
  Running again{path_};
  EXPECT_EQ(again.announced(), "10.3.0.0/16 ");
}

TEST_F(LifeTest, RollbackTakesTheLastApplyBackAndTheNextStartKeepsToThat) {
  {
    Running run{path_};
    write("10.2.0.0/16");
    run.life->apply();
    run.life->rollback("the test says so");
    EXPECT_EQ(run.announced(), "10.1.0.0/16 ");
  }
  Running again{path_};
  EXPECT_EQ(again.announced(), "10.1.0.0/16 ");
}

TEST_F(LifeTest, WithoutAPlaceToKeepTheLastGoodOneConfirmIsRefused) {
  Running run{path_};
  std::filesystem::remove_all(directory_ + "/unconfirmed.json.new");
  std::filesystem::create_directory(directory_ + "/unconfirmed.json.new");
  write("10.2.0.0/16");
  EXPECT_NE(run.life->apply(60s).failure.find("cannot write"), std::string::npos);
  EXPECT_EQ(run.announced(), "10.1.0.0/16 ");
}

}  // namespace
}  // namespace bgplite
