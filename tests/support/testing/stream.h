/// One simulated TCP connection of a World. Not for users of World.
#pragma once

#include <bgp/types.h>

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include <testing/world.h>

namespace minibgp::testing {

/// Follows message borders in a byte stream and names the types that passed.
class MessageWatch {
 public:
  /// Calls `seen(type)` for each message that became complete.
  template <typename Seen>
  void feed(Bytes bytes, Seen seen) {
    for (const std::uint8_t octet : bytes) {
      if (at_ < kHeader) header_[at_] = octet;
      ++at_;
      if (at_ < kHeader) continue;
      const std::size_t length = std::size_t{header_[16]} << 8U | header_[17];
      if (at_ < length) continue;
      seen(header_[18]);
      at_ = 0;
    }
  }

 private:
  static constexpr std::size_t kHeader = 19;
  std::array<std::uint8_t, kHeader> header_{};
  std::size_t at_ = 0;
};

struct Stream {
  struct End {
    Node* node = nullptr;
    std::optional<ConnId> conn;  ///< None: nobody's (yet, or of a stranger that says nothing).
    bool open = false;           ///< The host has the socket and its speaker knows it.
    bool draining = false;       ///< Closed by us in order: what still arrives is swallowed.
  };
  struct Segment {
    Time arrives;
    std::vector<std::uint8_t> bytes;
    bool fin = false;
  };
  /// From ends[i] to ends[1 - i].
  struct Pipe {
    std::deque<Segment> flying;
    std::vector<std::uint8_t> unread;
    std::size_t in_window = 0;  ///< Flying and unread.
    bool fin = false;           ///< Arrived, behind `unread`.
    Time last_arrival{};
    MessageWatch watch;
  };
  Link* link = nullptr;
  std::array<End, 2> ends;  ///< 0 dialed.
  std::array<Pipe, 2> pipes;
  unsigned syns = 0;
};

}  // namespace minibgp::testing
