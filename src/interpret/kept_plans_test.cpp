#include "interpret/kept_plans.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/hooks.h"
#include "base/options.h"
#include "interpret/run_program.h"
#include "kernel/dispatch.h"
#include "program/by_hand.h"
#include "trace/counters.h"

namespace manycore::interpret {
namespace {

using op::Op;
using namespace program_test;

double at(const Array& array, int64_t i) {
  double value;
  std::memcpy(&value, array.buffer()->resolve(array.described().data) + i * 8, sizeof value);
  return value;
}

int64_t reused() { return trace::totals().reused_plans; }

// (a + number) * a of `n` elements through the door, checked; true where it ran by a kept plan.
bool runs_by_kept_plan(int64_t n, double add) {
  const Array a = counted({n}), result = promised({n});
  program::Program program;
  {
    const Array sum = promised({n});
    program.instructions.push_back(elementwise(Op::add, sum, operand(a), number(add)));
    program.instructions.push_back(elementwise(Op::multiply, result, operand(sum), operand(a)));
  }
  const int64_t before = reused();
  std::vector<Report> reports;
  run_program(program, &reports);
  for (const Instruction& instruction : program.instructions) EXPECT_TRUE(instruction.done);
  for (int64_t i = 0; i < n; ++i) EXPECT_EQ(at(result, i), (double(i) + add) * double(i));
  return reused() > before;
}

struct Kept : testing::Test {
  Kept() { base::set_option("kept_plans", "64"); }  // which also forgets all
  ~Kept() override { base::set_option("kept_plans", "64"); }
};

TEST_F(Kept, an_equal_program_runs_by_the_plan_of_the_first) {
  EXPECT_FALSE(runs_by_kept_plan(100, 1));
  EXPECT_TRUE(runs_by_kept_plan(100, 1));
  EXPECT_TRUE(runs_by_kept_plan(100, 5));  // its own numbers
  EXPECT_FALSE(runs_by_kept_plan(101, 1));
  EXPECT_TRUE(runs_by_kept_plan(100, 1));
  EXPECT_EQ(KeptPlans::of_this_thread().size(), 2u);
}

TEST_F(Kept, the_least_recently_used_go_first) {
  base::set_option("kept_plans", "2");
  EXPECT_FALSE(runs_by_kept_plan(100, 1));
  EXPECT_FALSE(runs_by_kept_plan(101, 1));
  EXPECT_TRUE(runs_by_kept_plan(100, 1));
  EXPECT_FALSE(runs_by_kept_plan(102, 1));  // in the place of 101
  EXPECT_TRUE(runs_by_kept_plan(100, 1));
  EXPECT_FALSE(runs_by_kept_plan(101, 1));
  EXPECT_EQ(KeptPlans::of_this_thread().size(), 2u);
}

TEST_F(Kept, no_more_is_kept_than_the_bytes_allow) {
  base::set_option("kept_plans", "100000");
  for (int n = 1; n < 2000; ++n) runs_by_kept_plan(n, 1);
  EXPECT_LE(KeptPlans::of_this_thread().bytes(), KeptPlans::kMostBytes);
  EXPECT_GT(KeptPlans::of_this_thread().bytes(), KeptPlans::kMostBytes / 2);
  EXPECT_GT(KeptPlans::of_this_thread().size(), 100u);
  EXPECT_TRUE(runs_by_kept_plan(1999, 1));
  EXPECT_FALSE(runs_by_kept_plan(1, 1));
}

TEST_F(Kept, none_where_none_are_wanted) {
  base::set_option("kept_plans", "0");
  EXPECT_FALSE(runs_by_kept_plan(100, 1));
  EXPECT_FALSE(runs_by_kept_plan(100, 1));
  EXPECT_EQ(KeptPlans::of_this_thread().size(), 0u);
}

TEST_F(Kept, all_go_when_an_option_or_the_kernels_change) {
  EXPECT_FALSE(runs_by_kept_plan(100, 1));
  base::set_option("block_elements", "3");
  EXPECT_FALSE(runs_by_kept_plan(100, 1));
  EXPECT_TRUE(runs_by_kept_plan(100, 1));
  base::set_option("block_elements", "0");
  EXPECT_FALSE(runs_by_kept_plan(100, 1));
  ASSERT_TRUE(kernel::set_simd_level("scalar"));
  EXPECT_FALSE(runs_by_kept_plan(100, 1));
  ASSERT_TRUE(kernel::set_simd_level("auto"));
  EXPECT_FALSE(runs_by_kept_plan(100, 1));
}

TEST_F(Kept, each_thread_has_its_own) {
  EXPECT_FALSE(runs_by_kept_plan(100, 1));
  bool first = true, second = false;
  std::thread([&] {
    first = runs_by_kept_plan(100, 1);
    second = runs_by_kept_plan(100, 2);
  }).join();
  EXPECT_FALSE(first);
  EXPECT_TRUE(second);
  EXPECT_TRUE(runs_by_kept_plan(100, 3));
}

TEST_F(Kept, a_plan_that_is_taken_out_is_not_found_until_it_is_back) {
  EXPECT_FALSE(runs_by_kept_plan(100, 1));
  KeptPlans& kept = KeptPlans::of_this_thread();
  const Array a = counted({100}), result = promised({100});
  program::Program program;
  {
    const Array sum = promised({100});
    program.instructions.push_back(elementwise(Op::add, sum, operand(a), number(1)));
    program.instructions.push_back(elementwise(Op::multiply, result, operand(sum), operand(a)));
  }
  program::Outline outline;
  outline.read(program);
  std::unique_ptr<Prepared> plan = kept.take(outline);
  ASSERT_NE(plan, nullptr);
  EXPECT_EQ(kept.take(outline), nullptr);
  EXPECT_EQ(kept.bytes(), 0);
  kept.keep(std::move(plan));
  EXPECT_NE(kept.take(outline), nullptr);
}

TEST_F(Kept, a_plan_made_under_other_options_does_not_stay) {
  KeptPlans& kept = KeptPlans::of_this_thread();
  auto old = std::make_unique<Prepared>();
  base::set_option("block_elements", "0");
  kept.keep(std::move(old));
  EXPECT_EQ(kept.size(), 0u);
}

TEST_F(Kept, conditions_are_told_where_this_program_was_recorded) {
  std::vector<Report> first, second;
  const auto overflow = [](std::vector<Report>* reports, int site) {
    const Array a = counted({100}), result = promised({100});
    program::Program program;
    {
      const Array product = promised({100});
      program.instructions.push_back(elementwise(Op::multiply, product, operand(a), number(1e308)));
      program.instructions.push_back(elementwise(Op::subtract, result, operand(product), operand(a)));
    }
    for (Instruction& instruction : program.instructions) {
      instruction.origin.reported = 255;
      instruction.origin.site = std::make_shared<int>(site++);
    }
    run_program(program, reports);
  };
  overflow(&first, 10);
  const int64_t before = reused();
  overflow(&second, 20);
  EXPECT_EQ(reused(), before + 1);
  ASSERT_EQ(first.size(), 1u);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(*static_cast<const int*>(second[0].origin.site.get()), 20);
  EXPECT_STREQ(second[0].operation, "multiply");
  EXPECT_EQ(second[0].status, first[0].status);
}

// The passes drop, replace and free; so does the plan, and the instructions look the same afterwards.
TEST_F(Kept, what_the_passes_did_is_done_again) {
  const auto run = [](std::vector<int>* written) {
    const Array a = counted({1000}), result = promised({1000}), reversed = promised({1000});
    program::Program program;
    {
      const Array first = promised({1000}), same = promised({1000}), unread = promised({1000});
      program.instructions.push_back(elementwise(Op::add, first, operand(a), number(1)));
      program.instructions.push_back(elementwise(Op::add, same, operand(a), number(1)));
      program.instructions.push_back(elementwise(Op::add, unread, operand(a), number(3)));
      program.instructions.push_back(assign(a, a));
      program.instructions.back().inputs[0] = number(5);
      program.instructions.push_back(elementwise(Op::multiply, result, operand(first), operand(same)));
      program.instructions.push_back(elementwise(Op::add, reversed, operand(same.slice(0, 0, 1000)),
                                                 operand(result.slice(0, std::nullopt, std::nullopt, -1))));
    }
    const int64_t before = trace::totals().materialised_bytes;
    std::vector<Report> reports;
    run_program(program, &reports);
    written->push_back(static_cast<int>(trace::totals().materialised_bytes - before));
    for (const Instruction& instruction : program.instructions) written->push_back(instruction.done);
    for (int64_t i = 0; i < 1000; ++i) {
      ASSERT_EQ(at(a, i), 5.0);
      ASSERT_EQ(at(result, i), double((i + 1) * (i + 1)));
      ASSERT_EQ(at(reversed, i), double(i + 1) + double((1000 - i) * (1000 - i)));
    }
  };
  std::vector<int> planned, by_plan;
  run(&planned);
  const int64_t before = reused();
  run(&by_plan);
  EXPECT_EQ(reused(), before + 1);
  // The planned one has its FREEs at the end.
  EXPECT_GE(planned.size(), by_plan.size());
  planned.resize(by_plan.size());
  EXPECT_EQ(planned, by_plan);
}

// An interrupt leaves instructions; what was replaced by something equal must not be computed again from what has changed since.
TEST_F(Kept, what_an_interrupt_leaves_can_run_later) {
  constexpr int64_t kCount = 100000;
  static int asked;  // how often it has been asked whether to stop
  static int stops_at;
  for (const int at_question : {0, 1, 2, 3, 5, 8, 13, 21}) {
    base::set_option("chunk_elements", "64");
    const auto run = [&](int stops) {
      const Array a = counted({kCount}), result = promised({kCount}), reversed = promised({kCount});
      program::Program program;
      {
        const Array first = promised({kCount}), same = promised({kCount});
        program.instructions.push_back(elementwise(Op::add, first, operand(a), number(1)));
        program.instructions.push_back(elementwise(Op::add, same, operand(a), number(1)));
        program.instructions.push_back(elementwise(Op::multiply, a, operand(a), number(0)));
        program.instructions.push_back(elementwise(Op::multiply, result, operand(first), operand(same)));
        const Array backwards = result.slice(0, std::nullopt, std::nullopt, -1);
        program.instructions.push_back(elementwise(Op::add, reversed, operand(same), operand(backwards)));
      }
      asked = 0;
      stops_at = stops;
      base::hooks().interrupted = [] { return ++asked == stops_at; };
      std::vector<Report> reports;
      bool stopped = false;
      try {
        run_program(program, &reports);
      } catch (const Interrupted&) {
        stopped = true;
        run_program(program, &reports);
      }
      base::hooks().interrupted = nullptr;
      for (int64_t i = 0; i < kCount; ++i) {
        if (at(a, i) != 0 || at(result, i) != double(i + 1) * double(i + 1)) ADD_FAILURE() << i << " " << stops;
        if (at(reversed, i) != double(i + 1) + at(result, kCount - 1 - i)) ADD_FAILURE() << i << " " << stops;
        if (HasFailure()) return stopped;
      }
      return stopped;
    };
    run(0);
    const int64_t before = reused();
    const bool stopped = run(at_question);
    EXPECT_GE(reused(), before + 1);
    if (at_question == 1) EXPECT_TRUE(stopped);
  }
  base::set_option("chunk_elements", "0");
}

TEST_F(Kept, two_arrays_over_the_same_foreign_bytes_leave_no_plan) {
  std::vector<double> values(100, 2.0), others(100, 3.0);
  const auto wrap = [](std::vector<double>& of) {
    return Array::wrap(reinterpret_cast<std::byte*>(of.data()), DType::kFloat64, {100}, {8}, [] {});
  };
  const auto run = [&](std::vector<double>& left, std::vector<double>& right) {
    const Array a = wrap(left), b = wrap(right), result = promised({100});
    program::Program program;
    {
      const Array x = promised({100}), y = promised({100});
      program.instructions.push_back(elementwise(Op::add, x, operand(a), number(1)));
      program.instructions.push_back(elementwise(Op::add, y, operand(b), number(1)));
      program.instructions.push_back(elementwise(Op::multiply, result, operand(x), operand(y)));
    }
    std::vector<Report> reports;
    run_program(program, &reports);
    return at(result, 50);
  };
  EXPECT_EQ(run(values, values), 9.0);
  EXPECT_EQ(run(values, others), 12.0);
  const int64_t before = reused();
  EXPECT_EQ(run(others, values), 12.0);
  EXPECT_EQ(reused(), before + 1);
}

}  // namespace
}  // namespace manycore::interpret
