#include <bgp/session/framer.h>

#include <algorithm>

namespace minibgp::session {
namespace {

/// A framer that had to keep much (a burst that took several turns) gives the memory back when it is done.
constexpr std::size_t kKeepCapacity = 8192;

[[nodiscard]] std::size_t claimed_length(Bytes header) { return std::size_t{header[16]} << 8U | header[17]; }

[[nodiscard]] bool holds_message(Bytes bytes) {
  return bytes.size() >= wire::kHeaderSize && bytes.size() >= claimed_length(bytes);
}

}  // namespace

void Framer::feed(Bytes bytes) {
  // Copies what is left of the last feed() first: those bytes belong to the rim's buffer, which it reuses.
  if (!fresh_.empty()) keep();
  fresh_ = bytes;
}

/// Moves octets from the fresh bytes until `kept()` has `wanted` of them.
bool Framer::top_up(std::size_t wanted) {
  const std::size_t have = kept().size();
  if (have >= wanted) return true;
  const Bytes more = fresh_.first(std::min(wanted - have, fresh_.size()));
  kept_.insert(kept_.end(), more.begin(), more.end());
  fresh_ = fresh_.subspan(more.size());
  return kept().size() >= wanted;
}

std::optional<Result<Framer::Frame, wire::MessageError>> Framer::next(std::size_t max_message) {
  // Messages come from `kept_` as long as it has unread octets, because those are older than `fresh_`.
  const bool from_kept = kept_read_ < kept_.size();
  if (!from_kept && !kept_.empty()) {
    kept_.clear();
    kept_read_ = 0;
  }
  if (from_kept ? !top_up(wire::kHeaderSize) : fresh_.size() < wire::kHeaderSize) return std::nullopt;

  // The header is judged as soon as it is there: a wrong length must not make us wait for octets that never come.
  const auto header = wire::decode_header(from_kept ? kept() : fresh_, max_message);
  if (!header) return Result<Frame, wire::MessageError>{unexpected(header.error())};
  const std::size_t length = header->length;

  Bytes message;
  // Only the octets that complete this one message are copied; all that follow it are read in place.
  if (from_kept) {
    if (!top_up(length)) return std::nullopt;
    // `kept_read_` moves, not the octets: the view of the body stays valid until the next call.
    message = kept().first(length);
    kept_read_ += length;
  } else {
    if (fresh_.size() < length) return std::nullopt;
    message = fresh_.first(length);
    fresh_ = fresh_.subspan(length);
  }
  return Result<Frame, wire::MessageError>{Frame{header->type, message.subspan(wire::kHeaderSize)}};
}

void Framer::keep() {
  if (kept_read_ == kept_.size()) {
    kept_.clear();
    kept_read_ = 0;
    if (fresh_.empty() && kept_.capacity() > kKeepCapacity) std::vector<std::uint8_t>{}.swap(kept_);
  }
  if (fresh_.empty()) return;  // Nor move what is kept: a burst is drained over many turns.
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(kept_read_));
  kept_read_ = 0;
  kept_.insert(kept_.end(), fresh_.begin(), fresh_.end());
  fresh_ = {};
}

bool Framer::has_pending() const {
  if (kept_read_ == kept_.size()) return holds_message(fresh_);
  const Bytes older = kept();
  if (holds_message(older)) return true;
  // Cut between the two: the header decides, and its length field may lie in either.
  if (older.size() + fresh_.size() < wire::kHeaderSize) return false;
  const auto octet = [&](std::size_t at) { return at < older.size() ? older[at] : fresh_[at - older.size()]; };
  return older.size() + fresh_.size() >= (std::size_t{octet(16)} << 8U | octet(17));
}

}  // namespace minibgp::session
