#include <bgp/base/assert.h>
#include <fib/route_records.h>

#include <algorithm>
#include <utility>

namespace minibgp::fib {

RouteRecords::RouteRecords(ForwardingTable& forwardings, Same same, HowViable how_viable)
    : forwardings_(forwardings), same_(std::move(same)), how_viable_(std::move(how_viable)), targets_(forwardings) {}

// --- Keys and records ----------------------------------------------------------------------------------------------

RouteKey RouteRecords::key_of(const RouteRecord& record) const {
  RouteKey key;
  key.prefix.octets = record.octets;
  key.prefix.length_bits = record.length_bits;
  key.prefix.family = record.family == 0 ? Family::ipv4 : Family::ipv6;
  key.table = tables_[record.table].number;
  key.metric = record.metric;
  return key;
}

std::uint64_t RouteRecords::hash_of(const RouteKey& key, std::uint8_t table) const {
  const std::uint64_t other = (std::uint64_t{key.metric} << 8U | table) * 0x9E3779B97F4A7C15U;
  return minibgp::hash_of(key.prefix) ^ other;
}

std::uint8_t RouteRecords::table_index(std::uint32_t table) const {
  // A walk beats a map: nearly always there is one table, and this is asked for each route of a dump.
  for (std::size_t i = 0; i < tables_.size(); ++i)
    if (tables_[i].number == table && tables_[i].routes != 0) return static_cast<std::uint8_t>(i);
  return 0xFF;
}

RouteRecords::Id RouteRecords::find(const RouteKey& key) const {
  const std::uint8_t table = table_index(key.table);
  if (table == 0xFF) return kNone;
  return index_.find(hash_of(key, table), [&](Id id) {
    const RouteRecord& record = records_[id];
    return record.octets == key.prefix.octets && record.length_bits == key.prefix.length_bits &&
           record.family == static_cast<std::uint8_t>(key.prefix.family) && record.metric == key.metric &&
           record.table == table;
  });
}

RouteRecords::Id RouteRecords::find_or_add(const RouteKey& key) {
  if (const Id id = find(key); id != kNone) return id;
  std::uint8_t table = table_index(key.table);
  if (table == 0xFF) {
    // The place of a table without routes is taken again: policies and reloads may name any number of tables in time.
    const auto unused = std::find_if(tables_.begin(), tables_.end(), [](const Table& it) { return it.routes == 0; });
    table = static_cast<std::uint8_t>(unused - tables_.begin());
    // At one time Injector::use_table() lets fewer be used, and the kernel's are read in those only.
    BGP_ASSERT(table < 0xFF);
    if (unused == tables_.end()) tables_.emplace_back();
    tables_[table].number = key.table;
  }
  ++tables_[table].routes;
  const Id id = records_.insert();
  RouteRecord& record = records_[id];
  record.octets = key.prefix.octets;
  record.length_bits = key.prefix.length_bits;
  record.family = key.prefix.family == Family::ipv4 ? 0U : 1U;
  record.seen = mark_ & 1U;
  record.dumped = (mark_ ^ 1U) & 1U;
  record.table = table;
  record.metric = key.metric;
  index_.insert(hash_of(key, table), id,
                [this](Id other) { return hash_of(key_of(records_[other]), records_[other].table); });
  return id;
}

void RouteRecords::erase(Id id) {
  const RouteRecord& record = records_[id];
  index_.erase(hash_of(key_of(record), record.table), id);
  --tables_[record.table].routes;
  records_.erase(id);
}

// --- The columns ---------------------------------------------------------------------------------------------------

void RouteRecords::set_target(RouteRecord& record, TargetId target) {
  targets_.move_route(record.target, target);
  if (record.target == kNoTarget && target != kNoTarget) ++counts_.desired;
  if (record.target != kNoTarget && target == kNoTarget) --counts_.desired;
  record.target = target;
}

void RouteRecords::set_kernel(RouteRecord& record, ForwardingId kernel) {
  if (record.kernel == kNoForwarding && kernel != kNoForwarding) ++counts_.installed;
  if (record.kernel != kNoForwarding && kernel == kNoForwarding) {
    --counts_.installed;
    if (record.adopted != 0) confirm(record);
  }
  forwardings_.unref(record.kernel);
  record.kernel = kernel;
}

std::optional<RouteOp::Kind> RouteRecords::needed(const RouteRecord& record) const {
  const ForwardingId desired = desired_of(record);
  if (desired == kNoForwarding) {
    if (record.kernel == kNoForwarding && record.doubtful == 0) return std::nullopt;
    if (record.adopted != 0 && adopting_ && record.target == kNoTarget && how_viable_(record.kernel) != Viable::none)
      return std::nullopt;
    return RouteOp::Kind::remove;
  }
  if (record.kernel == kNoForwarding) return RouteOp::Kind::add;
  if (record.twice != 0) return RouteOp::Kind::remove;
  if (equal(record.kernel, desired)) return std::nullopt;
  if (record.adopted != 0 && adopting_ && how_viable_(record.kernel) == Viable::all) return std::nullopt;
  return RouteOp::Kind::replace;
}

// --- Adoption and dumps --------------------------------------------------------------------------------------------

void RouteRecords::adopt(RouteRecord& record) {
  record.adopted = 1;
  ++counts_.adopted;
}

void RouteRecords::confirm(RouteRecord& record) {
  record.adopted = 0;
  --counts_.adopted;
}

void RouteRecords::finish_adoption() {
  adopting_ = false;
  for (Id id = next(0); id < bound(); id = next(id + 1))
    if (records_[id].adopted != 0 && records_[id].target != kNoTarget) confirm(records_[id]);
}

void RouteRecords::begin_dump() {
  mark_ ^= 1U;
  for (Id id = next(0); id < bound(); id = next(id + 1)) {
    RouteRecord& record = records_[id];
    record.touched = record.in_flight;
    // What is under way was done before the dump or is done during it, and its answer does not say which.
    if (record.in_flight != 0) record.contradicted = 1;
    record.seen = record.dumped = (mark_ ^ 1U) & 1U;
  }
}

bool RouteRecords::see_dumped(RouteRecord& record) const {
  see(record);
  const bool again = record.dumped == mark_;
  record.dumped = mark_ & 1U;
  return again;
}

}  // namespace minibgp::fib
