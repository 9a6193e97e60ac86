/// Carrying out edits. Every result is canonical (communities sorted and unique, adjacent AS_SEQUENCEs merged), so that
/// equal edits of equal attributes give equal attributes.
#pragma once

#include <bgp/policy.h>

namespace minibgp::policy {

/// An AS_PATH is not made longer than this by edits; the codec splits segments at 255 and UPDATEs end at 4096 octets.
inline constexpr std::size_t kEditedPathMax = 1024;

/// `edit` with its sets written out (no names left). Reads local_as of `context` only.
void carry_out(const PolicyEdit& edit, const PolicyContext& context, PathAttributes& attributes);

[[nodiscard]] constexpr bool is_private(Asn asn) {
  const auto number = static_cast<std::uint32_t>(asn);
  return (number >= 64512 && number <= 65534) || (number >= 4200000000U && number <= 4294967294U);  // RFC 6996.
}

}  // namespace minibgp::policy
