/// AdjOut: the Adj-RIB-Out of one export group, and which routes it still has to look at. An entry is a value: nothing,
/// what is advertised (as it stands after export policy, a handle and the peer it came from), or why nothing can be
/// advertised; 6 octets a route. Counts follow the entries. Routes to look at are a set, never a queue of
/// messages; a group that starts walks the table instead of listing it.
#pragma once

#include <bgp/base/dirty_set.h>
#include <bgp/peer.h>
#include <bgp/rib/attr_table.h>
#include <bgp/rib/layout.h>
#include <bgp/rib/table.h>
#include <bgp/types.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace minibgp::rib {

/// What the members hold of us for one route.
struct OutEntry {
  AttrId attributes{};  ///< Advertised; kNoAttributes: nothing; or one of the marks of withheld().
  PeerId source{};      ///< Where the path came from: that member is not sent it.
  bool operator==(const OutEntry&) const = default;

  /// Export policy accepts the route, and the members hold nothing of it because of `why`.
  [[nodiscard]] static constexpr OutEntry withheld(Withheld why, PeerId source) {
    return {AttrId{kLastMark - static_cast<std::uint32_t>(why)}, source};
  }
  [[nodiscard]] constexpr bool is_empty() const { return attributes == kNoAttributes; }
  [[nodiscard]] constexpr bool is_withheld() const { return kLastMark - number() < kWithheldReasons; }
  [[nodiscard]] constexpr bool is_advertised() const { return !is_empty() && !is_withheld(); }
  /// Only where is_withheld().
  [[nodiscard]] constexpr Withheld why() const { return static_cast<Withheld>(kLastMark - number()); }

 private:
  static constexpr std::uint32_t kLastMark = 0xFFFFFFFF;  // No AttrId is that large: a slab ends before it.
  [[nodiscard]] constexpr std::uint32_t number() const { return static_cast<std::uint32_t>(attributes); }
};

class AdjOut {
 public:
  explicit AdjOut(AttrTable& attributes) : attributes_(attributes) {}
  AdjOut(const AdjOut&) = delete;
  AdjOut& operator=(const AdjOut&) = delete;
  ~AdjOut() { forget(); }

  [[nodiscard]] OutEntry entry(RouteId id) const {
    const std::uint32_t number = static_cast<std::uint32_t>(id);
    if (number / kChunk >= chunks_.size() || chunks_[number / kChunk] == nullptr) return {};
    const Chunk& chunk = *chunks_[number / kChunk];
    return {chunk.attributes[number % kChunk], chunk.source[number % kChunk]};
  }
  /// Takes one reference on the new attributes and releases the old ones.
  void set(RouteId id, OutEntry entry);

  struct Counts {
    std::size_t advertised = 0;
    std::array<std::size_t, kWithheldReasons> withheld{};  ///< By Withheld.
    bool operator==(const Counts&) const = default;
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }
  /// Of the entries whose source is `peer`: they are nothing to that member.
  [[nodiscard]] Counts counts_from(PeerId peer) const {
    const auto source = static_cast<std::size_t>(peer);
    return source < by_source_.size() ? by_source_[source] : Counts{};
  }
  /// Whether every entry is the same.
  [[nodiscard]] bool same_entries(const AdjOut& other) const;
  /// The same entries and the same routes to look at as `other`.
  void copy_from(const AdjOut& other);
  /// Appends up to `most` routes that are withheld because of `why`, in the order of their ids.
  void find_withheld(Withheld why, std::size_t most, std::vector<RouteId>& found) const;

  /// The route changed. Nothing when the walk still comes by it.
  void mark(RouteId id) {
    if (!ahead(id)) pending_.add(static_cast<std::uint32_t>(id));
  }
  /// Whether the route's last withdrawal must be taken here: there is an entry, or it is pending.
  [[nodiscard]] bool concerns(RouteId id) const {
    return pending_.contains(static_cast<std::uint32_t>(id)) || !entry(id).is_empty();
  }

