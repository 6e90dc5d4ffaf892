// What the kernel files share while they fill the table: element types, lists of them, and the builder. Internal to kernel/.
#pragma once

#include <complex>
#include <cstdint>
#include <type_traits>

#include "kernel/loops.h"

namespace manycore::kernel {

// An element of a bool array: any non-zero byte is true (NumPy arrays may hold others than 1), results are 0 or 1.
struct Truth {
  uint8_t byte;
  Truth() = default;
  Truth(bool value) : byte(value) {}
  operator bool() const { return byte != 0; }
};

template <class T>
inline constexpr int slot_of = -1;
#define MANYCORE_SLOT(type, name) \
  template <>                     \
  inline constexpr int slot_of<type> = static_cast<int>(DType::name);
MANYCORE_SLOT(Truth, kBool)
MANYCORE_SLOT(int8_t, kInt8)
MANYCORE_SLOT(int16_t, kInt16)
MANYCORE_SLOT(int32_t, kInt32)
MANYCORE_SLOT(int64_t, kInt64)
MANYCORE_SLOT(uint8_t, kUInt8)
MANYCORE_SLOT(uint16_t, kUInt16)
MANYCORE_SLOT(uint32_t, kUInt32)
MANYCORE_SLOT(uint64_t, kUInt64)
MANYCORE_SLOT(Half, kFloat16)
MANYCORE_SLOT(float, kFloat32)
MANYCORE_SLOT(double, kFloat64)
MANYCORE_SLOT(std::complex<float>, kComplex64)
MANYCORE_SLOT(std::complex<double>, kComplex128)
#undef MANYCORE_SLOT

template <class... T>
struct Types {};
using Truths = Types<Truth>;
using Signed = Types<int8_t, int16_t, int32_t, int64_t>;
using Unsigned = Types<uint8_t, uint16_t, uint32_t, uint64_t>;
using Integers = Types<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t>;
using Floats = Types<float, double>;  // float16 goes through float32, see half.cpp
using Complexes = Types<std::complex<float>, std::complex<double>>;

// Arithmetic modulo 2^n without undefined overflow and without promotion to int.
template <class T>
using Wrapping = std::conditional_t<(sizeof(T) < 4), uint32_t, std::make_unsigned_t<T>>;

class Builder {
 public:
  explicit Builder(Table& table) : table_(table) {}
  void set(op::Op op, int slot, LoopFn run) {
    Loop& loop = table_.loops[static_cast<int>(op)][slot];
    loop.run = run;
    loop.errors = slot >= static_cast<int>(DType::kFloat16) && slot < kDTypeCount ? op::info(op).errors : integer_errors_;
    loop.cost = cost_;
  }
  // The loop calls the C library, which may report conditions in the x87 status word.
  void library_calls(op::Op op, int slot) { table_.loops[static_cast<int>(op)][slot].scalar_unit = true; }
  // Conditions other than the operation's row says.
  template <class... T>
  void reports(op::Op op, Types<T...>, unsigned errors) {
    ((table_.loops[static_cast<int>(op)][slot_of<T>].errors = static_cast<uint8_t>(errors)), ...);
  }
  void set_cast(int from, int to, LoopFn run) { table_.casts[from][to] = run; }
  void set_stream(void (*stream)(std::byte*, const std::byte*, int64_t)) { table_.stream = stream; }
  void set_transposes(void (*of_four)(const Panel&), void (*of_eight)(const Panel&)) {
    table_.transposes[0] = of_four;
    table_.transposes[1] = of_eight;
  }
  void set_select(int log_size, LoopFn run) { table_.selects[log_size] = run; }
  // For the calls of set that follow.
  void cost(Cost cost) { cost_ = cost; }
  void integer_errors(unsigned errors) { integer_errors_ = static_cast<uint8_t>(errors); }
  Table& table() { return table_; }

 private:
  Table& table_;
  Cost cost_ = Cost::kMemory;
  uint8_t integer_errors_ = 0;
};

// One per kernel file.
void fill_arithmetic(Builder& builder);
void fill_integers(Builder& builder);
void fill_integer_division(Builder& builder);
void fill_division(Builder& builder);
void fill_parts(Builder& builder);
void fill_order(Builder& builder);
void fill_logic(Builder& builder);
void fill_complex(Builder& builder);
void fill_complex_product(Builder& builder);
void fill_casts(Builder& builder);
void fill_select(Builder& builder);
void fill_stream(Builder& builder);
void fill_transpose(Builder& builder);
void fill_half(Builder& builder);  // last: it builds on the float32 loops

// Filled in by library/vector_math.cpp when the program is loaded: kernel/ lies below library/ and never names it.
namespace detail {
extern void (*fill_mathematics)(Builder& builder);
}  // namespace detail

}  // namespace manycore::kernel
