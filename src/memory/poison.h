// Which bytes of the pool nobody may touch, said to AddressSanitizer: free blocks, and what a block has beyond the bytes that were
// asked for. Without it the sanitizer would see one large mapping in which every overrun lands in some valid byte. Nothing
// in other builds.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace manycore::memory {

#if defined(__SANITIZE_ADDRESS__)
inline void allow(const std::byte* data, int64_t bytes) { __asan_unpoison_memory_region(data, static_cast<size_t>(bytes)); }
inline void forbid(const std::byte* data, int64_t bytes) { __asan_poison_memory_region(data, static_cast<size_t>(bytes)); }
#else
inline void allow(const std::byte*, int64_t) {}
inline void forbid(const std::byte*, int64_t) {}
#endif

}  // namespace manycore::memory
