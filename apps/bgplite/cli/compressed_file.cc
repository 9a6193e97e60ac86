#include <apps/bgplite/cli/compressed_file.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <bzlib.h>
#include <zlib.h>

namespace bgplite::cli {
namespace {

constexpr std::size_t kOctetsMax = 8UL << 30U;
constexpr std::size_t kBlock = 1UL << 20U;
using Octets = std::vector<std::uint8_t>;

std::optional<Octets> read_raw(const std::string& path, std::string& error) {
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> owned;
  std::FILE* file = stdin;
  if (path != "-") {
    owned.reset(std::fopen(path.c_str(), "rb"));
    file = owned.get();
  }
  if (file == nullptr) {
    error = std::strerror(errno);
    return std::nullopt;
  }
  Octets octets;
  // A pipe cannot seek; the vector then grows by itself.
  if (std::fseek(file, 0, SEEK_END) == 0) {
    const long size = std::ftell(file);
    std::rewind(file);
    // One octet more, so that the end is seen without growing the vector.
    if (size > 0) octets.reserve(static_cast<std::size_t>(size) + 1);
  }
  for (std::size_t used = 0;;) {
    // The whole rest of what was reserved at once, or a block.
    const std::size_t room = std::max(kBlock, octets.capacity() - used);
    octets.resize(used + room);
    const std::size_t got = std::fread(octets.data() + used, 1, room, file);
    used += got;
    octets.resize(used);
    // Less than was asked for: the end, or an error that ferror() tells.
    if (got < room) break;
    if (used > kOctetsMax) {
      error = "more than 8 GiB";
      return std::nullopt;
    }
  }
  if (std::ferror(file) != 0) {
    error = std::strerror(errno);
    return std::nullopt;
  }
  return octets;
}

/// Zeros behind the end are padding, to the size of a tape's block for instance; gzip passes over them, too.
bool only_padding(const Octets& packed, std::size_t from) {
  return std::all_of(packed.begin() + static_cast<std::ptrdiff_t>(from), packed.end(),
                     [](std::uint8_t octet) { return octet == 0; });
}

/// One member after the other: gzip files may be several, put together.
std::optional<Octets> gunzip(const Octets& packed, std::string& error) {
  z_stream stream{};
  constexpr int kGzip = 16;
  if (inflateInit2(&stream, MAX_WBITS + kGzip) != Z_OK) {
    error = "zlib cannot start";
    return std::nullopt;
  }
  Octets out;
  std::size_t taken = 0;
  std::size_t used = 0;
  int status = Z_OK;
  // The condition asks for both: a file may have several members, and one that ends early is damaged.
  while (taken < packed.size() || status != Z_STREAM_END) {
    if (status == Z_STREAM_END && only_padding(packed, taken)) break;
    if (status == Z_STREAM_END) inflateReset(&stream);
    // avail_in has 32 bits.
    const std::size_t part = std::min<std::size_t>(packed.size() - taken, 1UL << 30U);
    // zlib's interface wants a pointer to non-const; it does not write through it.
    stream.next_in = const_cast<Bytef*>(packed.data() + taken);
    stream.avail_in = static_cast<uInt>(part);
    // Doubled: each octet is copied a constant number of times on average.
    if (used == out.size()) out.resize(std::max(kBlock * 4, out.size() * 2));
    const std::size_t room = std::min<std::size_t>(out.size() - used, 1UL << 30U);
    stream.next_out = out.data() + used;
    stream.avail_out = static_cast<uInt>(room);
    status = inflate(&stream, Z_NO_FLUSH);
    const std::size_t produced = room - stream.avail_out;
    const std::size_t consumed = part - stream.avail_in;
    taken += consumed;
    used += produced;
    // Neither read nor written: the file ends in the middle of a member.
    const bool stuck = produced == 0 && consumed == 0 && status != Z_STREAM_END;
    if ((status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) || stuck || used > kOctetsMax) {
      error = used > kOctetsMax ? "more than 8 GiB uncompressed" : "damaged or truncated gzip file";
      inflateEnd(&stream);
      return std::nullopt;
    }
  }
  inflateEnd(&stream);
  out.resize(used);
  return out;
}

std::optional<Octets> bunzip(const Octets& packed, std::string& error) {
  Octets out;
  std::size_t taken = 0;
  std::size_t used = 0;
  // One stream after the other, too: bzip2 in parallel writes many.
  while (!only_padding(packed, taken)) {
    bz_stream stream{};
    if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK) {
      error = "bzip2 cannot start";
      return std::nullopt;
    }
    int status = BZ_OK;
    while (status == BZ_OK) {
      const std::size_t part = std::min<std::size_t>(packed.size() - taken, 1UL << 30U);
      stream.next_in = const_cast<char*>(reinterpret_cast<const char*>(packed.data() + taken));
      stream.avail_in = static_cast<unsigned>(part);
      if (used == out.size()) out.resize(std::max(kBlock * 4, out.size() * 2));
      const std::size_t room = std::min<std::size_t>(out.size() - used, 1UL << 30U);
      stream.next_out = reinterpret_cast<char*>(out.data() + used);
      stream.avail_out = static_cast<unsigned>(room);
      status = BZ2_bzDecompress(&stream);
      const std::size_t produced = room - stream.avail_out;
      const std::size_t consumed = part - stream.avail_in;
      taken += consumed;
      used += produced;
      // The library waits for more input, and there is none.
      if (status == BZ_OK && produced == 0 && consumed == 0) status = BZ_UNEXPECTED_EOF;
      if (used > kOctetsMax) status = BZ_DATA_ERROR;
    }
    BZ2_bzDecompressEnd(&stream);
    if (status != BZ_STREAM_END) {
      error = "damaged or truncated bzip2 file";
      return std::nullopt;
    }
  }
  out.resize(used);
  return out;
}

}  // namespace

std::optional<Octets> read_whole_file(const std::string& path, std::string& error) {
  auto octets = read_raw(path, error);
  if (!octets) return std::nullopt;
  // By the first octets, not by the name.
  if (octets->size() > 2 && (*octets)[0] == 0x1F && (*octets)[1] == 0x8B) return gunzip(*octets, error);
  if (octets->size() > 3 && std::memcmp(octets->data(), "BZh", 3) == 0) return bunzip(*octets, error);
  return octets;
}

}  // namespace bgplite::cli
