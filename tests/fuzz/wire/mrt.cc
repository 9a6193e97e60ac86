// An MRT file, and the messages in it.
#include <bgp/decode.h>
#include <bgp/mrt.h>

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace minibgp;
  MrtReader reader{{data, size}};
  for (MrtRecord record; reader.next(record);) {
    if (record.offset >= size) std::abort();
    if (record.kind == MrtRecord::Kind::message) static_cast<void>(decode_message(record.message));
  }
  return 0;
}
