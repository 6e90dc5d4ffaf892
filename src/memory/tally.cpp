#include "memory/tally.h"

#include "memory/pool.h"

namespace manycore::memory {

void Tally::charge(int64_t now, int64_t asked) {
  const int64_t missing = (now - charged_ + kStep - 1) / kStep * kStep;
  Pool::instance().charge(asked, missing);
  charged_ += missing;
}

void Tally::uncharge() {
  const int64_t kept = (bytes() + kStep - 1) / kStep * kStep;
  Account::arrays().uncharge(charged_ - kept);
  charged_ = kept;
}

}  // namespace manycore::memory
