#include <bgp/session/send_queue.h>

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace minibgp::session {
namespace {

using Octets = std::vector<std::uint8_t>;

[[nodiscard]] Octets message(std::size_t length, std::uint8_t fill) {
  Octets octets(length, fill);
  octets[16] = static_cast<std::uint8_t>(length >> 8U);
  octets[17] = static_cast<std::uint8_t>(length & 0xFFU);
  return octets;
}

TEST(SendQueue, BytesComeOutInOrderAndDoNotMoveUntilSent) {
  for (std::uint32_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed=" << seed);
    std::mt19937 random(seed);
    SendQueue queue;
    Octets wanted, got;
    for (int round = 0; round < 300; ++round) {
      Octets several;
      for (auto count = random() % 4; count > 0; --count) {
        const Octets one =
            message(19 + random() % (random() % 20 == 0 ? 65516U : 300U), static_cast<std::uint8_t>(round));
        several.insert(several.end(), one.begin(), one.end());
      }
      const Bytes before = queue.front();
      queue.append(several);
      wanted.insert(wanted.end(), several.begin(), several.end());
      if (!before.empty()) {
        EXPECT_EQ(queue.front().data(), before.data());
      }
      const Bytes front = queue.front();
      ASSERT_EQ(front.empty(), queue.empty());
      const std::size_t part = front.empty() ? 0 : 1 + random() % front.size();
      got.insert(got.end(), front.begin(), front.begin() + static_cast<std::ptrdiff_t>(part));
      queue.sent(part);
      EXPECT_EQ(queue.octets(), wanted.size() - got.size());
    }
    while (!queue.empty()) {
      const Bytes front = queue.front();
      ASSERT_FALSE(front.empty());
      got.insert(got.end(), front.begin(), front.end());
      queue.sent(front.size());
    }
    EXPECT_EQ(got, wanted);
  }
}

TEST(SendQueue, AMessageLargerThanTheReusedBlockComesOut) {
  SendQueue queue;
  queue.append(message(19, 1));
  queue.sent(19);
  const Octets large = message(SendQueue::kSmallBlockOctets + 1, 2);
  queue.append(large);
  EXPECT_EQ(queue.front().size(), large.size());
  queue.sent(large.size());
  EXPECT_TRUE(queue.empty());
}

TEST(SendQueue, CutKeepsOnlyTheMessageThatIsHalfSent) {
  SendQueue queue;
  for (std::uint8_t i = 0; i < 200; ++i) queue.append(message(1000, i));
  queue.sent(queue.front().size());  // The first block is gone.
  const Octets half = message(1000, queue.front()[0]);
  queue.sent(1300);  // One message and 300 octets of the next.
  const auto fill = queue.front()[0];
  queue.cut();
  EXPECT_EQ(queue.octets(), 700U);
  EXPECT_EQ(queue.front().size(), 700U);
  EXPECT_EQ(queue.front()[0], fill);
  queue.append(message(21, 0xCC));
  Octets rest;
  while (!queue.empty()) {
    rest.insert(rest.end(), queue.front().begin(), queue.front().end());
    queue.sent(queue.front().size());
  }
  EXPECT_EQ(rest.size(), 721U);
  EXPECT_EQ(rest.back(), 0xCC);
}

TEST(SendQueue, CutAtAMessageBoundaryLeavesNothing) {
  SendQueue queue;
  queue.append(message(100, 1));
  queue.append(message(50, 2));
  queue.sent(100);
  queue.cut();
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.front().empty());
  queue.cut();
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace minibgp::session
