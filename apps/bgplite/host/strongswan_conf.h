/// strongswan.conf, as far as doctor asks: values by their path ("charon.retransmit_tries"), with what it includes.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bgplite::host {

using Settings = std::map<std::string, std::string>;

/// A file that an `include` leads to: its name, which its own includes are relative to, and its text.
struct IncludedFile {
  std::string path, text;
};
/// All files that `pattern` matches, in order; relative patterns are relative to the folder of `from`.
using Includer = std::function<std::vector<IncludedFile>(const std::string& pattern, const std::string& from)>;

/// Later settings replace earlier ones. What is no setting, section or include is skipped. Pure but for `include`.
[[nodiscard]] Settings parse_strongswan_conf(const IncludedFile& file, const Includer& include);

/// The file charon reads ($STRONGSWAN_CONF or /etc/strongswan.conf); empty where it is not there.
[[nodiscard]] Settings read_strongswan_conf();

}  // namespace bgplite::host
