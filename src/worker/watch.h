// One native thread per program that learns at once (measured below a millisecond) when a watched process ends: it waits for all their
// descriptors together. It starts with the first watched process, blocks every signal and is made anew in a child of fork.
// Thread-safe. A listener is called on the watching thread, must not block for long and must not call Watch; it lives as long as
// somebody holds it, and once `forget` has returned it is not called for that process again.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>

#include "manycore/export.h"

namespace manycore::worker {

class MANYCORE_API EndListener {
 public:
  virtual ~EndListener();
  virtual void process_ended(uint64_t token) = 0;
};

// `process_descriptor` (os/process.h) stays the caller's, who forgets it before closing it. False where the system has no
// descriptors or threads left.
MANYCORE_API bool watch(int process_descriptor, std::weak_ptr<EndListener> listener, uint64_t token);
MANYCORE_API void forget(int process_descriptor);

// In a worker: a native thread that ends this process, after everything that descends from it, when its parent's descriptor
// becomes readable. Never returns before the thread runs; false where it could not be started.
MANYCORE_API bool end_with(int parent_descriptor);

}  // namespace manycore::worker
