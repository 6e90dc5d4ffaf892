#include "os/process.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace manycore;

// A child that has a child of its own, which ends with `code` once it is an orphan. The id of that one.
pid_t leave_orphan(int code) {
  int told[2];
  EXPECT_EQ(pipe(told), 0);
  const pid_t between = fork();
  if (between == 0) {
    const pid_t self = getpid();
    const pid_t orphan = fork();
    if (orphan == 0) {
      while (getppid() == self) usleep(100);
      _exit(code);
    }
    _exit(write(told[1], &orphan, sizeof orphan) == sizeof orphan ? 0 : 1);
  }
  EXPECT_EQ(waitpid(between, nullptr, 0), between);
  pid_t orphan = -1;
  EXPECT_EQ(read(told[0], &orphan, sizeof orphan), static_cast<ssize_t>(sizeof orphan));
  close(told[0]);
  close(told[1]);
  return orphan;
}

TEST(Process, AdoptsOrphansOnlyWhileItShall) {
  const bool before = os::adopt_orphans(true);
  const pid_t adopted = leave_orphan(7);
  int status = 0;
  EXPECT_EQ(waitpid(adopted, &status, 0), adopted);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_TRUE(os::adopt_orphans(false));
  EXPECT_EQ(waitpid(leave_orphan(0), &status, 0), -1);
  EXPECT_FALSE(os::adopt_orphans(before));
}

}  // namespace
