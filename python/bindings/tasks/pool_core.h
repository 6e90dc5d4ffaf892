// What a thread pool's executor and its worker threads share. Counted: the executor and each thread hold it, so that tasks are still
// run after the program has dropped its executor, and threads do not keep the executor alive. With the GIL, but for the queue.
#pragma once

#include <Python.h>

#include <atomic>
#include <vector>

#include "bindings/tasks/python_call.h"
#include "bindings/tasks/reference.h"
#include "sched/budget.h"
#include "sync/threads.h"
#include "task/queue.h"

namespace manycore::python::tasks {

class PoolCore {
 public:
  explicit PoolCore(int most_threads);
  PoolCore(const PoolCore&) = delete;
  PoolCore& operator=(const PoolCore&) = delete;

  void hold() { ++holders; }
  void drop();

  // Puts the call into the queue and starts a thread where one is needed; false, with an exception, where none could be and the pool
  // has none: then the call is the caller's again.
  bool submit(task::Call& call, int64_t more = 1);
  // The loop of one worker thread.
  void work();
  // So many more threads, or fewer, run a task; cores are claimed for them and for what waits for threads that may still be had.
  void count_running(int more);
  // A worker saw more work than threads, or a submit did. Errors stay set.
  bool start_thread();

  // No submit is taken any more; 0, or -1 with the error that a submit raises now.
  int refuse_when_closed() const;
  void fail_waiting(PyObject* exception);
  void cancel_waiting();
  void forget_waiting();

  task::Queue queue;
  Reference start;        // start(target): a Python function that starts one thread
  Reference initializer;  // null: none
  Reference arguments;    // of the initializer, a tuple
  Reference broken;       // the text of BrokenThreadPool, null while the pool works
  Reference broken_error;
  bool shut_down = false;
  bool inherits_context = true;
  int holders = 1;
  std::vector<manycore::sync::Thread*> workers;  // those that are in their loop
  int grown = 0;                                 // threads that were added against a deadlock
  int running = 0;
  sched::Claim claim;
  std::atomic<uint32_t> releases_at_push{0};
  // All pools of the process, for forks and the interpreter's end.
  PoolCore* next = nullptr;
  PoolCore** place = nullptr;

 private:
  sched::SpinHistory patience_;
  ~PoolCore();
  bool initialize_thread();
  void wait_for_work(task::Queue::Worker& worker, Wakeups& later);
};

// All pools of this process; the others follow by `next`.
PoolCore* first_pool();
// That of a ThreadPoolExecutor; null for anything else.
PoolCore* pool_of_executor(PyObject* executor);

// At the interpreter's end: refuse submits, let workers finish what waits.
void stop_all_pools();
bool interpreter_ends();
// Once: no fork comes while a thread is inside a queue.
bool watch_forks();
// Another one in a forked child, whose threads are no workers.
uint32_t process_generation();
// By Python's hook, after that.
void after_fork_in_child();

// Tasks that threads of all pools took up in this process.
int64_t tasks_run();

}  // namespace manycore::python::tasks
