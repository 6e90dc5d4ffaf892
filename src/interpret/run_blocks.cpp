#include "interpret/run_blocks.h"

#include <cstdlib>
#include <new>

#include "base/options.h"
#include "kernel/float_status.h"
#include "kernel/stream.h"

namespace manycore::interpret {
namespace {

using Where = Argument::Where;

constexpr int64_t kScratchBytes = 24 << 10;  // half of a first-level cache of 48 KiB; the rest is for what streams through
constexpr int64_t kShortest = 256, kLongest = 2048;

// Where results leave past the caches, steps take turns so fast that the processor, which looks some hundred instructions ahead,
// reads for the next block while results of this one leave: five operations on 10M float64 took 10.8 ms with runs of 2 KiB and 14.1 ms
// with 8 KiB, plain stores 13.4 ms and more (Zen 5, 2 threads, a busy machine, best of 12). Without such results longer runs are
// better: the sum of squared differences 14.6 ms and 11.6 ms.
int64_t run_elements(const BlockProgram& program, int64_t block) {
  return program.streamed < 0 ? block : std::min(block, kernel::kStreamedRun / program.scratch_item);
}

int64_t scratch_block_bytes(const BlockProgram& program, int64_t block) { return block * program.scratch_item + 64; }

}  // namespace

int64_t block_elements(const BlockProgram& program) {
  const int64_t asked = base::integer_option(base::Option::block_elements);
  if (asked > 0) return asked;
  if (program.steps.size() == 1 && program.scratch_count == 0) return INT64_MAX / 64;  // nothing to keep in the cache
  const int64_t bytes = std::max<int64_t>(1, program.scratch_count) * program.scratch_item;
  return std::clamp(kScratchBytes / bytes / 64 * 64, kShortest, kLongest);
}

BlockRunner::BlockRunner(const BlockProgram& program, int64_t block, Statuses* statuses)
    : program_(program),
      block_(block),
      run_(run_elements(program, block)),
      statuses_(statuses),
      end_(program.steps.size()),
      // C library functions may take back what was met before them.
      watches_(!program.repeatable || program.scalar_unit),
      scratch_(nullptr, std::free),
      working_(program.run) {
  // Blocks that lie a multiple of 4096 bytes apart would compete for the same lines of the cache.
  const int64_t apart = scratch_block_bytes(program, block);
  if (program.scratch_count > 0) {
    const auto bytes = static_cast<size_t>(program.scratch_count * apart + 64);
    scratch_.reset(static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)));
    if (!scratch_) throw std::bad_alloc();
  }
  const int32_t scratch = program.plan.operands, numbers = scratch + program.scratch_count;
  places_.resize(static_cast<size_t>(numbers) + program.numbers.size());
  for (int k = 0; k < program.scratch_count; ++k) places_[static_cast<size_t>(scratch + k)] = scratch_.get() + k * apart;
  for (size_t k = 0; k < program.numbers.size(); ++k) {
    places_[static_cast<size_t>(numbers) + k] = const_cast<std::byte*>(program.numbers[k].bytes);
  }
  arguments_.resize(program.steps.size());
  for (size_t number = 0; number < program.steps.size(); ++number) {
    const Step& step = program.steps[number];
    for (int k = 0; k < step.count; ++k) {
      const Argument& argument = step.arguments[k];
      Place& place = arguments_[number][static_cast<size_t>(k)];
      place.index = argument.index;
      if (argument.where == Where::kNumber) place.index += numbers;
      if (argument.where != Where::kScratch) continue;
      place.index += scratch;
      // A cast of one element for a whole piece is read without moving, from the beginning.
      place.advance = step.once ? 0 : static_cast<int32_t>(step.steps[k]);
    }
  }
}

void BlockRunner::run(int64_t begin, int64_t end) {
  kernel::clear_status_all();
  const auto piece = [this](std::byte* const* data, int64_t n) { run_piece(data, 0, n); };
  if (program_.tiling.count > 0) {
    walk_tiles(program_.plan, program_.tiling, begin, end, piece);
  } else {
    walk(program_.plan, begin, end, INT64_MAX, piece);
  }
  if (program_.streamed >= 0) kernel::finish_stream();
}

