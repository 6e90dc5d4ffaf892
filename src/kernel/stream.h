// Copies that bypass the caches: for results far larger than the last level, where a normal store would first read every
// line that it is about to overwrite. Whole vectors leave in whole lines; any alignment is allowed. finish_stream orders the
// stores before whatever tells another thread that they are there; call it once per thread when it is done.
#pragma once

#include "kernel/loops.h"

namespace manycore::kernel {

inline void stream_copy(std::byte* to, const std::byte* from, int64_t bytes) { table().stream(to, from, bytes); }
void finish_stream();

// Results from this size on are worth it.
int64_t streaming_bytes();

// Bytes that are computed before they leave: so few that reading goes on while results leave (docs/decisions/0007). Shorter rows are
// not worth it.
inline constexpr int64_t kStreamedRun = 2048;

}  // namespace manycore::kernel
