/// AdjOut: what one export group has been told, and what it still must hear. Told is what stands after export policy,
/// as a handle and the peer it came from: 6 octets a route. What must be heard is a set of routes, never a queue of
/// messages; a group that starts walks the table instead of listing it.
#pragma once

#include <bgp/base/dirty_set.h>
#include <bgp/rib/attr_table.h>
#include <bgp/rib/layout.h>
#include <bgp/rib/table.h>
#include <bgp/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace minibgp::rib {

struct Told {
  AttrId attributes{};  ///< kNoAttributes: nothing was announced, or it was withdrawn.
  PeerId source{};      ///< The only member that was not told.
  bool operator==(const Told&) const = default;
};

class AdjOut {
 public:
  explicit AdjOut(AttrTable& attributes) : attributes_(attributes) {}
  AdjOut(const AdjOut&) = delete;
  AdjOut& operator=(const AdjOut&) = delete;
  ~AdjOut() { forget(); }

  [[nodiscard]] Told told(RouteId id) const {
    const std::uint32_t number = static_cast<std::uint32_t>(id);
    if (number / kChunk >= chunks_.size() || chunks_[number / kChunk] == nullptr) return {};
    const Chunk& chunk = *chunks_[number / kChunk];
    return {chunk.attributes[number % kChunk], chunk.source[number % kChunk]};
  }
  /// Takes one reference on the new attributes and releases the old ones.
  void set_told(RouteId id, Told told);
  [[nodiscard]] std::size_t told_count() const { return told_count_; }
  /// Routes told whose source is `peer`: that member was not told them.
  [[nodiscard]] std::size_t told_count_from(PeerId peer) const;
  [[nodiscard]] bool same_told(const AdjOut& other) const;
  /// The same told and pending as `other`.
  void copy_from(const AdjOut& other);

  /// The route changed. Nothing when the walk still comes by it.
  void mark(RouteId id) {
    if (!ahead(id)) pending_.add(static_cast<std::uint32_t>(id));
  }
  /// Whether a withdrawal of the route must be taken here: it was told, or it is pending.
  [[nodiscard]] bool concerns(RouteId id) const {
    return pending_.contains(static_cast<std::uint32_t>(id)) || told(id).attributes != kNoAttributes;
  }

  /// Begins a walk over the whole table. What was pending is met on the way; `dropped` is called for each of those.
  /// again: routes are announced even where they were told the same (route refresh).
  enum class Walk : std::uint8_t { changes, again };
  template <typename Dropped>
  void start_walk(Walk kind, Dropped dropped) {
    const base::DirtySet before = std::move(pending_);
    pending_ = {};
    walk_ = repeating() ? Walk::again : kind;  // What was to be repeated still is.
    walking_ = true;
    cursor_ = RouteId{0};
    before.for_each([&](std::uint32_t id) { dropped(RouteId{id}); });
  }

  /// Makes a route that was taken wait again.
  void put_back(RouteId id) {
    if (!ahead(id)) pending_.add(static_cast<std::uint32_t>(id));
  }

  struct Item {
    RouteId id{};
    bool was_pending = false;  ///< Else the walk met it.
    bool again = false;
  };
  /// Next route to look at: changes first, so that a long walk does not delay them. None: quiet for now.
  [[nodiscard]] std::optional<Item> take(const Table& table);
  /// Nothing is left to hear.
  [[nodiscard]] bool quiet() const { return !walking_ && pending_.empty(); }
  [[nodiscard]] bool walking() const { return walking_; }
  /// A walk that announces also what was told the same.
  [[nodiscard]] bool repeating() const { return walking_ && walk_ == Walk::again; }
  [[nodiscard]] std::size_t pending_count() const { return pending_.size(); }
  /// Visits each route that will be taken and of which something may have to be withdrawn: those pending, and those
  /// told that the walk still comes by.
  template <typename Visit>
  void for_each_waiting(Visit visit) const {
    pending_.for_each([&](std::uint32_t id) { visit(RouteId{id}); });
    if (!walking_) return;
    for_each_told([&](RouteId id, Told) {
      if (ahead(id)) visit(id);
    });
  }
  template <typename Visit>
  void for_each_told(Visit visit) const {
    for (std::uint32_t i = 0; i < chunks_.size(); ++i) {
      if (chunks_[i] == nullptr) continue;
      for (std::uint32_t j = 0; j < kChunk; ++j)
        if (chunks_[i]->attributes[j] != kNoAttributes)
          visit(RouteId{i * kChunk + j}, Told{chunks_[i]->attributes[j], chunks_[i]->source[j]});
    }
  }
  /// Everything told is forgotten, references are given back.
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

  AttrTable& attributes_;
  std::vector<std::unique_ptr<Chunk>> chunks_;  ///< By route id; null: nothing told.
  std::size_t told_count_ = 0;
  base::DirtySet pending_;
  bool walking_ = false;
  Walk walk_ = Walk::changes;
  RouteId cursor_{};
};

}  // namespace minibgp::rib
