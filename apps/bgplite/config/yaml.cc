#include <apps/bgplite/config/check.h>
#include <apps/bgplite/config/policy_yaml.h>
#include <apps/bgplite/config/reader.h>
#include <apps/bgplite/config/saved.h>
#include <apps/bgplite/config/schema.h>
#include <apps/bgplite/config/yaml.h>
#include <apps/bgplite/config/yaml_text.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <glob.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

namespace bgplite {
namespace {

constexpr std::size_t kFileOctetsMax = 16U << 20U;
constexpr std::size_t kIncludeDepthMax = 8;
constexpr std::size_t kFilesMax = 256;

std::optional<std::string> read_file(const std::string& path, std::string& error) {
  std::ifstream in{path, std::ios::binary};
  if (!in) {
    error = std::strerror(errno);
    return std::nullopt;
  }
  std::string text;
  char block[16384];
  while (in.read(block, sizeof block) || in.gcount() > 0) {
    text.append(block, static_cast<std::size_t>(in.gcount()));
    if (text.size() > kFileOctetsMax) {
      error = "more than 16 MiB";
      return std::nullopt;
    }
  }
  if (in.bad()) {
    error = std::strerror(errno != 0 ? errno : EIO);
    return std::nullopt;
  }
  return text;
}

std::optional<std::string> read_saved_file(const std::string& path, std::string& error) {
  auto text = read_file(path, error);
  // errno is that of the open: no file is the usual case, and no mistake.
  if (!text && (errno == ENOENT || errno == ENOTDIR)) error.clear();
  return text;
}

/// The first line of a file that only its owner may use.
std::optional<std::string> read_key_file(const std::string& path, std::string& error) {
  // O_NONBLOCK: the open of a pipe without a writer would wait.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return error = "cannot read " + path + ": " + std::strerror(errno), std::nullopt;
  struct stat status {};
  // More than the 80 octets that TCP-MD5 takes (TCP_MD5SIG_MAXKEYLEN), so that a longer key is seen as such.
  char text[256] = {};
  const bool known = ::fstat(fd, &status) == 0;
  // Checked on what was opened, not on the path, which may name another file by now.
  const bool open = !known || is_open_to_others(status.st_mode);
  const ssize_t size = open ? 0 : ::read(fd, text, sizeof text);
  const int failed = size < 0 ? errno : 0;
  ::close(fd);
  if (open) return error = path + " can be read by others: chmod 600 " + path, std::nullopt;
  if (failed != 0) return error = "cannot read " + path + ": " + std::strerror(failed), std::nullopt;
  std::string key{text, static_cast<std::size_t>(size)};
  ::explicit_bzero(text, sizeof text);
  key.resize(std::min(key.find_first_of("\r\n"), key.size()));
  if (key.empty()) return error = path + " holds no key", std::nullopt;
  return key;
}

/// A file that parsed, with the reader that knows its name.
struct Document {
  std::string file;
  YAML::Node root;
};

std::string directory_of(const std::string& file) {
  const std::size_t slash = file.rfind('/');
  return slash == std::string::npos ? std::string{} : file.substr(0, slash + 1);
}

/// The files an include means. A pattern that matches nothing is fine, that is what patterns are for.
std::vector<std::string> list_files(const std::string& pattern) {
  glob_t matches{};
  std::vector<std::string> files;
  if (::glob(pattern.c_str(), 0, nullptr, &matches) == 0)
    // GLOB_NOSORT is not given: files are read in the order of their names.
    files.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  ::globfree(&matches);
  return files;
}

class Loader {
 public:
  Loader(const FileSource& files, Loaded& into) : files_(files), into_(into) {}

  /// Opens `path` and what it includes. False when one of them could not be read.
  bool open_all(const std::string& path) {
    open(path, Place{path, 0, 0}, 0);
    return all_read_;
  }

  /// Reads every key of what was opened.
  void read_all() {
    // Defaults of every file first: they apply to peers of every file.
    for (const Document& document : documents_) read_keys(document, Pass::defaults);
    for (const Document& document : documents_) read_keys(document, Pass::rest);
    for (const Document& document : documents_) draft_.config.files.push_back(document.file);
  }

  /// What was changed by command and saved comes last.
  void read_saved() {
    if (!files_.saved) return;
    const std::string path = saved_file(draft_.config.state_dir);
    std::string error;
    const std::optional<std::string> text = files_.saved(path, error);
    if (!text) {
      if (!error.empty())
        into_.diagnostics.warning({path, 0, 0}, "cannot be read: " + error, "what was saved by command is left out");
      return;
    }
    const auto root = read(path, *text);
    if (!root) {
      into_.diagnostics.error({path, 0, 0}, "what was saved by command cannot be read",
                              "only bgplite writes this file; remove it to go on without what was saved");
      return;
    }
    Reader reader{path, into_.diagnostics, places_};
    bgplite::read_saved(reader, *root, draft_.config);
    draft_.config.files.push_back(path);
  }

