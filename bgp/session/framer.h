/// Cuts a byte stream into messages without copying: bodies are views into the caller's buffer, and only a message that
/// is cut by the end of a read is copied together. Judges headers (RFC 4271 s.6.1), not contents.
#pragma once

#include <bgp/result.h>
#include <bgp/types.h>
#include <bgp/wire/error.h>
#include <bgp/wire/message.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace minibgp::session {

class Framer {
 public:
  struct Frame {
    wire::MessageType type{};
    Bytes body;  ///< Without the header. Valid until the next call of any non-const function.
  };

  /// `bytes` stay put until keep(), or until next() has returned nothing.
  void feed(Bytes bytes);
  /// The next whole message; nothing when there is none. After an error the stream is useless.
  [[nodiscard]] std::optional<Result<Frame, wire::MessageError>> next(std::size_t max_message);
  /// Copies what next() has not handed out, so that the buffer given to feed() may be reused.
  void keep();
  /// Whether next() would return something.
  [[nodiscard]] bool has_pending() const;

 private:
  [[nodiscard]] bool top_up(std::size_t wanted);
  [[nodiscard]] Bytes kept() const { return Bytes{kept_}.subspan(kept_read_); }

  std::vector<std::uint8_t> kept_;  ///< Older than `fresh_`: at least a cut message.
  std::size_t kept_read_ = 0;       ///< Octets of `kept_` already handed out.
  Bytes fresh_;                     ///< The caller's.
};

}  // namespace minibgp::session
