/// Files of routes that a user hands to `policy`: damaged, packed or nested without end, they are refused or read,
/// never the end of the program.
#include <apps/bgplite/cli/compressed_file.h>
#include <apps/bgplite/cli/rib_file.h>
#include <tests/unit/apps/policy/run_verb.h>

#include <string>
#include <vector>

#include <bzlib.h>
#include <gtest/gtest.h>
#include <zlib.h>

namespace bgplite::cli {
namespace {

using bgplite::testing::write_file;

std::string repeated(const std::string& text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

/// The error, or "" and how many routes there were.
std::pair<std::string, std::size_t> routes_of(const std::string& text) {
  std::string error;
  RibSummary summary;
  const bool read = each_route(
      {text.begin(), text.end()}, RibUse::as_received, [](const PolicyRoute&) {}, summary, error);
  return {read ? "" : error, summary.routes};
}

TEST(RibFile, ReadsListsWithinListsAndRefusesThoseWithoutEnd) {
  const std::string route = R"({"prefix": "10.0.0.0/8"})";
  EXPECT_EQ(routes_of("[[" + route + "]," + route + "]"), (std::pair{std::string{}, std::size_t{2}}));
  constexpr std::size_t kDeep = 200'000;
  EXPECT_EQ(routes_of(repeated("[", kDeep) + repeated("]", kDeep)).first, "nested too deeply");
  EXPECT_EQ(routes_of(repeated("{\"routes\":", kDeep) + "[]" + repeated("}", kDeep)).first, "nested too deeply");
  EXPECT_EQ(
      routes_of(R"([{"prefix": "10.0.0.0/8", "as_path": )" + repeated("[", kDeep) + repeated("]", kDeep) + "}]").first,
      "nested too deeply");
  EXPECT_EQ(routes_of(repeated("[", kDeep)).first, "nested too deeply") << "and no end of it";
  EXPECT_EQ(routes_of("[[").first, "not valid JSON");
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(text.size() + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string bzip2(std::string text) {
  std::string packed(text.size() + 1000, '\0');
  auto size = static_cast<unsigned>(packed.size());
  EXPECT_EQ(BZ2_bzBuffToBuffCompress(packed.data(), &size, text.data(), static_cast<unsigned>(text.size()), 9, 0, 0),
            BZ_OK);
  packed.resize(size);
  return packed;
}

/// What is in it, or "error: ...".
std::string unpacked(const std::string& packed) {
  std::string error;
  const auto octets = read_whole_file(write_file("packed", packed), error);
  return octets ? std::string{octets->begin(), octets->end()} : "error: " + error;
}

TEST(CompressedFile, ZerosBehindTheEndArePaddingAndAnythingElseIsDamage) {
  const std::string zeros(512, '\0');
  for (const auto& pack :
       {&gzip, static_cast<std::string (*)(const std::string&)>([](const std::string& text) { return bzip2(text); })}) {
    const std::string packed = pack("10.0.0.0/8\n");
    EXPECT_EQ(unpacked(packed), "10.0.0.0/8\n");
    EXPECT_EQ(unpacked(packed + packed), "10.0.0.0/8\n10.0.0.0/8\n");
    EXPECT_EQ(unpacked(packed + zeros), "10.0.0.0/8\n");
    EXPECT_EQ(unpacked(packed + packed + zeros), "10.0.0.0/8\n10.0.0.0/8\n");
    EXPECT_EQ(unpacked(packed + zeros + "x").substr(0, 27), "error: damaged or truncated");
    EXPECT_EQ(unpacked(packed + "x").substr(0, 27), "error: damaged or truncated");
    EXPECT_EQ(unpacked(packed.substr(0, packed.size() - 6) + zeros).substr(0, 6), "error:") << "cut, then padded";
  }
}

}  // namespace
}  // namespace bgplite::cli
