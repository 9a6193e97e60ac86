// A capture file: what its packets deliver is no more than the file holds.
#include <apps/bgplite/cli/capture_file.h>

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bgplite::cli;
  const minibgp::Bytes file{data, size};
  if (!is_capture(file)) return 0;
  std::size_t delivered = 0;
  CaptureSink sink;
  sink.octets = [&](const FlowKey& flow, minibgp::Bytes octets, std::uint64_t) {
    static_cast<void>(end_text(flow.source, flow.source_port));
    delivered += octets.size();
  };
  sink.begin = [](const FlowKey&) {};
  sink.gap = [](const FlowKey&) {};
  std::vector<std::string> missing;
  static_cast<void>(read_capture(file, sink, missing));
  if (delivered > size) std::abort();
  return 0;
}
