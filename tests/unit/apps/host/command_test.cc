/// Children that err: they end, or they are ended.
#include <apps/bgplite/host/command.h>

#include <chrono>

#include <gtest/gtest.h>

namespace bgplite::host {
namespace {

using namespace std::chrono_literals;

TEST(Command, GivesStatusAndOutput) {
  const Finished finished = run_command({"sh", "-c", "cat; echo b >&2; exit 3"}, "a\n");
  EXPECT_EQ(finished.status, 3);
  EXPECT_EQ(finished.output, "a\nb\n");
  EXPECT_TRUE(run_command({"true"}).ok());
}

TEST(Command, AChildIsEndedAtTheLimitAlsoWhenItHasClosedItsOutput) {
  for (const char* script : {"exec sleep 20", "exec >&- 2>&-; exec sleep 20"}) {
    EXPECT_EQ(run_command({"sh", "-c", script}, {}, 200ms).status, -1) << script;
  }
}

TEST(Command, AChildThatClosesItsOutputFirstIsWaitedFor) {
  EXPECT_EQ(run_command({"sh", "-c", "exec >&- 2>&-; sleep 0.1; exit 4"}).status, 4);
}

}  // namespace
}  // namespace bgplite::host
