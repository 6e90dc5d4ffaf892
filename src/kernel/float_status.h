// The processor's floating point status, per thread: conditions that arithmetic met since they were last cleared. SIMD and
// scalar arithmetic set MXCSR; some C library functions set overflow and underflow in the x87 status word only, which the
// *_all functions include. Bits are op::errors' (NumPy's): 1 divide by zero, 2 overflow, 4 underflow, 8 invalid.
#pragma once

#include <cfenv>
#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace manycore::kernel {

inline constexpr unsigned kDivideByZeroBit = 1, kOverflowBit = 2, kUnderflowBit = 4, kInvalidBit = 8;

#if defined(__x86_64__)

namespace detail {
// MXCSR and the x87 status word share one order: 1 invalid, 2 denormal, 4 zero divide, 8 overflow, 16 underflow, 32 inexact.
inline unsigned conditions(unsigned hardware) {
  return (hardware >> 2 & 1) | (hardware >> 3 & 1) << 1 | (hardware >> 4 & 1) << 2 | (hardware & 1) << 3;
}
}  // namespace detail

inline unsigned read_status() { return detail::conditions(_mm_getcsr()); }
inline void clear_status() {
  const unsigned control = _mm_getcsr();
  if (control & 0x3f) _mm_setcsr(control & ~0x3fu);
}
inline unsigned read_status_all() {
  uint16_t word;
  asm volatile("fnstsw %0" : "=a"(word));
  return detail::conditions(_mm_getcsr() | word);
}
inline void clear_status_all() {
  clear_status();
  uint16_t word;
  asm volatile("fnstsw %0" : "=a"(word));
  if (word & 0x3f) asm volatile("fnclex");
}
inline void raise_status(unsigned bits) {
  _mm_setcsr(_mm_getcsr() | (bits & kDivideByZeroBit) << 2 | (bits & kOverflowBit) << 2 | (bits & kUnderflowBit) << 2 |
             (bits & kInvalidBit) >> 3);
}

// Arithmetic inside such a scope leaves no trace in MXCSR.
class QuietScope {
 public:
  QuietScope() : saved_(_mm_getcsr()) {}
  ~QuietScope() { _mm_setcsr(saved_); }
  QuietScope(const QuietScope&) = delete;
  QuietScope& operator=(const QuietScope&) = delete;

 private:
  unsigned saved_;
};

#else

inline unsigned read_status() {
  const int raised = std::fetestexcept(FE_ALL_EXCEPT);
  return (raised & FE_DIVBYZERO ? kDivideByZeroBit : 0) | (raised & FE_OVERFLOW ? kOverflowBit : 0) |
         (raised & FE_UNDERFLOW ? kUnderflowBit : 0) | (raised & FE_INVALID ? kInvalidBit : 0);
}
inline void clear_status() { std::feclearexcept(FE_ALL_EXCEPT); }
inline unsigned read_status_all() { return read_status(); }
inline void clear_status_all() { clear_status(); }
inline void raise_status(unsigned bits) {
  std::feraiseexcept((bits & kDivideByZeroBit ? FE_DIVBYZERO : 0) | (bits & kOverflowBit ? FE_OVERFLOW : 0) |
                     (bits & kUnderflowBit ? FE_UNDERFLOW : 0) | (bits & kInvalidBit ? FE_INVALID : 0));
}

class QuietScope {
 public:
  QuietScope() { std::fegetexceptflag(&saved_, FE_ALL_EXCEPT); }
  ~QuietScope() { std::fesetexceptflag(&saved_, FE_ALL_EXCEPT); }
  QuietScope(const QuietScope&) = delete;
  QuietScope& operator=(const QuietScope&) = delete;

 private:
  std::fexcept_t saved_;
};

#endif

}  // namespace manycore::kernel
