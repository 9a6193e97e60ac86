/// The kernel's XFRM error counters (/proc/net/xfrm_stat) and what each of them means when it rises. Pure: the text
/// comes from the caller.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace minibgp::xfrm {

/// "XfrmInTmplMismatch    12" lines to numbers; lines of another form are skipped.
[[nodiscard]] std::map<std::string, std::uint64_t> parse_xfrm_stat(std::string_view text);

/// Why `counter` rises, for operators; empty for counters without a meaning of their own.
[[nodiscard]] std::string_view xfrm_stat_meaning(std::string_view counter);

}  // namespace minibgp::xfrm
