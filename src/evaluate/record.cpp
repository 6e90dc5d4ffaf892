#include "evaluate/record.h"

#include <algorithm>
#include <utility>

#include "base/hooks.h"
#include "base/options.h"
#include "fuse/schedule.h"
#include "interpret/plan.h"
#include "interpret/run_program.h"
#include "memory/account.h"
#include "memory/pool.h"
#include "program/recorder.h"
#include "trace/counters.h"

namespace manycore {

void Array::finish(uintptr_t kinds) const {
  if (buffer_->pending() & kinds) {
    if (program::Recorder* recorder = program::Recorder::of(*buffer_.get())) evaluate::run(*recorder);
  }
  // Nothing is pending that writes it, so there is memory unless nobody ever wrote it.
  if (Buffer::is_promised(view_.data)) {
    buffer_->provide();
    view_.data = buffer_->resolve(view_.data);
  }
}

namespace evaluate {
namespace {

using interpret::Report;
using program::Recorder;

// Longer programs only cost planning time: hazards are looked for among the last groups.
constexpr size_t kMostInstructions = 512;
constexpr int kMostDims = interpret::kMaxGroupDims;

thread_local std::vector<Report>* reports_of_run = nullptr;

// Empty, with the memory of the last program: instructions are large, and most programs are about as long as the one before.
thread_local std::vector<program::Instruction> spare_instructions;
constexpr size_t kMostSpare = 64;

// The reports of one program come as its groups ran; they are told as its instructions were recorded, also after an exception.
class InOrder {
 public:
  InOrder() : first_(reports_of_run->size()) {}
  ~InOrder() {
    std::stable_sort(reports_of_run->begin() + static_cast<ptrdiff_t>(first_), reports_of_run->end(),
                     [](const Report& a, const Report& b) { return a.origin.order < b.origin.order; });
  }
  InOrder(const InOrder&) = delete;
  InOrder& operator=(const InOrder&) = delete;

 private:
  size_t first_;
};

void run_program(program::Program& program) {
  const InOrder in_order;
  interpret::run_program(program, reports_of_run);
}

void warn(const std::vector<Report>& reports) {
  const auto warn = base::hooks().warn;
  if (!warn) return;
  for (const Report& report : reports) warn(report.origin.site.get(), report.operation, report.status);
}

// Others may use the interpreter while this thread computes.
class Released {
 public:
  Released() : state_(base::hooks().release_interpreter ? base::hooks().release_interpreter() : nullptr) {}
  ~Released() {
    if (state_) base::hooks().take_interpreter(state_);
  }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

