#include "evaluate/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "base/options.h"
#include "evaluate/assign.h"
#include "evaluate/create.h"
#include "evaluate/small.h"

namespace manycore::evaluate {
namespace {

using op::Op;

Array numbers(const Dims& shape, unsigned seed = 1) {
  Array array = Array::empty(shape, DType::kFloat64);
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  for (double& value : array.elements<double>()) value = normal(random);
  return array;
}

Array call(Op op, std::initializer_list<Operand> inputs, const ElementwiseOptions& options = {}) {
  return elementwise(op, std::span(inputs.begin(), inputs.size()), options);
}

template <class F>
std::string message(const F& f, ErrorKind kind) {
  try {
    f();
  } catch (const UserError& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "";
}

double at(const Array& array, std::initializer_list<int64_t> position) {
  const std::byte* p = array.data();
  int axis = 0;
  for (int64_t i : position) p += i * array.strides()[axis++];
  double value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

TEST(Elementwise, operands_in_any_layout_give_what_single_elements_give) {
  const Array a = numbers({60, 70}), b = numbers({70, 60}, 2);
  const Array views[] = {a, a.slice(0, 59, std::nullopt, -1), b.transpose(), a.slice(1, 0, 70, 1)};
  for (const Array& x : views) {
    for (const Array& y : views) {
      const Array sum = call(Op::add, {x, y});
      for (int64_t i = 0; i < 60; ++i) {
        for (int64_t j = 0; j < 70; ++j) ASSERT_EQ(at(sum, {i, j}), at(x, {i, j}) + at(y, {i, j}));
      }
    }
  }
}

TEST(Elementwise, short_and_broadcast_axes_give_what_single_elements_give) {
  const Array a = numbers({5000, 3}), row = numbers({3}, 2), column = numbers({5000, 1}, 3);
  const Array x = call(Op::multiply, {a, row}), y = call(Op::subtract, {a, column});
  for (int64_t i = 0; i < 5000; ++i) {
    for (int64_t j = 0; j < 3; ++j) {
      ASSERT_EQ(at(x, {i, j}), at(a, {i, j}) * at(row, {j}));
      ASSERT_EQ(at(y, {i, j}), at(a, {i, j}) - at(column, {i, 0}));
    }
  }
}

TEST(Elementwise, results_do_not_depend_on_the_number_of_threads) {
  const Array a = numbers({300001}), b = numbers({300001}, 2);
  for (Op op : {Op::add, Op::divide, Op::arctan2, Op::power, Op::remainder}) {
    base::set_option("threads", "1");
    const Array one = call(op, {a, b});
    base::set_option("threads", "3");
    const Array three = call(op, {a, b});
    EXPECT_EQ(std::memcmp(one.data(), three.data(), static_cast<size_t>(one.nbytes())), 0) << op::info(op).name;
  }
  base::set_option("threads", "0");
}

TEST(Elementwise, output_that_is_an_input_element_by_element_is_written_in_place) {
  Array a = numbers({1000});
  const Array before = a.copy();
  ElementwiseOptions options;
  options.outputs[0] = &a;
  const Array result = call(Op::add, {a, a}, options);
  EXPECT_EQ(result.data(), a.data());
  for (int64_t i = 0; i < 1000; ++i) ASSERT_EQ(at(a, {i}), 2 * at(before, {i}));
}

TEST(Elementwise, output_that_overlaps_an_input_otherwise_reads_the_old_values) {
  Array a = numbers({1001});
  const Array before = a.copy();
  const Array left = a.slice(0, 0, 1000), right = a.slice(0, 1, 1001);
  ElementwiseOptions options;
  options.outputs[0] = &right;
  call(Op::add, {left, right}, options);
  for (int64_t i = 0; i < 1000; ++i) ASSERT_EQ(at(right, {i}), at(before, {i}) + at(before, {i + 1}));
}

TEST(Elementwise, an_output_that_holds_elements_in_several_places_is_refused_untouched) {
  const Array a = numbers({100}), memory = numbers({110});
  const Array before = memory.copy();
  for (const int64_t stride : {0, 4, -4}) {
    const Array windows = memory.with_view({memory.data() + 400, DType::kFloat64, {100}, {stride}});
    const auto refused = [&](auto&& write) {
      return message(write, ErrorKind::kNotImplemented).find("several places") != std::string::npos;
    };
    ElementwiseOptions options;
    options.outputs[0] = &windows;
    Array result;
    const Operand operands[] = {a, a};
    unsigned status = 0;
    EXPECT_FALSE(small_elementwise(Op::add, operands, &windows, &result, &status));
    EXPECT_TRUE(refused([&] { call(Op::add, {a, a}, options); }));
    EXPECT_TRUE(refused([&] { assign(windows.view(), a.view()); }));
    EXPECT_TRUE(refused([&] { fill(windows.view(), Scalar::real(3)); }));
  }
  for (int64_t i = 0; i < 110; ++i) ASSERT_EQ(at(memory, {i}), at(before, {i}));
}

TEST(Elementwise, unselected_elements_stay_as_they_are) {
  const Array a = numbers({500});
  Array mask = Array::zeros({500}, DType::kBool), out = Array::zeros({500}, DType::kFloat64);
  for (int64_t i = 0; i < 500; ++i) mask.elements<bool>()[static_cast<size_t>(i)] = i % 7 < 3;
  ElementwiseOptions options;
  options.outputs[0] = &out;
  options.where = &mask.view();
  call(Op::negative, {a}, options);
  for (int64_t i = 0; i < 500; ++i) ASSERT_EQ(at(out, {i}), i % 7 < 3 ? -at(a, {i}) : 0.0);
}

TEST(Elementwise, conditions_are_reported_where_numpy_reports_them) {
  const double values[] = {1.0, 0.0, std::numeric_limits<double>::quiet_NaN()};
  const Array a = Array::from<double>(values, {3});
  const auto status_of = [&](Op op, std::initializer_list<Operand> inputs) {
    unsigned status = 0;
    ElementwiseOptions options;
    options.status = &status;
    call(op, inputs, options);
    return status;
  };
  EXPECT_EQ(status_of(Op::divide, {a, Scalar::real(0.0)}), unsigned{kDivideByZero | kInvalid});
  EXPECT_EQ(status_of(Op::multiply, {a, Scalar::real(1e308)}), 0u);
  EXPECT_EQ(status_of(Op::less, {a, Scalar::real(0.5)}), 0u);
  EXPECT_EQ(status_of(Op::maximum, {a, Scalar::real(0.5)}), 0u);
  EXPECT_EQ(status_of(Op::log, {a}), unsigned{kDivideByZero});
  EXPECT_EQ(status_of(Op::sqrt, {Operand(call(Op::negative, {a}))}), unsigned{kInvalid});
}

TEST(Elementwise, python_integers_out_of_range_are_refused_or_compared_exactly) {
  Array bytes = Array::zeros({4}, DType::kUInt8);
  EXPECT_EQ(message(
                [&] {
                  call(Op::add, {bytes, Scalar::integer(300)});
                },
                ErrorKind::kOverflow),
            "Python integer 300 out of bounds for uint8");
  const Array less = call(Op::less, {bytes, Scalar::integer(300)}), equal = call(Op::equal, {bytes, Scalar::integer(-1)});
  for (bool value : less.elements<bool>()) EXPECT_TRUE(value);
  for (bool value : equal.elements<bool>()) EXPECT_FALSE(value);
}

TEST(Elementwise, negative_exponents_of_integers_are_refused) {
  const Array a = arange(Scalar::integer(0), Scalar::integer(1), 5, DType::kInt64);
  EXPECT_EQ(message(
                [&] {
                  call(Op::power, {a, Scalar::integer(-1)});
                },
                ErrorKind::kValue),
            "Integers to negative integer powers are not allowed.");
}

TEST(Elementwise, shapes_that_do_not_fit_are_named) {
  const Array a = numbers({2, 3}), b = numbers({4});
  EXPECT_EQ(message(
                [&] {
                  call(Op::add, {a, b});
                },
                ErrorKind::kValue),
            "operands could not be broadcast together with shapes (2,3) (4,) ");
  const Array out = numbers({3});
  ElementwiseOptions options;
  options.outputs[0] = &out;
  EXPECT_EQ(message(
                [&] {
                  call(Op::add, {a, a}, options);
                },
                ErrorKind::kValue),
            "non-broadcastable output operand with shape (3,) doesn't match the broadcast shape (2,3)");
}

TEST(Assign, transposed_copies_of_every_permutation_are_exact) {
  const Array a = numbers({33, 40, 50});
  Dims order{0, 1, 2};
  do {
    const Array turned = a.transpose(order);
    const Array packed = copy(turned.view(), CopyOrder::kC);
    ASSERT_TRUE(packed.is_c_contiguous());
    for (int64_t i = 0; i < turned.shape()[0]; i += 3) {
      for (int64_t j = 0; j < turned.shape()[1]; ++j) {
        for (int64_t k = 0; k < turned.shape()[2]; ++k) ASSERT_EQ(at(packed, {i, j, k}), at(turned, {i, j, k}));
      }
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Assign, overlapping_source_is_read_before_it_is_written) {
  Array a = numbers({100, 100});
  const Array before = a.copy();
  assign(a.view(), a.transpose().view());
  for (int64_t i = 0; i < 100; ++i) {
    for (int64_t j = 0; j < 100; ++j) ASSERT_EQ(at(a, {i, j}), at(before, {j, i}));
  }
}

TEST(Assign, shapes_that_do_not_fit_are_named) {
  const Array a = numbers({4}), b = numbers({3});
  EXPECT_EQ(message([&] { assign(a.view(), b.view()); }, ErrorKind::kValue),
            "could not broadcast input array from shape (3,) into shape (4,)");
}

TEST(Assign, python_numbers_are_converted_as_python_does) {
  Array a = Array::zeros({3}, DType::kInt8);
  fill(a.view(), Scalar::real(2.7));
  EXPECT_EQ(a.elements<int8_t>()[2], 2);
  EXPECT_EQ(message([&] { fill(a.view(), Scalar::real(NAN)); }, ErrorKind::kValue), "cannot convert float NaN to integer");
  EXPECT_EQ(message([&] { fill(a.view(), Scalar::integer(200)); }, ErrorKind::kOverflow),
            "Python integer 200 out of bounds for int8");
}

TEST(Create, where_selects_element_by_element) {
  const Array x = numbers({3000}), y = numbers({3000}, 2), condition = call(Op::greater, {x, Scalar::real(0)});
  const Array chosen = where(condition, x, y), clipped = where(condition, x, Scalar::integer(0));
  for (int64_t i = 0; i < 3000; ++i) {
    ASSERT_EQ(at(chosen, {i}), at(x, {i}) > 0 ? at(x, {i}) : at(y, {i}));
    ASSERT_EQ(at(clipped, {i}), std::max(0.0, at(x, {i})));
  }
}

TEST(Create, arange_adds_multiples_of_the_step) {
  const Array a = arange(Scalar::real(0.5), Scalar::real(0.1), 100000, DType::kFloat64);
  const double delta = (0.5 + 0.1) - 0.5;
  for (int64_t i = 2; i < 100000; ++i) ASSERT_EQ(at(a, {i}), 0.5 + double(i) * delta);
}

TEST(Create, concatenation_names_the_extent_that_differs) {
  const View parts[] = {numbers({2, 3}).view(), numbers({2, 4}).view()};
  EXPECT_EQ(
      message([&] { concatenate(parts, 0); }, ErrorKind::kValue),
      "all the input array dimensions except for the concatenation axis must match exactly, but along dimension 1, the array "
      "at index 0 has size 3 and the array at index 1 has size 4");
}

}  // namespace
}  // namespace manycore::evaluate
