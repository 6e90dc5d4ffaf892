// numpy.dot: up to two axes of float or complex go the way of NumPy's cblas_matrixproduct, which chooses other BLAS calls than
// matmul does; everything else is one dot product per element of the result.
#include <algorithm>
#include <atomic>
#include <complex>
#include <cstring>

#include "evaluate/assign.h"
#include "evaluate/matmul.h"
#include "evaluate/product.h"
#include "evaluate/status_scope.h"
#include "library/blas.h"
#include "trace/counters.h"

namespace manycore::evaluate {
namespace {

using library::Layout;
using library::Transpose;

enum class Kind { kScalar, kColumn, kRow, kMatrix };

Kind kind_of_shape(const View& view) {
  if (view.ndim() == 0) return Kind::kScalar;
  if (view.ndim() == 1) return view.shape[0] > 1 ? Kind::kColumn : Kind::kScalar;
  if (view.shape[0] > 1) return view.shape[1] == 1 ? Kind::kColumn : Kind::kMatrix;
  return view.shape[1] == 1 ? Kind::kScalar : Kind::kRow;
}

// A view and the copy behind it, if NumPy would make one.
struct Held {
  Array array;
  View view;

  explicit Held(const View& source) : view(source) {}
  void take(Array copied) {
    array = std::move(copied);
    view = array.view();
  }
  int64_t size() const { return item_size(view.dtype); }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(view.data);
  }
  bool has_bad_strides() const {
    if (reinterpret_cast<uintptr_t>(view.data) % static_cast<uintptr_t>(size()) != 0) return true;
    for (int axis = 0; axis < view.ndim(); ++axis) {
      int64_t step = view.strides[axis];
      if (step < 0 || step % size() != 0 || (step == 0 && view.shape[axis] > 1)) return true;
    }
    return false;
  }
  bool is_one_piece() const { return view.is_c_contiguous() || view.is_f_contiguous(); }
};

[[noreturn]] void fail_alignment(const View& a, const View& b, int axis_b) {
  int axis_a = a.ndim() - 1;
  throw UserError(ErrorKind::kValue, "shapes " + shape_text(a.shape) + " and " + shape_text(b.shape) +
                                         " not aligned: " + std::to_string(a.shape[axis_a]) + " (dim " + std::to_string(axis_a) +
                                         ") != " + std::to_string(b.shape[axis_b]) + " (dim " + std::to_string(axis_b) + ")");
}

Dims dot_shape(const View& a, const View& b) {
  if (a.ndim() == 0) return b.shape;
  if (b.ndim() == 0) return a.shape;
  int match = std::max(0, b.ndim() - 2);
  if (a.shape[a.ndim() - 1] != b.shape[match]) fail_alignment(a, b, match);
  Dims shape;
  for (int axis = 0; axis < a.ndim() - 1; ++axis) shape.push_back(a.shape[axis]);
  for (int axis = 0; axis < b.ndim(); ++axis)
    if (axis != match) shape.push_back(b.shape[axis]);
  return shape;
}

// other * scalar, added onto zeros by axpy. A matrix goes line by line along its longer axis.
template <class T>
void scale(const Held& other, Kind kind, const Held& scalar, int64_t count, const View& c) {
  T value = *scalar.as<T>();
  T* to = reinterpret_cast<T*>(c.data);
  if (count == 1) {
    T x = value, y = *other.as<T>();
    if constexpr (std::is_floating_point_v<T>)
      *to = x * y;
    else  // written out: the library's product would look for infinities
      *to = T(x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real());
    return;
  }
  if (kind != Kind::kMatrix) {
    int64_t step = kind == Kind::kRow ? other.view.strides[1] : other.view.ndim() > 0 ? other.view.strides[0] : 0;
    return library::axpy<T>(count, value, other.as<T>(), step / other.size(), to, 1);
  }
  int longer = other.view.shape[0] >= other.view.shape[1] ? 0 : 1;
  int shorter = 1 - longer;
  for (int64_t i = 0; i < other.view.shape[shorter]; ++i) {
    library::axpy<T>(other.view.shape[longer], value,
                     reinterpret_cast<const T*>(other.view.data + i * other.view.strides[shorter]),
                     other.view.strides[longer] / other.size(), reinterpret_cast<T*>(c.data + i * c.strides[shorter]),
                     c.strides[longer] / other.size());
  }
}

// y = op(matrix) @ vector
template <class T>
void matrix_vector(Held& matrix, const Held& vector, int64_t step, Transpose side, const View& c) {
  if (!matrix.is_one_piece()) matrix.take(copy(matrix.view, CopyOrder::kC));
  bool by_row = matrix.view.is_c_contiguous();
  int64_t rows = matrix.view.shape[0], columns = matrix.view.shape[1];
  library::gemv<T>(by_row ? Layout::kRowMajor : Layout::kColumnMajor, side, rows, columns, matrix.as<T>(),
                   std::max<int64_t>(1, by_row ? columns : rows), vector.as<T>(), step / matrix.size(),
                   reinterpret_cast<T*>(c.data), 1);
}

template <class T>
void matrix_matrix(Held& a, Held& b, const View& c) {
  if (!b.is_one_piece()) b.take(copy(b.view, CopyOrder::kC));
  if (!a.is_one_piece()) a.take(copy(a.view, CopyOrder::kC));
  int64_t rows = a.view.shape[0], inner = b.view.shape[0], columns = b.view.shape[1];
  Transpose a_side = a.view.is_f_contiguous() ? Transpose::kYes : Transpose::kNo;
  Transpose b_side = b.view.is_f_contiguous() ? Transpose::kYes : Transpose::kNo;
  int64_t lda = std::max<int64_t>(1, a_side == Transpose::kYes ? rows : a.view.shape[1]);
  int64_t ldb = std::max<int64_t>(1, b_side == Transpose::kYes ? inner : columns);
  int64_t ldc = std::max<int64_t>(1, columns);
  bool own_transpose = a.view.data == b.view.data && rows == columns && a.view.shape[1] == inner &&
                       a.view.strides[0] == b.view.strides[1] && a.view.strides[1] == b.view.strides[0] && a_side != b_side;
  if (!own_transpose)
    return library::gemm<T>(Layout::kRowMajor, a_side, b_side, rows, columns, inner, a.as<T>(), lda, b.as<T>(), ldb,
                            reinterpret_cast<T*>(c.data), ldc);
  library::syrk<T>(Layout::kRowMajor, a_side, columns, inner, a_side == Transpose::kNo ? a.as<T>() : b.as<T>(),
                   a_side == Transpose::kNo ? lda : ldb, reinterpret_cast<T*>(c.data), ldc);
  mirror_upper_triangle(reinterpret_cast<T*>(c.data), columns, ldc);
}

// How many elements of the other operand a scalar of shape (1,), (1,1) or () multiplies.
int64_t scaled_count(const Held& a, const Held& b, Kind other, const View& c) {
  if (a.view.ndim() == 0 || b.view.ndim() == 0) return c.size();
  int64_t inner = a.view.shape[a.view.ndim() - 1];
  if (inner == 0) return 0;
  if (c.ndim() == 0) return inner;
  return c.ndim() == 1 ? c.shape[0] : other == Kind::kRow ? c.shape[1] : c.shape[0];
}

// NumPy's cblas_matrixproduct: c is new, C-contiguous, of at most two axes.
template <class T>
void dot_with_blas(const View& a_view, const View& b_view, const View& c) {
  Held a(a_view), b(b_view);
  if (a.has_bad_strides()) a.take(copy(a_view, CopyOrder::kA));
  if (b.has_bad_strides()) b.take(copy(b_view, CopyOrder::kA));
  Kind kind_a = kind_of_shape(a.view), kind_b = kind_of_shape(b.view);
  bool scaling = kind_a == Kind::kScalar || kind_b == Kind::kScalar;
  const Held& other = kind_a == Kind::kScalar ? b : a;
  Kind other_kind = kind_a == Kind::kScalar ? kind_b : kind_a;
  int64_t count = scaling ? scaled_count(a, b, other_kind, c) : a.view.shape[a.view.ndim() - 1];
  if (scaling || count == 0) std::memset(c.data, 0, static_cast<size_t>(c.nbytes()));
  if (c.size() == 0 || count == 0) return;
  if (scaling) return scale<T>(other, other_kind, kind_a == Kind::kScalar ? a : b, count, c);
  if (kind_b == Kind::kColumn && kind_a != Kind::kMatrix)
    return multiply_vectors(c.dtype, a.view.data, a.view.strides[kind_a == Kind::kRow ? 1 : 0], b.view.data, b.view.strides[0],
                            c.data, count);
  if (kind_a == Kind::kMatrix && kind_b != Kind::kMatrix) return matrix_vector<T>(a, b, b.view.strides[0], Transpose::kNo, c);
  if (kind_b == Kind::kMatrix && kind_a != Kind::kMatrix)
    return matrix_vector<T>(b, a, a.view.strides[kind_a == Kind::kRow ? 1 : 0], Transpose::kYes, c);
  matrix_matrix<T>(a, b, c);
}

// Any number of axes: every vector along a's last axis with every one along b's second to last.
void dot_one_by_one(const View& a, const View& b, const View& c, unsigned* status, sched::Interrupts interrupts) {
  int match = std::max(0, b.ndim() - 2);
  int64_t inner = a.shape[a.ndim() - 1];
  View lines = slice(a, a.ndim() - 1, 0, std::min<int64_t>(1, inner), 1);
  View columns = b;
  columns.shape[match] = 1;
  int64_t a_count = 1, b_count = columns.size();
  for (int axis = 0; axis < a.ndim() - 1; ++axis) a_count *= a.shape[axis];
  auto start = [](const View& view, int skip, int64_t index) {
    const std::byte* data = view.data;
    for (int axis = view.ndim() - 1; axis >= 0; --axis) {
      if (axis == skip) continue;
      data += index % view.shape[axis] * view.strides[axis];
      index /= view.shape[axis];
    }
    return data;
  };
  std::atomic<unsigned> met{0};
  constexpr int64_t kWorkPerTask = 1 << 16;
  sched::parallel_for(
      a_count * b_count, std::max<int64_t>(1, kWorkPerTask / std::max<int64_t>(1, inner)),
      [&](int64_t begin, int64_t end) {
        unsigned here = 0;
        {
          StatusScope scope(status ? &here : nullptr);
          for (int64_t i = begin; i < end; ++i)
            multiply_vectors(c.dtype, start(lines, a.ndim() - 1, i / b_count), a.strides[a.ndim() - 1],
                             start(columns, match, i % b_count), b.strides[match], c.data + i * item_size(c.dtype), inner);
        }
        if (here) met.fetch_or(here, std::memory_order_relaxed);
      },
      interrupts);
  if (status) *status |= met.load(std::memory_order_relaxed);
}

// Two axes of a dtype that BLAS does not know: one tiled product. Sums add in the same order as one by one.
void dot_plainly(const View& a, const View& b, const View& c, unsigned* status, sched::Interrupts interrupts) {
  View left = a, right = b, result = c;
  if (a.ndim() == 1) {
    left.shape.insert(0, 1);
    left.strides.insert(0, 0);
    result.shape.insert(0, 1);
    result.strides.insert(0, 0);
  }
  if (b.ndim() == 1) {
    right.shape.push_back(1);
    right.strides.push_back(0);
    result.shape.push_back(1);
    result.strides.push_back(0);
  }
  Multiplication(left, right, result).run_parallel(is_inexact(c.dtype) ? status : nullptr, interrupts);
}

void dot_into(const View& a, const View& b, const View& c, unsigned* status, sched::Interrupts interrupts) {
  if (library::has_blas() && a.ndim() <= 2 && b.ndim() <= 2) {
    StatusScope scope(status);
    if (c.dtype == DType::kFloat32) return dot_with_blas<float>(a, b, c);
    if (c.dtype == DType::kFloat64) return dot_with_blas<double>(a, b, c);
    if (c.dtype == DType::kComplex64) return dot_with_blas<std::complex<float>>(a, b, c);
    if (c.dtype == DType::kComplex128) return dot_with_blas<std::complex<double>>(a, b, c);
  }
  if (c.size() == 0) return;
  if (a.ndim() <= 2 && b.ndim() <= 2) return dot_plainly(a, b, c, status, interrupts);
  dot_one_by_one(a, b, c, is_inexact(c.dtype) ? status : nullptr, interrupts);
}

}  // namespace

