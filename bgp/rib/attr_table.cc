#include <bgp/base/assert.h>
#include <bgp/rib/attr_table.h>
#include <bgp/rib/packed.h>

#include <algorithm>
#include <cstring>

namespace minibgp::rib {
namespace {

constexpr std::uint32_t number(AttrId id) { return static_cast<std::uint32_t>(id); }

std::uint64_t hash_of_next_hop(const NextHop& next_hop) {
  // Family and octets, not the struct: padding must not reach the hash.
  std::uint8_t octets[34];
  std::memcpy(octets, next_hop.address.octets.data(), 16);
  std::memcpy(octets + 16, next_hop.link_local.octets.data(), 16);
  octets[32] = static_cast<std::uint8_t>(next_hop.address.family);
  octets[33] = static_cast<std::uint8_t>(next_hop.link_local.family);
  return hash_octets(octets);
}

}  // namespace

AttrTable::AttrTable() {
  // Record 0 is kNoAttributes: never looked up, never freed.
  const std::uint32_t none = records_.insert();
  const std::uint32_t none_hot = hot_.insert();
  BGP_ASSERT(none == 0 && none_hot == 0);  // An empty slab's first id.
}

AttrTable::~AttrTable() = default;

Bytes AttrTable::packed(std::uint32_t id) const {
  const std::size_t at = std::size_t{records_[id].place} * kGrain;
  // A record that is larger than a block begins at the start of its own, so the division holds for it, too.
  const std::uint8_t* const octets = blocks_[at / kBlockOctets].octets.get() + at % kBlockOctets;
  Header header;
  std::memcpy(&header, octets, sizeof header);
  BGP_DCHECK(header.id == id);
  return Bytes{octets + sizeof header, header.size};
}

std::uint64_t AttrTable::stored_hash(std::uint32_t id) const {
  return std::uint64_t{records_[id].hash_high} << 32U | records_[id].hash;
}

AttrId AttrTable::intern(const PathAttributes& attributes) {
  pack(attributes, scratch_);
  const std::uint64_t hash = hash_octets(scratch_);
  const std::uint32_t known = index_.find(hash, [&](std::uint32_t id) {
    const Record& record = records_[id];
    // The stored hash first: it sorts out nearly all others without touching their octets.
    if (record.hash != static_cast<std::uint32_t>(hash)) return false;
    const Bytes stored = packed(id);
    return stored.size() == scratch_.size() && std::memcmp(stored.data(), scratch_.data(), stored.size()) == 0;
  });
  if (known != base::FlatIndex::kNotFound) {
    ++records_[known].refs;
    return AttrId{known};
  }
  const std::uint32_t id = records_.insert();
  const std::uint32_t hot_id = hot_.insert();
  BGP_ASSERT(id == hot_id);  // Both slabs see the same inserts and erases, here and in free_record() alone.
  Record& record = records_[id];
  // Hash and place must be set before index_.insert(), which reads them when the index grows.
  record.refs = 1;
  record.hash = static_cast<std::uint32_t>(hash);
  record.hash_high = static_cast<std::uint32_t>(hash >> 32U);
  record.place = store(id, scratch_);
  hot_[id] = make_hot(attributes);
  // Equal paths have equal hashes; same_as_path() still compares the octets.
  hot_[id].as_path_hash = static_cast<std::uint32_t>(hash_octets(packed_as_path(scratch_)));
  index_.insert(hash, id, [this](std::uint32_t other) { return stored_hash(other); });
  return AttrId{id};
}

void AttrTable::add_ref(AttrId id, std::uint32_t count) {
  if (id == kNoAttributes) return;
  BGP_DCHECK(records_[number(id)].refs > 0);
  records_[number(id)].refs += count;
}

void AttrTable::release(AttrId id, std::uint32_t count) {
  if (id == kNoAttributes) return;
  Record& record = records_[number(id)];
  BGP_ASSERT(record.refs >= count);  // Whoever releases holds what it releases: Table, Importer, AdjOut, Engine.
  record.refs -= count;
  if (record.refs == 0) free_record(number(id));
}

void AttrTable::free_record(std::uint32_t id) {
  index_.erase(stored_hash(id), id);
  release_next_hop(hot_[id].next_hop);
  drop(records_[id].place);
  records_.erase(id);
  hot_.erase(id);
  // At most one block is moved for each record that is freed.
  compact();
}

void AttrTable::load(AttrId id, PathAttributes& out) const {
  BGP_DCHECK(id != kNoAttributes);
  unpack(packed(number(id)), out);
}

PathAttributes AttrTable::load(AttrId id) const {
  PathAttributes out;
  load(id, out);
  return out;
}

bool AttrTable::same_as_path(AttrId a, AttrId b) const {
  if (a == b) return true;
  if (hot(a).as_path_hash != hot(b).as_path_hash) return false;
  const Bytes left = packed_as_path(packed(number(a)));
  const Bytes right = packed_as_path(packed(number(b)));
  return std::equal(left.begin(), left.end(), right.begin(), right.end());
}

HotAttrs AttrTable::make_hot(const PathAttributes& attributes) {
  HotAttrs hot;
  hot.weight = attributes.local.weight;
  // Missing attributes are stored as 0; kHasLocalPref tells a missing LOCAL_PREF from 0.
  hot.local_pref = attributes.local_pref.value_or(0);
  hot.med = attributes.med.value_or(0);
  hot.neighbor_as = static_cast<std::uint32_t>(attributes.as_path.first().value_or(Asn{0}));
  hot.originator = static_cast<std::uint32_t>(attributes.originator_id.value_or(RouterId{0}));
  hot.next_hop = intern_next_hop(attributes.next_hop);
  // Saturated: a message of 65 535 octets cannot carry a path that long.
  hot.as_path_length = static_cast<std::uint16_t>(std::min<std::uint32_t>(attributes.as_path.length(), 0xFFFF));
  hot.cluster_list_length = static_cast<std::uint8_t>(std::min<std::size_t>(attributes.cluster_list.size(), 0xFF));
  unsigned flags = static_cast<unsigned>(attributes.origin);
  if (attributes.local_pref) flags |= HotAttrs::kHasLocalPref;
  if (attributes.local != LocalAttributes{}) flags |= HotAttrs::kHasLocal;
  if (attributes.med) flags |= HotAttrs::kHasMed;
  if (attributes.only_to_customer) flags |= HotAttrs::kHasOtc;
  if (attributes.has(kNoExport) || attributes.has(kNoExportSubconfed)) flags |= HotAttrs::kNoExport;
  if (attributes.has(kNoAdvertise)) flags |= HotAttrs::kNoAdvertise;
  hot.origin_and_flags = static_cast<std::uint8_t>(flags);
  return hot;
}

// --- Packed octets -------------------------------------------------------------------------------------------------

std::uint32_t AttrTable::store(std::uint32_t id, Bytes octets) {
  // Rounded up to kGrain, so that 32 bits of `place` address more memory than octets would.
  const std::size_t needed = (sizeof(Header) + octets.size() + kGrain - 1) / kGrain * kGrain;
  if (blocks_.empty() || blocks_[filling_].used + needed > kBlockOctets) {
    // It was emptied while it was being filled, and is too small for what comes.
    if (!blocks_.empty() && blocks_[filling_].used == 0) release_block(filling_);
    if (empty_blocks_.empty()) {
      blocks_.emplace_back();
      filling_ = static_cast<std::uint32_t>(blocks_.size() - 1);
    } else {
      filling_ = empty_blocks_.back();
      empty_blocks_.pop_back();
    }
    // Not zeroed: pages appear as they fill. A value that a policy made larger than a block has one of its own.
    blocks_[filling_].octets.reset(new std::uint8_t[std::max(needed, kBlockOctets)]);
  }
  Block& block = blocks_[filling_];
  const std::size_t at = block.used;
  const Header header{id, static_cast<std::uint32_t>(octets.size())};
  std::memcpy(block.octets.get() + at, &header, sizeof header);
  std::memcpy(block.octets.get() + at + sizeof header, octets.data(), octets.size());
  block.used += static_cast<std::uint32_t>(needed);
  block.live += static_cast<std::uint32_t>(needed);
  used_octets_ += needed;
  live_octets_ += needed;
  return static_cast<std::uint32_t>((filling_ * kBlockOctets + at) / kGrain);
}

void AttrTable::drop(std::uint32_t place) {
  const std::size_t at = std::size_t{place} * kGrain;
  const auto index = static_cast<std::uint32_t>(at / kBlockOctets);
  Block& block = blocks_[index];
  Header header;
  std::memcpy(&header, block.octets.get() + at % kBlockOctets, sizeof header);
  const std::size_t octets = (sizeof header + header.size + kGrain - 1) / kGrain * kGrain;
  header.id = 0;  // A hole: move_records() passes over it.
  std::memcpy(block.octets.get() + at % kBlockOctets, &header, sizeof header);
  BGP_ASSERT(block.live >= octets);  // store() added what is taken off here: the size is in the record's header.
  block.live -= static_cast<std::uint32_t>(octets);
  // `used` is not lowered: the hole stays until the block is moved or empty.
  live_octets_ -= octets;
  if (block.live != 0) return;
  used_octets_ -= block.used;
  block.used = 0;
  // The block being filled stays, to be filled from its start again.
  if (index != filling_) release_block(index);
}

void AttrTable::release_block(std::uint32_t index) {
  blocks_[index].octets.reset();
  empty_blocks_.push_back(index);
}

void AttrTable::compact() {
  // Half of the memory may be holes, and two blocks more: fewer would have a small table move records all the time.
  if (used_octets_ - live_octets_ <= live_octets_ + 2 * kBlockOctets) return;
  std::uint32_t emptiest = filling_;
  for (std::uint32_t i = 0; i < blocks_.size(); ++i) {
    if (i == filling_ || blocks_[i].octets == nullptr) continue;
    if (emptiest == filling_ || blocks_[i].live < blocks_[emptiest].live) emptiest = i;
  }
  if (emptiest != filling_) move_records(emptiest);
}

void AttrTable::move_records(std::uint32_t index) {
  // The block's memory is held here, since storing and dropping touch blocks_.
  const std::size_t used = blocks_[index].used;
  for (std::size_t at = 0; at < used;) {
    const std::uint8_t* const from = blocks_[index].octets.get() + at;
    Header header;
    std::memcpy(&header, from, sizeof header);
    at += (sizeof header + header.size + kGrain - 1) / kGrain * kGrain;
    if (header.id == 0) continue;
    const std::uint32_t old_place = records_[header.id].place;
    records_[header.id].place = store(header.id, Bytes{from + sizeof header, header.size});
    // Asked before drop(), which releases the block with its last record.
    const bool last = blocks_[index].live == (sizeof header + header.size + kGrain - 1) / kGrain * kGrain;
    drop(old_place);
    if (last) return;  // The block is gone.
  }
}

// --- Next hops -----------------------------------------------------------------------------------------------------

std::uint32_t AttrTable::intern_next_hop(const NextHop& next_hop) {
  const std::uint64_t hash = hash_of_next_hop(next_hop);
  std::uint32_t index = next_hop_index_.find(hash, [&](std::uint32_t id) { return next_hops_[id].value == next_hop; });
  if (index == base::FlatIndex::kNotFound) {
    index = next_hops_.insert();
    next_hops_[index].value = next_hop;
    next_hop_index_.insert(hash, index, [this](std::uint32_t id) { return hash_of_next_hop(next_hops_[id].value); });
  }
  ++next_hops_[index].refs;
  return index;
}

void AttrTable::release_next_hop(std::uint32_t index) {
  NextHopRecord& record = next_hops_[index];
  BGP_ASSERT(record.refs > 0);  // One for each hot record: make_hot() took it, free_record() gives it back.
  if (--record.refs != 0) return;
  next_hop_index_.erase(hash_of_next_hop(record.value), index);
  next_hops_.erase(index);
}

std::size_t AttrTable::octets() const {
  std::size_t blocks = 0;
  for (const Block& block : blocks_) blocks += block.octets == nullptr ? 0 : kBlockOctets;
  return hot_.octets() + records_.octets() + index_.octets() + blocks + next_hops_.octets() + next_hop_index_.octets();
}

}  // namespace minibgp::rib
