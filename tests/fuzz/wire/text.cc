// Every parser of bgp/text.h. What is accepted prints to text that is the same value.
#include <bgp/text.h>

#include <cstdlib>

namespace {

template <typename Parse>
void check(std::string_view text, Parse parse) {
  const auto value = parse(text);
  if (value && parse(minibgp::to_text(*value)) != value) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace minibgp;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  check(text, parse_address);
  check(text, [](std::string_view t) { return parse_prefix(t, HostBits::mask); });
  check(text, parse_asn);
  check(text, parse_router_id);
  check(text, parse_community);
  check(text, parse_extended_community);
  check(text, parse_large_community);
  check(text, parse_as_path);
  return 0;
}
