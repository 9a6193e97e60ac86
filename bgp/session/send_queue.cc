#include <bgp/base/assert.h>
#include <bgp/session/send_queue.h>
#include <bgp/wire/message.h>

#include <cstring>

namespace minibgp::session {
namespace {

[[nodiscard]] std::size_t message_length(Bytes at) {
  // Only Session puts octets here, and they come from our own encoders: whole messages, whatever a peer sends.
  BGP_ASSERT(at.size() >= wire::kHeaderSize);
  const std::size_t length = std::size_t{at[16]} << 8U | at[17];
  // Each encoder writes the length of what it wrote; Session::send() looks at each header.
  BGP_ASSERT(length >= wire::kHeaderSize && length <= at.size());
  return length;
}

/// As many whole messages of `messages` as fit into `room` octets.
[[nodiscard]] std::size_t whole_messages(Bytes messages, std::size_t room) {
  if (messages.size() <= room) return messages.size();
  // Never a part of a message: cut() relies on each block beginning and ending at a message's boundary.
  std::size_t taken = 0;
  while (taken < messages.size()) {
    const std::size_t length = message_length(messages.subspan(taken));
    if (taken + length > room) break;
    taken += length;
  }
  return taken;
}

}  // namespace

void SendQueue::add_block(std::size_t at_least) {
  // A session that only exchanges KEEPALIVEs needs one small block. Whatever follows a first block is a burst.
  const std::size_t capacity = blocks_.empty() && at_least <= kSmallBlockOctets ? kSmallBlockOctets : kBlockOctets;
  Block block;
  // Not zeroed: append() overwrites what front() hands out.
  block.octets = std::make_unique_for_overwrite<std::uint8_t[]>(capacity);
  block.capacity = static_cast<std::uint32_t>(capacity);
  blocks_.push_back(std::move(block));
}

void SendQueue::append(Bytes messages) {
  octets_ += messages.size();
  while (!messages.empty()) {
    std::size_t taken = 0;
    if (!blocks_.empty()) taken = whole_messages(messages, blocks_.back().capacity - blocks_.back().used);
    if (taken == 0) {
      if (!blocks_.empty() && blocks_.back().used == 0) blocks_.pop_back();  // Too small, and front() must not see it.
      add_block(messages.size());
      taken = whole_messages(messages, blocks_.back().capacity);
      BGP_ASSERT(taken > 0);  // A block of kBlockOctets holds any message there is.
    }
    Block& block = blocks_.back();
    std::memcpy(block.octets.get() + block.used, messages.data(), taken);
    block.used += static_cast<std::uint32_t>(taken);
    messages = messages.subspan(taken);
  }
}

Bytes SendQueue::front() const {
  if (blocks_.empty()) return {};
  const Block& block = blocks_.front();
  return Bytes{block.octets.get() + block.sent, block.used - block.sent};
}

void SendQueue::sent(std::size_t count) {
  if (count == 0) return;
  // Only the front block is ever offered, so that a report can never span two blocks.
  // The rim's word, not the peer's: it reports what send() took of front().
  BGP_ASSERT(!blocks_.empty() && count <= blocks_.front().used - blocks_.front().sent);
  Block& block = blocks_.front();
  block.sent += static_cast<std::uint32_t>(count);
  octets_ -= count;
  if (block.sent < block.used) return;
  // The last small block is reused, so that KEEPALIVEs of an idle session allocate nothing.
  if (blocks_.size() == 1 && block.capacity == kSmallBlockOctets) {
    block.sent = block.used = 0;
  } else {
    blocks_.pop_front();
  }
}

void SendQueue::cut() {
  if (blocks_.empty()) return;
  Block& block = blocks_.front();
  // The first message boundary at or behind what was sent: a message that the peer began to read must be completed, or
  // it would take the next one's header for its rest.
  std::size_t boundary = 0;
  const Bytes all{block.octets.get(), block.used};
  while (boundary < block.sent) boundary += message_length(all.subspan(boundary));
  block.used = static_cast<std::uint32_t>(boundary);
  // All other blocks hold whole messages of which no octet was sent.
  blocks_.resize(1);
  octets_ = block.used - block.sent;
  if (octets_ == 0) blocks_.clear();
}

}  // namespace minibgp::session
