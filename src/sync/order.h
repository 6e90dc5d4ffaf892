// In which order locks are taken: an edge from each lock that a thread holds to the one that it takes. Two threads that take the same
// locks in opposite orders will meet in the middle one day; a circle of edges shows that before it happens.
//
// The edges of locks made at different places (lines of the program) join the places, so that a circle shows though its
// runs had other locks of the same kind; those of locks made at one place join the locks themselves, since such families
// are often taken in an order of their own (by account number). No circle where one thread made all its edges, or where a common lock
// was held around them all: these runs cannot meet.
//
// One caller at a time (Python: who holds the GIL). An edge that is known costs a look into a table.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "manycore/export.h"
#include "sync/threads.h"

namespace manycore::sync {

struct OrderEdge {
  uint64_t from = 0, to = 0;     // places or locks
  Held first{}, second{};        // what was held and what was taken when the edge was new
  uint64_t thread = 0;           // the serial of the thread that made it; 0: several have
  int64_t where = 0;             // the caller's word for the line that took the second lock
  std::vector<uint64_t> around;  // locks that were held at every time
};

class LockOrder {
 public:
  // The thread waits for, or takes, `taken`. Answers the edges of a new circle, the new one first, or none. `where` is asked only for a
  // new edge.
  MANYCORE_API std::vector<OrderEdge> take(const Thread& thread, Held taken, const std::function<int64_t()>& where);
  // The lock is gone: its number comes back for none.
  MANYCORE_API void forget(uint64_t instance);
  MANYCORE_API void clear();
  size_t edges() const { return edges_.size(); }

 private:
  struct Known {
    uint64_t from = 0, to = 0, thread = 0, held = 0;
  };
  static constexpr size_t kKnown = 256;  // a power of two

  // True where the edge says something new: it is new itself, or weaker in what kept it harmless.
  bool add(const Thread& thread, Held held, Held taken, const std::function<int64_t()>& where);
  std::vector<OrderEdge> circle_through(uint64_t from, uint64_t to);
  bool extend(uint64_t at, uint64_t goal, std::vector<const OrderEdge*>& path, std::unordered_map<uint64_t, bool>& seen);

  std::unordered_map<uint64_t, std::unordered_map<uint64_t, OrderEdge>> edges_;
  Known known_[kKnown];
};

}  // namespace manycore::sync
