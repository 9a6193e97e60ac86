#include <apps/bgplite/cli/table.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace bgplite::cli {
namespace {

constexpr std::string_view kGap = "  ";
constexpr std::size_t kCutColumnMin = 8;

/// The second octet of a character of UTF-8, or a later one: it takes no column of its own.
bool continues(char octet) { return (static_cast<unsigned char>(octet) & 0xC0U) == 0x80U; }

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char octet) { return !continues(octet); }));
}

std::string cut(std::string text, std::size_t width) {
  if (columns_of(text) <= width) return text;
  std::size_t end = 0;
  for (std::size_t columns = 0; end < text.size(); ++end)
    if (!continues(text[end]) && ++columns == width) break;
  return text.substr(0, end) + "~";
}

std::string padded(std::string text, std::size_t width, Align align) {
  // 0 where the text is wider: nothing is cut here.
  const std::string space(width - std::min(width, columns_of(text)), ' ');
  return align == Align::left ? text + space : space + text;
}

template <typename... Values>
std::string formatted(const char* format, Values... values) {
  char text[64];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

}  // namespace

std::string colored(std::string_view text, Color color, bool colors) {
  static constexpr const char* kCodes[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[1m"};
  if (!colors || color == Color::none) return std::string{text};
  return kCodes[static_cast<std::size_t>(color)] + std::string{text} + "\033[0m";
}

std::string Table::to_text(const Screen& screen) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t wide = columns_[i].title.size();
    for (const auto& row : rows_) wide = std::max(wide, columns_of(row[i].text));
    widths.push_back(wide);
  }
  std::size_t total = kGap.size() * (columns_.size() - 1);
  for (const std::size_t one : widths) total += one;
  // Take from the widest column that allows it, one character at a time, so that the loss is spread.
  while (total > screen.columns) {
    std::size_t widest = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const bool allowed = columns_[i].fit == Fit::cut && widths[i] > std::max(kCutColumnMin, columns_[i].title.size());
      if (allowed && (widest == columns_.size() || widths[i] > widths[widest])) widest = i;
    }
    // Nothing can be cut any more: the table is wider than the screen.
    if (widest == columns_.size()) break;
    --widths[widest];
    --total;
  }
  std::string text;
  const auto end_line = [&] {
    // Blanks at the end would be copied with the line. Colour codes behind them keep some.
    while (!text.empty() && text.back() == ' ') text.pop_back();
    text += '\n';
  };
  for (std::size_t i = 0; i < columns_.size(); ++i)
    text += (i == 0 ? "" : std::string{kGap}) + padded(columns_[i].title, widths[i], columns_[i].align);
  end_line();
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < columns_.size(); ++i)
      text += (i == 0 ? "" : std::string{kGap}) +
              // Padded before it is coloured: codes take no room on the screen.
              colored(padded(cut(row[i].text, widths[i]), widths[i], columns_[i].align), row[i].color, screen.colors);
    end_line();
  }
  return text;
}

std::string short_duration(double seconds) {
  const auto total = static_cast<long long>(std::max(0.0, seconds));
  const long long days = total / 86400, hours = total / 3600 % 24, minutes = total / 60 % 60, rest = total % 60;
  if (days > 0) return formatted("%lldd %02lldh", days, hours);
  if (hours > 0) return formatted("%lldh %02lldm", hours, minutes);
  if (minutes > 0) return formatted("%lldm %02llds", minutes, rest);
  return formatted("%llds", rest);
}

std::string clock_time(double epoch_ms) {
  const auto seconds = static_cast<std::time_t>(epoch_ms / 1000);
  std::tm parts{};
  if (::localtime_r(&seconds, &parts) == nullptr) return {};
  char out[32];
  return {out, std::strftime(out, sizeof out, "%Y-%m-%d %H:%M:%S", &parts)};
}

std::string short_octets(double octets) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB"};
  std::size_t unit = 0;
  while (octets >= 1024 && unit + 1 < std::size(kUnits)) octets /= 1024, ++unit;
  return unit == 0 ? formatted("%.0f B", octets) : formatted("%.1f %s", octets, kUnits[unit]);
}

}  // namespace bgplite::cli
