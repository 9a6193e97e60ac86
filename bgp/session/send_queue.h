/// Outgoing bytes of one session, in blocks that do not move until they were sent. A message never spans two blocks, so
/// that the queue can be cut at a message boundary when the session ends.
#pragma once

#include <bgp/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

namespace minibgp::session {

class SendQueue {
 public:
  /// One block holds the largest message there is (RFC 8654), and one write() of it keeps a fast socket busy.
  static constexpr std::size_t kBlockOctets = 65536;
  /// The first block of an idle session: an OPEN, some KEEPALIVEs, a small table.
  static constexpr std::size_t kSmallBlockOctets = 4096;

  /// Copies `messages` (whole ones, any number). O(octets); allocates once per 64 KiB.
  void append(Bytes messages);
  /// The oldest unsent bytes, contiguous; empty when there is nothing. They stay put until sent() or cut().
  [[nodiscard]] Bytes front() const;
  /// The first `count` of front() went out; may not be more.
  void sent(std::size_t count);
  /// Drops every message of which no octet was sent yet.
  void cut();
  [[nodiscard]] std::size_t octets() const { return octets_; }
  [[nodiscard]] bool empty() const { return octets_ == 0; }

 private:
  struct Block {
    std::unique_ptr<std::uint8_t[]> octets;
    std::uint32_t capacity = 0;
    std::uint32_t used = 0;
    std::uint32_t sent = 0;
  };
  void add_block(std::size_t at_least);

  std::deque<Block> blocks_;
  std::size_t octets_ = 0;
};

}  // namespace minibgp::session
