// Copies that bypass the caches: for results far larger than the last level, where a normal store would first read every
// line that it is about to overwrite. The destination is whole elements; any alignment. finish_stream orders the stores before
// whatever tells another thread that they are there; call it once per thread when it is done.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace manycore::kernel {

inline void stream_copy(std::byte* to, const std::byte* from, int64_t bytes) {
#if defined(__x86_64__)
  const int64_t head = std::min<int64_t>(bytes, -reinterpret_cast<intptr_t>(to) & 63);
  std::memcpy(to, from, head);
  int64_t i = head;
  // Four stores fill a line, so that it leaves the write-combining buffer whole.
  for (; i + 64 <= bytes; i += 64) {
    const __m128i* source = reinterpret_cast<const __m128i*>(from + i);
    __m128i* target = reinterpret_cast<__m128i*>(to + i);
    const __m128i a = _mm_loadu_si128(source), b = _mm_loadu_si128(source + 1);
    const __m128i c = _mm_loadu_si128(source + 2), d = _mm_loadu_si128(source + 3);
    _mm_stream_si128(target, a);
    _mm_stream_si128(target + 1, b);
    _mm_stream_si128(target + 2, c);
    _mm_stream_si128(target + 3, d);
  }
  std::memcpy(to + i, from + i, bytes - i);
#else
  std::memcpy(to, from, bytes);
#endif
}

inline void finish_stream() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace manycore::kernel
