#include <bgp/session/framer.h>

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace minibgp::session {
namespace {

using Octets = std::vector<std::uint8_t>;

/// An UPDATE-typed message whose body holds `body_octets` octets of a running number.
void append_message(Octets& stream, std::size_t body_octets, std::uint8_t fill) {
  const std::size_t length = wire::kHeaderSize + body_octets;
  stream.insert(stream.end(), 16, 0xFF);
  stream.push_back(static_cast<std::uint8_t>(length >> 8U));
  stream.push_back(static_cast<std::uint8_t>(length & 0xFFU));
  stream.push_back(2);
  stream.insert(stream.end(), body_octets, fill);
}

struct Expected {
  std::size_t size;
  std::uint8_t fill;
};

void expect_frame(const std::optional<Result<Framer::Frame, wire::MessageError>>& frame, const Expected& wanted) {
  ASSERT_TRUE(frame.has_value());
  ASSERT_TRUE(frame->has_value());
  EXPECT_EQ((*frame)->type, wire::MessageType::update);
  EXPECT_EQ(Octets((*frame)->body.begin(), (*frame)->body.end()), Octets(wanted.size, wanted.fill));
}

TEST(Framer, WholeMessagesAreViewsIntoTheCallersBuffer) {
  Octets stream;
  append_message(stream, 30, 1);
  append_message(stream, 4077, 2);
  Framer framer;
  framer.feed(stream);
  EXPECT_TRUE(framer.has_pending());
  const auto first = framer.next(4096);
  expect_frame(first, {30, 1});
  EXPECT_EQ((*first)->body.data(), stream.data() + wire::kHeaderSize);
  const auto second = framer.next(4096);
  expect_frame(second, {4077, 2});
  EXPECT_EQ((*second)->body.data(), stream.data() + 49 + wire::kHeaderSize);
  EXPECT_FALSE(framer.has_pending());
  EXPECT_FALSE(framer.next(4096).has_value());
}

TEST(Framer, AnyCutsOfTheStreamGiveTheSameMessages) {
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed=" << seed);
    std::mt19937 random(seed);
    Octets stream;
    std::vector<Expected> wanted;
    for (int i = 0; i < 40; ++i) {
      wanted.push_back({4 + random() % (i % 7 == 0 ? 4000U : 60U), static_cast<std::uint8_t>(i)});
      append_message(stream, wanted.back().size, wanted.back().fill);
    }
    Framer framer;
    std::size_t got = 0;
    for (std::size_t at = 0; at < stream.size();) {
      Octets buffer(stream.begin() + static_cast<std::ptrdiff_t>(at),
                    stream.begin() + static_cast<std::ptrdiff_t>(std::min(stream.size(), at + 1 + random() % 700)));
      at += buffer.size();
      framer.feed(buffer);
      for (auto budget = random() % 6; budget > 0; --budget) {  // A turn need not take everything.
        const bool pending = framer.has_pending();
        const auto frame = framer.next(4096);
        ASSERT_EQ(pending, frame.has_value());
        if (!frame) break;
        expect_frame(frame, wanted[got++]);
      }
      framer.keep();
      std::fill(buffer.begin(), buffer.end(), std::uint8_t{0xEE});  // The caller reuses it.
    }
    while (got < wanted.size()) expect_frame(framer.next(4096), wanted[got++]);
    EXPECT_FALSE(framer.next(4096).has_value());
  }
}

TEST(Framer, AWrongHeaderIsRefusedBeforeTheBodyArrives) {
  Octets stream;
  append_message(stream, 30, 1);
  stream[16] = 0x20;  // 8241 octets: beyond what was agreed.
  stream.resize(wire::kHeaderSize);
  Framer framer;
  framer.feed(Bytes{stream}.first(10));
  EXPECT_FALSE(framer.next(4096).has_value());
  framer.keep();
  framer.feed(Bytes{stream}.subspan(10));
  const auto frame = framer.next(4096);
  ASSERT_TRUE(frame.has_value());
  ASSERT_FALSE(frame->has_value());
  EXPECT_EQ(frame->error().code, 1);
  EXPECT_EQ(frame->error().subcode, 2);
}

TEST(Framer, ExtendedLengthsPassWhenAgreed) {
  Octets stream;
  append_message(stream, 60000, 7);
  Framer framer;
  framer.feed(stream);
  expect_frame(framer.next(wire::kMaxExtendedMessage), {60000, 7});
}

}  // namespace
}  // namespace minibgp::session
