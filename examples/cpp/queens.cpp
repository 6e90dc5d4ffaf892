// Native tasks: in how many ways stand n queens on a board of n x n where none may take another? Every first few rows are a task.
#include <manycore/tasks.h>

#include <atomic>
#include <cstdint>
#include <cstdio>

namespace {

struct Board {
  int size;
  uint32_t columns = 0, rising = 0, falling = 0;  // taken, as seen from the next row
  int rows = 0;
};

int64_t solutions(const Board& board) {
  if (board.rows == board.size) return 1;
  std::atomic<int64_t> found{0};
  manycore::TaskGroup group;
  const uint32_t taken = board.columns | board.rising | board.falling;
  for (uint32_t free = ~taken & ((1u << board.size) - 1); free != 0; free &= free - 1) {
    const uint32_t queen = free & -free;
    const Board next{board.size, board.columns | queen, (board.rising | queen) << 1, (board.falling | queen) >> 1,
                     board.rows + 1};
    if (board.rows < 4) {
      group.spawn([next, &found] { found += solutions(next); });
    } else {
      found += solutions(next);  // too little for a task
    }
  }
  group.wait();
  return found;
}

}  // namespace

int main() {
  for (int size = 6; size <= 10; ++size) std::printf("%2d queens: %lld\n", size, static_cast<long long>(solutions({size})));
}
