/// What the policy verbs say of one judgement: which term decided and where it stands, and every term that was looked
/// at.
#pragma once

#include <apps/bgplite/cli/policy_bench.h>

#include <string>

namespace bgplite::cli {

/// "gw.yaml:10:7".
[[nodiscard]] std::string place_text(const Place& place);

/// The term that decides at a seat, with its policy: "in / vpc (gw.yaml:10:7)". Of the end of a policy, the policy's
/// own place; of a built-in policy, its name.
[[nodiscard]] std::string deciding_text(const PolicyBench& bench, const Seat& seat, const minibgp::DecidingTerm& term);
[[nodiscard]] std::string deciding_text(const PolicyBench& bench, const Seat& seat, const minibgp::PolicyTrace& trace);
/// Its place; line 0: a built-in policy.
[[nodiscard]] Place deciding_place(const PolicyBench& bench, const minibgp::DecidingTerm& term);

/// Every term that was looked at, and why it matched or did not, one a line.
[[nodiscard]] std::string terms_text(const minibgp::PolicyTrace& trace);

}  // namespace bgplite::cli
