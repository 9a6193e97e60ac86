/// Logging: the one place that knows spdlog. Lines of the library and of the daemon go through here: text on a
/// terminal, records with fields under journald (journal.h), one JSON object per line on request.
///
/// A line is one fact, its control characters are written as \xNN. More than kLinesPerSecond of one area are counted
/// instead of written, and the count is a line.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/journal.h>
#include <bgp/log.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace bgplite {

class Logging final : public minibgp::LogSink {
 public:
  /// Lines go to standard error. `format` automatic: journald's when systemd connected standard error to the journal.
  explicit Logging(LogFormat format, const std::string& journal = "/run/systemd/journal/socket");
  ~Logging() override;

  /// Levels by area; words as in the configuration.
  void set_levels(const LogConfig& config);
  void set_level(minibgp::LogArea area, minibgp::LogLevel level) { levels_[static_cast<std::size_t>(area)] = level; }
  [[nodiscard]] minibgp::LogLevel level_of(minibgp::LogArea area) const {
    return levels_[static_cast<std::size_t>(area)];
  }
  static constexpr std::size_t kAreas = static_cast<std::size_t>(minibgp::LogArea::control) + 1;

  [[nodiscard]] bool wants(minibgp::LogLevel level, minibgp::LogArea area) const override;
  void write(minibgp::LogLevel level, minibgp::LogArea area, std::string_view line) override;

  void info(minibgp::LogArea area, std::string_view line) { write_wanted(minibgp::LogLevel::info, area, line); }
  void warning(minibgp::LogArea area, std::string_view line) { write_wanted(minibgp::LogLevel::warning, area, line); }
  void error(minibgp::LogArea area, std::string_view line) { write_wanted(minibgp::LogLevel::error, area, line); }

  struct Line {
    std::chrono::system_clock::time_point at;
    minibgp::LogLevel level;
    minibgp::LogArea area;
    std::string text;
  };
  /// The last lines that were written, oldest first, for `bgplite show log`: at most kRecentLines.
  [[nodiscard]] const std::deque<Line>& recent() const { return recent_; }
  static constexpr std::size_t kRecentLines = 200;  ///< Some 30 KB; the journal has the rest.

  /// Hears every line that is written, for `bgplite monitor`. Empty: nobody.
  std::function<void(minibgp::LogLevel, minibgp::LogArea, std::string_view)> tap;
  /// The clock of the rate limit.
  std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;

 private:
  static constexpr std::uint32_t kLinesPerSecond = 100;

  void write_wanted(minibgp::LogLevel level, minibgp::LogArea area, std::string_view line) {
    if (wants(level, area)) write(level, area, line);
  }
  void put(minibgp::LogLevel level, minibgp::LogArea area, std::string_view raw);
  /// False: too many lines in this second.
  bool admit(minibgp::LogArea area);

  struct Rate {
    std::chrono::steady_clock::time_point second{};
    std::uint32_t written = 0;
    std::uint32_t held_back = 0;
  };

  LogFormat format_;
  Journal journal_;
  std::array<minibgp::LogLevel, kAreas> levels_{};
  std::array<Rate, kAreas> rates_{};
  std::deque<Line> recent_;
  std::unique_ptr<spdlog::logger> logger_;
};

[[nodiscard]] std::string_view to_text(minibgp::LogArea area);
[[nodiscard]] std::string_view to_text(minibgp::LogLevel level);
[[nodiscard]] std::optional<minibgp::LogArea> parse_area(std::string_view word);
[[nodiscard]] minibgp::LogLevel parse_level(std::string_view word);

}  // namespace bgplite
