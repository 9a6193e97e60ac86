#include <apps/bgplite/config/diagnostic.h>

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <utility>

namespace bgplite {
namespace {

/// Damerau-Levenshtein distance, restricted form: a swap of neighbors counts as one mistake, as typing goes.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    // Three rows are enough: the swap looks two rows back.
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

}  // namespace

std::string to_text(const Diagnostic& diagnostic) {
  std::string text = diagnostic.file;
  if (diagnostic.line != 0) text += ":" + std::to_string(diagnostic.line) + ":" + std::to_string(diagnostic.column);
  text += diagnostic.severity == Severity::error ? ": error: " : ": warning: ";
  text += diagnostic.text;
  if (!diagnostic.hint.empty()) text += " (" + diagnostic.hint + ")";
  return text;
}

void Diagnostics::error(const Place& place, std::string text, std::string hint) {
  add({place.file, place.line, place.column, std::move(text), std::move(hint), Severity::error});
}

void Diagnostics::warning(const Place& place, std::string text, std::string hint) {
  add({place.file, place.line, place.column, std::move(text), std::move(hint), Severity::warning});
}

bool Diagnostics::has_errors() const {
  return std::any_of(all_.begin(), all_.end(), [](const Diagnostic& one) { return one.severity == Severity::error; });
}

void Diagnostics::sort() {
  std::stable_sort(all_.begin(), all_.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
  });
  // Sorted, so equal ones stand next to each other.
  // What holds of two tunnels at once is said once.
  std::vector<Diagnostic> kept;
  for (Diagnostic& one : all_) {
    const auto elsewhere = [&](const Diagnostic& other) {
      return std::tie(other.file, other.line, other.column) != std::tie(one.file, one.line, one.column);
    };
    // Only diagnostics of the same place are compared.
    const auto here = std::find_if(kept.rbegin(), kept.rend(), elsewhere).base();
    if (std::find(here, kept.end(), one) == kept.end()) kept.push_back(std::move(one));
  }
  all_ = std::move(kept);
}

std::string Diagnostics::to_text() const {
  std::string text;
  for (const Diagnostic& one : all_) text += bgplite::to_text(one) + "\n";
  return text;
}

std::string_view nearest_of(std::string_view word, const std::vector<std::string_view>& candidates) {
  std::string_view nearest;
  // A word may differ in half of its letters, but in three at most.
  std::size_t distance = std::max<std::size_t>(1, std::min<std::size_t>(3, word.size() / 2)) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t d = edit_distance(word, candidate);
    if (d < distance) nearest = candidate, distance = d;
  }
  return nearest;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates) {
  const std::string_view nearest = nearest_of(word, candidates);
  return nearest.empty() ? std::string{} : "did you mean '" + std::string{nearest} + "'?";
}

}  // namespace bgplite
