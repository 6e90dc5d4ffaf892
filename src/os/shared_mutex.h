// A mutex in memory that several processes share. One that dies while it holds it leaves it to whoever asks next, who is told, since what
// the mutex guards may be half done. Made in place once (`make`), in memory that outlives its use; locked and unlocked by one thread.
#pragma once

#include <pthread.h>

#include <cstdint>

#include "manycore/export.h"

namespace manycore::os {

class MANYCORE_API SharedMutex {
 public:
  enum class Locked : uint8_t { no, yes, from_the_dead };

  void make();
  Locked try_lock();
  Locked lock();
  void unlock();

 private:
  pthread_mutex_t mutex_;
};

}  // namespace manycore::os
