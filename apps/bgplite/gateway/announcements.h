/// Announcements: what is announced of our own networks, and what of it the speaker does not know yet. A change marks
/// its prefix; next() gives the latest value of one marked prefix. So a configuration with very many networks reaches
/// the speaker in several turns of the loop, and a network that changes twice meanwhile is announced once. Pure.
///
///   own          networks of the configuration whose condition holds, and those of `bgplite announce`
///   by command   of these, what `bgplite announce` asked for
///   parts        halves of `own`, announced to some peers after the loss of a tunnel (return_path.h)
#pragma once

#include <apps/bgplite/gateway/return_path.h>
#include <bgp/path.h>
#include <bgp/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace bgplite {

class Announcements {
 public:
  using Set = std::map<minibgp::Prefix, minibgp::PathAttributes>;

  void announce(const minibgp::Prefix& prefix, const minibgp::PathAttributes& attributes);
  void withdraw(const minibgp::Prefix& prefix);
  void announce_by_command(const minibgp::Prefix& prefix, const minibgp::PathAttributes& attributes);
  /// False: it was not announced by command, and nothing was changed.
  [[nodiscard]] bool withdraw_by_command(const minibgp::Prefix& prefix);
  /// Replaces them. The answer is whether there are more or fewer than before.
  bool set_parts(const ReturnPath::Parts& parts);

  struct Change {
    minibgp::Prefix prefix;
    std::optional<minibgp::PathAttributes> attributes;  ///< Nothing: withdrawn.
  };
  /// One of the changes that wait, which waits no more then.
  [[nodiscard]] std::optional<Change> next();
  [[nodiscard]] bool settled() const { return waiting_.empty(); }

  [[nodiscard]] const Set& own() const { return own_; }
  [[nodiscard]] const Set& by_command() const { return by_command_; }
  [[nodiscard]] const Set& parts() const { return parts_; }
  [[nodiscard]] std::vector<minibgp::Prefix> own_prefixes() const;
  /// Parts for peers of this audience (LocalAttributes::audience).
  [[nodiscard]] std::size_t parts_for(std::uint64_t audience) const;
  /// Prefixes that the peer has from us when parts do not count; `announced` counts them.
  [[nodiscard]] std::size_t without_parts(const std::string& peer, std::uint64_t audience, std::size_t announced);

 private:
  Set own_, by_command_, parts_;
  std::set<minibgp::Prefix> waiting_;                ///< The speaker has another value, or none.
  std::map<std::string, std::size_t> before_parts_;  ///< Prefixes a peer had before there were parts.
};

}  // namespace bgplite
