#include "interpret/run_blocks.h"

#include <cstdlib>
#include <new>

#include "base/options.h"
#include "kernel/float_status.h"

namespace manycore::interpret {
namespace {

using Where = Argument::Where;

constexpr int64_t kScratchBytes = 24 << 10;  // half of a first-level cache of 48 KiB; the rest is for what streams through
constexpr int64_t kShortest = 256, kLongest = 2048;

}  // namespace

int64_t block_elements(const BlockProgram& program) {
  const int64_t asked = base::integer_option(base::Option::block_elements);
  if (asked > 0) return asked;
  if (program.steps.size() == 1 && program.scratch_count == 0) return INT64_MAX / 64;  // nothing to keep in the cache
  const int64_t bytes = std::max<int64_t>(1, program.scratch_count) * program.scratch_item;
  return std::clamp(kScratchBytes / bytes / 64 * 64, kShortest, kLongest);
}

BlockRunner::BlockRunner(const BlockProgram& program, int64_t block, Statuses* statuses)
    : program_(program), block_(block), statuses_(statuses), scratch_(nullptr, std::free), working_(program.run) {
  // Blocks that lie a multiple of 4096 bytes apart would compete for the same lines of the cache.
  if (program.scratch_count == 0) return;
  const auto bytes = static_cast<size_t>(program.scratch_count * (block * program.scratch_item + 64) + 64);
  scratch_.reset(static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)));
  if (!scratch_) throw std::bad_alloc();
}

void BlockRunner::run(int64_t begin, int64_t end) {
  kernel::clear_status_all();
  const auto piece = [this](std::byte* const* data, int64_t n) { run_piece(data, 0, n); };
  if (program_.tiling.count > 0) return walk_tiles(program_.plan, program_.tiling, begin, end, piece);
  walk(program_.plan, begin, end, INT64_MAX, piece);
}

void BlockRunner::run_range(int64_t begin, int64_t count) {
  if (program_.steps.empty()) return;
  kernel::clear_status_all();
  int64_t offset = 0;
  walk(program_.plan, begin, begin + count, block_, [&](std::byte* const* data, int64_t n) {
    run_piece(data, offset, n);
    offset += n;
  });
}

const std::byte* BlockRunner::values(const Ending& ending, int64_t begin) const {
  if (ending.source.where == Where::kScratch) {
    return scratch_.get() + ending.source.index * (block_ * program_.scratch_item + 64);
  }
  // The array is dense in the plan's order.
  return program_.plan.data[ending.source.index] + begin * item_size(ending.from);
}

// `offset` elements of the scratch blocks are taken already.
void BlockRunner::run_piece(std::byte* const* data, int64_t offset, int64_t n) {
  const size_t count = program_.steps.size();
  for (int64_t done = 0; done < n; done += block_) {
    const int64_t part = std::min(block_, n - done);
    for (size_t number = 0; number < count; ++number) run_step(number, data, done, offset, part);
  }
}

void BlockRunner::run_step(size_t number, std::byte* const* data, int64_t done, int64_t offset, int64_t n) {
  const Step& step = program_.steps[number];
  char* arguments[4];
  for (int k = 0; k < step.count; ++k) {
    const Argument& argument = step.arguments[k];
    const int64_t bytes = step.steps[k];
    const std::byte* place = nullptr;
    switch (argument.where) {
      case Where::kMemory:
        place = data[argument.index] + done * bytes;
        break;
      case Where::kScratch:
        // A cast of one element for a whole piece is read without moving, from the beginning.
        place = scratch_.get() + argument.index * (block_ * program_.scratch_item + 64) + (step.once ? 0 : offset * bytes);
        break;
      case Where::kNumber:
        place = program_.numbers[static_cast<size_t>(argument.index)].bytes;
        break;
    }
    arguments[k] = reinterpret_cast<char*>(const_cast<std::byte*>(place));
  }
  const int64_t elements = step.once ? 1 : n;
  step.run(arguments, &elements, step.steps, step.data);
  const unsigned met = step.scalar_unit ? kernel::read_status_all() : kernel::read_status();
  if (__builtin_expect(met != 0, 0)) {
    step.scalar_unit ? kernel::clear_status_all() : kernel::clear_status();
    if (met & step.reported) statuses_->add(number, met & step.reported);
  }
}

}  // namespace manycore::interpret
