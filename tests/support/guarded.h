/// Octets that end right before a page that cannot be read: one step too far ends the test, in every build.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include <sys/mman.h>
#include <unistd.h>

namespace minibgp::testing {

class GuardedOctets {
 public:
  /// Copies `octets`. The copy lives as long as this object.
  explicit GuardedOctets(std::span<const std::uint8_t> octets) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t readable = (octets.size() + page - 1) / page * page;
    size_ = readable + page;
    base_ =
        static_cast<std::uint8_t*>(::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ::mprotect(base_ + readable, page, PROT_NONE);
    copy_ = {base_ + readable - octets.size(), octets.size()};
    if (!octets.empty()) std::memcpy(copy_.data(), octets.data(), octets.size());
  }
  ~GuardedOctets() { ::munmap(base_, size_); }
  GuardedOctets(const GuardedOctets&) = delete;
  GuardedOctets& operator=(const GuardedOctets&) = delete;

  [[nodiscard]] std::span<const std::uint8_t> view() const { return copy_; }

 private:
  std::uint8_t* base_ = nullptr;
  std::size_t size_ = 0;
  std::span<std::uint8_t> copy_;
};

}  // namespace minibgp::testing
