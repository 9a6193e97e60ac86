#include <tests/sim/gateway/script.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include <testing/random.h>

namespace bgplite::sim {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Act::kCount)> kWords = {
    "peer-announce", "peer-withdraw", "peer-stop",   "peer-kill",   "peer-crash", "peer-start",  "peer-refresh",
    "peer-slow",     "peer-large",    "path-cut",    "path-heal",   "tcp-reset",  "intruder",    "sa-lost",
    "sa-rekey",      "ike-forgot",    "ike-repeats", "uplink-down", "uplink-up",  "charon-kill", "charon-start",
    "link-down",     "link-up",       "vandal",      "object-gone", "opponent",   "foreign",     "refuse",
    "overrun",       "kernel-calm",   "kill",        "stop",        "start",      "write-files", "apply",
    "apply-confirm", "reload",        "confirm",     "rollback",    "drain",      "undo-drain",  "disable",
    "enable",        "reset",         "refresh",     "announce",    "withdraw",   "drill",       "stop-drill",
    "terminate",     "disk-full",     "disk-free"};

/// Variants of the configuration that change what stale routes are kept by: no graceful restart, other local
/// preferences, a lower import limit.
constexpr std::array<std::uint32_t, 3> kForStale = {12, 14, 17};

}  // namespace

std::string_view to_text(Act act) { return kWords.at(static_cast<std::size_t>(act)); }

Script draw(std::uint64_t seed) {
  minibgp::testing::Random random{minibgp::testing::Seed{seed}};
  Script script{seed, {}};
  // Few, so that what one began goes on to the end; or many.
  const std::size_t count = random.one_in(3) ? 1 + random.below(4) : 4 + random.below(14);
  for (std::size_t i = 0; i < count; ++i) {
    Step step;
    // Close together, so that steps meet what earlier ones began; at times long enough for every timer.
    const std::size_t pace = random.below(8);
    step.after_ms = static_cast<std::uint32_t>(pace < 3   ? random.below(400)
                                               : pace < 7 ? random.below(8'000)
                                                          : random.below(150'000));
    step.act = static_cast<Act>(random.below(static_cast<std::size_t>(Act::kCount)));
    if (random.one_in(10)) step.act = Act::write_files;  // There are many variants.
    step.a = static_cast<std::uint32_t>(random.below(4));
    step.b = static_cast<std::uint32_t>(random.below(20));
    script.steps.push_back(step);
    // What waits for a counterpart gets it often.
    if (step.act == Act::write_files && !random.one_in(4))
      script.steps.push_back({200,
                              random.one_in(3)   ? Act::apply_confirm
                              : random.one_in(3) ? Act::reload
                                                 : Act::apply,
                              0, step.b});
    // At times the next run finds another configuration.
    const bool ends = step.act == Act::kill || step.act == Act::stop;
    if (ends && random.one_in(3))
      script.steps.push_back({200, Act::write_files, 0, static_cast<std::uint32_t>(random.below(20))});
    if (ends && !random.one_in(3))
      script.steps.push_back({static_cast<std::uint32_t>(random.below(3'000)), Act::start, 0, 0});
    if (step.act == Act::charon_kill && !random.one_in(3))
      script.steps.push_back({static_cast<std::uint32_t>(random.below(6'000)), Act::charon_start, 0, 0});
    // While a peer is away and its routes are kept, what they are kept by changes.
    if ((step.act == Act::peer_kill || step.act == Act::path_cut) && random.one_in(3)) {
      if (step.act == Act::path_cut) script.steps.push_back({200, Act::tcp_reset, step.a, 0});
      const auto pause = static_cast<std::uint32_t>(random.below(3'000));
      if (random.one_in(3)) {
        script.steps.push_back({pause, Act::drain, step.a, 1 + static_cast<std::uint32_t>(random.below(19))});
      } else {
        const std::uint32_t variant = random.one_in(2) ? kForStale.at(random.below(kForStale.size()))
                                                       : static_cast<std::uint32_t>(random.below(20));
        script.steps.push_back({pause, Act::write_files, 0, variant});
        script.steps.push_back({200, Act::apply, 0, variant});
      }
    }
    // While our dials to its dead host hang, another program there connects and closes.
    if (step.act == Act::peer_crash && random.one_in(4))
      script.steps.push_back({static_cast<std::uint32_t>(random.below(60'000)), Act::intruder, step.a,
                              10 + 2 * static_cast<std::uint32_t>(random.below(5))});
    if ((step.act == Act::peer_kill || step.act == Act::peer_crash) && random.one_in(2)) {
      // It may have other routes when it is back, and it may not last.
      for (std::size_t other = random.below(4); other != 0; --other)
        script.steps.push_back({0, Act::peer_announce, step.a, static_cast<std::uint32_t>(random.below(18))});
      script.steps.push_back({static_cast<std::uint32_t>(random.below(9'000)), Act::peer_start, step.a, 0});
      if (random.one_in(3)) {
        script.steps.push_back({static_cast<std::uint32_t>(random.below(5'000)), Act::peer_crash, step.a, 0});
        script.steps.push_back({static_cast<std::uint32_t>(random.below(2'000)), Act::peer_start, step.a, 0});
      }
    }
  }
  return script;
}

std::string to_text(const Script& script) {
  std::ostringstream out;
  out << "seed " << script.seed << "\n";
  for (const Step& step : script.steps)
    out << "+" << step.after_ms << " " << to_text(step.act) << " " << step.a << " " << step.b << "\n";
  return out.str();
}

std::optional<Script> parse(std::string_view text) {
  std::istringstream in{std::string{text}};
  std::string word;
  Script script;
  if (!(in >> word >> script.seed) || word != "seed") return std::nullopt;
  char plus = 0;
  for (Step step; in >> plus >> step.after_ms >> word >> step.a >> step.b; script.steps.push_back(step)) {
    const auto* const found = std::find(kWords.begin(), kWords.end(), word);
    if (plus != '+' || found == kWords.end()) return std::nullopt;
    step.act = static_cast<Act>(found - kWords.begin());
  }
  return script;
}

Script shrink(Script script, const std::function<bool(const Script&)>& fails, int runs) {
  // Ever smaller pieces are left out; the time that passed before them passes before what follows.
  for (std::size_t size = std::max<std::size_t>(1, script.steps.size() / 2); runs > 0;) {
    bool shorter = false;
    for (std::size_t at = 0; at < script.steps.size() && runs > 0;) {
      Script tried = script;
      const auto begin = tried.steps.begin() + static_cast<std::ptrdiff_t>(at);
      const auto end = begin + static_cast<std::ptrdiff_t>(std::min(size, tried.steps.size() - at));
      std::uint32_t pause = 0;
      for (auto step = begin; step != end; ++step) pause += step->after_ms;
      const auto next = tried.steps.erase(begin, end);
      if (next != tried.steps.end()) next->after_ms += pause;
      --runs;
      if (fails(tried)) {
        script = std::move(tried);
        shorter = true;
      } else {
        at += size;
      }
    }
    if (size == 1 && !shorter) break;
    size = std::max<std::size_t>(1, size / 2);
  }
  // Then rounder times.
  for (Step& step : script.steps) {
    for (const std::uint32_t rounder : {0U, 1000U, step.after_ms / 1000 * 1000}) {
      if (runs-- <= 0 || step.after_ms <= rounder) continue;
      const std::uint32_t before = std::exchange(step.after_ms, rounder);
      if (fails(script)) break;
      step.after_ms = before;
    }
  }
  return script;
}

}  // namespace bgplite::sim
