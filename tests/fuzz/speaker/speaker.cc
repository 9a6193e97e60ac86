// A whole speaker and six peers (tests/support/engine_run.h). The input is a program; what is wrong after a turn ends
// the run with its last operations.
#include <tests/support/engine_run.h>

#include <cstdlib>
#include <iostream>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using minibgp::testing::EngineRun;
  EngineRun run{minibgp::Bytes{data, size}, true};
  const std::string problem = run.run();
  if (problem.empty()) return 0;
  for (const std::string& line : run.trace()) std::cerr << line << '\n';
  std::cerr << problem << '\n';
  std::abort();
}
