#include <apps/bgplite/logging.h>

#include <cstdlib>
#include <utility>

#include <nlohmann/json.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bgplite {
namespace {

using minibgp::LogArea;
using minibgp::LogLevel;

/// systemd names the journal's socket by device and inode (systemd.exec(5), $JOURNAL_STREAM).
bool standard_error_is_the_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  if (stream == nullptr) return false;
  struct stat status {};
  if (::fstat(STDERR_FILENO, &status) != 0) return false;
  // Compared as text: the variable holds both numbers in this form.
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

/// sd-daemon(3): the journal takes "<4>" at the beginning of a line as its priority.
const char* journal_prefix(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "<7>";
    case LogLevel::info:
      return "<6>";
    case LogLevel::warning:
      return "<4>";
    case LogLevel::error:
      return "<3>";
  }
  return "<6>";
}

/// A line stays one line, and no terminal takes orders from it: texts of peers, charon and clients come in here.
std::string printable(std::string_view line) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(line.size());
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto octet = static_cast<unsigned char>(line[i]);
    // In UTF-8 the second half of the control characters begins with C2.
    const bool second = octet == 0xC2 && i + 1 < line.size() && static_cast<unsigned char>(line[i + 1]) < 0xA0;
    if (octet >= 0x20 && octet != 0x7F && !second) {
      text += line[i];
      continue;
    }
    const unsigned code = second ? static_cast<unsigned char>(line[++i]) : octet;
    text += "\\x";
    text += kDigits[code >> 4U];
    text += kDigits[code & 0xFU];
  }
  return text;
}

}  // namespace

std::string_view to_text(LogArea area) {
  switch (area) {
    case LogArea::session:
      return "session";
    case LogArea::rib:
      return "rib";
    case LogArea::policy:
      return "policy";
    case LogArea::fib:
      return "fib";
    case LogArea::tunnel:
      return "tunnel";
    case LogArea::config:
      return "config";
    case LogArea::control:
      return "control";
  }
  return "";
}

std::string_view to_text(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "";
}

LogLevel parse_level(std::string_view word) {
  if (word == "debug") return LogLevel::debug;
  if (word == "warning") return LogLevel::warning;
  if (word == "error") return LogLevel::error;
  return LogLevel::info;
}

std::optional<LogArea> parse_area(std::string_view word) {
  for (std::size_t i = 0; i < Logging::kAreas; ++i)
    if (to_text(static_cast<LogArea>(i)) == word) return static_cast<LogArea>(i);
  return std::nullopt;
}

Logging::Logging(LogFormat format, const std::string& journal) : format_(format) {
  if (format_ == LogFormat::automatic)
    format_ = standard_error_is_the_journal() ? LogFormat::journald : LogFormat::text;
  // Without its socket (or when it is full) a line still gets there by standard error, without fields.
  if (format_ == LogFormat::journald) static_cast<void>(journal_.open(journal));
  logger_ = std::make_unique<spdlog::logger>("bgplite", std::make_shared<spdlog::sinks::stderr_sink_st>());
  logger_->set_level(spdlog::level::debug);
  // The journal has its own time, and JSON lines carry theirs.
  logger_->set_pattern(format_ == LogFormat::text ? "%Y-%m-%dT%H:%M:%S.%e%z %l %v" : "%v");
  // Each line at once: the last lines before a crash are the ones that matter.
  logger_->flush_on(spdlog::level::debug);
  levels_.fill(LogLevel::info);
}

Logging::~Logging() = default;

void Logging::set_levels(const LogConfig& config) {
  levels_.fill(parse_level(config.level));
  for (const auto& [word, level] : config.areas)
    if (const auto area = parse_area(word)) set_level(*area, parse_level(level));
}

// Asked before a line is made, so that a line that is not wanted costs nothing.
bool Logging::wants(LogLevel level, LogArea area) const { return level >= levels_[static_cast<std::size_t>(area)]; }

void Logging::write(LogLevel level, LogArea area, std::string_view line) {
  if (admit(area)) put(level, area, line);
}

/// A limit for each area, so that a peer that flaps cannot hide what the tunnels say. The count of what was held back
/// is written with the next line that passes: no timer is needed, and a quiet area costs nothing.
bool Logging::admit(LogArea area) {
  Rate& rate = rates_[static_cast<std::size_t>(area)];
  const auto at = now();
  if (at - rate.second >= std::chrono::seconds{1}) {
    const std::uint32_t held_back = std::exchange(rate.held_back, 0);
    rate.second = at;
    rate.written = 0;
    if (held_back != 0) put(LogLevel::warning, area, std::to_string(held_back) + " lines like the last were left out");
  }
  if (rate.written < kLinesPerSecond) return ++rate.written, true;
  ++rate.held_back;
  return false;
}

void Logging::put(LogLevel level, LogArea area, std::string_view raw) {
  const std::string line = printable(raw);
  if (tap) tap(level, area, line);
  // For `show log`: also what the journal has rotated away, and what was written where nothing keeps it.
  if (recent_.size() == kRecentLines) recent_.pop_front();
  recent_.push_back({std::chrono::system_clock::now(), level, area, line});
  switch (format_) {
    case LogFormat::journald:
      if (journal_.send(journal_record(level, area, line))) break;
      // Too large or a full socket: the line goes without its fields.
      logger_->log(to_spdlog(level), "{}{}", journal_prefix(level), line);
      break;
    case LogFormat::json: {
      const auto time =
          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
      nlohmann::ordered_json object{{"time_ms", time.count()},
                                    {"level", bgplite::to_text(level)},
                                    {"area", bgplite::to_text(area)},
                                    {"text", line}};
      const LogSubject subject = subject_of(line);
      if (!subject.peer.empty()) object["peer"] = subject.peer;
      if (!subject.tunnel.empty()) object["tunnel"] = subject.tunnel;
      logger_->log(to_spdlog(level), "{}",
                   // Text of a peer need not be UTF-8, which dump() would refuse.
                   object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
      break;
    }
    default:
      logger_->log(to_spdlog(level), "{}", line);
  }
}

}  // namespace bgplite