  [[nodiscard]] bool has(const char* key) const {
    return std::any_of(documents_.begin(), documents_.end(), [&](const Document& document) {
      return document.root.IsMap() && document.root[key].IsDefined();
    });
  }
  /// The keys under `policies`, also those whose policy cannot be read.
  [[nodiscard]] std::vector<std::string> names_of_policies() const {
    std::vector<std::string> names;
    for (const Document& document : documents_) {
      // Node{} is null. Asking a scalar for a key would throw.
      const YAML::Node policies = document.root.IsMap() ? document.root["policies"] : YAML::Node{};
      if (!policies.IsMap()) continue;
      for (const auto& one : policies)
        if (one.first.IsScalar()) names.push_back(one.first.Scalar());
    }
    return names;
  }
  /// `policies` is no mapping somewhere, so that their names are not known.
  [[nodiscard]] bool has_unnamed_policies() const {
    return std::any_of(documents_.begin(), documents_.end(), [](const Document& document) {
      const YAML::Node policies = document.root.IsMap() ? document.root["policies"] : YAML::Node{};
      return policies.IsDefined() && !policies.IsNull() && !policies.IsMap();
    });
  }
  [[nodiscard]] Place place_of_peer(const std::string& key, const std::string& option) {
    const auto path = draft_.peer_paths.find(key);
    return places_.of((path == draft_.peer_paths.end() ? std::string{"peers"} : path->second) + "." + option);
  }
  /// Every file could be read and is YAML.
  [[nodiscard]] bool all_read() const { return all_read_; }
  [[nodiscard]] Draft& draft() { return draft_; }
  [[nodiscard]] Places& places() { return places_; }
  [[nodiscard]] const std::vector<Document>& documents() const { return documents_; }
  [[nodiscard]] std::map<std::string, std::pair<std::string, YAML::Node>>& inline_policies() { return inline_; }

 private:
  enum class Pass : std::uint8_t { defaults, rest };

  void open(const std::string& path, const Place& from, std::size_t depth) {
    std::string error;
    const std::optional<std::string> text = files_.read(path, error);
    if (!text) {
      all_read_ = false;
      return into_.diagnostics.error(from, "cannot read '" + path + "': " + error);
    }
    if (documents_.size() >= kFilesMax) return into_.diagnostics.error(from, "more than 256 files");
    auto root = read(path, *text);
    if (!root) return void(all_read_ = false);
    documents_.push_back({path, std::move(*root)});
    open_includes(documents_.back(), depth);
  }

  /// Nothing: it is no YAML, or more than all files together may hold, and that was said.
  std::optional<YAML::Node> read(const std::string& path, const std::string& text) {
    YamlText read = read_yaml(text, {.values = values_left_});
    // One budget for all files, so that many small includes cost no more than one large file.
    values_left_ -= std::min(values_left_, read.values);
    if (read.mistake) {
      read.mistake->file = path;
      into_.diagnostics.add(std::move(*read.mistake));
    }
    return std::move(read.root);
  }

  /// The document by value: the list grows while its includes are opened.
  void open_includes(const Document document, std::size_t depth) {
    if (!document.root.IsMap()) return;
    Reader reader{document.file, into_.diagnostics, places_};
    const YAML::Node include = document.root["include"];
    if (!include) return;
    // Also the end of a file that includes itself under ever longer names (./a, ././a).
    if (depth >= kIncludeDepthMax) return reader.error(include, "includes are nested too deeply", "at most 8 levels");
    static const Key key{.name = "include"};
    std::vector<std::string> patterns;
    In{reader, include, key}.texts(patterns);
    for (const std::string& pattern : patterns) {
      const std::string path = pattern.front() == '/' ? pattern : directory_of(document.file) + pattern;
      const bool is_pattern = path.find_first_of("*?[") != std::string::npos;
      for (const std::string& file : is_pattern ? files_.list(path) : std::vector{path}) {
        // By name only; the limits on depth and number of files bound what this does not find.
        const bool seen = std::any_of(documents_.begin(), documents_.end(),
                                      [&](const Document& other) { return other.file == file; });
        if (seen) {
          reader.error(include, "'" + file + "' is included twice");
        } else {
          open(file, reader.place(include), depth + 1);
        }
      }
    }
  }

  void read_keys(const Document& document, Pass pass) {
    Reader reader{document.file, into_.diagnostics, places_};
    Draft& draft = draft_;
    if (pass == Pass::defaults) {
      if (!document.root.IsMap() || !document.root["defaults"]) return;
      for (const Field<Draft>& field : root_fields()) {
        if (field.key.name != std::string_view{"defaults"}) continue;
        const Reader::Step step{reader, "defaults", document.root["defaults"]};
        field.read(In{reader, document.root["defaults"], field.key}, draft);
      }
    } else {
      reader.mapping(document.root, root_fields_but_defaults(), draft);
    }
    for (const auto& [name, node] : reader.inline_policies) inline_.emplace(name, std::pair{document.file, node});
  }

