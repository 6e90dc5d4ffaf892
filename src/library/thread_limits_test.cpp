#include "library/thread_limits.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "base/options.h"
#include "sched/budget.h"

namespace manycore::library {
namespace {

struct Threads {
  explicit Threads(int count) { base::set_option("threads", std::to_string(count)); }
  ~Threads() {
    base::set_option("threads", "0");
    apply_budget();
  }
};

// GCC's OpenMP, wherever the compiler has one: a number for each thread.
struct OpenMp {
  void* handle = dlopen("libgomp.so.1", RTLD_LAZY);
  int most() const { return reinterpret_cast<int (*)()>(dlsym(handle, "omp_get_max_threads"))(); }
  void set(int threads) const { reinterpret_cast<void (*)(int)>(dlsym(handle, "omp_set_num_threads"))(threads); }
};

uint64_t modules() {
  static uint64_t count = 0;
  return ++count;
}

template <class Body>
void on_a_thread(const Body& body) {
  std::thread(body).join();
}

TEST(ThreadLimits, ATasksThreadIsToldItsShareOnce) {
  const OpenMp openmp;
  if (openmp.handle == nullptr || std::getenv("OMP_NUM_THREADS") != nullptr) GTEST_SKIP() << "no OpenMP, or its number is set";
  on_a_thread([&] {
    openmp.set(6);
    const Threads option(8);
    sched::Claim claim;
    claim.set(4);
    const sched::InTask task;
    follow_budget(modules());
    EXPECT_EQ(openmp.most(), 2);
    const int64_t told = thread_limits().told;
    for (int i = 0; i < 100; ++i) follow_budget(1);
    EXPECT_EQ(thread_limits().told, told);
    claim.set(1);
    follow_budget(1);
    EXPECT_EQ(openmp.most(), 6) << "never more than the thread had";
  });
}

TEST(ThreadLimits, WhatSomebodyElseSetsStays) {
  const OpenMp openmp;
  if (openmp.handle == nullptr || std::getenv("OMP_NUM_THREADS") != nullptr) GTEST_SKIP() << "no OpenMP, or its number is set";
  on_a_thread([&] {
    openmp.set(6);
    const Threads option(8);
    sched::Claim claim;
    claim.set(2);
    const sched::InTask task;
    follow_budget(modules());
    EXPECT_EQ(openmp.most(), 4);
    openmp.set(5);
    claim.set(8);
    follow_budget(1);
    EXPECT_EQ(openmp.most(), 5);
    openmp.set(4);  // as a context does that ends
    claim.set(4);
    follow_budget(1);
    EXPECT_EQ(openmp.most(), 2);
  });
}

}  // namespace
}  // namespace manycore::library
