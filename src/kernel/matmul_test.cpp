// Every tile of every SIMD level against the definition: one element after the other, products added in ascending order.
#include "kernel/matmul.h"

#include <gtest/gtest.h>

#include <complex>
#include <cstring>
#include <random>
#include <vector>

#include "kernel/dispatch.h"
#include "manycore/array.h"
#include "type/half.h"

namespace manycore::kernel {
namespace {

template <class T>
T random_value(std::mt19937_64& random) {
  if constexpr (std::is_same_v<T, bool>)
    return random() % 4 == 0;
  else if constexpr (std::is_integral_v<T>)
    return static_cast<T>(random());
  else if constexpr (std::is_same_v<T, Half>)
    return float_to_half(std::normal_distribution<float>()(random));
  else if constexpr (std::is_floating_point_v<T>)
    return std::normal_distribution<T>()(random);
  else
    return T(std::normal_distribution<typename T::value_type>()(random),
             std::normal_distribution<typename T::value_type>()(random));
}

// volatile keeps the compiler from joining or reordering what the definition does step by step.
template <class T>
T defined(const std::vector<T>& a, const std::vector<T>& b) {
  if constexpr (std::is_same_v<T, bool>) {
    for (size_t k = 0; k < a.size(); ++k)
      if (a[k] && b[k]) return true;
    return false;
  } else if constexpr (std::is_same_v<T, Half>) {
    volatile float sum = 0;
    for (size_t k = 0; k < a.size(); ++k) {
      volatile float product = half_to_float(a[k]) * half_to_float(b[k]);
      sum = sum + product;
    }
    return float_to_half(sum);
  } else if constexpr (std::is_integral_v<T>) {
    uint64_t sum = 0;
    for (size_t k = 0; k < a.size(); ++k) sum += static_cast<uint64_t>(a[k]) * static_cast<uint64_t>(b[k]);
    return static_cast<T>(sum);
  } else if constexpr (std::is_floating_point_v<T>) {
    volatile T sum = 0;
    for (size_t k = 0; k < a.size(); ++k) {
      volatile T product = a[k] * b[k];
      sum = sum + product;
    }
    return sum;
  } else {
    using R = typename T::value_type;
    volatile R re = 0, im = 0;
    for (size_t k = 0; k < a.size(); ++k) {
      volatile R rr = a[k].real() * b[k].real(), ii = a[k].imag() * b[k].imag();
      volatile R ri = a[k].real() * b[k].imag(), ir = a[k].imag() * b[k].real();
      volatile R real = rr - ii, imaginary = ri + ir;
      re = re + real;
      im = im + imaginary;
    }
    return T(re, im);
  }
}

// A matrix inside a larger block, rows or columns apart by `gap` elements, optionally transposed.
template <class T>
struct Block {
  std::vector<std::byte> bytes;
  int64_t row_step, column_step;
  Block(std::mt19937_64& random, int64_t rows, int64_t columns, bool by_column, int64_t gap) {
    int64_t lines = by_column ? columns : rows, length = (by_column ? rows : columns) * gap;
    bytes.resize(static_cast<size_t>(std::max<int64_t>(1, lines * length)) * sizeof(T));
    for (size_t i = 0; i < bytes.size() / sizeof(T); ++i) {
      T value = random_value<T>(random);
      std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
    }
    int64_t line_step = length * static_cast<int64_t>(sizeof(T)), step = gap * static_cast<int64_t>(sizeof(T));
    row_step = by_column ? step : line_step;
    column_step = by_column ? line_step : step;
  }
  T at(int64_t row, int64_t column) const {
    T value;
    std::memcpy(&value, bytes.data() + row * row_step + column * column_step, sizeof(T));
    return value;
  }
};

template <class T>
void compare_with_definition(DType dtype) {
  std::mt19937_64 random(9);
  for (int trial = 0; trial < 60; ++trial) {
    auto extent = [&] { return static_cast<int64_t>(random() % 3 == 0 ? random() % 3 : random() % 70); };
    int64_t rows = extent(), inner = extent(), columns = extent();
    Block<T> a(random, rows, inner, random() % 2, 1 + static_cast<int64_t>(random() % 2));
    Block<T> b(random, inner, columns, random() % 2, 1 + static_cast<int64_t>(random() % 2));
    Block<T> c(random, rows, columns, random() % 2, 1 + static_cast<int64_t>(random() % 2));
    matmul(dtype, {a.bytes.data(), a.row_step, a.column_step, b.bytes.data(), b.row_step, b.column_step, c.bytes.data(),
                   c.row_step, c.column_step, rows, inner, columns});
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        std::vector<T> x, y;
        for (int64_t k = 0; k < inner; ++k) x.push_back(a.at(i, k)), y.push_back(b.at(k, j));
        T expected = defined(x, y), got = c.at(i, j);
        ASSERT_EQ(std::memcmp(&expected, &got, sizeof(T)), 0)
            << name_of(dtype) << " " << rows << "x" << inner << "x" << columns << " at " << i << "," << j;
      }
    }
  }
}

TEST(MatmulKernel, HasTheBitsOfTheDefinitionOnEverySimdLevel) {
  for (const char* level : simd_levels()) {
    SCOPED_TRACE(level);
    ASSERT_TRUE(set_simd_level(level));
    compare_with_definition<bool>(DType::kBool);
    compare_with_definition<int8_t>(DType::kInt8);
    compare_with_definition<uint16_t>(DType::kUInt16);
    compare_with_definition<int32_t>(DType::kInt32);
    compare_with_definition<int64_t>(DType::kInt64);
    compare_with_definition<Half>(DType::kFloat16);
    compare_with_definition<float>(DType::kFloat32);
    compare_with_definition<double>(DType::kFloat64);
    compare_with_definition<std::complex<float>>(DType::kComplex64);
    compare_with_definition<std::complex<double>>(DType::kComplex128);
  }
  set_simd_level("auto");
}

}  // namespace
}  // namespace manycore::kernel
