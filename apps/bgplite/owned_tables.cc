#include <apps/bgplite/owned_tables.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bgplite {
namespace {

using minibgp::fib::OwnedTable;

constexpr std::size_t kFileOctetsMax = 64U << 10U;
constexpr const char* kFirstLine = "# Where bgplite put kernel routes: do not edit";

std::string read_text(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  std::string text{std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
  if (text.size() > kFileOctetsMax) text.resize(kFileOctetsMax);
  return text;
}

std::string network_namespace() {
  struct stat status {};
  return ::stat("/proc/self/ns/net", &status) == 0 ? std::to_string(status.st_ino) : "0";
}

std::string boot_id() {
  std::string id = read_text("/proc/sys/kernel/random/boot_id");
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

}  // namespace

std::string to_text(std::span<const OwnedTable> tables, const std::string& boot) {
  std::ostringstream text;
  text << kFirstLine << "\nboot " << boot << "\n";
  for (const OwnedTable& one : tables)
    text << "table " << one.table << " protocol " << unsigned{one.protocol} << " next-hops " << one.next_hop_id_base
         << "\n";
  text << "end\n";
  return text.str();
}

std::vector<OwnedTable> parse_owned_tables(const std::string& text, const std::string& boot, std::size_t& damaged) {
  std::vector<OwnedTable> tables;
  damaged = 0;
  bool ended = false;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    if (line == "end") {
      ended = true;
      continue;
    }
    std::istringstream words{line};
    std::string table_word, protocol_word, next_hops_word, rest;
    OwnedTable one;
    unsigned protocol = 0;
    words >> table_word;
    if (table_word == "boot") {
      // After a reboot the kernel has nothing of ours.
      if (words >> rest && rest != boot) return {};
      continue;
    }
    const bool read = table_word == "table" &&
                      (words >> one.table >> protocol_word >> protocol >> next_hops_word >> one.next_hop_id_base) &&
                      protocol_word == "protocol" && next_hops_word == "next-hops" && !(words >> rest);
    if (!read || protocol < 5 || protocol > 255 || minibgp::fib::is_reserved_table(one.table)) {
      ++damaged;
      continue;
    }
    one.protocol = static_cast<std::uint8_t>(protocol);
    tables.push_back(one);
  }
  if (!ended && !text.empty()) ++damaged;
  return tables;
}

OwnedTables::OwnedTables(const std::string& state_dir)
    : path_(state_dir + "/kernel-tables." + network_namespace()), boot_(boot_id()) {}

OwnedTables::Memory OwnedTables::load() const {
  Memory memory;
  std::size_t damaged = 0;
  memory.tables = parse_owned_tables(read_text(path_), boot_, damaged);
  memory.damaged = damaged != 0;
  return memory;
}

bool OwnedTables::store(std::span<const OwnedTable> tables) const {
  if (tables.empty()) return ::unlink(path_.c_str()) == 0 || errno == ENOENT;
  static_cast<void>(::mkdir(path_.substr(0, path_.rfind('/')).c_str(), 0750));
  const std::string text = to_text(tables, boot_);
  const std::string fresh = path_ + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (fd < 0) return false;
  errno = ENOSPC;  // What a short write means.
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  errno = error;
  if (written && ::rename(fresh.c_str(), path_.c_str()) == 0) return true;
  const int reason = errno;
  ::unlink(fresh.c_str());
  errno = reason;
  return false;
}

}  // namespace bgplite
