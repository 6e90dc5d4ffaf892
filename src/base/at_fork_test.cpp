#include "base/at_fork.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace manycore::base {
namespace {

std::string& order() {
  static std::string text;
  return text;
}

// In a process of its own, since steps last.
TEST(AtFork, StepsRunInTheirOrderAndBackHoweverTheyWereRegistered) {
  const pid_t apart = fork();
  ASSERT_GE(apart, 0);
  if (apart == 0) {
    at_fork(ForkStep::kPool, {[] { order() += "c"; }, [] { order() += "C"; }, [] { order() += "3"; }});
    at_fork(ForkStep::kPrograms, {[] { order() += "a"; }, [] { order() += "A"; }, [] { order() += "1"; }});
    at_fork(ForkStep::kLoops, {[] { order() += "b"; }, [] { order() += "B"; }, [] { order() += "2"; }});
    at_fork(ForkStep::kLoops, {[] { order() += "x"; }, [] { order() += "x"; }, [] { order() += "x"; }});  // set once
    const pid_t child = fork();
    if (child == 0) _exit(order() == "abc321" ? 0 : 1);
    int status = -1;
    waitpid(child, &status, 0);
    _exit(status == 0 && order() == "abcCBA" ? 0 : 1);
  }
  int status = -1;
  waitpid(apart, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace manycore::base
