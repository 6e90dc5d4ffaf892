#include "os/shared_mutex.h"

#include <errno.h>
#include <string.h>

#include <string>

#include "manycore/errors.h"

namespace manycore::os {
namespace {

SharedMutex::Locked locked(pthread_mutex_t* mutex, int result) {
  if (result == 0) return SharedMutex::Locked::yes;
  if (result != EOWNERDEAD) return SharedMutex::Locked::no;
  pthread_mutex_consistent(mutex);
  return SharedMutex::Locked::from_the_dead;
}

}  // namespace

void SharedMutex::make() {
  pthread_mutexattr_t kind;
  pthread_mutexattr_init(&kind);
  pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
  const int result = pthread_mutex_init(&mutex_, &kind);
  pthread_mutexattr_destroy(&kind);
  if (result != 0) throw ResourceError(std::string("shared mutex: the system makes none: ") + strerror(result));
}

SharedMutex::Locked SharedMutex::try_lock() { return locked(&mutex_, pthread_mutex_trylock(&mutex_)); }

SharedMutex::Locked SharedMutex::lock() { return locked(&mutex_, pthread_mutex_lock(&mutex_)); }

void SharedMutex::unlock() { pthread_mutex_unlock(&mutex_); }

}  // namespace manycore::os
