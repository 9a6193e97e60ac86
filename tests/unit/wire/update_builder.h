/// UPDATE bodies for tests, put together from their three sections.
#pragma once

#include <bgp/types.h>
#include <bgp/wire/update.h>
#include <tests/support/hex.h>

#include <string>
#include <string_view>
#include <vector>

namespace minibgp::wire {

/// The sections as hex; their lengths are computed.
struct Sections {
  std::string withdrawn, attributes, nlri;
};

inline std::vector<std::uint8_t> update_body(const Sections& sections) {
  std::vector<std::uint8_t> body;
  const auto append = [&body](const std::vector<std::uint8_t>& section, bool with_length) {
    if (with_length) {
      body.push_back(static_cast<std::uint8_t>(section.size() >> 8U));
      body.push_back(static_cast<std::uint8_t>(section.size() & 0xFFU));
    }
    body.insert(body.end(), section.begin(), section.end());
  };
  append(testing::hex(sections.withdrawn), true);
  append(testing::hex(sections.attributes), true);
  append(testing::hex(sections.nlri), false);
  return body;
}

inline const std::string kOrigin = "40 01 01 00 ", kAsPath = "40 02 06 02 01 0000fde9 ",
                         kNextHop = "40 03 04 c0000201 ", kLocalPref = "40 05 04 00000064 ";
/// What every route from an external peer has.
inline const std::string kMandatory = kOrigin + kAsPath + kNextHop;

inline Update decoded(const std::vector<std::uint8_t>& body, const UpdateContext& context = {}) {
  Update update;
  decode_update(body, context, update);
  return update;
}
inline Update decoded(const Sections& sections, const UpdateContext& context = {}) {
  return decoded(update_body(sections), context);
}

}  // namespace minibgp::wire
