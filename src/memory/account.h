// Account: who holds how many bytes, with a cap. One account, "arrays", is charged for every page that the pool has taken from
// the system, cached ones included. Foreign memory is not charged. Lock-free; charges by several threads never exceed the cap.
#pragma once

#include <atomic>
#include <cstdint>

#include "manycore/export.h"

namespace manycore::memory {

class MANYCORE_API Account {
 public:
  static Account& arrays();

  explicit Account(const char* name) : name_(name) {}

  bool try_charge(int64_t bytes);  // false when the cap would be passed
  void uncharge(int64_t bytes) { held_.fetch_sub(bytes, std::memory_order_relaxed); }

  const char* name() const { return name_; }
  int64_t held() const { return held_.load(std::memory_order_relaxed); }
  int64_t peak() const { return peak_.load(std::memory_order_relaxed); }
  // Follows the option memory_limit; 0 there means what the cgroup or the machine allows.
  int64_t limit();
  const char* limit_source();

  // Throws ResourceError: operation, request, what the account holds, its limit and where the limit comes from.
  [[noreturn]] void fail(const char* operation, int64_t asked, int64_t held);

 private:
  void refresh_limit();

  const char* name_;
  std::atomic<int64_t> held_{0};
  std::atomic<int64_t> peak_{0};
  std::atomic<int64_t> limit_{0};
  std::atomic<int64_t> option_{INT64_MIN};  // the option's value that limit_ was computed from
  std::atomic<const char*> source_{""};
};

}  // namespace manycore::memory
