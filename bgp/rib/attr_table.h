/// AttrTable: PathAttributes <-> AttrId. Equal attributes are one counted record, so equality is an integer compare and
/// a million routes share their attributes. The record is the canonical packed form of the value (rib/packed.h) plus
/// the 32 octets the decision process reads.
///
/// Packed octets live in blocks that are filled from one end, like a log. A record that is released leaves a hole; when
/// holes outweigh what lives, the emptiest block's records are moved, one block at a time: memory stays below twice
/// what lives, whatever sizes come and go, and ids never change.
#pragma once

#include <bgp/base/flat_index.h>
#include <bgp/base/slab.h>
#include <bgp/path.h>
#include <bgp/rib/layout.h>
#include <bgp/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace minibgp::rib {

class AttrTable {
 public:
  AttrTable();
  AttrTable(const AttrTable&) = delete;
  AttrTable& operator=(const AttrTable&) = delete;
  ~AttrTable();

  /// The id of `attributes`, with one reference added for the caller. Equal attributes, `local` included, give equal
  /// ids for as long as somebody holds one.
  [[nodiscard]] AttrId intern(const PathAttributes& attributes);
  void add_ref(AttrId id, std::uint32_t count = 1);
  /// Nothing for kNoAttributes. The last release frees the id for reuse.
  void release(AttrId id, std::uint32_t count = 1);

  /// Valid until the id's last release.
  [[nodiscard]] const HotAttrs& hot(AttrId id) const { return hot_[static_cast<std::uint32_t>(id)]; }
  /// Fetches the hot record into the cache.
  void prefetch(AttrId id) const { __builtin_prefetch(&hot_[static_cast<std::uint32_t>(id)]); }
  /// The whole value, into a reused `out`.
  void load(AttrId id, PathAttributes& out) const;
  [[nodiscard]] PathAttributes load(AttrId id) const;
  /// Valid until the id's last release.
  [[nodiscard]] const NextHop& next_hop(AttrId id) const { return next_hops_[hot(id).next_hop].value; }
  /// Identical AS_PATH (Multipath::exact).
  [[nodiscard]] bool same_as_path(AttrId a, AttrId b) const;

  [[nodiscard]] std::size_t size() const { return records_.size() - 1; }  // Without record 0.
  [[nodiscard]] std::size_t octets() const;
  [[nodiscard]] std::size_t next_hop_count() const { return next_hop_index_.size(); }

 private:
  struct Record {
    std::uint32_t place = 0;  ///< Where the packed octets lie, in units of kGrain over all blocks.
    std::uint32_t refs = 0;
    std::uint32_t hash = 0;  ///< Low half, so that growing the index reads no packed octets.
    std::uint32_t hash_high = 0;
  };
  /// Precedes each record's octets in a block.
  struct Header {
    std::uint32_t id = 0;
    std::uint32_t size = 0;  ///< Of the packed octets.
  };
  static constexpr std::size_t kGrain = 8;
  static constexpr std::size_t kBlockOctets = 512 * 1024;  ///< Three times what a message of 65 535 octets can make.
  struct Block {
    std::unique_ptr<std::uint8_t[]> octets;
    std::uint32_t used = 0;
    std::uint32_t live = 0;
  };
  struct NextHopRecord {
    NextHop value;
    std::uint32_t refs = 0;
  };

  [[nodiscard]] Bytes packed(std::uint32_t id) const;
  [[nodiscard]] std::uint64_t stored_hash(std::uint32_t id) const;
  [[nodiscard]] std::uint32_t store(std::uint32_t id, Bytes octets);
  void drop(std::uint32_t place);
  void release_block(std::uint32_t index);
  void compact();
  void move_records(std::uint32_t block);
  void free_record(std::uint32_t id);
  [[nodiscard]] std::uint32_t intern_next_hop(const NextHop& next_hop);
  void release_next_hop(std::uint32_t index);
  [[nodiscard]] HotAttrs make_hot(const PathAttributes& attributes);

  base::Slab<HotAttrs> hot_;  ///< Same ids as records_.
  base::Slab<Record> records_;
  base::FlatIndex index_;
  std::vector<Block> blocks_;
  std::vector<std::uint32_t> empty_blocks_;
  std::uint32_t filling_ = 0;  ///< The block that takes new records.
  std::size_t used_octets_ = 0, live_octets_ = 0;
  base::Slab<NextHopRecord, 256> next_hops_;
  base::FlatIndex next_hop_index_;
  std::vector<std::uint8_t> scratch_;
};

}  // namespace minibgp::rib
