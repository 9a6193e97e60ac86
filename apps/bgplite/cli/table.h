/// Table: text columns for a screen. What does not fit a terminal is cut in the columns that allow it, so that no line
/// wraps; into a pipe or a file everything is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bgplite::cli {

/// How text is written. The default is a serial console, without color.
struct Screen {
  static constexpr std::size_t kAnyWidth = SIZE_MAX;
  bool colors = false;
  std::size_t columns = 80;  ///< Lines of tables are not longer.
};

enum class Align : unsigned char { left, right };
/// What a column may lose when the table is too wide.
enum class Fit : unsigned char { whole, cut };

struct Column {
  std::string title;
  Align align = Align::left;
  Fit fit = Fit::whole;
};

enum class Color : unsigned char { none, green, yellow, red, bold };

struct Cell {
  std::string text;
  Color color = Color::none;
  Cell(std::string value, Color with = Color::none)
      : text(std::move(value)), color(with) {}  // NOLINT: a text is a cell
  Cell(const char* value) : text(value) {}      // NOLINT
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// As many cells as there are columns.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// Titles and rows, each line ended; columns are two spaces apart.
  [[nodiscard]] std::string to_text(const Screen& screen) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

/// Colored for a terminal; the text itself when `colors` is false or color is none.
[[nodiscard]] std::string colored(std::string_view text, Color color, bool colors);

/// "5s", "12m 05s", "3h 12m", "4d 07h": what matters of a time that has passed. Negative and zero: "0s".
[[nodiscard]] std::string short_duration(double seconds);
/// Local time to the second: what one compares with the watch.
[[nodiscard]] std::string clock_time(double epoch_ms);
/// "512 B", "7.4 MiB".
[[nodiscard]] std::string short_octets(double octets);

}  // namespace bgplite::cli
