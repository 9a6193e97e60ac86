#include <bgp/rib/adj_out.h>

#include <algorithm>

namespace minibgp::rib {

namespace {

/// The counter that an entry belongs to, which is not empty.
std::size_t& counter_of(AdjOut::Counts& counts, OutEntry entry) {
  return entry.is_withheld() ? counts.withheld[static_cast<std::size_t>(entry.why())] : counts.advertised;
}

}  // namespace

void AdjOut::count(OutEntry entry, std::ptrdiff_t change) {
  if (entry.is_empty()) return;
  counter_of(counts_, entry) += static_cast<std::size_t>(change);
  if (entry.source == kLocalPeer) return;  // Is no member, and the largest number there is.
  const auto source = static_cast<std::size_t>(entry.source);
  if (source >= by_source_.size()) by_source_.resize(source + 1);
  counter_of(by_source_[source], entry) += static_cast<std::size_t>(change);
}

void AdjOut::set(RouteId id, OutEntry entry) {
  const std::uint32_t number = static_cast<std::uint32_t>(id);
  const std::uint32_t index = number / kChunk;
  // Chunks exist only where there are entries. An empty entry needs none.
  if (index >= chunks_.size() || chunks_[index] == nullptr) {
    if (entry.is_empty()) return;
    if (index >= chunks_.size()) chunks_.resize(index + 1);
    chunks_[index] = std::make_unique<Chunk>();
  }
  Chunk& chunk = *chunks_[index];
  AttrId& attributes = chunk.attributes[number % kChunk];
  PeerId& source = chunk.source[number % kChunk];
  const OutEntry old{attributes, source};
  attributes = entry.attributes;
  source = entry.source;
  count(entry, 1);
  count(old, -1);
  chunk.used += entry.is_empty() ? 0U : 1U;
  chunk.used -= old.is_empty() ? 0U : 1U;
  if (chunk.used == 0) chunks_[index].reset();
  // The new reference first: old and new may be the same attributes.
  if (entry.is_advertised()) attributes_.add_ref(entry.attributes);
  if (old.is_advertised()) attributes_.release(old.attributes);
}

bool AdjOut::same_entries(const AdjOut& other) const {
  if (counts_ != other.counts_) return false;
  for (std::size_t i = 0; i < std::max(chunks_.size(), other.chunks_.size()); ++i) {
    const Chunk* const mine = i < chunks_.size() ? chunks_[i].get() : nullptr;
    const Chunk* const its = i < other.chunks_.size() ? other.chunks_[i].get() : nullptr;
    if (mine == nullptr && its == nullptr) continue;
    // Unused slots are zero on both sides, so whole arrays can be compared.
    if (mine == nullptr || its == nullptr || mine->attributes != its->attributes || mine->source != its->source)
      return false;
  }
  return true;
}

void AdjOut::copy_from(const AdjOut& other) {
  forget();
  chunks_.resize(other.chunks_.size());
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    if (other.chunks_[i] == nullptr) continue;
    chunks_[i] = std::make_unique<Chunk>(*other.chunks_[i]);
  }
  counts_ = other.counts_;
  by_source_ = other.by_source_;
  // Each copied entry needs its own reference.
  for_each_entry([&](RouteId, OutEntry entry) {
    if (entry.is_advertised()) attributes_.add_ref(entry.attributes);
  });
  pending_ = other.pending_;
  walking_ = other.walking_;
  walk_ = other.walk_;
  again_from_ = other.again_from_;
  cursor_ = other.cursor_;
}

void AdjOut::find_withheld(Withheld why, std::size_t most, std::vector<RouteId>& found) const {
  // The count ends the search early. In the worst case all chunks are looked at.
  std::size_t left = std::min(most, counts_.withheld[static_cast<std::size_t>(why)]);
  const AttrId mark = OutEntry::withheld(why, {}).attributes;
  for (std::uint32_t i = 0; i < chunks_.size() && left != 0; ++i) {
    if (chunks_[i] == nullptr) continue;
    for (std::uint32_t j = 0; j < kChunk && left != 0; ++j) {
      if (chunks_[i]->attributes[j] != mark) continue;
      found.push_back(RouteId{i * kChunk + j});
      --left;
    }
  }
}

std::optional<AdjOut::Item> AdjOut::take(const Table& table) {
  if (!pending_.empty()) return Item{RouteId{pending_.take()}, true};
  if (!walking_) return std::nullopt;
  const RouteId id = table.next(cursor_);
  if (id >= table.end()) {
    walking_ = false;
    return std::nullopt;  // again() is asked about this walk's last items afterwards: its kind stays.
  }
  cursor_ = RouteId{static_cast<std::uint32_t>(id) + 1};
  return Item{id, false};
}

void AdjOut::forget() {
  for_each_entry([&](RouteId, OutEntry entry) {
    if (entry.is_advertised()) attributes_.release(entry.attributes);
  });
  chunks_.clear();
  counts_ = {};
  by_source_.clear();
}

std::size_t AdjOut::octets() const {
  std::size_t chunks = 0;
  for (const auto& chunk : chunks_) chunks += chunk != nullptr ? 1U : 0U;
  return chunks * sizeof(Chunk) + chunks_.capacity() * sizeof(void*) + by_source_.capacity() * sizeof(Counts) +
         pending_.octets();
}

}  // namespace minibgp::rib
