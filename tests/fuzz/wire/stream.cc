// A stream of messages: each is decoded; what is accepted is encoded and must decode to itself.
#include <bgp/decode.h>
#include <tests/fuzz/wire/options.h>

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace minibgp;
  if (size == 0) return 0;
  const DecodeOptions options = fuzz::options_from(data[0]);
  for (Bytes left{data + 1, size - 1}; !left.empty();) {
    const DecodedMessage message = decode_message(left, options);
    if (message.octets == 0) return 0;
    left = left.subspan(message.octets);
    static_cast<void>(to_text(message.verdict));
    static_cast<void>(message_name(message.value));
    if (const auto* said = std::get_if<NotificationMessage>(&message.value)) {
      static_cast<void>(to_text(*said));
      static_cast<void>(shutdown_communication(*said));
    }
    if (message.verdict != MessageVerdict::ok || !message.findings.empty()) continue;
    const auto again = encode_message(message.value, options);
    if (again && decode_message(*again, options).verdict != MessageVerdict::ok) std::abort();
    if (!again) static_cast<void>(to_text(again.error()));
  }
  return 0;
}
