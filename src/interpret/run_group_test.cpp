#include "interpret/run_group.h"

#include <gtest/gtest.h>

#include "base/options.h"
#include "kernel/float_status.h"
#include "program/by_hand.h"
#include "trace/counters.h"

namespace manycore::interpret {
namespace {

using op::Op;
using namespace program_test;

// Blocks of `block` elements, on `threads` threads; 0 as usual.
struct Settings {
  Settings(const char* block, const char* threads) {
    base::set_option("block_elements", block);
    base::set_option("chunk_elements", "7");
    base::set_option("threads", threads);
  }
  ~Settings() {
    for (const char* name : {"block_elements", "chunk_elements", "threads"}) base::set_option(name, "0");
  }
};

struct Ran {
  std::vector<Report> reports;
  int64_t groups, written;

  explicit Ran(program::Program& program) {
    const trace::Totals before = trace::totals();
    fuse::Schedule schedule = fuse::make_schedule(program);
    run_schedule(schedule, &reports);
    groups = trace::totals().groups - before.groups;
    written = trace::totals().materialised_bytes - before.materialised_bytes;
  }
};

double at(const Array& array, int64_t i) {
  double value;
  std::memcpy(&value, array.buffer()->resolve(array.described().data) + i * 8, sizeof value);
  return value;
}

struct Running : testing::TestWithParam<std::pair<const char*, const char*>> {
  Settings settings{GetParam().first, GetParam().second};
  program::Program program;
  void add(Instruction instruction) { program.instructions.push_back(std::move(instruction)); }
};

INSTANTIATE_TEST_SUITE_P(BlocksAndThreads, Running,
                         testing::Values(std::pair{"0", "0"}, std::pair{"3", "2"}, std::pair{"64", "1"}, std::pair{"1", "3"}));

TEST_P(Running, temporaries_are_not_written_to_memory) {
  const Array a = counted({1000}), result = promised({1000});
  {
    const Array temporary = promised({1000});
    add(elementwise(Op::add, temporary, operand(a), number(1)));
    add(elementwise(Op::multiply, result, operand(temporary), operand(temporary)));
  }
  const Ran ran(program);
  EXPECT_EQ(ran.groups, 1);
  EXPECT_EQ(ran.written, 8000);
  for (int64_t i = 0; i < 1000; ++i) ASSERT_EQ(at(result, i), double((i + 1) * (i + 1)));
  for (const Instruction& instruction : program.instructions) EXPECT_TRUE(instruction.done);
}

TEST_P(Running, a_scratch_block_that_is_taken_is_not_written_again) {
  const Array a = counted({1000}), result = promised({1000});
  {
    const Array first = promised({1000}), second = promised({1000});
    add(elementwise(Op::multiply, first, operand(a), number(2)));
    add(elementwise(Op::add, second, operand(first), number(1)));
    add(elementwise(Op::divide, first, operand(a), number(4)));
    program.instructions.back().origin.reported = 255;  // may warn, so it runs though nobody reads it
    add(elementwise(Op::multiply, result, operand(second), number(3)));
  }
  const Ran ran(program);
  EXPECT_EQ(ran.groups, 1);
  for (int64_t i = 0; i < 1000; ++i) ASSERT_EQ(at(result, i), double(i * 2 + 1) * 3);
}

TEST_P(Running, a_column_of_another_dtype_is_cast_for_each_row_of_a_sum) {
  const Array a = counted({40, 25}), total = promised({});
  Array column = Array::empty({40, 1}, DType::kInt64);
  for (int64_t i = 0; i < 40; ++i) column.elements<int64_t>()[static_cast<size_t>(i)] = i * 1000;
  {
    const Array temporary = promised({40, 25});
    add(elementwise(Op::add, temporary, operand(a), operand(column.broadcast_to({40, 25}))));
    Instruction sum = sum_of_rows(promised({40}), temporary);
    sum.output = {total.buffer(), total.described(), {}};
    sum.output.view.shape = {40, 25};
    sum.output.view.strides = Dims(2, 0);
    add(std::move(sum));
  }
  const Ran ran(program);
  EXPECT_EQ(ran.groups, 1);
  EXPECT_EQ(at(total, 0), 999 * 500.0 + 25 * 1000 * 780.0);
}

TEST_P(Running, conditions_are_reported_where_somebody_wants_to_hear_of_them) {
  const Array a = counted({500}), quiet = promised({500}), told = promised({500});
  add(elementwise(Op::divide, quiet, operand(a), number(0)));
  add(elementwise(Op::divide, told, number(3), operand(a)));
  const auto site = std::make_shared<int>(17);
  program.instructions[1].origin.site = site;
  program.instructions[1].origin.reported = 255;
  const Ran ran(program);
  ASSERT_EQ(ran.reports.size(), 1u);
  EXPECT_EQ(ran.reports[0].origin.site, site);
  EXPECT_STREQ(ran.reports[0].operation, "divide");
}

TEST_P(Running, a_passing_operand_is_not_written_and_what_computes_it_is_kept) {
  const Array a = counted({1000}), passing = promised({1000}), total = promised({});
  add(elementwise(Op::multiply, passing, operand(a), number(2)));
  Instruction sum = sum_of_rows(total, passing);
  add(std::move(sum));
  program.passing = passing.buffer().get();
  const Ran ran(program);
  EXPECT_EQ(ran.written, 0);
  EXPECT_EQ(at(total, 0), 999000.0);
  EXPECT_FALSE(program.instructions[0].done);
  EXPECT_TRUE(program.instructions[1].done);
}

TEST_P(Running, a_passing_operand_whose_source_is_overwritten_later_is_written) {
  const Array a = counted({1000}), passing = promised({1000}), total = promised({});
  add(elementwise(Op::multiply, passing, operand(a), number(2)));
  add(elementwise(Op::add, a.slice(0, 0, 1000, 2), operand(a.slice(0, 0, 1000, 2)), number(1)));
  add(sum_of_rows(total, passing));
  program.passing = passing.buffer().get();
  const Ran ran(program);
  EXPECT_TRUE(program.instructions[0].done);
  EXPECT_EQ(at(passing, 998), 1996.0);
  EXPECT_EQ(at(a, 998), 999.0);
}

// Results that leave past the caches: any size, any alignment, the same bytes.
TEST_P(Running, results_that_are_streamed_arrive) {
  base::set_option("stream_from", "1");
  const Array a = counted({40, 37}), sums = promised({40, 37}), flags = promised({40, 37}, DType::kBool);
  const Array inside = promised({1500});
  add(elementwise(Op::add, sums, operand(a), number(1)));
  add(elementwise(Op::greater, flags, operand(a), number(700)));
  View part = inside.described();  // not at the beginning of a line
  part.data += 3 * 8;
  part.shape = {40, 37};
  part.strides = {37 * 8, 8};
  Instruction into = elementwise(Op::multiply, inside, operand(a), number(3));
  into.output.view = part;
  add(std::move(into));
  const Ran ran(program);
  base::set_option("stream_from", "0");
  for (int64_t i = 0; i < 1480; ++i) {
    ASSERT_EQ(at(sums, i), double(i + 1));
    ASSERT_EQ(at(inside, i + 3), double(3 * i));
    bool flag;
    std::memcpy(&flag, flags.buffer()->resolve(flags.described().data) + i, 1);
    ASSERT_EQ(flag, i > 700) << i;
  }
}

// Only the step that met something is told, though a block asks once for all its steps.
TEST_P(Running, what_one_step_of_a_block_met_is_told_of_that_step) {
  const Array a = counted({1000}), result = promised({1000});
  {
    const Array first = promised({1000}), second = promised({1000});
    add(elementwise(Op::add, first, operand(a), number(1)));
    add(elementwise(Op::multiply, second, operand(first), number(1e308)));
    add(elementwise(Op::subtract, result, operand(second), number(1)));
    for (Instruction& instruction : program.instructions) instruction.origin.reported = 15;
  }
  const Ran ran(program);
  ASSERT_EQ(ran.reports.size(), 1U);
  EXPECT_STREQ(ran.reports[0].operation, "multiply");
  EXPECT_EQ(ran.reports[0].status, kernel::kOverflowBit);
}

}  // namespace
}  // namespace manycore::interpret
