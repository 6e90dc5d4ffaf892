// Keepers hold memory that is charged to the account "arrays" though nobody uses it, and give it back before a request is refused.
// They stand above the pool, which knows them by this list alone and lets its own cached blocks go first. Any thread; usable after
// fork, where the list is empty: what the parent's keepers hold is the parent's. No lock of the list or of the pool is held while a
// keeper is asked, so that it may take its own and, under that, the pool's.
#pragma once

#include <cstdint>
#include <memory>

#include "manycore/errors.h"
#include "manycore/export.h"

namespace manycore::memory {

class Keeper {
 public:
  virtual ~Keeper() = default;
  // Uncharges and gives back to the system at least so many bytes, or what there is; returns how many.
  virtual int64_t give_back(int64_t bytes) = 0;
};

MANYCORE_API void add_keeper(std::weak_ptr<Keeper> keeper);  // asked as long as it lives

// Room for a charge of so many bytes: false where keepers had nothing to give, or the limit is less than that.
MANYCORE_API bool keepers_make_room(int64_t charge);

// What `attempt` answers, which throws ResourceError where it is refused; once more where keepers gave something back.
template <class Attempt>
auto ask_keepers_before_refusing(int64_t charge, const Attempt& attempt) {
  try {
    return attempt();
  } catch (const ResourceError&) {
    if (!keepers_make_room(charge)) throw;
  }
  return attempt();
}

}  // namespace manycore::memory
