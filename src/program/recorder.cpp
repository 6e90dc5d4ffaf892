#include "program/recorder.h"

#include <algorithm>
#include <unordered_set>

#include "base/at_fork.h"
#include "base/check.h"
#include "base/hooks.h"
#include "base/lasting.h"
#include "program/bases.h"

namespace manycore::program {

// Every recorder there is, and those that no thread owns.
struct Registry {
  std::mutex mutex;
  std::vector<Recorder*> all;
  std::vector<Recorder*> free;

  static Registry& instance() {
    static constinit base::Lasting<Registry> registry;  // threads end after static destruction
    return registry.get();
  }

  Registry() {
    // A child made by fork has only the forking thread: the locks of the others must be free in it.
    base::at_fork(base::ForkStep::kPrograms,
                  {[] { instance().lock_all(); }, [] { instance().unlock_all(); }, [] { instance().unlock_all(); }});
  }

  void lock_all() {
    mutex.lock();
    for (Recorder* recorder : all) {
      if (!recorder->is_running_here()) recorder->mutex_.lock();
    }
  }
  void unlock_all() {
    for (Recorder* recorder : all) {
      if (!recorder->is_running_here()) recorder->mutex_.unlock();
    }
    mutex.unlock();
  }

  Recorder* take() {
    std::lock_guard lock(mutex);
    if (!free.empty()) {
      Recorder* recorder = free.back();
      free.pop_back();
      return recorder;
    }
    all.push_back(new Recorder());
    return all.back();
  }
};

struct ThreadRecorder {
  Recorder* recorder = Registry::instance().take();
  ~ThreadRecorder() {
    std::lock_guard lock(Registry::instance().mutex);
    Registry::instance().free.push_back(recorder);
  }
};

Recorder& Recorder::of_this_thread() {
  thread_local ThreadRecorder own;
  return *own.recorder;
}

// Whoever runs the program may need the interpreter's lock (to ask for Ctrl-C), so nobody waits here while holding that.
void Recorder::lock() {
  if (mutex_.try_lock()) return;
  const base::Hooks& hooks = base::hooks();
  void* released = hooks.release_interpreter ? hooks.release_interpreter() : nullptr;
  mutex_.lock();
  if (released) {
    // Taking the interpreter's lock while holding ours would turn the order round.
    mutex_.unlock();
    hooks.take_interpreter(released);
    if (!mutex_.try_lock()) lock();
  }
}

// False when another recorder's mark is in the way.
bool Recorder::mark(const Operand& operand, uintptr_t kind) {
  if (operand.is_number()) return true;
  Buffer& buffer = *operand.base.get();
  const auto own = reinterpret_cast<uintptr_t>(this);
  uintptr_t seen = buffer.pending();
  do {
    if (seen != 0 && of(buffer) != this) return false;
  } while (!buffer.mark_pending(&seen, own | (seen & Buffer::kPendingBits) | kind));
  if (seen == 0) {
    bytes_ += buffer.nbytes();
    if (buffer.has_memory()) joined_bytes_ += buffer.nbytes();
  }
  return true;
}

bool Recorder::mark(const Instruction& instruction) {
  bool marked = mark(instruction.output, Buffer::kWrites);
  for (int i = 0; i < instruction.input_count; ++i) marked = marked && mark(instruction.inputs[i], Buffer::kReads);
  return marked;
}

Recorder* Recorder::record(Instruction* instruction) {
  std::vector<Instruction> passed;  // released after the lock
  lock();
  std::lock_guard guard(mutex_, std::adopt_lock);
  passed = drop_passed();
  Recorder* other = nullptr;
  for_each_operand(*instruction, [&](const Operand& operand) {
    if (operand.is_number() || other != nullptr) return;
    Recorder* marked = of(*operand.base.get());
    if (marked != nullptr && marked != this) other = marked;
  });
  if (other != nullptr) return other;
  if (!mark(*instruction)) {  // somebody came in between
    take_back(*instruction);
    return this;
  }
  for_each_operand(*instruction, [&](const Operand& operand) {
    if (operand.base && operand.base->is_pinned()) is_shown_.store(true, std::memory_order_relaxed);
  });
  instruction->origin.order = recorded_++;
  program_.instructions.push_back(std::move(*instruction));
  size_.store(program_.instructions.size(), std::memory_order_relaxed);
  return nullptr;
}

// With the lock held: marks without an instruction would never be taken off, and others would wait for them for ever.
void Recorder::take_back(const Instruction& refused) {
  std::unordered_set<Buffer*> kept;
  for (const Instruction& instruction : program_.instructions) {
    for_each_operand(instruction, [&](const Operand& operand) { kept.insert(operand.base.get()); });
  }
  for_each_operand(refused, [&](const Operand& operand) {
    if (operand.is_number() || of(*operand.base.get()) != this || kept.contains(operand.base.get())) return;
    operand.base->set_pending(0);
    bytes_ -= operand.base->nbytes();
    if (operand.base->has_memory()) joined_bytes_ -= operand.base->nbytes();
  });
}

// With the lock held: takes what has run out of the program, to the end of `finished`, and its marks off the buffers.
void Recorder::drop_finished(std::vector<Instruction>* finished) {
  const size_t before = finished->size();
  if (before == 0 && std::ranges::all_of(program_.instructions, &Instruction::done)) {
    finished->swap(program_.instructions);  // and the program has what memory `finished` had
  } else {
    std::vector<Instruction> left;
    for (Instruction& instruction : program_.instructions) {
      (instruction.done ? *finished : left).push_back(std::move(instruction));
    }
    program_.instructions = std::move(left);
  }
  size_.store(program_.instructions.size(), std::memory_order_relaxed);
  is_shown_.store(false, std::memory_order_relaxed);
  // What is left keeps its marks without a moment in which another thread sees none.
  std::unordered_set<Buffer*> kept;
  bytes_ = 0;
  joined_bytes_ = 0;
  for (const Instruction& instruction : program_.instructions) {
    for_each_operand(instruction, [&](const Operand& operand) {
      if (!operand.is_number() && kept.insert(operand.base.get()).second) bytes_ += operand.base->nbytes();
    });
  }
  for (size_t i = before; i < finished->size(); ++i) {
    for_each_operand((*finished)[i], [&](const Operand& operand) {
      if (!operand.is_number() && !kept.contains(operand.base.get())) operand.base->set_pending(0);
    });
  }
}

int64_t Recorder::dead_bytes() {
  lock();
  std::lock_guard guard(mutex_, std::adopt_lock);
  joined_bytes_ = 0;
  int64_t bytes = 0;
  const Bases bases(program_);
  for (const BaseUse& use : bases.uses()) {
    if (use.is_dead && use.base->has_memory()) bytes += use.base->nbytes();
  }
  return bytes;
}

// With the lock held: what was left for a passing array goes when that has gone.
std::vector<Instruction> Recorder::drop_passed() {
  if (!has_passed_) return {};
  has_passed_ = false;
  const Bases bases(program_);
  for (const BaseUse& use : bases.uses()) {
    if (use.base == program_.passing && !use.is_dead) {
      program_.passing = nullptr;
      return {};
    }
  }
  program_.passing = nullptr;
  for (Instruction& instruction : program_.instructions) instruction.done = true;
  std::vector<Instruction> finished;
  drop_finished(&finished);
  return finished;
}

void Recorder::run(Runner runner, Buffer* passing, std::vector<Instruction>* result) {
  if (is_running_here()) {
    throw ResourceError(
        "evaluate: a signal handler asks for an array that is being computed right now; read it outside the handler");
  }
  // Released after the lock: a base may belong to Python, where letting go can run anything.
  std::vector<Instruction> own, passed;
  std::vector<Instruction>& finished = result ? *result : own;
  lock();
  std::lock_guard guard(mutex_, std::adopt_lock);
  passed = drop_passed();
  if (program_.empty()) return;
  program_.passing = passing;
  running_ = std::this_thread::get_id();
  try {
    runner(program_);
  } catch (...) {
    running_ = std::thread::id();
    program_.passing = nullptr;
    drop_finished(&finished);
    throw;
  }
  running_ = std::thread::id();
  drop_finished(&finished);
  has_passed_ = !program_.empty();
}

void Recorder::run_all(Runner runner, std::vector<Instruction>* finished) {
  std::vector<Recorder*> all;
  {
    std::lock_guard lock(Registry::instance().mutex);
    all = Registry::instance().all;
  }
  for (Recorder* recorder : all) recorder->run(runner, nullptr, finished);
}

void Recorder::look_at(const std::function<void(const Program&)>& body) {
  lock();
  std::lock_guard guard(mutex_, std::adopt_lock);
  body(program_);
}

}  // namespace manycore::program
