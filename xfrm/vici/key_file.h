/// KeyFiles: pre-shared keys from files or systemd credentials. A file that others can read is refused, with the chmod
/// to run.
#pragma once

#include <xfrm/ike_port.h>

#include <cstdint>
#include <optional>
#include <string>

namespace minibgp::xfrm::vici {

/// Of a file that holds a key.
struct KeyFileRights {
  std::uint32_t mode = 0;  ///< As stat(2) gives it.
  std::uint32_t group = 0;
};
/// Whether KeyFiles of a process with `own_group` refuses it. Others must neither read nor write it; the group may read
/// it where it is ours or root's (a package's root:bgplite 0640).
[[nodiscard]] bool is_open_to_others(KeyFileRights rights, std::uint32_t own_group);

/// A path without a leading '/' is a systemd credential (LoadCredential=NAME:...): a file in $CREDENTIALS_DIRECTORY.
class KeyFiles final : public KeySource {
 public:
  [[nodiscard]] std::optional<std::uint64_t> stamp(const std::string& path) override;
  [[nodiscard]] Result<std::string, std::string> read(const std::string& path) override;
};

}  // namespace minibgp::xfrm::vici
