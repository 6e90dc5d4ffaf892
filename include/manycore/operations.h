// operations: NumPy's functions for C++ programs, on arrays and bare numbers, under NumPy's names and with NumPy's
// promotion and bits. Each call computes before it returns and gives a new array; errors are UserErrors in NumPy's words.
// Distinct threads may call at once; array loops use all cores above a size.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>

#include "manycore/array.h"

namespace manycore {

// An array, or a bare number that takes the dtype of the arrays it meets, as a Python number does.
struct Argument {
  const Array* array = nullptr;  // must outlive the call
  Scalar scalar;

  Argument(const Array& a) : array(&a) {}
  Argument(double value) : scalar(Scalar::real(value)) {}
  Argument(int value) : scalar(Scalar::integer(value)) {}
  Argument(int64_t value) : scalar(Scalar::integer(value)) {}
};

// Any elementwise operation of NumPy with one result: call("hypot", {a, b}). Throws UserError(kValue) for an unknown name.
MANYCORE_API Array call(std::string_view name, std::initializer_list<Argument> inputs);

inline Array operator+(const Argument& a, const Argument& b) { return call("add", {a, b}); }
inline Array operator-(const Argument& a, const Argument& b) { return call("subtract", {a, b}); }
inline Array operator*(const Argument& a, const Argument& b) { return call("multiply", {a, b}); }
inline Array operator/(const Argument& a, const Argument& b) { return call("divide", {a, b}); }
inline Array operator-(const Array& a) { return call("negative", {a}); }
inline Array sqrt(const Array& a) { return call("sqrt", {a}); }

// Reductions: over all axes, or over one (negative counts from the end).
MANYCORE_API Array sum(const Array& a, std::optional<int> axis = {}, bool keepdims = false);
MANYCORE_API Array mean(const Array& a, std::optional<int> axis = {}, bool keepdims = false);
MANYCORE_API Array min(const Array& a, std::optional<int> axis = {}, bool keepdims = false);
MANYCORE_API Array max(const Array& a, std::optional<int> axis = {}, bool keepdims = false);
MANYCORE_API Array matmul(const Array& a, const Array& b);

}  // namespace manycore
