#include <apps/bgplite/config/check.h>
#include <apps/bgplite/config/reader.h>
#include <apps/bgplite/config/schema.h>
#include <apps/bgplite/config/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include <glob.h>
#include <malloc.h>

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
std::vector<std::string> expand(const std::string& pattern) {
  if (pattern.find_first_of("*?[") == std::string::npos) return {pattern};
  glob_t matches{};
  std::vector<std::string> files;
  if (::glob(pattern.c_str(), 0, nullptr, &matches) == 0)
    files.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  ::globfree(&matches);
  return files;
}

class Loader {
 public:
  Loader(const ReadFile& read, Loaded& into) : read_(read), into_(into) {}

  void run(const std::string& path) {
    open(path, Place{path, 0, 0}, 0);
    // Defaults of every file first: they apply to peers of every file.
    for (const Document& document : documents_) read_keys(document, Pass::defaults);
    for (const Document& document : documents_) read_keys(document, Pass::rest);
    for (const Document& document : documents_) draft_.config.files.push_back(document.file);
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
    const std::optional<std::string> text = read_(path, error);
    if (!text) {
      all_read_ = false;
      return into_.diagnostics.error(from, "cannot read '" + path + "': " + error);
    }
    if (documents_.size() >= kFilesMax) return into_.diagnostics.error(from, "more than 256 files");
    try {
      const std::vector<YAML::Node> all = YAML::LoadAll(*text);
      if (all.size() > 1) {
        Reader reader{path, into_.diagnostics, places_};
        reader.error(all[1], "a second document after '---'", "write it into a file of its own and include that");
      }
      documents_.push_back({path, all.empty() ? YAML::Node{} : all.front()});
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
      for (const std::string& file : expand(path)) {
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

  const ReadFile& read_;
  Loaded& into_;
  bool all_read_ = true;
  Draft draft_;
  Places places_;
  std::vector<Document> documents_;
  std::map<std::string, std::pair<std::string, YAML::Node>> inline_;
};

}  // namespace

Loaded load_config(const std::string& path) {
  Loaded loaded = load_config(path, read_file);
  // The trees of yaml-cpp are gone, but glibc keeps their pages: some 300 KiB that an idle daemon would carry for
  // years.
  ::malloc_trim(0);
  return loaded;
}

Loaded load_config(const std::string& path, const ReadFile& read) {
  Loaded loaded;
  Loader loader{read, loaded};
  loader.run(path);
  loaded.config = std::move(loader.draft().config);
  // Of a file that is not there or no YAML, nothing more can be said.
  if (!loader.all_read()) return loaded;
  check(loaded.config, loader.draft().peer_paths, loader.places(), loaded.diagnostics);
  loaded.diagnostics.sort();
  return loaded;
}

}  // namespace bgplite
