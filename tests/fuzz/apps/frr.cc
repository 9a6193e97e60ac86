// Another daemon's configuration: what comes out is YAML that our own reader takes an answer from.
#include <apps/bgplite/cli/import_frr.h>
#include <apps/bgplite/config/yaml.h>

#include <cstdlib>

#include <yaml-cpp/yaml.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bgplite;
  const cli::Imported imported = cli::import_frr({reinterpret_cast<const char*>(data), size});
  static_cast<void>(YAML::Load(imported.yaml));  // Throws, and so fails, when it is no YAML.
  const FileSource files{[&](const std::string&, std::string&) { return std::optional{imported.yaml}; },
                         [](const std::string&) { return std::vector<std::string>{}; }};
  static_cast<void>(load_config("frr.yaml", files));
  return 0;
}
