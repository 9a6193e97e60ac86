/// LogSink: how the library hands lines to your logger. The library never writes anywhere itself.
#pragma once

#include <cstdint>
#include <string_view>

namespace minibgp {
/// In ascending order of gravity.
enum class LogLevel : std::uint8_t { debug, info, warning, error };
/// What a line is about, so that a program can set a level for each.
enum class LogArea : std::uint8_t { session, rib, policy, fib, tunnel, config, control };
/// Takes the library's log lines; without one nothing is formatted. Both functions are called in the middle of other
/// work: they must neither call back into the object that writes the line nor destroy it.
class LogSink {
 public:
  virtual ~LogSink() = default;
  /// Asked before a line is made, so that a line nobody wants costs one call.
  [[nodiscard]] virtual bool wants(LogLevel level, LogArea area) const = 0;
  /// `line` is UTF-8 without a newline, valid during the call. Control characters a peer sent are already escaped.
  virtual void write(LogLevel level, LogArea area, std::string_view line) = 0;
};

}  // namespace minibgp
