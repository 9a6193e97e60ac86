/// What leaves the daemon as log: the rate limit and its count, levels by area, and the fields of the journal.
#include <apps/bgplite/journal.h>
#include <apps/bgplite/logging.h>

#include <algorithm>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace bgplite {
namespace {

using minibgp::LogArea;
using minibgp::LogLevel;
using namespace std::chrono_literals;

/// What a logger prints to standard error while `write` runs.
template <typename Write>
std::string printed(Write write) {
  testing::internal::CaptureStderr();
  write();
  return testing::internal::GetCapturedStderr();
}

TEST(Logging, ALineStaysOneLineWhateverIsInIt) {
  std::string tapped;
  const std::string text = printed([&] {
    Logging log{LogFormat::text};
    log.tap = [&](LogLevel, LogArea, std::string_view line) { tapped = line; };
    log.info(LogArea::tunnel, "charon: \x1b[2Jgone\nerror: forged\x7f Z\xc3\xbcrich \xc2\x9b \xc2\xa9");
  });
  EXPECT_EQ(tapped, "charon: \\x1b[2Jgone\\x0aerror: forged\\x7f Z\xc3\xbcrich \\x9b \xc2\xa9");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST(Logging, AFloodOfOneAreaIsCountedAndOtherAreasAreHeard) {
  std::chrono::steady_clock::time_point at{};
  at += 1h;
  std::size_t lines = 0;
  std::string last;
  static_cast<void>(printed([&] {
    Logging log{LogFormat::text};
    log.now = [&] { return at; };
    log.tap = [&](LogLevel, LogArea, std::string_view line) { ++lines, last = line; };
    for (int i = 0; i < 250; ++i) log.info(LogArea::session, "peer 192.0.2.1: flap");
    EXPECT_EQ(lines, 100U);
    log.info(LogArea::fib, "kernel: something else");
    EXPECT_EQ(lines, 101U);
    at += 999ms;
    log.info(LogArea::session, "peer 192.0.2.1: flap");
    EXPECT_EQ(lines, 101U);
    at += 1ms;
    log.tap = [&](LogLevel level, LogArea area, std::string_view line) {
      if (++lines == 102) {
        EXPECT_EQ(level, LogLevel::warning);
        EXPECT_EQ(area, LogArea::session);
        EXPECT_EQ(line, "151 lines like the last were left out");
      }
    };
    log.info(LogArea::session, "peer 192.0.2.1: session up");
    EXPECT_EQ(lines, 103U);
    EXPECT_EQ(log.recent().back().text, "peer 192.0.2.1: session up");
  }));
}

TEST(Logging, LevelsAreByAreaAndCanChange) {
  Logging log{LogFormat::text};
  log.set_levels({.format = LogFormat::text, .level = "warning", .areas = {{"fib", "debug"}}});
  EXPECT_FALSE(log.wants(LogLevel::info, LogArea::session));
  EXPECT_TRUE(log.wants(LogLevel::debug, LogArea::fib));
  log.set_level(LogArea::session, LogLevel::debug);
  EXPECT_TRUE(log.wants(LogLevel::debug, LogArea::session));
  EXPECT_FALSE(log.wants(LogLevel::info, LogArea::rib)) << "the others stay";
  EXPECT_EQ(parse_area("tunnel"), LogArea::tunnel);
  EXPECT_FALSE(parse_area("tunnels"));
}

TEST(Logging, JsonLinesHaveTheirSubject) {
  const std::string text = printed([] {
    Logging log{LogFormat::json};
    log.warning(LogArea::session, "peer 192.0.2.1: session down: \"quoted\"\\");
    log.info(LogArea::tunnel, "tunnel ipsec0: up");
    log.info(LogArea::config, "peer and tunnel: nothing of both");
  });
  std::istringstream in{text};
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0]["peer"], "192.0.2.1");
  EXPECT_EQ(lines[0]["level"], "warning");
  EXPECT_EQ(lines[0]["area"], "session");
  EXPECT_EQ(lines[0]["text"], "peer 192.0.2.1: session down: \"quoted\"\\");
  EXPECT_GT(lines[0]["time_ms"], 0);
  EXPECT_EQ(lines[1]["tunnel"], "ipsec0");
  EXPECT_FALSE(lines[2].contains("peer") || lines[2].contains("tunnel"));
}

TEST(Journal, RecordsHaveFields) {
  EXPECT_EQ(journal_record(LogLevel::warning, LogArea::session, "peer 192.0.2.1: session down"),
            "MESSAGE=peer 192.0.2.1: session down\nPRIORITY=4\nSYSLOG_IDENTIFIER=bgplite\nBGPLITE_AREA=session\n"
            "BGPLITE_PEER=192.0.2.1\n");
  EXPECT_EQ(journal_record(LogLevel::error, LogArea::tunnel, "tunnel ipsec0: down"),
            "MESSAGE=tunnel ipsec0: down\nPRIORITY=3\nSYSLOG_IDENTIFIER=bgplite\nBGPLITE_AREA=tunnel\n"
            "BGPLITE_TUNNEL=ipsec0\n");
  EXPECT_EQ(journal_record(LogLevel::debug, LogArea::rib, "a\nMESSAGE=b"),
            std::string("MESSAGE\n\x0B\0\0\0\0\0\0\0a\nMESSAGE=b\nPRIORITY=7\n", 39) +
                "SYSLOG_IDENTIFIER=bgplite\nBGPLITE_AREA=rib\n")
      << "a line end cannot forge a field";
}

TEST(Journal, LinesGoToItsSocketAndElseToStandardError) {
  char name[] = "/tmp/bgplite-journal-XXXXXX";
  const std::string directory = ::mkdtemp(name);
  const std::string path = directory + "/socket";
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const std::string with_journal = printed([&] {
    Logging log{LogFormat::journald, path};
    log.info(LogArea::session, "peer 192.0.2.1: session up");
    char record[256];
    const ssize_t size = ::recv(fd, record, sizeof record, 0);
    ASSERT_GT(size, 0);
    EXPECT_EQ(std::string(record, static_cast<std::size_t>(size)),
              journal_record(LogLevel::info, LogArea::session, "peer 192.0.2.1: session up"));
    ::close(fd);
    log.info(LogArea::session, "peer 192.0.2.1: the journal is gone");
  });
  EXPECT_EQ(with_journal, "<6>peer 192.0.2.1: the journal is gone\n");
  EXPECT_EQ(printed([&] {
              Logging{LogFormat::journald, directory + "/none"}.error(LogArea::fib, "text");
            }),
            "<3>text\n");
  ::unlink(path.c_str());
  ::rmdir(directory.c_str());
}

}  // namespace
}  // namespace bgplite
