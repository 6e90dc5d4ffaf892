// A step of a protocol between threads where another thread's steps may come in between. In the engine this is nothing; the tests that
// are built with MANYCORE_PERTURB stop here at random, so that rare orders become common. MANYCORE_PERTURB_SEED repeats a run as far as
// the machine lets it.
#pragma once

#if defined(MANYCORE_PERTURB)
#include <sched.h>
#include <time.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#endif

namespace manycore::sched {

#if defined(MANYCORE_PERTURB)
inline std::atomic<uint64_t> perturbed_steps{0};

inline void perturb() {
  static std::atomic<uint64_t> threads{0};
  static const uint64_t seed = [] {
    const char* text = std::getenv("MANYCORE_PERTURB_SEED");
    return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
  }();
  thread_local uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15u + threads.fetch_add(1) * 0xbf58476d1ce4e5b9u;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  if (state % 16 == 0) {
    perturbed_steps.fetch_add(1, std::memory_order_relaxed);
    sched_yield();
  } else if (state % 1024 == 1) {
    const timespec pause{0, static_cast<long>(state >> 32) % 30'000};
    nanosleep(&pause, nullptr);
  }
}
#else
inline void perturb() {}
#endif

}  // namespace manycore::sched