Array dot(const View& a_view, const View& b_view, const ElementwiseOptions& options) {
  DType dtype = promote(a_view.dtype, b_view.dtype);
  Dims shape = dot_shape(a_view, b_view);
  const Array* output = options.outputs[0];
  if (output && (output->dtype() != dtype || output->ndim() != shape.size() || !output->is_c_contiguous()))
    throw UserError(ErrorKind::kValue,
                    "output array is not acceptable (must have the right datatype, number of dimensions, and be a C-Array)");
  if (output && !(output->shape() == shape)) throw UserError(ErrorKind::kValue, "output array has wrong dimensions");
  trace::NativeCall call;
  Held a(a_view), b(b_view);
  if (a_view.dtype != dtype) a.take(astype(a_view, dtype));
  if (b_view.dtype != dtype) b.take(astype(b_view, dtype));
  bool blas_scales =
      library::has_blas() && is_inexact(dtype) && dtype != DType::kFloat16 && a_view.ndim() <= 2 && b_view.ndim() <= 2;
  if ((a_view.ndim() == 0 || b_view.ndim() == 0) && !blas_scales) {
    const Operand operands[] = {a.view, b.view};
    ElementwiseOptions product;
    product.outputs[0] = output;
    product.status = options.status;
    Array scaled = elementwise(op::Op::multiply, operands, product);
    call.count(a_view.nbytes() + b_view.nbytes() + scaled.nbytes());
    return scaled;
  }
  if (!a.view.is_aligned()) a.take(copy(a.view));
  if (!b.view.is_aligned()) b.take(copy(b.view));
  bool direct = output && output->view().is_aligned() && overlap(output->view(), a.view) == Overlap::kNone &&
                overlap(output->view(), b.view) == Overlap::kNone;
  Array result = direct ? *output : Array::empty(shape, dtype);
  dot_into(a.view, b.view, result.view(), options.status, direct ? sched::Interrupts::kFinish : sched::Interrupts::kStop);
  call.count(a_view.nbytes() + b_view.nbytes() + result.nbytes());
  if (!output || direct) return result;
  assign(output->view(), result.view());
  return *output;
}

}  // namespace manycore::evaluate
