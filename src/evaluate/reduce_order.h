// ReduceOrder: the loops that NumPy's iterator makes of a reduction - which axes run innermost, which are merged, and into what
// runs the elements of one result are cut. Sums and float16 products depend on it bit by bit. The rules, as observed in
// NumPy 2.3 and 2.4 (and checked against the installed one by tests/python/test_reductions.py):
//   - axes are sorted by |stride|, smallest innermost, extents of 1 dropped, neighbours merged where all operands allow it;
//     negative strides are not flipped;
//   - the innermost loop is one run; axes that do not merge are gathered into a buffer of 8192 elements when the iterator
//     estimates that to be cheaper, and so are inputs that need a cast or are misaligned.
// A plain value; building one allocates nothing beyond itself.
#pragma once

#include <cstdint>

#include "manycore/view.h"

namespace manycore::evaluate {

inline constexpr int64_t kNumpyBuffer = 8192;  // elements; numpy.getbufsize()

struct ReduceOrder {
  enum Operand { kOut, kIn, kThird };  // the third is a mask, or a passenger that has no say in the order

  int ndim = 0;  // after merging; loop 0 is innermost; at least 1
  int64_t shape[kMaxDims];
  int64_t stride[3][kMaxDims];  // bytes per operand; of kOut zero along reduced axes
  int axis_order[kMaxDims];     // the array's axes, innermost first, before merging
  int group = 1;                // loops 0 .. group-1 form runs together; their elements are gathered when group > 1
  int64_t run = 0;              // longest run: the group's elements are cut at multiples of it

  bool inner_is_reduced() const { return stride[kOut][0] == 0; }
  int64_t group_size() const {
    int64_t n = 1;
    for (int i = 0; i < group; ++i) n *= shape[i];
    return n;
  }
};

// `reduced[axis]` says which axes of `in` go. `out_strides` are those of the result per axis of `in` (0 where reduced), or null
// when the result is new: then they are chosen as NumPy does, in the iteration's order, and written to `new_out_strides`.
// `third_strides` are per axis of `in`, or null; they count like an operand's when `third_counts`. The casts are those that
// NumPy would do: the dtype differs from the loop's, or an address is misaligned.
void plan_reduction(const View& in, const bool* reduced, const int64_t* out_strides, int64_t out_item, int64_t* new_out_strides,
                    const int64_t* third_strides, bool third_counts, bool input_is_cast, bool output_is_cast, ReduceOrder* order);

}  // namespace manycore::evaluate
