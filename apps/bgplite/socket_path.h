/// Makes the path of a Unix socket free without ever harming anything else: only a socket that nobody listens on is
/// removed. What a configuration names by mistake (a file, a directory, another program's socket) stays, and the start
/// fails with a sentence.
#pragma once

#include <bgp/result.h>

#include <string>

namespace bgplite {

/// The error is a sentence; nothing was touched then.
[[nodiscard]] minibgp::Result<void, std::string> free_socket_path(const std::string& path);
/// Whether a start could use the path, as far as can be seen without changing anything; the error is a sentence.
[[nodiscard]] minibgp::Result<void, std::string> check_socket_path(const std::string& path);
/// Removes our socket at the end, unless something else lies there now.
void remove_socket(const std::string& path);

}  // namespace bgplite
