/// The version of minibgp and bgplite, semantic versioning. A test compares it with CMakeLists.txt.
#pragma once

namespace minibgp {

inline constexpr int kVersionMajor = 0;
inline constexpr int kVersionMinor = 1;
inline constexpr int kVersionPatch = 0;
inline constexpr const char* kVersionText = "0.1.0";

}  // namespace minibgp
