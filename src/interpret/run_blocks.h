// BlockRunner: runs the steps of a block program on one thread's scratch blocks. Collects the floating point conditions that each step
// raised. Internal to interpret/.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "interpret/block_program.h"

namespace manycore::interpret {

// Conditions by step, from all threads.
class Statuses {
 public:
  explicit Statuses(size_t steps) : met_(new std::atomic<unsigned>[steps]()), count_(steps) {}
  void add(size_t step, unsigned met) { met_[step].fetch_or(met, std::memory_order_relaxed); }
  unsigned of(size_t step) const { return met_[step].load(std::memory_order_relaxed); }
  size_t size() const { return count_; }

 private:
  std::unique_ptr<std::atomic<unsigned>[]> met_;
  size_t count_;
};

class BlockRunner {
 public:
  BlockRunner(const BlockProgram& program, int64_t block, Statuses* statuses);

  // Elements [begin, end) of the plan, or tiles where the program has tiles.
  void run(int64_t begin, int64_t end);
  // Elements [begin, begin + count), count at most a block, so that scratch blocks hold them all in order afterwards.
  void run_range(int64_t begin, int64_t count) { run_range(begin, count, 0, program_.steps.size()); }
  // The same for the steps [first, end).
  void run_range(int64_t begin, int64_t count, size_t first, size_t end);
  // Where an ending's elements from `begin` on lie after run_range(begin, ...).
  const std::byte* values(const Ending& ending, int64_t begin) const;

 private:
  // An argument's place is places_[index] + offset * advance.
  struct Place {
    int32_t index = 0;
    int32_t advance = 0;
  };
  using Places = std::array<Place, 4>;

  void run_piece(std::byte* const* data, int64_t offset, int64_t n);
  void run_block(int64_t offset, int64_t n);
  void run_block_watching(int64_t offset, int64_t n);
  void run_step(size_t number, int64_t offset, int64_t n) const;
  int64_t first_part(int64_t n) const;
  unsigned met() const;
  void forget() const;

  const BlockProgram& program_;
  int64_t block_;
  int64_t run_;  // elements of a call of a step
  Statuses* statuses_;
  size_t first_ = 0, end_;  // steps that run
  bool watches_;            // asks after each step what it met
  std::unique_ptr<std::byte, void (*)(void*)> scratch_;
  std::vector<Places> arguments_;   // of each step
  std::vector<std::byte*> places_;  // the plan's operands, the scratch blocks, the numbers
  trace::Working working_;
};

// Elements of a block: the scratch blocks together stay in the first-level cache.
int64_t block_elements(const BlockProgram& program);

}  // namespace manycore::interpret
