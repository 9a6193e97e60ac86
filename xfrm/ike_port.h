/// The seam to charon and to the files that hold keys: IkeKeeper's requests go out through an IkePort, and come back as
/// replies. vici/client.h and vici/key_file.h are the real ones.
#pragma once

#include <bgp/result.h>
#include <xfrm/vici/packet.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace minibgp::xfrm {

struct IkeReply {
  enum class Outcome : std::uint8_t {
    answered,         ///< Also, in charon's words and without having asked it, when the request fits no frame.
    unknown_command,  ///< This charon does not have it.
    lost,             ///< The connection ended or the answer took too long.
  };
  Outcome outcome = Outcome::answered;
  vici::Section message;
  std::vector<vici::Section> streamed;  ///< The events of a streaming command.
};

class IkePort {
 public:
  virtual ~IkePort() = default;
  /// Queued; answered in order, exactly once. `done` may make further requests,
  /// stop the port or destroy it.
  virtual void request(std::string name, vici::Section message, std::function<void(IkeReply)> done) = 0;
};

class KeySource {
 public:
  virtual ~KeySource() = default;
  /// Changes when the file does; nullopt: not readable. Cheap.
  [[nodiscard]] virtual std::optional<std::uint64_t> stamp(const std::string& path) = 0;
  /// The file's text, or a sentence that says what is wrong and what to do. The caller wipes it.
  [[nodiscard]] virtual Result<std::string, std::string> read(const std::string& path) = 0;
};

}  // namespace minibgp::xfrm
