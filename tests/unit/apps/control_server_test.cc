/// The control socket against clients that err: over a real Unix socket, with a loop in a thread of its own.
#include <apps/bgplite/control/client.h>
#include <apps/bgplite/control/commands.h>
#include <apps/bgplite/control/parts.h>
#include <apps/bgplite/control/server.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <random>
#include <string>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace bgplite::control {
namespace {

class ControlServer : public testing::Test {
 protected:
  ControlServer() {
    char name[] = "/tmp/bgplite-control-XXXXXX";
    directory_ = ::mkdtemp(name);
    path_ = directory_ + "/control.sock";
  }

  void SetUp() override {
    const auto opened = open(server_);
    ASSERT_TRUE(opened) << opened.error();
    thread_ = std::thread{[this] { io_.run(); }};
  }

  void TearDown() override {
    boost::asio::post(io_, [this] {
      server_.close();
      work_.reset();
    });
    if (thread_.joinable()) thread_.join();
    std::filesystem::remove_all(directory_);
  }

  minibgp::Result<void, std::string> open(Server& server) const {
    if (auto reserved = server.reserve(path_); !reserved) return reserved;
    return server.open(path_, "");
  }

  /// Echoes the arguments; "refuse" refuses; "large" answers 4 MiB.
  static void handle(const Request& request, const Reply& reply) {
    if (request.verb == "refuse") return reply.error("no such thing", 1);
    if (request.verb == "large") return reply.result(std::string(4U << 20U, 'x'));
    if (request.verb == "list") return reply.result(Json(std::vector<int>(100'000, 7)));
    if (request.verb == "made")
      return reply.result([loop = std::this_thread::get_id()] {
        return Json{{"beside", std::this_thread::get_id() != loop}};
      });
    if (request.verb == "parts") return parts(reply, 10);
    if (request.verb == "endless") return parts(reply, SIZE_MAX);
    if (request.verb == "broken") return reply.result("not UTF-8: \xFF\xFE");
    reply.result({{"verb", request.verb}, {"arguments", request.arguments}, {"may_change", request.may_change}});
  }

  /// Says in which thread it ended.
  struct Row {
    std::shared_ptr<void> end{nullptr, [loop = std::this_thread::get_id()](void*) {
                                if (std::this_thread::get_id() == loop) ++freed_in_loop;
                                ++freed;
                              }};
  };
  /// A table of `count` rows, one in a turn.
  static void parts(const Reply& reply, std::size_t count) {
    freed = freed_in_loop = 0;
    const auto read = [count, at = std::size_t{0}](std::vector<Row>& into) mutable {
      into.emplace_back();
      rows_read = ++at;
      return at < count;
    };
    Parts<Row>::answer(reply, read, [loop = std::this_thread::get_id()](const std::vector<std::vector<Row>>& parts) {
      return Json{{"parts", parts.size()}, {"beside", std::this_thread::get_id() != loop}};
    });
  }
  static inline std::atomic<std::size_t> freed, freed_in_loop, rows_read;

  [[nodiscard]] int connected() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  /// Asks and does not read the answer.
  [[nodiscard]] int begin(const std::string& verb) const {
    rows_read = 0;
    const int fd = connected();
    const std::string request = "{\"verb\": \"" + verb + "\"}\n";
    EXPECT_EQ(::send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
    return fd;
  }

  /// Sends octets as they are and gives what comes back until the end.
  [[nodiscard]] std::string raw(std::string_view octets) const {
    const int fd = connected();
    while (!octets.empty()) {
      const ssize_t sent = ::send(fd, octets.data(), octets.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;  // It has heard enough.
      octets.remove_prefix(static_cast<std::size_t>(sent));
    }
    ::shutdown(fd, SHUT_WR);
    std::string answer;
    char block[4096];
    for (ssize_t count = 0; (count = ::read(fd, block, sizeof block)) > 0;)
      answer.append(block, static_cast<std::size_t>(count));
    ::close(fd);
    return answer;
  }

  std::string directory_, path_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  Logging log_{LogFormat::text};
  Server server_{io_, log_, handle};
  std::thread thread_;
};

TEST_F(ControlServer, OneRequestGetsOneAnswer) {
  const auto answer = ask(path_, "show.summary", {{"peer", "a"}});
  ASSERT_TRUE(answer) << answer.error().text;
  EXPECT_EQ((*answer)["verb"], "show.summary");
  EXPECT_EQ((*answer)["arguments"]["peer"], "a");
  EXPECT_EQ((*answer)["may_change"], true) << "the daemon's own user may change things";
}

TEST_F(ControlServer, ARefusalCarriesItsTextAndExitCode) {
  const auto answer = ask(path_, "refuse");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().text, "no such thing");
  EXPECT_EQ(answer.error().exit, 1);
}

TEST_F(ControlServer, GarbageGetsAnErrorAndTheNextClientIsServed) {
  const std::string deep(60000, '[');
  for (const std::string& garbage :
       {std::string{"\n"}, std::string{"hello\n"}, std::string{"[]\n"}, std::string{"{\"verb\": 5}\n"},
        std::string{"{\"verb\": \"x\", \"arguments\": []}\n"}, std::string("\0\0\0\n", 4), std::string{"\xFF\xFE{}\n"},
        deep + "\n", std::string{"GET / HTTP/1.1\r\n\r\n"}}) {
    EXPECT_NE(raw(garbage).find(R"("ok":false)"), std::string::npos) << garbage.substr(0, 40);
  }
  EXPECT_TRUE(ask(path_, "show.summary"));
}

TEST_F(ControlServer, ADeepValueIsNoRequest) {
  const std::size_t depth = 30'000;
  const std::string deep = std::string(depth, '[') + std::string(depth, ']');
  EXPECT_NE(raw(R"({"verb": "x", "arguments": {"a": )" + deep + "}}\n").find("not a request"), std::string::npos);
  EXPECT_TRUE(ask(path_, "show.summary"));
}

TEST_F(ControlServer, RandomOctetsNeverStopIt) {
  std::mt19937 random{7};
  for (int i = 0; i < 200; ++i) {
    std::string octets(random() % 300, '\0');
    for (char& octet : octets) octet = static_cast<char>(random() & 0xFFU);
    static_cast<void>(raw(octets + "\n"));
  }
  EXPECT_TRUE(ask(path_, "show.summary"));
}

TEST_F(ControlServer, ARequestWithoutEndIsCutOff) {
  const std::string answer = raw(std::string(300'000, 'a'));
  // The answer may be lost with the connection when we go on sending; that it ends is what counts.
  EXPECT_TRUE(answer.empty() || answer.find("too long") != std::string::npos) << answer;
  EXPECT_TRUE(ask(path_, "show.summary"));
}

TEST_F(ControlServer, ManySilentClientsDoNotKeepOthersOut) {
  std::vector<int> silent;
  // As many as are served at once: each is cut off after 2 s, and then the next is served.
  for (int i = 0; i < 32; ++i) silent.push_back(connected());
  EXPECT_TRUE(ask(path_, "show.summary"));
  for (const int fd : silent) ::close(fd);
}

TEST_F(ControlServer, LargeAnswersAndBrokenTextArrive) {
  const auto large = ask(path_, "large");
  ASSERT_TRUE(large);
  EXPECT_EQ(large->get<std::string>().size(), 4U << 20U);
  EXPECT_TRUE(ask(path_, "broken"));
}

TEST_F(ControlServer, AnswersThatTakeLongAreMadeBesideTheLoop) {
  std::vector<std::thread> others;
  for (int i = 0; i < 8; ++i)
    others.emplace_back([this] {
      const auto list = ask(path_, "list");
      ASSERT_TRUE(list);
      EXPECT_EQ(list->size(), 100'000U);
    });
  const auto made = ask(path_, "made");
  ASSERT_TRUE(made);
  EXPECT_EQ((*made)["beside"], true);
  for (std::thread& other : others) other.join();
}

TEST_F(ControlServer, ATableIsReadInPartsAndFreedBesideTheLoop) {
  const auto answer = ask(path_, "parts");
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)["parts"], 10);
  EXPECT_EQ((*answer)["beside"], true);
  while (freed != 10) std::this_thread::yield();
  EXPECT_EQ(freed_in_loop, 0U);
}

TEST_F(ControlServer, AClientThatGoesAwayEndsTheReadingForIt) {
  const int fd = begin("endless");
  while (rows_read < 3) std::this_thread::yield();
  EXPECT_TRUE(ask(path_, "show.summary")) << "others are served between the parts";
  ::close(fd);
  while (freed == 0 || freed != rows_read) std::this_thread::yield();
  EXPECT_EQ(freed_in_loop, 0U);
}

TEST_F(ControlServer, AServerThatClosesEndsTheReading) {
  const int fd = begin("endless");
  while (rows_read < 3) std::this_thread::yield();
  boost::asio::post(io_, [this] { server_.close(); });
  char octet = 0;
  EXPECT_EQ(::read(fd, &octet, 1), 0) << "the client sees the end";
  ::close(fd);
  while (freed == 0 || freed != rows_read) std::this_thread::yield();
  EXPECT_EQ(freed_in_loop, 0U);
}

TEST_F(ControlServer, AReaderThatDoesNotReadDelaysNoOther) {
  std::vector<int> idle;
  for (int i = 0; i < 8; ++i) idle.push_back(begin("large"));
  for (int i = 0; i < 4; ++i) {
    const auto list = ask(path_, "list");
    ASSERT_TRUE(list);
    EXPECT_EQ(list->size(), 100'000U);
  }
  for (const int fd : idle) ::close(fd);
  EXPECT_TRUE(ask(path_, "show.summary"));
}

TEST_F(ControlServer, ARequestThatComesWithTheEndOfItsTimeIsAnswered) {
  const int fd = connected();
  // Accepted in order: the time of the first one runs when the second one has its answer.
  ASSERT_TRUE(ask(path_, "show.summary"));
  // The loop is busy until the time for the request is over: it finds the request and the end of the time together.
  std::promise<void> busy;
  boost::asio::post(io_, [&busy] {
    busy.set_value();
    ::poll(nullptr, 0, 2500);
  });
  busy.get_future().wait();
  const std::string request = "{\"verb\": \"made\"}\n";
  ASSERT_EQ(::send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  std::string answer(4096, '\0');
  const ssize_t count = ::read(fd, answer.data(), answer.size());
  ::close(fd);
  answer.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  EXPECT_EQ(answer, "{\"ok\":true,\"result\":{\"beside\":true}}\n");
}

TEST(ControlParts, AnAnswerSaysHowManyRowsThereAreBesideThoseThatItShows) {
  const std::vector<int> rows{1, 2, 3};
  std::vector<const int*> order;
  for (const int& row : rows) order.push_back(&row);
  const auto shown = [&](std::size_t limit) {
    return first_of("routes", order, limit, [](const int& row) { return Json(row); });
  };
  EXPECT_EQ(shown(2), Json::parse(R"({"routes": [1, 2], "total": 3, "complete": false})"));
  EXPECT_EQ(shown(3), Json::parse(R"({"routes": [1, 2, 3], "total": 3, "complete": true})"));
  EXPECT_EQ(shown(SIZE_MAX), Json::parse(R"({"routes": [1, 2, 3], "total": 3, "complete": true})"));
  order.clear();
  EXPECT_EQ(shown(1), Json::parse(R"({"routes": [], "total": 0, "complete": true})"));
}

TEST_F(ControlServer, ASecondDaemonOnTheSameSocketIsRefused) {
  Server second{io_, log_, handle};
  const auto opened = open(second);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), "another bgplite runs with the control socket " + path_);
  EXPECT_TRUE(ask(path_, "show.summary")) << "and the first goes on";
}

TEST_F(ControlServer, ADeadDaemonsSocketFileIsReplaced) {
  const std::string other = directory_ + "/other.sock";
  {  // A socket file outlives the process that bound it.
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    other.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::close(fd);
  }
  Server server{io_, log_, handle};
  ASSERT_TRUE(server.reserve(other));
  ASSERT_TRUE(server.open(other, ""));
  struct stat status {};
  ASSERT_EQ(::stat(other.c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 0777U, 0660U);
}

TEST(ControlArguments, AnArgumentOfAnotherTypeIsNone) {
  const Request request{"x", Json::parse(R"({"a": "text", "b": 5, "c": -5, "d": true, "e": null, "f": [true]})")};
  for (const char* name : {"a", "b", "c", "e", "f", "missing"}) EXPECT_FALSE(flag_argument(request, name)) << name;
  EXPECT_TRUE(flag_argument(request, "d"));
  for (const char* name : {"a", "c", "d", "e", "f", "missing"})
    EXPECT_EQ(number_argument(request, name, 7), 7U) << name;
  for (const char* name : {"b", "c", "d", "e", "f", "missing"}) EXPECT_EQ(text_argument(request, name), "") << name;
}

TEST(ControlClient, NobodyThereIsSaidSo) {
  const auto answer = ask("/nonexistent/control.sock", "show.summary");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().exit, 3);
  EXPECT_EQ(answer.error().text, "bgplite does not run (no answer at /nonexistent/control.sock)");
}

}  // namespace
}  // namespace bgplite::control
