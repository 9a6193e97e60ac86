/// Documents made from the table of keys: docs/configuration.md and the man page bgplite.yaml(5). Nobody edits them; a
/// test compares what lies in the tree with what these functions give, and `bgplite document` writes them.
#pragma once

#include <string>

namespace bgplite {

[[nodiscard]] std::string configuration_markdown();
[[nodiscard]] std::string configuration_man_page();

}  // namespace bgplite
