// A configuration file: read, checked, and compared with itself.
#include <apps/bgplite/config/diff.h>
#include <apps/bgplite/config/yaml.h>

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bgplite;
  const std::string text{reinterpret_cast<const char*>(data), size};
  const FileSource files{[&](const std::string& path, std::string& error) -> std::optional<std::string> {
                           if (path == "main.yaml") return text;
                           error = "no such file";
                           return std::nullopt;
                         },
                         [](const std::string&) { return std::vector<std::string>{}; }};
  const Loaded loaded = load_config("main.yaml", files);
  static_cast<void>(loaded.diagnostics.to_text());
  if (!loaded.diagnostics.has_errors() && !diff(loaded.config, loaded.config).empty()) std::abort();
  return 0;
}
