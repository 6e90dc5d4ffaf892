// Which waiting threads can never go on? A thread that does not wait goes on; so does one whose wait one of those can end, and so
// forth. What is left waits for each other: a closed set, in which every way leads into a circle.
// Pure functions of what they are given.
#pragma once

#include <cstdint>
#include <vector>

#include "manycore/export.h"

namespace manycore::sync {

// One thread, by its index in the list.
struct Standing {
  bool goes_on = false;
  bool anyone = false;        // any thread that goes on can end its wait
  std::vector<int> wakers{};  // and these, once they go on
};

struct Closed {
  std::vector<std::vector<int>> circles;  // each a set of threads that wait for nobody outside of it
  std::vector<int> behind;                // the others, who wait for those
  bool empty() const { return circles.empty(); }
};

// `others`: threads that go on without being in the list.
MANYCORE_API Closed find_closed(const std::vector<Standing>& threads, bool others);

}  // namespace manycore::sync
