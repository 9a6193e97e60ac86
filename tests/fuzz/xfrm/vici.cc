// A stream from charon's socket: frames, packets, and what is read out of messages. A packet that is read must survive
// encoding.
#include <xfrm/vici/packet.h>
#include <xfrm/vici/sa_view.h>
#include <xfrm/vici/symptoms.h>

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace minibgp::xfrm::vici;
  Framer framer;
  framer.feed({data, size});
  for (auto frame = framer.next(); frame && *frame; frame = framer.next()) {
    const auto packet = decode_packet(**frame);
    if (!packet) continue;
    (void)read_ikes(packet->message);
    (void)read_child_rekeys(packet->message);
    (void)read_ike_rekeys(packet->message);
    (void)read_log_event(packet->message);
    (void)read_alert_event(packet->message);
    const auto again = encode_packet(*packet);
    if (!again) std::abort();
    const auto back = decode_packet(minibgp::Bytes{*again}.subspan(4));
    if (!back || !(*back == *packet)) std::abort();
  }
  return 0;
}
