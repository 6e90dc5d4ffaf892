#include "program/recorder.h"

#include <gtest/gtest.h>

#include <thread>

#include "program/by_hand.h"

namespace manycore::program {
namespace {

using op::Op;
using namespace program_test;

void run_all(Program& program) {
  for (Instruction& instruction : program.instructions) instruction.done = true;
}

void run_first_and_fail(Program& program) {
  program.instructions[0].done = true;
  throw std::runtime_error("full");
}

void record(Instruction instruction) { ASSERT_EQ(Recorder::of_this_thread().record(&instruction), nullptr); }

struct Recording : testing::Test {
  Recorder& recorder = Recorder::of_this_thread();
  Array a = promised({100}), b = promised({100}), c = promised({100});
  ~Recording() override { recorder.run(run_all); }
};

TEST_F(Recording, marks_stand_on_what_is_touched_until_it_has_run) {
  record(elementwise(Op::add, b, operand(a), number(1)));
  EXPECT_EQ(Recorder::of(*a.buffer().get()), &recorder);
  EXPECT_EQ(a.buffer()->pending() & Buffer::kPendingBits, Buffer::kReads);
  EXPECT_EQ(b.buffer()->pending() & Buffer::kPendingBits, Buffer::kWrites);
  EXPECT_EQ(c.buffer()->pending(), 0u);
  recorder.run(run_all);
  EXPECT_EQ(recorder.size(), 0u);
  EXPECT_FALSE(a.is_pending() || b.is_pending());
}

TEST_F(Recording, what_did_not_run_stays_with_its_marks) {
  record(elementwise(Op::add, b, operand(a), number(1)));
  record(elementwise(Op::add, c, operand(b), number(1)));
  EXPECT_THROW(recorder.run(run_first_and_fail), std::runtime_error);
  EXPECT_EQ(recorder.size(), 1u);
  EXPECT_FALSE(a.is_pending());
  EXPECT_TRUE(b.is_pending() && c.is_pending());
  EXPECT_EQ(recorder.bytes(), 2 * 800);
}

TEST_F(Recording, each_buffer_that_is_kept_counts_once) {
  record(elementwise(Op::add, b, operand(a), number(1)));
  EXPECT_EQ(recorder.bytes(), 2 * 800);
  for (int i = 0; i < 10; ++i) record(elementwise(Op::add, b, operand(a), operand(b)));
  EXPECT_EQ(recorder.bytes(), 2 * 800);
  record(assign(c, b));
  EXPECT_EQ(recorder.bytes(), 3 * 800);
  recorder.run(run_all);
  EXPECT_EQ(recorder.bytes(), 0);
}

TEST_F(Recording, another_threads_program_comes_first) {
  record(elementwise(Op::add, b, operand(a), number(1)));
  std::thread([this] {
    Recorder& other = Recorder::of_this_thread();
    EXPECT_NE(&other, &recorder);
    Instruction reads = assign(c, b);
    EXPECT_EQ(other.record(&reads), &recorder);
    EXPECT_EQ(reads.input_count, 1) << "it was not taken";
    recorder.run(run_all);
    EXPECT_EQ(other.record(&reads), nullptr);
    other.run(run_all);
  }).join();
}

TEST_F(Recording, a_program_passes_to_the_thread_that_takes_its_recorder) {
  Recorder* ended = nullptr;
  std::thread([&] {
    ended = &Recorder::of_this_thread();
    record(assign(c, b));
  }).join();
  EXPECT_EQ(Recorder::of(*c.buffer().get()), ended);
  std::thread([&] { EXPECT_EQ(&Recorder::of_this_thread(), ended); }).join();
  ended->run(run_all);
  EXPECT_FALSE(c.is_pending());
}

TEST_F(Recording, a_run_inside_a_run_is_refused) {
  record(assign(c, b));
  EXPECT_THROW(recorder.run([](Program&) { Recorder::of_this_thread().run(run_all); }), ResourceError);
  EXPECT_EQ(recorder.size(), 1u);
}

TEST_F(Recording, what_computes_a_passing_array_goes_with_it) {
  record(elementwise(Op::add, b, operand(a), number(1)));
  Buffer* passing = b.buffer().get();
  recorder.run([](Program&) {}, passing);  // keeps its recipe
  EXPECT_EQ(recorder.size(), 1u);
  b = Array();
  record(assign(c, a));
  EXPECT_EQ(recorder.size(), 1u);
}

TEST_F(Recording, what_computes_a_passing_array_stays_while_somebody_holds_it) {
  record(elementwise(Op::add, b, operand(a), number(1)));
  recorder.run([](Program&) {}, b.buffer().get());
  record(assign(c, a));
  EXPECT_EQ(recorder.size(), 2u);
  EXPECT_TRUE(b.is_pending());
}

TEST_F(Recording, what_has_been_shown_outside_may_not_wait) {
  b.buffer()->pin();
  record(assign(b, a));
  EXPECT_TRUE(recorder.is_shown());
  b.buffer()->unpin();
  recorder.run(run_all);
  EXPECT_FALSE(recorder.is_shown());
}

}  // namespace
}  // namespace manycore::program