 private:
  void* state_;
};

// body(&finished): what it has run is let go of with the interpreter's lock, which what belongs to Python would else wait for.
template <class F>
void run_and_warn(F&& body) {
  std::vector<Report> reports;
  std::vector<program::Instruction> finished = std::exchange(spare_instructions, {});
  std::vector<Report>* outer = std::exchange(reports_of_run, &reports);
  try {
    Released released;
    body(&finished);
  } catch (...) {
    reports_of_run = outer;
    warn(reports);
    throw;
  }
  reports_of_run = outer;
  warn(reports);
  finished.clear();
  if (finished.capacity() <= kMostSpare) spare_instructions = std::move(finished);
}

// Arrays that the user has let go of stay while recorded work reads them: no more than this, or a sixteenth of the cap.
constexpr int64_t kMostDeadBytes = 256 << 20;
constexpr int64_t kLookFromBytes = 32 << 20;  // looking costs microseconds, these bytes have cost a millisecond

bool holds_too_much(Recorder& recorder) {
  if (recorder.joined_bytes() < kLookFromBytes) return false;
  return recorder.dead_bytes() > std::min(kMostDeadBytes, memory::Account::arrays().limit() / 16);
}

// What the program holds back may not fill the memory: a quarter of the cap, as the pool's free blocks.
int64_t most_bytes() { return memory::Account::arrays().limit() / 4; }

bool same_shape_elsewhere(const program::Operand& input, const program::Operand& output) {
  if (input.is_number() || input.base.get() != output.base.get()) return false;
  return overlap(input.view, output.view) == Overlap::kMaybe ||
         (overlap(input.view, output.view) == Overlap::kSame && input.view.dtype != output.view.dtype);
}

void append(program::Instruction&& instruction) {
  Recorder& own = Recorder::of_this_thread();
  while (Recorder* first = own.record(&instruction)) evaluate::run(*first);
  trace::count_recorded();
}

}  // namespace

void run(Recorder& recorder) {
  run_and_warn([&](std::vector<program::Instruction>* finished) { recorder.run(run_program, nullptr, finished); });
}

Array promise(const Dims& shape, DType dtype) {
  const int64_t nbytes = checked_size(shape, item_size(dtype)) * item_size(dtype);
  memory::Account& account = memory::Account::arrays();
  if (nbytes > account.limit()) account.fail("allocate", nbytes, account.held());  // can never fit: at its own line
  // A small block is one piece with its header, so it cannot come later.
  if (nbytes <= memory::kSmallLimit && base::integer_option(base::Option::record_from) > 0) return Array::empty(shape, dtype);
  BufferRef buffer = BufferRef::adopt(Buffer::promise(nbytes));
  View view{buffer->data(), dtype, shape, c_strides(shape, item_size(dtype))};
  return Array(std::move(buffer), std::move(view));
}

bool may_record_any(const Dims& shape) {
  if (base::integer_option(base::Option::eager)) return false;
  return shape.size() <= kMostDims && std::find(shape.begin(), shape.end(), 0) == shape.end();
}

bool worth_recording(const Dims& shape) {
  int64_t size = 1;
  for (int64_t extent : shape) size *= extent;
  return size >= base::integer_option(base::Option::record_from) && may_record_any(shape);
}

bool may_stay_recorded(const Array& array) {
  const BufferRef& buffer = array.buffer();
  if (!buffer || !array.described().is_aligned()) return false;
  const base::Hooks& hooks = base::hooks();
  if (buffer->is_pinned() && !(hooks.unpin_idle && hooks.unpin_idle(buffer.get()))) return false;
  return !buffer->is_foreign() || (hooks.is_private && buffer->owner() && hooks.is_private(buffer->owner()));
}

bool ask_to_record(program::Origin* origin) {
  const auto ask = base::hooks().may_record;
  return ask == nullptr || ask(&origin->site, &origin->reported);
}

void record(program::Instruction&& instruction, int64_t bytes) {
  for (int i = 0; i < instruction.input_count; ++i) {
    program::Operand& input = instruction.inputs[i];
    if (!same_shape_elsewhere(input, instruction.output)) continue;
    const Array copy = promise(input.view.shape, input.view.dtype);
    program::Instruction copying;
    copying.kind = program::Kind::kAssign;
    copying.input_count = 1;
    copying.inputs[0] = input;
    copying.output = {copy.buffer(), copy.described(), {}};
    input = copying.output;
    append(std::move(copying));
  }
  trace::count_native(bytes);
  append(std::move(instruction));
  Recorder& recorder = Recorder::of_this_thread();
  if (recorder.is_shown() || recorder.size() >= kMostInstructions || recorder.bytes() > most_bytes() || holds_too_much(recorder))
    evaluate_pending();
}

void evaluate_pending() { run(Recorder::of_this_thread()); }

void evaluate_passing(Buffer* passing) {
  Recorder& recorder = Recorder::of_this_thread();
  run_and_warn([&](std::vector<program::Instruction>* finished) { recorder.run(run_program, passing, finished); });
}

bool gave_back_memory() {
  Recorder& recorder = Recorder::of_this_thread();
  if (recorder.size() == 0 || recorder.is_running_here()) return false;
  run(recorder);
  return true;
}

void evaluate_everything() {
  run_and_warn([](std::vector<program::Instruction>* finished) { Recorder::run_all(run_program, finished); });
}

std::string explain() {
  std::string text;
  Recorder::of_this_thread().look_at([&](const program::Program& program) { text = program.text(); });
  return text;
}

std::string explain(const Array& array) {
  std::string text;
  Recorder* recorder = array.buffer() ? Recorder::of(*array.buffer().get()) : nullptr;
  if (recorder == nullptr || recorder->is_running_here()) return text;  // a signal handler asks in the middle
  recorder->look_at([&](const program::Program& program) {
    if (program.empty()) return;
    text = "program\n" + program.text();
    program::Program copy{program.instructions, nullptr, &program};
    text += "groups\n" + fuse::text(fuse::make_schedule(copy));
  });
  return text;
}

}  // namespace evaluate
}  // namespace manycore
