#include "evaluate/transposed_copy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <vector>

#include "evaluate/assign.h"
#include "kernel/dispatch.h"
#include "manycore/array.h"

namespace manycore::evaluate {
namespace {

using interpret::make_plan;
using interpret::Plan;

Array numbered(const Dims& shape, DType dtype) {
  Array array = Array::empty(shape, dtype);
  const int64_t item = item_size(dtype);
  for (int64_t i = 0; i < array.size(); ++i) {
    const uint64_t value = uint64_t(i) * 0x9e3779b97f4a7c15u;  // every byte counts
    std::memcpy(array.data() + i * item, &value, static_cast<size_t>(std::min<int64_t>(item, 8)));
  }
  return array;
}

int64_t offset_of(const View& view, int64_t number) {
  int64_t offset = 0;
  for (int axis = view.ndim() - 1; axis >= 0; --axis) {
    offset += number % view.shape[axis] * view.strides[axis];
    number /= view.shape[axis];
  }
  return offset;
}

// Copies `source` to memory that starts `shift` elements into a block, and compares element by element.
void check(const View& source, int64_t shift, bool past_caches) {
  const int64_t item = item_size(source.dtype), bytes = source.size() * item;
  Array block = Array::empty(Dims{source.size() + shift + 64}, source.dtype);
  std::memset(block.data(), 0x5a, static_cast<size_t>(block.nbytes()));
  const View target = block.slice(0, shift, shift + source.size()).reshape(source.shape).view();
  const View* views[2] = {&source, &target};
  Plan plan;
  make_plan(views, 2, 1, &plan);
  ASSERT_TRUE(transposed_copy(plan, item, past_caches, true)) << shape_text(source.shape);
  for (int64_t i = 0; i < source.size(); ++i) {
    ASSERT_EQ(std::memcmp(target.data + i * item, source.data + offset_of(source, i), static_cast<size_t>(item)), 0)
        << kernel::simd_level() << " " << shape_text(source.shape) << " element " << i;
  }
  for (int64_t i = 0; i < 64 * item; ++i) ASSERT_EQ(target.data[bytes + i], std::byte{0x5a}) << "written behind the end";
  for (int64_t i = 0; i < shift * item; ++i) ASSERT_EQ(block.data()[i], std::byte{0x5a}) << "written before the start";
}

TEST(TransposedCopy, moves_every_element_whatever_the_shape_and_alignment_on_every_level) {
  for (const char* level : kernel::simd_levels()) {
    ASSERT_TRUE(kernel::set_simd_level(level));
    for (DType dtype : {DType::kFloat32, DType::kInt64, DType::kComplex64}) {
      for (const Dims& shape : {Dims{64, 64}, Dims{67, 301}, Dims{600, 8}, Dims{9, 600}, Dims{531, 257}}) {
        const Array array = numbered(shape, dtype);
        for (int64_t shift : {0, 3}) {
          for (bool past_caches : {false, true}) check(array.transpose().view(), shift, past_caches);
        }
      }
    }
  }
  ASSERT_TRUE(kernel::set_simd_level("auto"));
}

TEST(TransposedCopy, takes_more_axes_and_steps_backwards) {
  const Array cube = numbered(Dims{11, 10, 130}, DType::kFloat64);
  for (const Dims& order : {Dims{2, 1, 0}, Dims{2, 0, 1}, Dims{1, 2, 0}}) {
    View view = cube.transpose(order).view();
    check(view, 1, true);
    for (int axis = 0; axis < 3; ++axis) {
      if (order[axis] == 2) continue;  // the source must run forwards along its dense axis
      view.data += (view.shape[axis] - 1) * view.strides[axis];
      view.strides[axis] = -view.strides[axis];
    }
    check(view, 0, false);
  }
}

TEST(TransposedCopy, leaves_other_layouts_alone) {
  const Array matrix = numbered(Dims{100, 100}, DType::kFloat64), narrow = numbered(Dims{5000, 3}, DType::kFloat64),
              bytes = numbered(Dims{100, 100}, DType::kInt8);
  for (const Array& source : {matrix, narrow.transpose(), bytes.transpose()}) {
    const Array target = Array::empty(source.shape(), source.dtype());
    const View* views[2] = {&source.view(), &target.view()};
    Plan plan;
    make_plan(views, 2, 1, &plan);
    EXPECT_FALSE(transposed_copy(plan, item_size(source.dtype()), false, true));
  }
}

}  // namespace
}  // namespace manycore::evaluate
