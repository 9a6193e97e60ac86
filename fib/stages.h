/// Stages: what of a Forwarder's settling is due. The stages run in their order. What one finds out makes later ones
/// due, never an earlier one: so each runs once, and settling ends.
#pragma once

#include <cstdint>

namespace minibgp::fib {

enum class Stage : std::uint8_t {
  refusals,   ///< Next hops that the kernel refused, or may take again.
  next_hops,  ///< Each next hop is resolved again; the dead ones leave their groups.
  objects,    ///< Groups that lost members or went.
  guard,      ///< The kernel's other routes, addresses or peers changed.
  sets,       ///< What each set of next hops is in the kernel.
  parked,     ///< Operations that waited for something outside to change.
};
inline constexpr Stage kStages[] = {Stage::refusals, Stage::next_hops, Stage::objects,
                                    Stage::guard,    Stage::sets,      Stage::parked};

class Stages {
 public:
  void mark(Stage stage, bool due = true) {
    if (due) due_ |= bit(stage);
  }
  void clear(Stage stage) { due_ &= ~bit(stage); }
  [[nodiscard]] bool due(Stage stage) const { return (due_ & bit(stage)) != 0; }

 private:
  static constexpr unsigned bit(Stage stage) { return 1U << static_cast<unsigned>(stage); }
  unsigned due_ = 0;
};

}  // namespace minibgp::fib
