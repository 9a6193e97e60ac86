// NOTIFICATION and ROUTE-REFRESH bodies, and every text that is made of them.
#include <bgp/wire/notification.h>
#include <bgp/wire/refresh.h>

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace minibgp;
  const wire::MessageError error = wire::decode_notification({data, size});
  static_cast<void>(wire::to_text(error));
  for (const char c : wire::shutdown_text(error))
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) std::abort();
  static_cast<void>(wire::decode_refresh({data, size}));
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  if (wire::cease(2, text).data.size() > 256) std::abort();
  return 0;
}
