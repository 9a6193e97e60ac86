/// KeyFiles: pre-shared keys from files or systemd credentials. A file that others can read is refused, with the chmod
/// to run.
#pragma once

#include <xfrm/ike_port.h>

#include <optional>
#include <string>

namespace minibgp::xfrm::vici {

/// A path without a leading '/' is a systemd credential (LoadCredential=NAME:...): a file in $CREDENTIALS_DIRECTORY.
class KeyFiles final : public KeySource {
 public:
  [[nodiscard]] std::optional<std::uint64_t> stamp(const std::string& path) override;
  [[nodiscard]] Result<std::string, std::string> read(const std::string& path) override;
};

}  // namespace minibgp::xfrm::vici
