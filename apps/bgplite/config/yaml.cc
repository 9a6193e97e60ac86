#include <apps/bgplite/config/check.h>
#include <apps/bgplite/config/policy_yaml.h>
#include <apps/bgplite/config/reader.h>
#include <apps/bgplite/config/saved.h>
#include <apps/bgplite/config/schema.h>
#include <apps/bgplite/config/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include <glob.h>
#include <malloc.h>
#include <yaml-cpp/eventhandler.h>
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
  if (!text && (errno == ENOENT || errno == ENOTDIR)) error.clear();
  return text;
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
    files.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  ::globfree(&matches);
  return files;
}

/// Where documents begin. Not YAML::LoadAll(): it makes documents without end of a text such as ",".
class Begins final : public YAML::EventHandler {
 public:
  std::optional<YAML::Mark> of_second_document(const std::string& text) {
    std::istringstream in{text};
    YAML::Parser parser{in};
    if (!parser.HandleNextDocument(*this)) return std::nullopt;
    first_.reset();
    return parser.HandleNextDocument(*this) ? first_ : std::nullopt;
  }

 private:
  void at(const YAML::Mark& mark) {
    if (!first_) first_ = mark;
  }
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { at(mark); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { at(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t, const std::string&) override { at(mark); }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    at(mark);
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    at(mark);
  }
  void OnMapEnd() override {}

  std::optional<YAML::Mark> first_;
};

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
    try {
      Reader reader{path, into_.diagnostics, places_};
      bgplite::read_saved(reader, YAML::Load(*text), draft_.config);
      draft_.config.files.push_back(path);
    } catch (const YAML::Exception& exception) {
      into_.diagnostics.error({path, 0, 0}, "not valid YAML: " + exception.msg,
                              "nobody but bgplite writes it; remove it to go on without what was saved");
    }
  }

  [[nodiscard]] bool has(const char* key) const {
    return std::any_of(documents_.begin(), documents_.end(), [&](const Document& document) {
      return document.root.IsMap() && document.root[key].IsDefined();
    });
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
    try {
      YAML::Node root = YAML::Load(*text);
      if (const auto mark = Begins{}.of_second_document(*text))
        into_.diagnostics.error({path, static_cast<unsigned>(mark->line + 1), static_cast<unsigned>(mark->column + 1)},
                                "a second document after '---' (write it into a file of its own and include that)");
      documents_.push_back({path, std::move(root)});
    } catch (const YAML::Exception& exception) {
      const YAML::Mark& mark = exception.mark;
      all_read_ = false;
      const bool placed = !mark.is_null();
      into_.diagnostics.error({path, placed ? static_cast<unsigned>(mark.line + 1) : 0,
                               placed ? static_cast<unsigned>(mark.column + 1) : 0},
                              "not valid YAML: " + exception.msg);
      return;
    }
    open_includes(documents_.back(), depth);
  }

  void open_includes(const Document document, std::size_t depth) {
    if (!document.root.IsMap()) return;
    Reader reader{document.file, into_.diagnostics, places_};
    const YAML::Node include = document.root["include"];
    if (!include) return;
    if (depth >= kIncludeDepthMax) return reader.error(include, "includes are nested too deeply", "at most 8 levels");
    static const Key key{.name = "include"};
    std::vector<std::string> patterns;
    In{reader, include, key}.texts(patterns);
    for (const std::string& pattern : patterns) {
      const std::string path = pattern.front() == '/' ? pattern : directory_of(document.file) + pattern;
      const bool is_pattern = path.find_first_of("*?[") != std::string::npos;
      for (const std::string& file : is_pattern ? files_.list(path) : std::vector{path}) {
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
  Draft draft_;
  Places places_;
  std::vector<Document> documents_;
  std::map<std::string, std::pair<std::string, YAML::Node>> inline_;
};

}  // namespace

FileSource host_files() { return {read_file, list_files, read_saved_file}; }

namespace {

/// Reads policies out of the documents and compiles them into `loaded`.
void add_policies(Loader& loader, Loaded& loaded) {
  std::vector<PolicyDocument> documents;
  for (const Document& document : loader.documents()) documents.push_back({document.file, document.root});
  Diagnostics found;
  loaded.policies = read_policy_sources(documents, loader.inline_policies(), found);
  std::vector<std::string> attached;
  for (const auto& [key, peer] : loaded.config.peers)
    for (const std::string& name : {peer.import_policy, peer.export_policy})
      if (!name.empty()) attached.push_back(name);
  if (!found.has_errors()) {
    loaded.config.policies = compile_policy_sources(loaded.policies, attached, found);
  } else {
    // What peers name exists, though it could not be read: that it does not is no news then.
    for (const auto& definition : loaded.policies.library.policies) loaded.config.policies[definition.name];
  }
  for (const Diagnostic& one : found.all()) loaded.diagnostics.add(one);
}

enum class Without : std::uint8_t { router_refuse, router_policies_only };

Loaded load(const std::string& path, const FileSource& files, Without without) {
  Loaded loaded;
  {
    Loader loader{files, loaded};
    const bool policies_only =
        !loader.open_all(path) || (without == Without::router_policies_only && !loader.has("router"));
    if (!policies_only) loader.read_all();
    if (!policies_only && without == Without::router_refuse) loader.read_saved();
    loaded.config = std::move(loader.draft().config);
    // Of a file that is not there or no YAML, nothing more can be said.
    if (loader.all_read()) {
      add_policies(loader, loaded);
      if (!policies_only) check(loaded.config, loader.draft().peer_paths, loader.places(), loaded.diagnostics);
    }
    loaded.diagnostics.sort();
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
