#include <bgp/base/reader.h>
#include <bgp/base/writer.h>

#include <gtest/gtest.h>

namespace minibgp::base {
namespace {

TEST(Reader, ReadsBigEndianFieldsInOrder) {
  const std::vector<std::uint8_t> octets{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  Reader reader{octets};
  EXPECT_EQ(reader.u8(), 0x01U);
  EXPECT_EQ(reader.u16(), 0x0203U);
  EXPECT_EQ(reader.u32(), 0x04050607U);
  EXPECT_EQ(reader.offset(), 7U);
  EXPECT_EQ(reader.u64(), 0x08090A0B0C0D0E0FU);
  EXPECT_EQ(reader.take_rest().size(), 1U);
  EXPECT_TRUE(reader.empty());
  EXPECT_FALSE(reader.failed());
}

TEST(Reader, PastTheEndGivesZeroAndStaysFailed) {
  const std::vector<std::uint8_t> octets{0xFF, 0xFF, 0xFF};
  Reader reader{octets};
  EXPECT_EQ(reader.u32(), 0U);
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.u8(), 0U) << "what is left after a failure is not read";
  EXPECT_TRUE(reader.take(1).empty());
  EXPECT_TRUE(reader.take(0).empty());
  EXPECT_TRUE(reader.failed());
}

TEST(Writer, AppendsAndPatchesLengths) {
  std::vector<std::uint8_t> octets{0xAA};
  Writer writer{octets};
  const std::size_t length = writer.size();
  writer.u16(0);
  writer.u8(1);
  writer.u32(0x02030405);
  writer.patch_u16(length, octets.size() - length - 2);
  EXPECT_EQ(octets, (std::vector<std::uint8_t>{0xAA, 0, 5, 1, 2, 3, 4, 5}));
}

}  // namespace
}  // namespace minibgp::base
