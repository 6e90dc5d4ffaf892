// StatusScope: what one thread's part of the work raised in the floating point status, or-ed into a shared word when it ends.
// With a null word it costs nothing.
#pragma once

#include <atomic>

#include "kernel/float_status.h"

namespace manycore::evaluate {

class StatusScope {
 public:
  explicit StatusScope(unsigned* status) : status_(status) {
    if (status_ != nullptr) kernel::clear_status();
  }
  ~StatusScope() {
    if (status_ == nullptr) return;
    if (const unsigned raised = kernel::read_status()) {
      std::atomic_ref<unsigned>(*status_).fetch_or(raised, std::memory_order_relaxed);
    }
  }
  StatusScope(const StatusScope&) = delete;
  StatusScope& operator=(const StatusScope&) = delete;

 private:
  unsigned* status_;
};

}  // namespace manycore::evaluate
