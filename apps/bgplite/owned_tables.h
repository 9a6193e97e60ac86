/// OwnedTables: where kernel routes, next-hop objects and SAs of ours are or may be, kept on disk, so that a start with
/// another `fib.table`, `fib.protocol` or `fib.next_hop_objects`, or without a tunnel that was there, finds and removes
/// what the last one left.
///
/// One small file for each network namespace in `state_dir` (which several instances may share). It is gone while
/// nothing is in the kernel, and without meaning after a reboot.
#pragma once

#include <fib/route.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bgplite {

class OwnedTables {
 public:
  explicit OwnedTables(const std::string& state_dir);

  struct Memory {
    std::vector<minibgp::fib::OwnedTable> tables;
    std::vector<std::uint32_t> if_ids;  ///< Of tunnels.
    bool damaged = false;               ///< Something of the file made no sense.
  };
  [[nodiscard]] const Memory& load();
  /// As loaded and stored since.
  [[nodiscard]] const std::vector<std::uint32_t>& if_ids() const { return memory_.if_ids; }
  /// Each replaces its part, and the file in one step. False: errno says why.
  [[nodiscard]] bool store(std::span<const minibgp::fib::OwnedTable> tables);
  [[nodiscard]] bool store_if_ids(std::vector<std::uint32_t> if_ids);
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  [[nodiscard]] bool write() const;

  std::string path_, boot_;
  Memory memory_;
};

/// The file's text, and what it says. Lines that make no sense are left out and counted in `damaged`.
[[nodiscard]] std::string to_text(std::span<const minibgp::fib::OwnedTable> tables,
                                  std::span<const std::uint32_t> if_ids, const std::string& boot);
[[nodiscard]] std::vector<minibgp::fib::OwnedTable> parse_owned_tables(const std::string& text, const std::string& boot,
                                                                       std::size_t& damaged);
[[nodiscard]] std::vector<std::uint32_t> parse_owned_if_ids(const std::string& text, const std::string& boot);

}  // namespace bgplite
