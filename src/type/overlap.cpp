// Do two strided views touch a common byte? Every byte of a view is first + sum(stride_i * x_i) + (0 .. item_size-1), so the
// question is whether a linear equation with bounded variables has a solution. Real layouts nest (each stride exceeds the
// reach of the smaller ones), so a depth-first search over the coefficients, largest first, leaves one or two candidates a
// level; contrived ones are cut off after kWorkLimit steps and answered "maybe".
#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "manycore/view.h"

namespace manycore {
namespace {

constexpr int kWorkLimit = 2000;
constexpr int kMaxTerms = 2 * (kMaxDims + 1);

struct Term {
  int64_t coefficient;
  int64_t bound;  // the variable lies in [0, bound]
};

struct Equation {
  Term terms[kMaxTerms];
  int64_t reach[kMaxTerms + 1];    // what the terms from here on can add up to
  int64_t divisor[kMaxTerms + 1];  // what divides everything that they can add up to
  int count = 0;
  int work = 0;

  void add(int64_t coefficient, int64_t bound) {
    if (coefficient != 0 && bound > 0) terms[count++] = {coefficient < 0 ? -coefficient : coefficient, bound};
  }

  void prepare() {
    std::sort(terms, terms + count, [](const Term& a, const Term& b) { return a.coefficient > b.coefficient; });
    int kept = 0;
    for (int i = 0; i < count; ++i) {
      if (kept > 0 && terms[kept - 1].coefficient == terms[i].coefficient)
        terms[kept - 1].bound += terms[i].bound;
      else
        terms[kept++] = terms[i];
    }
    count = kept;
    reach[count] = 0;
    divisor[count] = 0;
    for (int i = count - 1; i >= 0; --i) {
      reach[i] = reach[i + 1] + terms[i].coefficient * terms[i].bound;
      divisor[i] = std::gcd(divisor[i + 1], terms[i].coefficient);
    }
  }

  // Is there a solution with sum over terms i.. equal to rest? Gives up (answers true) past the work limit.
  bool solvable(int i, int64_t rest) {
    if (rest < 0 || rest > reach[i]) return false;
    if (rest == 0 || ++work > kWorkLimit) return true;
    if (rest % divisor[i] != 0) return false;
    const Term& term = terms[i];
    int64_t most = std::min(term.bound, rest / term.coefficient);
    int64_t missing = rest - reach[i + 1];
    int64_t least = missing > 0 ? (missing + term.coefficient - 1) / term.coefficient : 0;
    for (int64_t x = most; x >= least; --x)
      if (solvable(i + 1, rest - x * term.coefficient)) return true;
    return false;
  }
};

void add_view(Equation& equation, const View& view) {
  for (int axis = 0; axis < view.ndim(); ++axis) equation.add(view.strides[axis], view.shape[axis] - 1);
  equation.add(1, item_size(view.dtype) - 1);
}

bool is_same(const View& a, const View& b) {
  if (a.data != b.data || item_size(a.dtype) != item_size(b.dtype) || !(a.shape == b.shape)) return false;
  for (int axis = 0; axis < a.ndim(); ++axis)
    if (a.shape[axis] != 1 && a.strides[axis] != b.strides[axis]) return false;
  return true;
}

}  // namespace

bool may_overlap_in_any_order(const View& view) {
  const int ndim = view.ndim();
  int axes[kMaxDims];
  for (int i = 0; i < ndim; ++i) {
    if (view.shape[i] == 0) return false;
    axes[i] = i;
  }
  std::sort(axes, axes + ndim, [&](int a, int b) { return std::llabs(view.strides[a]) < std::llabs(view.strides[b]); });
  int64_t reach = item_size(view.dtype);
  for (int i = 0; i < ndim; ++i) {
    const int axis = axes[i];
    if (view.shape[axis] == 1) continue;
    const int64_t step = std::llabs(view.strides[axis]);
    if (step < reach) return true;
    reach += step * (view.shape[axis] - 1);
  }
  return false;
}

Overlap overlap(const View& a, const View& b) {
  ByteRange range_a = byte_range(a);
  ByteRange range_b = byte_range(b);
  if (!range_a.begin || !range_b.begin || range_a.end <= range_b.begin || range_b.end <= range_a.begin) return Overlap::kNone;
  if (is_same(a, b)) return Overlap::kSame;
  // begin_a + A = begin_b + B with A, B sums of positive terms; B = reach_b - B' for the mirrored variables, so
  // A + B' = end_b - 1 - begin_a.
  Equation equation;
  add_view(equation, a);
  add_view(equation, b);
  equation.prepare();
  return equation.solvable(0, range_b.end - 1 - range_a.begin) ? Overlap::kMaybe : Overlap::kNone;
}

}  // namespace manycore
