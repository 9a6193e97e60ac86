/// Saved: what was changed by command with `--save` and outlives the daemon: runtime.yaml in `state_dir`, read after
/// all other files. The user's own files are never written. Reading and writing of its text; pure.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/config/keys.h>
#include <apps/bgplite/config/reader.h>

#include <string>

namespace bgplite {

[[nodiscard]] std::string saved_file(const std::string& state_dir);

/// Reads the root of runtime.yaml into `config`: Config::saved, and over its peers. Mistakes go to the reader.
void read_saved(Reader& reader, const YAML::Node& root, Config& config);
/// The text of runtime.yaml. read_saved() of it gives the same.
[[nodiscard]] std::string to_yaml(const Saved& saved);

/// `saved` with that peer enabled or disabled. What the file says by itself needs no entry.
[[nodiscard]] Saved with_peer(const Config& config, const std::string& key, bool enabled);

void describe_saved(std::vector<SectionDoc>& into);

}  // namespace bgplite
