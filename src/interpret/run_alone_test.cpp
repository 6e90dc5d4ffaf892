#include "interpret/run_alone.h"

#include <gtest/gtest.h>

#include "base/options.h"
#include "program/by_hand.h"

namespace manycore::interpret {
namespace {

using op::Op;
using namespace program_test;

program::Program program_of(Instruction instruction) {
  program::Program program;
  program.instructions.push_back(std::move(instruction));
  return program;
}

TEST(RunAlone, GivesTheBitsOfAGroup) {
  const Array a = counted({70, 30}), alone = promised({70, 30}), grouped = promised({70, 30});
  const Operand turned{a.buffer(), transpose(a.reshape({30, 70}).view(), {1, 0}), {}};
  program::Program first = program_of(elementwise(Op::divide, alone, turned, number(3)));
  program::Program second = program_of(elementwise(Op::divide, grouped, turned, number(3)));
  std::vector<Report> reports;
  ASSERT_TRUE(run_alone(first, &reports));
  EXPECT_TRUE(first.instructions[0].done);
  fuse::Schedule schedule = fuse::make_schedule(second);
  run_schedule(schedule, &reports);
  EXPECT_EQ(std::memcmp(alone.data(), grouped.data(), static_cast<size_t>(alone.nbytes())), 0);
  EXPECT_TRUE(reports.empty());
}

constexpr unsigned kInvalid = 8;  // NumPy's NPY_FPE_INVALID

TEST(RunAlone, ReportsWhatTheUserWantsToHearOf) {
  const Array a = counted({100}), result = promised({100});
  for (const unsigned wanted : {0u, static_cast<unsigned>(op::errors::all)}) {
    program::Program program = program_of(elementwise(Op::divide, result, operand(a), number(0)));
    program.instructions[0].origin.reported = wanted;
    std::vector<Report> reports;
    ASSERT_TRUE(run_alone(program, &reports));
    ASSERT_EQ(reports.size(), wanted ? 1u : 0u);
    for (const Report& report : reports) EXPECT_EQ(report.status, op::errors::divide | kInvalid);  // 1/0 and 0/0
  }
}

TEST(RunAlone, LeavesEverythingElseToGroups) {
  const Array a = counted({100}), result = promised({100}), narrow = promised({100}, DType::kFloat32);
  std::vector<Report> reports;
  program::Program casts = program_of(elementwise(Op::add, narrow, operand(a), number(1)));
  EXPECT_FALSE(run_alone(casts, &reports));
  program::Program assigns = program_of(assign(result, a));
  EXPECT_FALSE(run_alone(assigns, &reports));
  program::Program two = program_of(elementwise(Op::add, result, operand(a), number(1)));
  two.instructions.push_back(elementwise(Op::add, result, operand(result), number(1)));
  EXPECT_FALSE(run_alone(two, &reports));
  base::set_option("block_elements", "64");
  program::Program blocks = program_of(elementwise(Op::add, result, operand(a), number(1)));
  EXPECT_FALSE(run_alone(blocks, &reports));
  base::set_option("block_elements", "0");
  for (const auto* program : {&casts, &assigns, &two, &blocks}) EXPECT_FALSE(program->instructions[0].done);
}

}  // namespace
}  // namespace manycore::interpret