void BlockRunner::run_range(int64_t begin, int64_t count, size_t first, size_t end) {
  if (first == end) return;
  first_ = first;
  end_ = end;
  kernel::clear_status_all();
  int64_t offset = 0;
  walk(program_.plan, begin, begin + count, block_, [&](std::byte* const* data, int64_t n) {
    run_piece(data, offset, n);
    offset += n;
  });
  if (program_.streamed >= 0) kernel::finish_stream();
}

const std::byte* BlockRunner::values(const Ending& ending, int64_t begin) const {
  if (ending.source.where == Where::kScratch) return places_[static_cast<size_t>(program_.plan.operands + ending.source.index)];
  // The array is dense in the plan's order.
  return program_.plan.data[ending.source.index] + begin * item_size(ending.from);
}

// Elements up to where lines of what is streamed begin: whole lines leave at once.
int64_t BlockRunner::first_part(int64_t n) const {
  if (program_.streamed < 0) return std::min(run_, n);
  constexpr uintptr_t kLine = 64;
  const int64_t item = program_.plan.strides[program_.streamed][0];
  const auto past =
      static_cast<int64_t>(reinterpret_cast<uintptr_t>(places_[static_cast<size_t>(program_.streamed)]) % kLine) / item;
  return std::min(std::max<int64_t>(run_ - past, 1), n);
}

// `offset` elements of the scratch blocks are taken already. Where several calls share them, all are kept: they are read together.
void BlockRunner::run_piece(std::byte* const* data, int64_t offset, int64_t n) {
  const Plan& plan = program_.plan;
  std::copy(data, data + plan.operands, places_.begin());
  const bool keeps = !program_.endings.empty();
  for (int64_t done = 0, part = first_part(n); done < n; part = std::min(run_, n - done)) {
    const int64_t place = keeps ? offset + done : offset;
    watches_ ? run_block_watching(place, part) : run_block(place, part);
    done += part;
    for (int k = 0; k < plan.operands; ++k) places_[static_cast<size_t>(k)] += part * plan.strides[k][0];
  }
}

// Asks once for the whole block what was met. That is seldom anything; then the block runs once more, to see which step met it.
void BlockRunner::run_block(int64_t offset, int64_t n) {
  for (size_t number = first_; number < end_; ++number) run_step(number, offset, n);
  if (__builtin_expect((met() & program_.reported) == 0, 1)) return;
  forget();
  watches_ = true;  // there will be more
  run_block_watching(offset, n);
}

void BlockRunner::run_block_watching(int64_t offset, int64_t n) {
  for (size_t number = first_; number < end_; ++number) {
    run_step(number, offset, n);
    const unsigned conditions = met();
    if (conditions == 0) continue;
    forget();
    if (const unsigned reported = conditions & program_.steps[number].reported) statuses_->add(number, reported);
  }
}

unsigned BlockRunner::met() const { return program_.scalar_unit ? kernel::read_status_all() : kernel::read_status(); }
void BlockRunner::forget() const { program_.scalar_unit ? kernel::clear_status_all() : kernel::clear_status(); }

inline void BlockRunner::run_step(size_t number, int64_t offset, int64_t n) const {
  const Step& step = program_.steps[number];
  const Places& places = arguments_[number];
  char* arguments[4];
  for (size_t k = 0; k < 4; ++k) {
    arguments[k] = reinterpret_cast<char*>(places_[static_cast<size_t>(places[k].index)] + offset * places[k].advance);
  }
  if (step.run == nullptr) {
    kernel::stream_copy(reinterpret_cast<std::byte*>(arguments[1]), reinterpret_cast<const std::byte*>(arguments[0]),
                        n * step.steps[1]);
    return;
  }
  const int64_t elements = step.once ? 1 : n;
  step.run(arguments, &elements, step.steps, step.data);
}

}  // namespace manycore::interpret
