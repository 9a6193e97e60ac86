// The memory of where routes were put, and the paths of sockets: what is read back is what was written, and nothing
// that is not ours is harmed.
#include <apps/bgplite/owned_tables.h>
#include <apps/bgplite/socket_path.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace bgplite {
namespace {

using minibgp::fib::OwnedTable;

class Directory {
 public:
  Directory() {
    std::string pattern = "/tmp/bgplite-owned-XXXXXX";
    path = ::mkdtemp(pattern.data());
  }
  ~Directory() { std::filesystem::remove_all(path); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string path;
};

TEST(OwnedTables, WhatIsStoredIsReadBackAndAnEmptyListLeavesNoFile) {
  const Directory directory;
  OwnedTables memory{directory.path};
  EXPECT_TRUE(memory.load().tables.empty());
  const std::vector<OwnedTable> tables{{100, 177, 0}, {254, 155, 0x62FE0000}, {4294967295U, 255, 1}};
  ASSERT_TRUE(memory.store(tables));
  EXPECT_EQ(memory.load().tables, tables);
  EXPECT_FALSE(memory.load().damaged);
  ASSERT_TRUE(memory.store({}));
  EXPECT_TRUE(std::filesystem::is_empty(directory.path));
}

TEST(OwnedTables, TablesAndIfIdsAreStoredBesideEachOther) {
  const Directory directory;
  const std::vector<OwnedTable> tables{{100, 177, 0}};
  {
    OwnedTables memory{directory.path};
    ASSERT_TRUE(memory.store_if_ids({42, 43}));
    ASSERT_TRUE(memory.store(tables));
  }
  OwnedTables memory{directory.path};
  EXPECT_EQ(memory.load().if_ids, (std::vector<std::uint32_t>{42, 43}));
  EXPECT_EQ(memory.load().tables, tables);
  EXPECT_FALSE(memory.load().damaged);
  ASSERT_TRUE(memory.store({}));
  EXPECT_EQ(memory.load().if_ids.size(), 2U);
  ASSERT_TRUE(memory.store_if_ids({}));
  EXPECT_TRUE(std::filesystem::is_empty(directory.path));
}

TEST(OwnedTables, IfIdsOfAnotherBootOrOfAFileThatIsCutOffAreNotOurs) {
  const std::vector<std::uint32_t> if_ids{42, 4300};
  const std::string whole = to_text({}, if_ids, "a");
  EXPECT_EQ(parse_owned_if_ids(whole, "a"), if_ids);
  EXPECT_TRUE(parse_owned_if_ids(whole, "b").empty());
  for (std::size_t size = 0; size + 1 < whole.size(); ++size)
    EXPECT_TRUE(parse_owned_if_ids(whole.substr(0, size), "a").empty()) << size;
  EXPECT_EQ(parse_owned_if_ids("boot a\nif_id 0\nif_id -1\nif_id x\nif_id 7\nend\n", "a").back(), 7U);
}

TEST(OwnedTables, AnotherBootHasNothingOfOurs) {
  std::size_t damaged = 0;
  const std::vector<OwnedTable> tables{{100, 177, 0}};
  EXPECT_EQ(parse_owned_tables(to_text(tables, {}, "a"), "a", damaged), tables);
  EXPECT_TRUE(parse_owned_tables(to_text(tables, {}, "a"), "b", damaged).empty());
}

TEST(OwnedTables, ADamagedFileNeverNamesTheKernelsOwnTables) {
  std::size_t damaged = 0;
  const std::string text =
      "boot a\ntable 255 protocol 155 next-hops 0\ntable 100 protocol 2 next-hops 0\ntable 100\n"
      "table 101 protocol 155 next-hops 7 more\ntable 102 protocol 155 next-hops 7\n";
  const auto tables = parse_owned_tables(text, "a", damaged);
  EXPECT_EQ(damaged, 5U) << "four lines, and the end is missing";
  ASSERT_EQ(tables.size(), 1U);
  EXPECT_EQ(tables[0], (OwnedTable{102, 155, 7}));
}

TEST(OwnedTables, ATruncatedOrGarbledFileIsReadWithoutHarm) {
  const std::vector<OwnedTable> tables{{100, 177, 0}, {254, 155, 0x62FE0000}};
  const std::string whole = to_text(tables, {}, "a");
  std::size_t damaged = 0;
  for (std::size_t size = 1; size + 1 < whole.size(); ++size) {
    static_cast<void>(parse_owned_tables(whole.substr(0, size), "a", damaged));
    EXPECT_GE(damaged, 1U) << size;
  }
  const std::uint64_t seed = std::random_device{}();
  std::mt19937_64 random{seed};
  for (int i = 0; i < 2000; ++i) {
    std::string garbled = whole;
    for (auto count = random() % 4; count > 0; --count)
      garbled[random() % garbled.size()] = static_cast<char>(random());
    for (const OwnedTable& one : parse_owned_tables(garbled, "a", damaged))
      EXPECT_FALSE(minibgp::fib::is_reserved_table(one.table)) << "seed " << seed;
  }
}

TEST(OwnedTables, ADirectoryThatCannotBeWrittenIsAnError) {
  OwnedTables memory{"/proc/nothing/here"};
  EXPECT_FALSE(memory.store(std::vector<OwnedTable>{{100, 155, 0}}));
  EXPECT_TRUE(memory.store({})) << "nothing to forget";
}

/// A Unix socket bound to a path; listens or is dead.
class BoundSocket {
 public:
  BoundSocket(const std::string& path, bool listens) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    if (listens) {
      EXPECT_EQ(::listen(fd_, 1), 0);
    }
  }
  ~BoundSocket() { ::close(fd_); }
  BoundSocket(const BoundSocket&) = delete;
  BoundSocket& operator=(const BoundSocket&) = delete;

 private:
  int fd_;
};

TEST(SocketPath, OnlyADeadSocketIsRemoved) {
  const Directory directory;
  const std::string path = directory.path + "/there";
  EXPECT_TRUE(free_socket_path(path)) << "nothing there";
  std::ofstream{path} << "precious";
  EXPECT_FALSE(free_socket_path(path));
  EXPECT_FALSE(check_socket_path(path));
  remove_socket(path);
  EXPECT_TRUE(std::filesystem::exists(path));
  std::filesystem::remove(path);
  {
    const BoundSocket live{path, true};
    EXPECT_FALSE(free_socket_path(path));
    EXPECT_TRUE(check_socket_path(path)) << "perhaps the daemon that runs with this configuration";
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_TRUE(free_socket_path(path)) << "dead now";
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(SocketPath, ALinkOrADirectoryIsNotFollowedOrRemoved) {
  const Directory directory;
  const std::string path = directory.path + "/there", target = directory.path + "/target";
  std::ofstream{target} << "precious";
  std::filesystem::create_symlink(target, path);
  EXPECT_FALSE(free_socket_path(path));
  EXPECT_TRUE(std::filesystem::is_symlink(path));
  EXPECT_TRUE(std::filesystem::exists(target));
  EXPECT_FALSE(free_socket_path(directory.path));
}

}  // namespace
}  // namespace bgplite
