/// What the daemon answers at its control socket, and its metrics: a daemon without sessions or kernel, a real socket.
#include <apps/bgplite/control/client.h>
#include <apps/bgplite/control/commands.h>
#include <apps/bgplite/life.h>
#include <apps/bgplite/metrics/text.h>
#include <bgp/text.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

namespace bgplite::control {
namespace {

class CommandsTest : public testing::Test {
 protected:
  CommandsTest() {
    char name[] = "/tmp/bgplite-commands-XXXXXX";
    directory_ = ::mkdtemp(name);
  }
  ~CommandsTest() override {
    if (thread_.joinable()) {
      boost::asio::post(io_, [this] {
        server_->close();
        work_.reset();
        io_.stop();
      });
      thread_.join();
    }
    std::filesystem::remove_all(directory_);
  }

  /// With a router, no kernel routes and no listening socket; `more` is YAML.
  void start(const std::string& more) {
    const std::string path = directory_ + "/bgplite.yaml";
    std::ofstream{path} << "router: { asn: 65530, router_id: 192.0.2.1 }\nfib: { enabled: false }\n"
                        << "listen: { enabled: false }\nlog: { level: error }\nstate_dir: " << directory_ << "\n"
                        << "control: { socket: " << socket() << " }\n"
                        << more;
    start_ = std::make_unique<StartConfig>(load_for_start(path));
    ASSERT_FALSE(start_->loaded.diagnostics.has_errors()) << start_->loaded.diagnostics.to_text();
    log_.set_levels(start_->loaded.config.log);
    daemon_ = std::make_unique<Daemon>(io_, log_, start_->loaded.config);
    ASSERT_TRUE(daemon_->start());
    life_ = std::make_unique<Life>(io_, log_, *daemon_, path, *start_);
    commands_ = std::make_unique<Commands>(Context{*daemon_, *life_, log_, turns_});
    server_ = std::make_unique<Server>(
        io_, log_, [this](const Request& request, const Reply& reply) { commands_->handle(request, reply); });
    ASSERT_TRUE(server_->reserve(socket()));
    ASSERT_TRUE(server_->open(socket(), ""));
    thread_ = std::thread{[this] { io_.run(); }};
  }
  [[nodiscard]] std::string socket() const { return directory_ + "/s"; }
  /// The result, or {"error": ...}.
  [[nodiscard]] Json answer(const std::string& verb, const Json& arguments = Json::object()) const {
    auto got = ask(socket(), verb, arguments);
    return got ? *got : Json{{"error", got.error().text}, {"exit", got.error().exit}};
  }

  std::string directory_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  Logging log_{LogFormat::text};
  LoopTurns turns_;
  std::unique_ptr<StartConfig> start_;
  std::unique_ptr<Daemon> daemon_;
  std::unique_ptr<Life> life_;
  std::unique_ptr<Commands> commands_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

TEST_F(CommandsTest, AnAttributeThatDoesNotFitIsRefusedAndNothingIsAnnounced) {
  start("");
  for (const char* name : {"med", "local_pref"}) {
    for (const Json& wrong : {Json(4294967296U), Json(UINT64_MAX), Json(-1), Json(1.5), Json("5"), Json(true)}) {
      const Json refused = answer("announce", {{"prefix", "10.0.0.0/8"}, {name, wrong}});
      EXPECT_EQ(refused.value("error", ""), std::string{name} + " must be a number from 0 to 4294967295") << wrong;
      EXPECT_EQ(refused.value("exit", 0), 2);
    }
    EXPECT_EQ(answer("show.config")["announced_by_command"], Json::array());
  }
  EXPECT_EQ(answer("announce", {{"prefix", "10.0.0.0/8"}, {"med", 4294967295U}, {"local_pref", nullptr}})["announced"],
            "10.0.0.0/8");
}

TEST_F(CommandsTest, NoTwoSamplesOfTheMetricsHaveTheSameLabels) {
  start(
      "peers:\n"
      "  fe80::1%eth1: { asn: 65001, accept_all: true, enabled: false, passive: false }\n"
      "  fe80::1%eth2: { asn: 65001, accept_all: true, enabled: false, passive: false }\n"
      "  192.0.2.2: { asn: 65001, accept_all: true, enabled: false, passive: false }\n");
  boost::asio::post(io_, [this] { io_.stop(); });
  thread_.join();
  for (const auto names : {MetricsConfig::Names::native, MetricsConfig::Names::frr}) {
    std::istringstream page{metrics::to_text(*daemon_, *life_, turns_, names)};
    std::set<std::string> seen;
    for (std::string line; std::getline(page, line);)
      if (!line.starts_with('#')) {
        EXPECT_TRUE(seen.insert(line.substr(0, line.rfind(' '))).second) << line;
      }
    EXPECT_GT(seen.size(), 10U);
  }
}

}  // namespace
}  // namespace bgplite::control
