#include <bgp/base/assert.h>
#include <bgp/rib/adj_out.h>

namespace minibgp::rib {

void AdjOut::set_told(RouteId id, Told told) {
  const std::uint32_t number = static_cast<std::uint32_t>(id);
  const std::uint32_t index = number / kChunk;
  if (index >= chunks_.size() || chunks_[index] == nullptr) {
    if (told.attributes == kNoAttributes) return;
    if (index >= chunks_.size()) chunks_.resize(index + 1);
    chunks_[index] = std::make_unique<Chunk>();
  }
  Chunk& chunk = *chunks_[index];
  AttrId& attributes = chunk.attributes[number % kChunk];
  const AttrId old = attributes;
  attributes_.add_ref(told.attributes);
  attributes = told.attributes;
  chunk.source[number % kChunk] = told.source;
  if (old == kNoAttributes && told.attributes != kNoAttributes) ++told_count_, ++chunk.used;
  if (old != kNoAttributes && told.attributes == kNoAttributes) --told_count_, --chunk.used;
  if (chunk.used == 0) chunks_[index].reset();
  attributes_.release(old);
}

std::size_t AdjOut::told_count_from(PeerId peer) const {
  std::size_t count = 0;
  for_each_told([&](RouteId, Told told) { count += told.source == peer ? 1U : 0U; });
  return count;
}

bool AdjOut::same_told(const AdjOut& other) const {
  bool same = told_count_ == other.told_count_;
  for_each_told([&](RouteId id, Told told) { same = same && other.told(id) == told; });
  return same;
}

void AdjOut::copy_from(const AdjOut& other) {
  forget();
  chunks_.resize(other.chunks_.size());
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    if (other.chunks_[i] == nullptr) continue;
    chunks_[i] = std::make_unique<Chunk>(*other.chunks_[i]);
    for (const AttrId id : chunks_[i]->attributes) attributes_.add_ref(id);
  }
  told_count_ = other.told_count_;
  pending_ = other.pending_;
  walking_ = other.walking_;
  walk_ = other.walk_;
  cursor_ = other.cursor_;
}

std::optional<AdjOut::Item> AdjOut::take(const Table& table) {
  if (!pending_.empty()) return Item{RouteId{pending_.take()}, true, false};
  if (!walking_) return std::nullopt;
  const RouteId id = table.next(cursor_);
  if (id >= table.end()) {
    walking_ = false;
    return std::nullopt;
  }
  cursor_ = RouteId{static_cast<std::uint32_t>(id) + 1};
  return Item{id, false, walk_ == Walk::again};
}

void AdjOut::forget() {
  for_each_told([&](RouteId, Told told) { attributes_.release(told.attributes); });
  chunks_.clear();
  told_count_ = 0;
}

std::size_t AdjOut::octets() const {
  std::size_t chunks = 0;
  for (const auto& chunk : chunks_) chunks += chunk != nullptr ? 1U : 0U;
  return chunks * sizeof(Chunk) + chunks_.capacity() * sizeof(void*) + pending_.octets();
}

}  // namespace minibgp::rib
