#include <apps/bgplite/owned_tables.h>
#include <apps/bgplite/state_file.h>

#include <cerrno>
#include <cstdint>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bgplite {
namespace {

using minibgp::fib::OwnedTable;

constexpr std::size_t kFileOctetsMax = 64U << 10U;
constexpr const char* kFirstLine = "# Where bgplite put kernel routes: do not edit";

std::string boot_id() {
  std::string id = read_text("/proc/sys/kernel/random/boot_id");
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

}  // namespace

std::string to_text(std::span<const OwnedTable> tables, std::span<const std::uint32_t> if_ids,
                    const std::string& boot) {
  std::ostringstream text;
  text << kFirstLine << "\nboot " << boot << "\n";
  for (const OwnedTable& one : tables)
    text << "table " << one.table << " protocol " << unsigned{one.protocol} << " next-hops " << one.next_hop_id_base
         << "\n";
  for (const std::uint32_t if_id : if_ids) text << "if_id " << if_id << "\n";
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
    if (table_word == "if_id") continue;  // See parse_owned_if_ids().
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
  // Without its last line the file was cut off.
  if (!ended && !text.empty()) ++damaged;
  return tables;
}

std::vector<std::uint32_t> parse_owned_if_ids(const std::string& text, const std::string& boot) {
  std::vector<std::uint32_t> if_ids;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::string key, rest;
    std::uint32_t if_id = 0;
    words >> key;
    if (key == "boot" && words >> rest && rest != boot) return {};
    if (key == "if_id" && words >> if_id && if_id != 0) if_ids.push_back(if_id);
    if (key == "end") return if_ids;
  }
  return {};  // Cut off: a number may be, too.
}

OwnedTables::OwnedTables(const std::string& state_dir)
    : path_(state_dir + "/kernel-tables." + network_namespace()), boot_(boot_id()) {}

const OwnedTables::Memory& OwnedTables::load() {
  std::size_t damaged = 0;
  const std::string text = read_text(path_, kFileOctetsMax);
  memory_.tables = parse_owned_tables(text, boot_, damaged);
  memory_.if_ids = parse_owned_if_ids(text, boot_);
  memory_.damaged = damaged != 0;
  return memory_;
}

bool OwnedTables::store(std::span<const OwnedTable> tables) {
  memory_.tables.assign(tables.begin(), tables.end());
  return write();
}

bool OwnedTables::store_if_ids(std::vector<std::uint32_t> if_ids) {
  if (memory_.if_ids == if_ids) return true;
  memory_.if_ids = std::move(if_ids);
  return write();
}

bool OwnedTables::write() const {
  // Nothing is left: a file without entries would only be read in vain.
  if (memory_.tables.empty() && memory_.if_ids.empty()) return ::unlink(path_.c_str()) == 0 || errno == ENOENT;
  static_cast<void>(::mkdir(path_.substr(0, path_.rfind('/')).c_str(), 0750));
  const std::string text = to_text(memory_.tables, memory_.if_ids, boot_);
  const std::string fresh = path_ + ".new";
  // O_NOFOLLOW: a link laid into the directory must not lead the write elsewhere.
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (fd < 0) return false;
  errno = ENOSPC;  // What a short write means.
  // Not synced: what it tells of the kernel ends when the kernel does, and the loop waits for no disk.
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  ::close(fd);
  // The caller reports errno, and close() may have changed it.
  errno = error;
  if (written && ::rename(fresh.c_str(), path_.c_str()) == 0) return true;
  const int reason = errno;
  ::unlink(fresh.c_str());
  errno = reason;
  return false;
}

}  // namespace bgplite
