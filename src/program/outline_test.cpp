#include "program/outline.h"

#include <gtest/gtest.h>

#include <functional>

#include "program/by_hand.h"

namespace manycore::program {
namespace {

using op::Op;
using namespace program_test;

const Dims kShape{20, 50};

// c = (a + number) * b, where nobody else holds the sum; what a test changes is changed before it is recorded.
struct Recorded {
  Array a = promised(kShape), b = promised(kShape), c = promised(kShape), held;
  Program program;
  double first = 1, second = 2;

  explicit Recorded(const std::function<void(Recorded&)>& change = [](Recorded&) {}) { change(*this); }

  Outline outline() {
    {
      const Array sum = promised(kShape, dtype);
      program.instructions.push_back(elementwise(operation, sum, operand(a), number(first)));
      program.instructions.push_back(elementwise(Op::multiply, c, operand(sum), operand(b)));
      program.instructions.push_back(elementwise(Op::add, c, operand(c), number(second)));
      if (holds) held = sum;
    }
    program.instructions[0].origin.reported = reported;
    if (passes) program.passing = c.buffer().get();
    Outline result;
    result.read(program);
    return result;
  }

  Op operation = Op::add;
  DType dtype = DType::kFloat64;
  bool holds = false, passes = false;
  unsigned reported = 0;
};

TEST(Outline, programs_that_differ_in_addresses_and_numbers_have_the_same_words) {
  Recorded one, other([](Recorded&r) { r.first = 7; });
  const Outline a = one.outline(), b = other.outline();
  EXPECT_TRUE(a.may_be_kept());
  EXPECT_EQ(a.hash(), b.hash());
  EXPECT_EQ(a.words(), b.words());
  EXPECT_EQ(a.bases().uses().size(), 4u);
  EXPECT_NE(a.bases().uses()[0].base, b.bases().uses()[0].base);
}

TEST(Outline, everything_that_decides_a_plan_is_told_apart) {
  const std::pair<const char*, std::function<void(Recorded&)>> kChanges[] = {
      {"operation", [](Recorded& r) { r.operation = Op::subtract; }},
      {"dtype of a result", [](Recorded& r) { r.dtype = DType::kFloat32; }},
      {"dtype of an input", [](Recorded& r) { r.a = promised(kShape, DType::kInt64); }},
      {"shape",
       [](Recorded& r) {
         r.a = r.b = r.c = promised({50, 20});
       }},
      {"strides",
       [](Recorded& r) {
         r.a = promised({50, 20}).transpose();
       }},
      {"offset",
       [](Recorded& r) {
         r.a = promised({40, 50}).slice(0, 3, 23);
       }},
      {"another offset",
       [](Recorded& r) {
         r.a = promised({40, 50}).slice(0, 4, 24);
       }},
      {"size of a base",
       [](Recorded& r) {
         r.a = promised({40, 50}).slice(0, 0, 20);
       }},
      {"the same array twice", [](Recorded& r) { r.b = r.a; }},
      {"written in place", [](Recorded& r) { r.c = r.a; }},
      {"equal numbers", [](Recorded& r) { r.second = r.first; }},
      {"somebody holds a result", [](Recorded& r) { r.holds = true; }},
      {"an input has memory", [](Recorded& r) { r.a = counted(kShape); }},
      {"a result has memory", [](Recorded& r) { r.c = counted(kShape); }},
      {"conditions are wanted", [](Recorded& r) { r.reported = 3; }},
      {"other conditions are wanted", [](Recorded& r) { r.reported = 1; }},
      {"an array passes", [](Recorded& r) { r.passes = true; }},
  };
  std::vector<std::pair<const char*, std::vector<uint64_t>>> seen{{"nothing", Recorded().outline().words()}};
  for (const auto& [name, change] : kChanges) {
    Recorded changed(change);
    const Outline outline = changed.outline();
    EXPECT_TRUE(outline.may_be_kept()) << name;
    for (const auto& [other, words] : seen) EXPECT_NE(outline.words(), words) << name << " and " << other;
    seen.emplace_back(name, outline.words());
  }
}

TEST(Outline, foreign_memory_is_told_from_the_pools) {
  std::vector<double> values(1000);
  const auto wrapped = [&] {
    return Array::wrap(reinterpret_cast<std::byte*>(values.data()), DType::kFloat64, kShape, c_strides(kShape, 8), [] {});
  };
  Recorded own([](Recorded&r) { r.a = counted(kShape); }), foreign([&](Recorded&r) { r.a = wrapped(); });
  EXPECT_NE(own.outline().words(), foreign.outline().words());
}

TEST(Outline, what_an_interrupted_run_left_is_planned_anew) {
  Recorded done, echoes, freed, copied, numbers;
  Program original;
  copied.program.original = &original;
  EXPECT_FALSE(copied.outline().may_be_kept());
  const auto read_again = [](Recorded& recorded) {
    Outline outline;
    outline.read(recorded.program);
    return outline;
  };
  EXPECT_TRUE(done.outline().may_be_kept());
  done.program.instructions[0].done = true;
  EXPECT_FALSE(read_again(done).may_be_kept());
  EXPECT_TRUE(echoes.outline().may_be_kept());
  echoes.program.instructions[0].echoes.emplace_back();
  EXPECT_FALSE(read_again(echoes).may_be_kept());
  EXPECT_TRUE(freed.outline().may_be_kept());
  freed.program.instructions.emplace_back().kind = Kind::kFree;
  freed.program.instructions.back().output.base = freed.a.buffer();
  EXPECT_FALSE(read_again(freed).may_be_kept());
  EXPECT_TRUE(numbers.outline().may_be_kept());
  for (int i = 0; i < 40; ++i)
    numbers.program.instructions.push_back(elementwise(Op::add, numbers.c, operand(numbers.c), number(i)));
  EXPECT_FALSE(read_again(numbers).may_be_kept());  // more numbers than are compared
}

}  // namespace
}  // namespace manycore::program
