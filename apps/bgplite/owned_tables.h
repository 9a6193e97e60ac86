/// OwnedTables: where kernel routes and next-hop objects of ours are or may be, kept on disk, so that a start with
/// another `fib.table`, `fib.protocol` or `fib.next_hop_objects` finds and removes what the last one left.
///
/// One small file for each network namespace in `state_dir` (which several instances may share). It is gone while
/// nothing is in the kernel, and without meaning after a reboot.
#pragma once

#include <fib/route.h>

#include <span>
#include <string>
#include <vector>

namespace bgplite {

class OwnedTables {
 public:
  explicit OwnedTables(const std::string& state_dir);

  struct Memory {
    std::vector<minibgp::fib::OwnedTable> tables;
    bool damaged = false;  ///< Something of the file made no sense.
  };
  [[nodiscard]] Memory load() const;
  /// Replaces the file in one step. False: errno says why.
  [[nodiscard]] bool store(std::span<const minibgp::fib::OwnedTable> tables) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_, boot_;
};

/// The file's text, and what it says. Lines that make no sense are left out and counted in `damaged`.
[[nodiscard]] std::string to_text(std::span<const minibgp::fib::OwnedTable> tables, const std::string& boot);
[[nodiscard]] std::vector<minibgp::fib::OwnedTable> parse_owned_tables(const std::string& text, const std::string& boot,
                                                                       std::size_t& damaged);

}  // namespace bgplite