  /// The same rows; `defaults` was read in the first pass.
  static const Fields<Draft>& root_fields_but_defaults() {
    // The key stays known, so that it is not reported as unknown in the second pass.
    static const Fields<Draft> fields = [] {
      Fields<Draft> copy = root_fields();
      for (Field<Draft>& field : copy)
        if (field.key.name == std::string_view{"defaults"}) field.read = [](const In&, Draft&) {};
      return copy;
    }();
    return fields;
  }

  const FileSource& files_;
  Loaded& into_;
  bool all_read_ = true;
  std::size_t values_left_ = YamlLimits{}.values;  ///< Of all files together.
  Draft draft_;
  Places places_;
  std::vector<Document> documents_;
  std::map<std::string, std::pair<std::string, YAML::Node>> inline_;
};

}  // namespace

FileSource host_files() { return {read_file, list_files, read_saved_file, read_set_file}; }

FileSource host_files_and_keys(Severity key_problem) {
  FileSource files = host_files();
  files.key = read_key_file;
  files.key_problem = key_problem;
  return files;
}

namespace {

/// Reads policies out of the documents and compiles them into `loaded`.
void add_policies(Loader& loader, const FileSource& files, Loaded& loaded) {
  std::vector<PolicyDocument> documents;
  for (const Document& document : loader.documents()) documents.push_back({document.file, document.root});
  Diagnostics found;
  loaded.policies = read_policy_sources(documents, loader.inline_policies(), found, files.set ? files.set : files.read);
  std::vector<std::string> attached;
  for (const auto& [key, peer] : loaded.config.peers)
    for (const std::string& name : {peer.import_policy, peer.export_policy})
      if (!name.empty()) attached.push_back(name);
  // Only without mistakes in reading: what is half read would give mistakes that are none.
  if (!found.has_errors()) loaded.config.policies = compile_policy_sources(loaded.policies, attached, found);
  if (found.has_errors()) {
    // What peers name exists, though it could not be read or compiled: that it does not exist is no second mistake.
    for (const auto& definition : loaded.policies.library.policies) loaded.config.policies[definition.name];
    for (const std::string& name : loader.has_unnamed_policies() ? attached : loader.names_of_policies())
      loaded.config.policies[name];
  }
  for (const Diagnostic& one : found.all()) loaded.diagnostics.add(one);
}

/// Reads the keys that peers name.
void add_keys(Loader& loader, const FileSource& files, Loaded& loaded) {
  // The files are checked elsewhere than on the host that they are for: its keys are not here.
  if (!files.key) return;
  for (auto& [key, peer] : loaded.config.peers) {
    if (peer.md5_file.empty()) continue;
    std::string why;
    const auto text = files.key(peer.md5_file, why);
    if (text) {
      peer.options.md5_key = minibgp::Secret{*text};
      continue;
    }
    const Place at = loader.place_of_peer(key, "md5_file");
    const std::string said = "peer " + key + ": " + why;
    files.key_problem == Severity::error
        ? loaded.diagnostics.error(at, said)
        : loaded.diagnostics.warning(at, said, "the peer stays disabled until it can be read and is applied");
  }
}

enum class Without : std::uint8_t { router_refuse, router_policies_only };

Loaded load(const std::string& path, const FileSource& files, Without without) {
  Loaded loaded;
  {
    Loader loader{files, loaded};
    const bool policies_only =
        // A file without a router is one of policies only, and need not be a whole configuration.
        !loader.open_all(path) || (without == Without::router_policies_only && !loader.has("router"));
    if (!policies_only) loader.read_all();
    if (!policies_only && without == Without::router_refuse) loader.read_saved();
    loaded.config = std::move(loader.draft().config);
    // Of a file that is not there or no YAML, nothing more can be said.
    if (loader.all_read()) {
      // Policies before the check, which asks whether the names of peers exist.
      add_policies(loader, files, loaded);
      if (!policies_only) add_keys(loader, files, loaded);
      if (!policies_only) check(loaded.config, loader.draft().peer_paths, loader.places(), loaded.diagnostics);
    }
    loaded.diagnostics.sort();
    loaded.places = std::make_shared<const Places>(std::move(loader.places()));
    loaded.peer_paths = std::move(loader.draft().peer_paths);
  }
  // The trees of yaml-cpp are gone, but glibc keeps their pages: some 300 KiB that an idle daemon would carry for
  // years.
  ::malloc_trim(0);
  return loaded;
}

}  // namespace

Loaded load_config(const std::string& path, const FileSource& files) {
  return load(path, files, Without::router_refuse);
}

Loaded load_policies(const std::string& path, const FileSource& files) {
  return load(path, files, Without::router_policies_only);
}

}  // namespace bgplite