  /// Begins a walk over the whole table. What was pending is met on the way; `dropped` is called for each of those.
  /// again: routes are advertised even where the entry stays the same (route refresh).
  enum class Walk : std::uint8_t { changes, again };
  template <typename Dropped>
  void start_walk(Walk kind, Dropped dropped) {
    const base::DirtySet before = std::move(pending_);
    pending_ = {};
    walk_ = walking_ && walk_ == Walk::again ? Walk::again : kind;  // What was to be repeated still is.
    if (!walking_) again_from_.clear();
    walking_ = true;
    cursor_ = RouteId{0};
    before.for_each([&](std::uint32_t id) { dropped(RouteId{id}); });
  }
  /// The same for routes from one peer only: equal entries look different on the wire now.
  template <typename Dropped>
  void start_walk_again_from(PeerId source, Dropped dropped) {
    start_walk(Walk::changes, dropped);
    if (!std::count(again_from_.begin(), again_from_.end(), source)) again_from_.push_back(source);
  }

  /// Makes a route that was taken wait again.
  void put_back(RouteId id) {
    if (!ahead(id)) pending_.add(static_cast<std::uint32_t>(id));
  }

  struct Item {
    RouteId id{};
    bool was_pending = false;  ///< Else the walk met it.
  };
  /// Whether a route from `source` is advertised although the entry stays the same. Nothing that was pending is: the
  /// walk came by it before.
  [[nodiscard]] bool again(const Item& item, PeerId source) const {
    if (item.was_pending) return false;
    return walk_ == Walk::again || std::count(again_from_.begin(), again_from_.end(), source) != 0;
  }
  /// Next route to look at: changes first, so that a long walk does not delay them. None: quiet for now.
  [[nodiscard]] std::optional<Item> take(const Table& table);
  /// Nothing is left to look at.
  [[nodiscard]] bool quiet() const { return !walking_ && pending_.empty(); }
  [[nodiscard]] bool walking() const { return walking_; }
  /// A walk that advertises entries again that stay the same.
  [[nodiscard]] bool repeating() const { return walking_ && (walk_ == Walk::again || !again_from_.empty()); }
  [[nodiscard]] std::size_t pending_count() const { return pending_.size(); }
  /// Visits each route that will be taken and of which something may have to be withdrawn: those pending, and those
  /// with an entry that the walk still comes by.
  template <typename Visit>
  void for_each_waiting(Visit visit) const {
    pending_.for_each([&](std::uint32_t id) { visit(RouteId{id}); });
    if (!walking_) return;
    for_each_entry([&](RouteId id, OutEntry) {
      if (ahead(id)) visit(id);
    });
  }
  /// Visits the entries that are not empty of the routes from `first` on, before `end`.
  template <typename Visit>
  void for_each_entry(RouteId first, RouteId end, Visit visit) const {
    const std::uint32_t bound =
        std::min<std::uint32_t>(static_cast<std::uint32_t>(end), static_cast<std::uint32_t>(chunks_.size()) * kChunk);
    for (std::uint32_t id = static_cast<std::uint32_t>(first); id < bound; ++id) {
      const Chunk* const chunk = chunks_[id / kChunk].get();
      if (chunk == nullptr) {
        id |= kChunk - 1;  // The rest of it is empty.
      } else if (chunk->attributes[id % kChunk] != kNoAttributes) {
        visit(RouteId{id}, OutEntry{chunk->attributes[id % kChunk], chunk->source[id % kChunk]});
      }
    }
  }
  template <typename Visit>
  void for_each_entry(Visit visit) const {
    for_each_entry(RouteId{0}, RouteId{UINT32_MAX}, visit);
  }
  /// Every entry becomes empty, references are given back.
  void forget();

  [[nodiscard]] std::size_t octets() const;

 private:
  static constexpr std::uint32_t kChunk = 4096;
  struct Chunk {
    std::array<AttrId, kChunk> attributes{};
    std::array<PeerId, kChunk> source{};
    std::uint32_t used = 0;
  };

  /// Whether the walk still comes by it.
  [[nodiscard]] bool ahead(RouteId id) const { return walking_ && id >= cursor_; }

  void count(OutEntry entry, std::ptrdiff_t change);

  AttrTable& attributes_;
  std::vector<std::unique_ptr<Chunk>> chunks_;  ///< By route id; null: only empty entries.
  Counts counts_;
  std::vector<Counts> by_source_;  ///< By PeerId, as far as one has an entry.
  base::DirtySet pending_;
  bool walking_ = false;
  Walk walk_ = Walk::changes;
  std::vector<PeerId> again_from_;  ///< Of this walk; see start_walk_again_from().
  RouteId cursor_{};
};

}  // namespace minibgp::rib
