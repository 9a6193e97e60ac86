/// The version of minibgp and bgplite, semantic versioning. A test compares it with CMakeLists.txt.
#pragma once

namespace minibgp {

inline constexpr int kVersionMajor = 0;               ///< Raised when the API breaks, from 1 on.
inline constexpr int kVersionMinor = 1;               ///< Raised when the API grows; before 1.0 also when it breaks.
inline constexpr int kVersionPatch = 0;               ///< Raised when nothing is added.
inline constexpr const char* kVersionText = "0.1.0";  ///< For people.

}  // namespace minibgp
