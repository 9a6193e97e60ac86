/// frr.conf -> our configuration. What FRR's lines mean is carried over where our language can say it; every line that
/// is not carried over is listed with its number and the reason. Pure.
#pragma once

#include <apps/bgplite/cli/import.h>

#include <string_view>

namespace bgplite::cli {

[[nodiscard]] Imported import_frr(std::string_view frr_conf);

}  // namespace bgplite::cli
