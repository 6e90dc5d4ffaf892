// Recorder: the program that one thread is recording. Any thread may ask for it to be run (the arrays of one thread are often read by
// another); recording and running exclude each other by the recorder's lock.
//
// Invariants: a buffer that an unfinished instruction touches carries the recorder's mark (Buffer::pending), and it carries the
// mark of one recorder only; whoever records over a buffer marked by another has that one run first. Marks are set under the lock and
// released after the bytes are written, so a thread that sees no mark sees the bytes. Recorders are never destroyed: one whose
// thread ended, with its unfinished program, passes to the next new thread.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "program/program.h"

namespace manycore::program {

class MANYCORE_API Recorder {
 public:
  // Runs a program and sets `done` in each instruction that has run, also when it throws.
  using Runner = void (*)(Program& program);

  static Recorder& of_this_thread();
  // Whose mark `buffer` carries; null without one.
  static Recorder* of(const Buffer& buffer) {
    return reinterpret_cast<Recorder*>(buffer.pending() & ~static_cast<uintptr_t>(Buffer::kPendingBits));
  }
  // Runs what every thread has recorded.
  static void run_all(Runner runner, std::vector<Instruction>* finished = nullptr);

  // Takes the instruction and returns null; or takes nothing and returns whose program must run first, because it touches the same
  // buffers: two recorders never wait for each other, so the caller, who holds no lock, runs it and asks again.
  [[nodiscard]] Recorder* record(Instruction* instruction);
  // Instructions that were not done when `runner` throws stay recorded.
  // `passing`: see Program. What has run goes to the end of `finished`, for the caller to let go of, also when it throws;
  // memory that `finished` brings serves the next program.
  void run(Runner runner, Buffer* passing = nullptr, std::vector<Instruction>* finished = nullptr);

  bool is_running_here() const { return running_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
  // These as of the last change: whoever has the program run may change them at any time.
  size_t size() const { return size_.load(std::memory_order_relaxed); }
  // Has memory that the program touches been shown outside while this thread waited to record? Then it may not wait.
  bool is_shown() const { return is_shown_.load(std::memory_order_relaxed); }
  // Of the buffers that the recorded instructions touch and so keep.
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  // Of memory that nobody but the program holds any more; called when bases have joined it with `joined_bytes()` of memory.
  int64_t dead_bytes();
  int64_t joined_bytes() const { return joined_bytes_.load(std::memory_order_relaxed); }
  // body(program), which no other thread changes meanwhile; must not record, run or let go of a base.
  void look_at(const std::function<void(const Program&)>& body);

 private:
  Recorder() = default;
  void lock();
  bool mark(const Instruction& instruction);
  bool mark(const Operand& operand, uintptr_t kind);
  void take_back(const Instruction& refused);
  void drop_finished(std::vector<Instruction>* finished);
  std::vector<Instruction> drop_passed();
  friend struct ThreadRecorder;
  friend struct Registry;

  std::mutex mutex_;
  std::atomic<std::thread::id> running_;  // the thread inside run(), which must not come back
  Program program_;
  std::atomic<size_t> size_{0};
  std::atomic<int64_t> bytes_{0};
  std::atomic<bool> is_shown_{false};
  std::atomic<int64_t> joined_bytes_{0};  // memory of the bases marked since dead_bytes() was last asked
  uint64_t recorded_ = 0;
  bool has_passed_ = false;  // the program holds nothing but what computes a passing array
};

}  // namespace manycore::program
