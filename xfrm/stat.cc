#include <xfrm/stat.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace minibgp::xfrm {
namespace {

struct Meaning {
  std::string_view counter;
  std::string_view text;
};

constexpr std::array kMeanings = {
    Meaning{"XfrmInNoStates", "ESP arrives for an SA this host does not have: the peer uses an old one"},
    Meaning{"XfrmInStateProtoError", "packets fail authentication or decryption: keys or algorithms differ"},
    Meaning{"XfrmInStateSeqError", "packets arrive twice or too late: replayed, or reordered beyond the replay window"},
    Meaning{"XfrmInStateExpired", "packets arrive on an SA past its lifetime"},
    Meaning{"XfrmInStateMismatch", "packets arrive on an SA whose encapsulation or selector differs"},
    Meaning{"XfrmInTmplMismatch",
            "packets arrive decrypted by another tunnel than the policy says: the peer uses its standby tunnel"},
    Meaning{"XfrmInNoPols", "decrypted packets fit no policy: their addresses are outside the traffic selectors"},
    Meaning{"XfrmInPolBlock", "a policy blocks what arrives"},
    Meaning{"XfrmOutNoStates", "packets leave without an SA: the tunnel is down"},
    Meaning{"XfrmOutPolBlock", "a policy blocks what leaves"},
    Meaning{"XfrmOutStateSeqError", "an SA ran out of sequence numbers"},
    Meaning{"XfrmFwdHdrError", "forwarded packets could not be checked against policies"},
};

}  // namespace

std::map<std::string, std::uint64_t> parse_xfrm_stat(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  std::map<std::string, std::uint64_t> counters;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    // Lines without two columns are passed over.
    const auto gap = line.find_first_of(kBlank);
    const auto digits = gap == std::string_view::npos ? gap : line.find_first_not_of(kBlank, gap);
    if (digits == std::string_view::npos) continue;
    std::uint64_t value = 0;
    const auto [stop, error] = std::from_chars(line.data() + digits, line.data() + line.size(), value);
    if (error == std::errc{} &&
        line.find_first_not_of(" \t\r", static_cast<std::size_t>(stop - line.data())) == std::string_view::npos)
      counters[std::string{line.substr(0, gap)}] = value;
  }
  return counters;
}

std::string_view xfrm_stat_meaning(std::string_view counter) {
  const auto found =
      std::find_if(kMeanings.begin(), kMeanings.end(), [&](const Meaning& it) { return it.counter == counter; });
  return found == kMeanings.end() ? std::string_view{} : found->text;
}

}  // namespace minibgp::xfrm
