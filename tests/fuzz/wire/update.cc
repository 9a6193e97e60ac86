// The body of an UPDATE in each negotiated context, into a value that is reused as the speaker reuses it. What is
// accepted is passed on, and must be read as it was meant.
#include <bgp/wire/message.h>
#include <bgp/wire/update.h>
#include <tests/fuzz/wire/options.h>

#include <algorithm>
#include <cstdlib>

namespace {

using namespace minibgp;

void require(bool condition) {
  if (!condition) std::abort();
}

/// Announces and withdraws the prefixes of one list, as many messages as it takes.
void pass_on(PathAttributes attributes, const NextHop& next_hop, std::span<const wire::Nlri> list,
             wire::UpdateContext context) {
  if (list.empty()) return;
  const Family family = list.front().prefix.family;
  std::vector<Prefix> prefixes;
  for (const wire::Nlri& nlri : list) prefixes.push_back(nlri.prefix);
  attributes.next_hop = next_hop;
  context.add_path_receive = {};
  context.families = {true, true};
  context.ipv4_over_ipv6_next_hop = true;
  wire::EncodedAttributes encoded;
  wire::encode_attributes(attributes, family, context, encoded);
  for (std::span<const Prefix> rest{prefixes}; !rest.empty();) {
    std::vector<std::uint8_t> message;
    const wire::AnnounceResult done = wire::encode_announce(encoded, next_hop, family, rest, context, message);
    if (done.taken == 0) break;
    require(message.size() <= context.max_message);
    wire::Update again;
    wire::decode_update(Bytes{message}.subspan(wire::kHeaderSize), context, again);
    require(again.severity < wire::Severity::treat_as_withdraw);
    require(again.announced.size() + again.mp_announced.size() == done.taken);
    rest = rest.subspan(done.taken);
  }
  for (std::span<const Prefix> rest{prefixes}; !rest.empty();) {
    std::vector<std::uint8_t> message;
    const std::size_t taken = wire::encode_withdraw(family, rest, context, message);
    require(taken > 0 && message.size() <= context.max_message);
    rest = rest.subspan(taken);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
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

  pass_on(update.attributes, update.attributes.next_hop, update.announced, context);
  pass_on(update.attributes, update.mp_next_hop, update.mp_announced, context);
  std::vector<std::uint8_t> end;
  wire::encode_end_of_rib(Family::ipv6, end);
  wire::decode_update(Bytes{end}.subspan(wire::kHeaderSize), {}, update);
  require(update.end_of_rib == Family::ipv6);
  return 0;
}
