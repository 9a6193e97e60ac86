/// Bundle: the octets of every file a configuration was read from: the file itself, its includes, the files that sets
/// name, and the files of TCP-MD5 keys. A rollback reads from it, so it does not depend on what the files hold by then.
///
/// Not here: pre-shared keys. They are not part of a change: charon gets them when their file changes, without an
/// apply.
#pragma once

#include <apps/bgplite/config/yaml.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace bgplite {

/// Files by path. Copies share the text.
class Bundle {
 public:
  void add(const std::string& path, std::string text);
  /// Null: it is not part of this.
  [[nodiscard]] const std::string* find(const std::string& path) const;
  [[nodiscard]] bool empty() const { return files_.empty(); }
  [[nodiscard]] const std::map<std::string, std::shared_ptr<const std::string>>& files() const { return files_; }
  /// Where `other` holds the same text, that one is kept instead of a second copy.
  void share_with(const Bundle& other);
  /// The same paths with the same octets.
  friend bool operator==(const Bundle& a, const Bundle& b);

 private:
  std::map<std::string, std::shared_ptr<const std::string>> files_;
};

/// `files`, noting in `into` what is read. `into` outlives the result.
[[nodiscard]] FileSource recording(FileSource files, Bundle& into);
/// The files as they were when `bundle` was made, which outlives the result. What commands saved is read from `host`.
[[nodiscard]] FileSource from_bundle(const Bundle& bundle, FileSource host = host_files());

/// What a state directory remembers of configurations.
struct StoredConfig {
  Bundle good;  ///< The last one that was applied for good.
  /// Applied until confirmed, or taken back: a start that finds exactly these files runs `good`. Empty: none.
  Bundle pending;
  std::int64_t confirm_by = 0;  ///< Until when `pending` can be confirmed, in seconds since 1970; 0: it was taken back.
  bool operator==(const StoredConfig&) const = default;
};

/// The text of its file. parse_stored() of it gives the same, octet for octet.
[[nodiscard]] std::string to_octets(const StoredConfig& stored);
/// Nothing: it is damaged, or was not written by to_octets().
[[nodiscard]] std::optional<StoredConfig> parse_stored(std::string_view text);

}  // namespace bgplite
