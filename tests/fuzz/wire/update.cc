// The body of an UPDATE in each negotiated context, into a value that is reused as the speaker reuses it.
#include <bgp/wire/update.h>
#include <tests/fuzz/wire/options.h>

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace minibgp;
  if (size == 0) return 0;
  const DecodeOptions options = fuzz::options_from(data[0]);
  wire::UpdateContext context;
  context.four_octet_as = options.four_octet_as;
  context.families = options.families;
  context.add_path_receive = options.add_path;
  context.ipv4_over_ipv6_next_hop = options.ipv4_over_ipv6_next_hop;
  context.peer_type = options.peer_type;
  context.accept_as_set = options.accept_as_set;
  static wire::Update update;
  wire::decode_update({data + 1, size - 1}, context, update);
  for (const wire::AttrError& error : update.errors)
    if (error.offset >= size) std::abort();
  const bool reset = update.severity == wire::Severity::session_reset;
  if (reset != (update.notification.code != 0)) std::abort();
  if (update.severity >= wire::Severity::treat_as_withdraw) return 0;

  // What was accepted can be passed on.
  wire::EncodedAttributes encoded;
  wire::encode_attributes(update.attributes, Family::ipv4, context, encoded);
  return 0;
}
