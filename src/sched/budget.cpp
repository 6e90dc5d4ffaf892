#include "sched/budget.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "sched/parallel.h"

namespace manycore::sched {
namespace {

// A program that a worker starts knows of its part by this variable (python/manycore/futures/cores.py writes it).
int limit_in_environment() {
  const char* text = std::getenv("MANYCORE_SHARE");
  int cores = 0;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), cores);
  return std::max(cores, 0);
}

std::atomic<int> limit{limit_in_environment()};  // 0: none
std::atomic<bool> exact{false};
std::atomic<int> claims{0};
thread_local int depth = 0;

}  // namespace

int budget() {
  const int asked = asked_threads(), most = limit.load(std::memory_order_relaxed);
  if (most == 0) return asked;
  return exact.load(std::memory_order_relaxed) ? most : std::min(asked, most);
}

void limit_budget(int cores, bool exactly) {
  limit.store(std::max(cores, 0), std::memory_order_relaxed);
  exact.store(exactly, std::memory_order_relaxed);
}

bool budget_is_limited() { return limit.load(std::memory_order_relaxed) != 0; }

bool budget_is_exact() { return exact.load(std::memory_order_relaxed); }

int claimed() { return std::max(claims.load(std::memory_order_relaxed), 0); }

int share_of_tasks() { return std::max(budget() / std::max(claimed(), 1), 1); }

int share() {
  const int tasks = claimed();
  if (tasks == 0) return budget();
  return depth > 0 ? share_of_tasks() : std::max(budget() - tasks, 1);
}

int share_for_pools() { return depth > 0 ? share_of_tasks() : budget(); }

bool is_nested() { return depth > 0 || budget_is_limited(); }

void Claim::change(int tasks) {
  claims.fetch_add(tasks - tasks_, std::memory_order_relaxed);
  tasks_ = tasks;
}

void forget_claims() { claims.store(0, std::memory_order_relaxed); }

InTask::InTask() { ++depth; }
InTask::~InTask() { --depth; }

}  // namespace manycore::sched
