#include <apps/bgplite/cli/habits.h>

#include <algorithm>
#include <iterator>
#include <optional>

namespace bgplite::cli {
namespace {

struct Habit {
  std::string_view first;
  std::string_view second;  ///< Abbreviated or whole; empty: any or none.
  std::string_view here;
};

/// Of the same first word those with a second one come first.
constexpr Habit kHabits[] = {
    {"clear", "", "bgplite refresh PEER asks for its routes again; bgplite reset PEER ends the session"},
    {"write", "terminal", "bgplite show config"},
    {"write", "",
     "nothing has to be written: the file is the configuration, bgplite apply puts it into force; what announce, "
     "enable "
     "and disable change is kept with --save"},
    {"copy", "", "nothing has to be copied: the file is the configuration; bgplite apply puts it into force"},
    {"configure", "", "edit the file, then bgplite plan and bgplite apply"},
    {"router", "", "edit the file, then bgplite plan and bgplite apply"},
    {"neighbor", "", "edit the file, then bgplite plan and bgplite apply"},
    {"no", "", "edit the file, then bgplite plan and bgplite apply; bgplite withdraw PREFIX, bgplite disable PEER"},
    {"debug", "", "bgplite log debug [AREA]; bgplite show log"},
    {"undebug", "", "bgplite log"},
    {"terminal", "", "bgplite monitor; tables are as wide as COLUMNS says"},
    {"shutdown", "", "bgplite disable PEER, bgplite drain PEER"},
    {"reload", "", "bgplite apply reads the file again and changes what differs"},
    {"restart", "", "systemctl restart bgplite; for a change of the file: bgplite apply"},
    {"start", "", "systemctl start bgplite, or bgplite run"},
    {"stop", "", "systemctl stop bgplite"},
    {"status", "", "bgplite show summary"},
    {"birdc", "", "bgplite show summary"},
    {"vtysh", "", "bgplite show summary"},
    {"exit", "", "each command is one call of bgplite"},
    {"end", "", "each command is one call of bgplite"},
};

}  // namespace

std::string whole_word(const std::string& word, std::span<const std::string> known) {
  std::optional<std::string> found;
  for (const std::string& one : known) {
    if (one == word) return word;
    if (word.empty() || !one.starts_with(word)) continue;
    if (found) return word;
    found = one;
  }
  return found.value_or(word);
}

std::string counterpart(std::span<const std::string> words) {
  constexpr std::size_t kLettersMin = 3;
  if (words.empty() || (words[0].size() < kLettersMin && words[0] != "wr")) return {};
  const auto is = [](std::string_view whole, const std::string& word) { return whole.starts_with(word); };
  const auto found = std::find_if(std::begin(kHabits), std::end(kHabits), [&](const Habit& habit) {
    return is(habit.first, words[0]) && (habit.second.empty() || (words.size() > 1 && is(habit.second, words[1])));
  });
  return found == std::end(kHabits) ? std::string{} : std::string{found->here};
}

}  // namespace bgplite::cli
