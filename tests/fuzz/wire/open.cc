// The body of an OPEN. One that is accepted must survive encoding.
#include <bgp/wire/message.h>
#include <bgp/wire/open.h>

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace minibgp;
  const auto open = wire::decode_open({data, size});
  if (!open || open->capabilities.role_conflict) return 0;
  std::vector<std::uint8_t> message;
  wire::encode_open(*open, message);
  const auto again = wire::decode_open(Bytes{message}.subspan(wire::kHeaderSize));
  if (!again || !(*again == *open)) std::abort();
  return 0;
}
