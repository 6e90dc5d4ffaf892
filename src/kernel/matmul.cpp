#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/matmul.cpp"
#include "kernel/matmul.h"

#include <algorithm>
#include <complex>
#include <cstring>

#include "kernel/dispatch.h"
#include "manycore/buffer.h"
#include "type/half.h"

MANYCORE_TARGET_BEGIN
namespace {

// What one element type multiplies and adds in. Complex elements come apart into two parts, each with a row of sums of its own:
// side by side, GCC 12 would join their products and sums into fused instructions (vfmaddsub) whatever -ffp-contract says.
template <class T>
struct Sum {
  using Part = T;
  static constexpr int kParts = 1;
  static Part read(const std::byte* from, int = 0) { return *reinterpret_cast<const T*>(from); }
  static void write(std::byte* to, Part value, Part) { *reinterpret_cast<T*>(to) = value; }
  static Part add(Part sum, Part x, Part y) { return static_cast<Part>(sum + x * y); }
};

// Promotion to int would overflow for uint16: multiply in 32 bits without sign, keep the low ones.
template <>
struct Sum<uint16_t> {
  using Part = uint16_t;
  static constexpr int kParts = 1;
  static Part read(const std::byte* from, int = 0) { return *reinterpret_cast<const Part*>(from); }
  static void write(std::byte* to, Part value, Part) { *reinterpret_cast<Part*>(to) = value; }
  static Part add(Part sum, Part x, Part y) { return static_cast<Part>(sum + static_cast<uint32_t>(x) * y); }
};

template <>
struct Sum<bool> {
  using Part = uint8_t;
  static constexpr int kParts = 1;
  static Part read(const std::byte* from, int = 0) { return static_cast<uint8_t>(*from) != 0; }
  static void write(std::byte* to, Part value, Part) { *to = std::byte(value); }
  static Part add(Part sum, Part x, Part y) { return sum | (x & y); }
};

template <>
struct Sum<Half> {
  using Part = float;
  static constexpr int kParts = 1;
  static Part read(const std::byte* from, int = 0) { return half_to_float(*reinterpret_cast<const Half*>(from)); }
  static void write(std::byte* to, Part value, Part) { *reinterpret_cast<Half*>(to) = float_to_half(value); }
  static Part add(Part sum, Part x, Part y) { return sum + x * y; }
};

template <class R>
struct Sum<std::complex<R>> {
  using Part = R;
  static constexpr int kParts = 2;
  static Part read(const std::byte* from, int part) { return reinterpret_cast<const R*>(from)[part]; }
  static void write(std::byte* to, Part re, Part im) {
    reinterpret_cast<R*>(to)[0] = re;
    reinterpret_cast<R*>(to)[1] = im;
  }
  static Part add_real(Part sum, Part xr, Part xi, Part yr, Part yi) { return sum + (xr * yr - xi * yi); }
  static Part add_imaginary(Part sum, Part xr, Part xi, Part yr, Part yi) { return sum + (xr * yi + xi * yr); }
};

constexpr int kRows = 4;  // rows of c in one tile: enough sums in registers to hide the latency of an addition

// Columns of c in one tile: two vectors of parts.
template <class T>
constexpr int kColumns = 2 * HWY_MAX_BYTES / static_cast<int>(sizeof(typename Sum<T>::Part)) / Sum<T>::kParts;

constexpr int64_t kBoolCheck = 24;

bool all_true(const uint8_t* sums, int count) {
  uint8_t all = 1;
  for (int i = 0; i < count; ++i) all &= sums[i];
  return all != 0;
}

// One tile: `count` columns (all of kColumns are computed, so the panel repeats its last column behind the edge).
template <class T, int kTileRows>
void tile(const MatrixProduct& p, int64_t row, int64_t column, int count, const typename Sum<T>::Part* panel,
          int64_t panel_step) {
  using S = Sum<T>;
  constexpr int kWidth = kColumns<T>;
  typename S::Part sums[S::kParts][kTileRows][kWidth] = {};
  const std::byte* a = p.a + row * p.a_row;
  for (int64_t k = 0; k < p.inner; ++k, a += p.a_inner, panel += panel_step) {
    if constexpr (std::is_same_v<T, bool>) {
      // Dense masks are all true after a few rows of b; NumPy, too, stops at the first.
      if (k % kBoolCheck == kBoolCheck - 1 && all_true(&sums[0][0][0], kTileRows * kWidth)) break;
    }
    for (int r = 0; r < kTileRows; ++r) {
      const typename S::Part x = S::read(a + r * p.a_row, 0);
      if constexpr (S::kParts == 1) {
        for (int j = 0; j < kWidth; ++j) sums[0][r][j] = S::add(sums[0][r][j], x, panel[j]);
      } else {
        const typename S::Part xi = S::read(a + r * p.a_row, 1);
        for (int j = 0; j < kWidth; ++j) sums[0][r][j] = S::add_real(sums[0][r][j], x, xi, panel[j], panel[kWidth + j]);
        for (int j = 0; j < kWidth; ++j) sums[1][r][j] = S::add_imaginary(sums[1][r][j], x, xi, panel[j], panel[kWidth + j]);
      }
    }
  }
  for (int r = 0; r < kTileRows; ++r) {
    std::byte* c = p.c + (row + r) * p.c_row + column * p.c_column;
    for (int j = 0; j < count; ++j) S::write(c + j * p.c_column, sums[0][r][j], sums[S::kParts - 1][r][j]);
  }
}

template <class T>
void fill_panel(const MatrixProduct& p, int64_t column, int count, typename Sum<T>::Part* panel) {
  using S = Sum<T>;
  constexpr int kWidth = kColumns<T>;
  for (int64_t k = 0; k < p.inner; ++k) {
    const std::byte* b = p.b + k * p.b_inner + column * p.b_column;
    for (int part = 0; part < S::kParts; ++part, panel += kWidth) {
      if (p.b_column == static_cast<int64_t>(sizeof(T))) {
        for (int j = 0; j < count; ++j) panel[j] = S::read(b + j * static_cast<int64_t>(sizeof(T)), part);
      } else {
        for (int j = 0; j < count; ++j) panel[j] = S::read(b + j * p.b_column, part);
      }
      for (int j = count; j < kWidth; ++j) panel[j] = panel[count - 1];
    }
  }
}

template <class T>
void run_tiles(const MatrixProduct& p) {
  using S = Sum<T>;
  using Part = typename S::Part;
  constexpr int kWidth = kColumns<T>;
  constexpr int64_t kSize = sizeof(T);
  BufferRef scratch = BufferRef::adopt(Buffer::allocate(p.inner * kWidth * S::kParts * static_cast<int64_t>(sizeof(Part))));
  auto* panel = reinterpret_cast<Part*>(scratch->data());
  // Columns that lie side by side need no copy when few rows would use it.
  const bool direct = sizeof(Part) == sizeof(T) && p.b_column == kSize && p.rows < 4 * kRows && p.b_inner % kSize == 0;
  for (int64_t column = 0; column < p.columns; column += kWidth) {
    const int count = static_cast<int>(std::min<int64_t>(kWidth, p.columns - column));
    const Part* source = panel;
    int64_t step = kWidth * S::kParts;
    if (direct && count == kWidth) {
      source = reinterpret_cast<const Part*>(p.b + column * p.b_column);
      step = p.b_inner / kSize;
    } else {
      fill_panel<T>(p, column, count, panel);
    }
    int64_t row = 0;
    for (; row + kRows <= p.rows; row += kRows) tile<T, kRows>(p, row, column, count, source, step);
    for (; row < p.rows; ++row) tile<T, 1>(p, row, column, count, source, step);
  }
}

// One element. Integers may add in any order, so the compiler vectorises their sums.
template <class T>
typename Sum<T>::Part element(const MatrixProduct& p, const std::byte* a, const std::byte* b, int part) {
  using S = Sum<T>;
  typename S::Part sum{};
  if constexpr (S::kParts == 2) {
    for (int64_t k = 0; k < p.inner; ++k, a += p.a_inner, b += p.b_inner) {
      const typename S::Part xr = S::read(a, 0), xi = S::read(a, 1), yr = S::read(b, 0), yi = S::read(b, 1);
      sum = part == 0 ? S::add_real(sum, xr, xi, yr, yi) : S::add_imaginary(sum, xr, xi, yr, yi);
    }
  } else if (p.a_inner == static_cast<int64_t>(sizeof(T)) && p.b_inner == static_cast<int64_t>(sizeof(T))) {
    for (int64_t k = 0; k < p.inner; ++k)
      sum = S::add(sum, S::read(a + k * static_cast<int64_t>(sizeof(T))), S::read(b + k * static_cast<int64_t>(sizeof(T))));
  } else {
    for (int64_t k = 0; k < p.inner; ++k, a += p.a_inner, b += p.b_inner) sum = S::add(sum, S::read(a), S::read(b));
  }
  return sum;
}

// Few elements: one after the other.
template <class T>
void run_elements(const MatrixProduct& p) {
  for (int64_t row = 0; row < p.rows; ++row) {
    for (int64_t column = 0; column < p.columns; ++column) {
      const std::byte* a = p.a + row * p.a_row;
      const std::byte* b = p.b + column * p.b_column;
      auto first = element<T>(p, a, b, 0);
      Sum<T>::write(p.c + row * p.c_row + column * p.c_column, first, Sum<T>::kParts == 2 ? element<T>(p, a, b, 1) : first);
    }
  }
}

// The same product seen from the other side: c^T = b^T a^T.
MatrixProduct flipped(const MatrixProduct& p) {
  return {p.b, p.b_column, p.b_inner, p.a, p.a_inner, p.a_row, p.c, p.c_column, p.c_row, p.columns, p.inner, p.rows};
}

template <class T>
void run(const MatrixProduct& p) {
  constexpr bool kAnyOrder = !std::is_same_v<T, Half> && (std::is_integral_v<T>);
  const int64_t narrow = std::min(p.rows, p.columns);
  const bool rows_follow = p.a_inner == static_cast<int64_t>(sizeof(T)) && p.b_inner == static_cast<int64_t>(sizeof(T));
  // A tile computes kColumns columns whether or not they exist.
  if (p.rows * p.columns * 2 < kColumns<T> || (kAnyOrder && narrow == 1 && rows_follow)) return run_elements<T>(p);
  if (p.columns < kColumns<T> && p.rows > p.columns) return run_tiles<T>(flipped(p));
  run_tiles<T>(p);
}

}  // namespace

void matmul_target(DType dtype, const MatrixProduct& p) {
  switch (dtype) {
    case DType::kBool:
      return run<bool>(p);
    case DType::kInt8:
    case DType::kUInt8:
      return run<uint8_t>(p);
    case DType::kInt16:
    case DType::kUInt16:
      return run<uint16_t>(p);
    case DType::kInt32:
    case DType::kUInt32:
      return run<uint32_t>(p);
    case DType::kInt64:
    case DType::kUInt64:
      return run<uint64_t>(p);
    case DType::kFloat16:
      return run<Half>(p);
    case DType::kFloat32:
      return run<float>(p);
    case DType::kFloat64:
      return run<double>(p);
    case DType::kComplex64:
      return run<std::complex<float>>(p);
    case DType::kComplex128:
      return run<std::complex<double>>(p);
  }
}

MANYCORE_TARGET_END

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(matmul_target);

void matmul(DType dtype, const MatrixProduct& product) { HWY_DYNAMIC_DISPATCH(matmul_target)(dtype, product); }

}  // namespace manycore::kernel
#endif
