// NumPy's own inner loops of the mathematical functions, put into the engine's table at import, so that an element's bits are
// those that NumPy on this machine gives. Each loop is pure, thread-safe and needs no GIL. The element types whose loops
// NumPy computes through another (float16 through float32 in older releases) come along as they are.
#include "bindings/math_loops.h"

#include <utility>

#include "bindings/numpy_api.h"
#include "bindings/options.h"
#include "bindings/ufunc_object.h"
#include "library/vector_math.h"
// After numpy_api.h, which says where the function tables are; only the structure is used here.
#define NO_IMPORT_UFUNC
#include <numpy/ufuncobject.h>

namespace manycore::python {
namespace {

using op::Op;

// Real and complex loops alike.
constexpr Op kFunctions[] = {Op::power,   Op::float_power, Op::cbrt,  Op::exp,       Op::exp2,      Op::expm1,   Op::log,
                             Op::log2,    Op::log10,       Op::log1p, Op::sin,       Op::cos,       Op::tan,     Op::arcsin,
                             Op::arccos,  Op::arctan,      Op::sinh,  Op::cosh,      Op::tanh,      Op::arcsinh, Op::arccosh,
                             Op::arctanh, Op::arctan2,     Op::hypot, Op::logaddexp, Op::logaddexp2};
// Complex loops whose order of operations the compiler chose in NumPy's build. Products and quotients are ours: NumPy's loops for
// them round differently where a stride is negative (without fused multiply-adds) and where none is.
constexpr Op kComplexFunctions[] = {Op::sqrt, Op::absolute};

static_assert(sizeof(npy_intp) == sizeof(int64_t), "NumPy's loops take the engine's extents");

void take_loops(Op operation, bool complex_only) {
  const UfuncObject* ours = ufunc_of(operation);
  if (ours == nullptr) return;
  const auto* ufunc = reinterpret_cast<const PyUFuncObject*>(ours->real);
  bool taken[kDTypeCount] = {};
  for (int i = 0; i < ufunc->ntypes; ++i) {
    const char* types = ufunc->types + static_cast<ptrdiff_t>(i) * ufunc->nargs;
    DType dtype;
    if (!dtype_from_type_number(types[0], &dtype) || !is_inexact(dtype) || (complex_only && !is_complex(dtype))) continue;
    // Mixed loops (power of a float by an integer) are not the engine's.
    bool uniform = ufunc->functions[i] != nullptr;
    for (int k = 1; k < ufunc->nin; ++k) uniform = uniform && types[k] == types[0];
    // NumPy lists some dtypes twice, the vectorised loop first, and takes the first.
    if (!uniform || std::exchange(taken[static_cast<int>(dtype)], true)) continue;
    library::set_math_loop(operation, dtype, reinterpret_cast<kernel::LoopFn>(ufunc->functions[i]), ufunc->data[i]);
  }
}

}  // namespace

void register_math_loops() {
  for (Op operation : kFunctions) take_loops(operation, false);
  for (Op operation : kComplexFunctions) take_loops(operation, true);
}

void simd_level_changed() { register_math_loops(); }

}  // namespace manycore::python
