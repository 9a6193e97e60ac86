// A datagram of the kernel on the XFRM or route socket: every message in it is read within its bounds.
#include <xfrm/netlink/event_codec.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace minibgp;
  netlink::MessageReader reader({data, size});
  while (const auto message = reader.next()) {
    if (netlink::parse_answer(*message)) continue;
    (void)xfrm::decode_xfrm(*message);
    (void)xfrm::decode_link(*message);
  }
  return 0;
}
