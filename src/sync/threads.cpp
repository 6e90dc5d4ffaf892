#include "sync/threads.h"

namespace manycore::sync {
namespace {

Thread* threads = nullptr;
uint64_t last_thread = 0;
uint64_t last_wait = 0;
std::atomic<uint64_t> version{0};
std::atomic<int> waits{0};

}  // namespace

Wait::Wait(Thread& thread) : thread(thread), outer(thread.wait), serial(++last_wait) {
  thread.wait = this;
  version.fetch_add(1, std::memory_order_relaxed);
  waits.fetch_add(1, std::memory_order_relaxed);
}

Wait::~Wait() {
  thread.wait = outer;
  version.fetch_add(1, std::memory_order_relaxed);
  waits.fetch_sub(1, std::memory_order_relaxed);
}

uint64_t waits_version() { return version.load(std::memory_order_relaxed); }

int waits_now() { return waits.load(std::memory_order_relaxed); }

Thread* enter_thread(uint64_t name) {
  Thread* free = nullptr;
  for (Thread* thread = threads; thread != nullptr && free == nullptr; thread = thread->next) {
    if (thread->ended.load(std::memory_order_acquire) && thread->held == 0) free = thread;
  }
  if (free == nullptr) {
    free = new Thread;
    free->next = threads;
    threads = free;
  }
  free->serial = ++last_thread;
  free->name = name;
  free->wait = nullptr;
  free->idle = nullptr;
  free->order.clear();
  free->ended.store(false, std::memory_order_release);
  return free;
}

Thread* first_thread() { return threads; }

Thread* find_thread(uint64_t name) {
  for (Thread* thread = threads; thread != nullptr; thread = thread->next) {
    if (thread->name == name && !thread->ended.load(std::memory_order_acquire)) return thread;
  }
  return nullptr;
}

void forget_other_threads(Thread* self) {
  int left = 0;
  for (Thread* thread = threads; thread != nullptr; thread = thread->next) {
    if (thread == self) {
      for (const Wait* wait = thread->wait; wait != nullptr; wait = wait->outer) ++left;
      continue;
    }
    thread->wait = nullptr;
    thread->ended.store(true, std::memory_order_release);
  }
  waits.store(left, std::memory_order_relaxed);
}

}  // namespace manycore::sync
