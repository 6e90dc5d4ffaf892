#include <gtest/gtest.h>

#include "fuse/schedule.h"
#include "op/op.h"
#include "program/by_hand.h"

namespace manycore::fuse {
namespace {

using op::Op;
using namespace program_test;

const Dims kShape{200, 50};

using Groups = std::vector<std::vector<int>>;

Groups groups_of(const Schedule& schedule) {
  Groups result;
  for (const Group& group : schedule.groups) result.push_back(group.members);
  return result;
}

struct Passes : testing::Test {
  Program program;
  Array a = promised(kShape), b = promised(kShape), c = promised(kShape), d = promised(kShape);

  void add(Instruction instruction) { program.instructions.push_back(std::move(instruction)); }
  int frees() const {
    int count = 0;
    for (const Instruction& instruction : program.instructions) count += instruction.kind == Kind::kFree;
    return count;
  }
};

TEST_F(Passes, a_chain_is_one_group) {
  add(elementwise(Op::add, b, operand(a), number(1)));
  add(elementwise(Op::multiply, c, operand(b), operand(a)));
  EXPECT_EQ(groups_of(make_schedule(program)), (Groups{{0, 1}}));
}

TEST_F(Passes, a_shifted_reading_begins_a_group_and_says_why) {
  add(elementwise(Op::add, b, operand(a), number(1)));
  add(elementwise(Op::add, c, operand(b.slice(0, std::nullopt, std::nullopt, -1)), number(1)));
  const Schedule schedule = make_schedule(program);
  EXPECT_EQ(groups_of(schedule), (Groups{{0}, {1}}));
  EXPECT_NE(std::string(schedule.groups[1].apart).find("other places"), std::string::npos);
}

TEST_F(Passes, an_instruction_passes_groups_that_it_does_not_meet) {
  const Array small = promised({30}), other = promised({30});
  add(elementwise(Op::add, b, operand(a), number(1)));
  add(elementwise(Op::add, small, operand(other), number(1)));
  add(elementwise(Op::add, c, operand(b), number(1)));
  EXPECT_EQ(groups_of(make_schedule(program)), (Groups{{0, 2}, {1}}));
}

TEST_F(Passes, an_instruction_does_not_pass_a_group_that_it_meets) {
  const Array rows = promised({100, 50});
  add(elementwise(Op::add, b, operand(a), number(1)));
  add(elementwise(Op::add, rows, operand(b.slice(0, 0, 100)), number(1)));
  add(elementwise(Op::add, b, operand(b), number(1)));
  EXPECT_EQ(groups_of(make_schedule(program)), (Groups{{0}, {1}, {2}}));
}

TEST_F(Passes, chains_that_one_instruction_reads_become_one_group) {
  const Array left = promised(kShape), right = promised(kShape), result = promised(kShape);
  add(elementwise(Op::add, left, operand(a), operand(b)));
  add(elementwise(Op::add, right, operand(c), operand(d)));
  add(elementwise(Op::multiply, result, operand(left), operand(right)));
  EXPECT_EQ(groups_of(make_schedule(program)), (Groups{{0, 1, 2}}));
}

TEST_F(Passes, chains_do_not_become_one_across_a_group_that_needs_the_whole_of_one) {
  const Array left = promised(kShape), right = promised(kShape), result = promised(kShape);
  add(elementwise(Op::add, left, operand(a), operand(b)));
  add(elementwise(Op::add, right, operand(left.slice(0, std::nullopt, std::nullopt, -1)), operand(d)));
  add(elementwise(Op::multiply, result, operand(left), operand(right)));
  EXPECT_EQ(groups_of(make_schedule(program)), (Groups{{0}, {1, 2}}));
}

TEST_F(Passes, instructions_on_whole_arrays_take_the_shape_of_those_that_may_not_change) {
  const Array flat = promised({10000}), other = promised({10000}), rows = promised({200});
  add(elementwise(Op::add, flat, operand(other), number(1)));
  add(sum_of_rows(rows, flat.reshape(kShape)));
  EXPECT_EQ(groups_of(make_schedule(program)), (Groups{{0, 1}}));
  EXPECT_EQ(program.instructions[0].shape(), kShape);
  EXPECT_EQ(program.instructions[0].inputs[0].view.strides, c_strides(kShape, 8));
}

TEST_F(Passes, an_instruction_that_reads_scattered_elements_keeps_its_shape) {
  const Array flat = promised({10000}), twice = promised({20000}), rows = promised({200});
  add(elementwise(Op::add, flat, operand(twice.slice(0, std::nullopt, std::nullopt, 2)), number(1)));
  add(sum_of_rows(rows, flat.reshape(kShape)));
  EXPECT_EQ(groups_of(make_schedule(program)), (Groups{{0}, {1}}));
  EXPECT_EQ(program.instructions[0].shape(), Dims({10000}));
}

TEST_F(Passes, what_nobody_holds_or_reads_is_dropped_unless_it_may_warn) {
  add(elementwise(Op::add, promised(kShape), operand(a), number(1)));
  add(elementwise(Op::divide, promised(kShape), operand(a), number(0)));
  program.instructions[1].origin.reported = 255;
  add(elementwise(Op::divide, promised(kShape), operand(b), number(0)));
  const Schedule schedule = make_schedule(program);
  EXPECT_EQ(groups_of(schedule).size(), 1u);
  EXPECT_TRUE(program.instructions[0].done);
}

TEST_F(Passes, an_echo_that_wants_to_be_told_keeps_what_nobody_reads) {
  add(elementwise(Op::divide, promised(kShape), operand(a), operand(b)));
  add(elementwise(Op::divide, promised(kShape), operand(a), operand(b)));
  program.instructions[1].origin.reported = 255;
  const Schedule schedule = make_schedule(program);
  ASSERT_EQ(schedule.groups.size(), 1u);
  ASSERT_EQ(schedule.groups[0].members.size(), 1u);
  const Instruction& kept = program.instructions[static_cast<size_t>(schedule.groups[0].members[0])];
  unsigned reported = kept.origin.reported;
  for (const program::Origin& origin : kept.echoes) reported |= origin.reported;
  EXPECT_EQ(reported, 255u);
}

TEST_F(Passes, the_same_is_done_once_while_its_inputs_stay_the_same) {
  {
    const Array first = promised(kShape), second = promised(kShape), third = promised(kShape);
    add(elementwise(Op::add, first, operand(a), operand(b)));
    add(elementwise(Op::add, second, operand(a), operand(b)));
    add(elementwise(Op::multiply, c, operand(first), operand(second)));
    add(elementwise(Op::add, a, operand(a), number(1)));
    add(elementwise(Op::add, third, operand(a), operand(b)));
    add(elementwise(Op::multiply, d, operand(third), operand(c)));
  }
  const Schedule schedule = make_schedule(program);
  int additions = 0;
  for (const Instruction& instruction : program.instructions) {
    additions += instruction.kind == Kind::kElementwise && instruction.operation == Op::add && !instruction.done;
  }
  EXPECT_EQ(additions, 3);
}

TEST_F(Passes, what_only_the_program_holds_is_freed_behind_its_last_group) {
  {
    const Array temporary = promised(kShape);
    add(elementwise(Op::add, temporary, operand(a), number(1)));
    add(elementwise(Op::add, b, operand(temporary.slice(0, std::nullopt, std::nullopt, -1)), number(1)));
  }
  const Schedule schedule = make_schedule(program);
  ASSERT_EQ(schedule.groups.size(), 2u);
  EXPECT_EQ(frees(), 1);
  EXPECT_TRUE(schedule.groups[0].frees.empty());
  EXPECT_EQ(schedule.groups[1].frees.size(), 1u);
}

TEST_F(Passes, reductions_along_other_axes_do_not_share_a_group) {
  const Array rows = promised({200}), total = promised({});
  add(elementwise(Op::add, b, operand(a), number(1)));
  add(sum_of_rows(rows, b));
  Instruction all = sum_of_rows(rows, b);
  all.output = {total.buffer(), total.described(), {}};
  all.output.view.shape = kShape;
  all.output.view.strides = Dims(2, 0);
  add(std::move(all));
  EXPECT_EQ(groups_of(make_schedule(program)), (Groups{{0, 1}, {2}}));
}

}  // namespace
}  // namespace manycore::fuse
