#include <fib/table_ownership.h>

#include <algorithm>

namespace minibgp::fib {

void TableOwnership::set_former(std::span<const OwnedTable> former) {
  former_.clear();
  for (const OwnedTable& one : former)
    if (!enabled_ || !in_our_tables(one.table) || !is_present(one)) former_.push_back(one);
  changed_ = true;
}

void TableOwnership::set_table(std::uint32_t table) {
  own_.table = table;
  changed_ = true;
}

bool TableOwnership::wrote(std::uint32_t table, std::uint8_t protocol) const {
  if (protocol == own_.protocol && in_our_tables(table)) return true;
  return std::any_of(former_.begin(), former_.end(),
                     [&](const OwnedTable& one) { return one.protocol == protocol && one.table == table; });
}

void TableOwnership::forget(const OwnedTable& clean) {
  std::erase(former_, clean);
  changed_ = true;
}

std::optional<std::vector<OwnedTable>> TableOwnership::take_change() {
  if (!std::exchange(changed_, false)) return std::nullopt;
  std::vector<OwnedTable> owned = former_;
  if (enabled_)
    for (const std::uint32_t table : tables_) owned.push_back(present(table));
  std::sort(owned.begin(), owned.end());
  owned.erase(std::unique(owned.begin(), owned.end()), owned.end());
  // Reported only where it differs, because each report is written to disk.
  if (owned == reported_) return std::nullopt;
  reported_ = owned;
  return owned;
}

}  // namespace minibgp::fib
