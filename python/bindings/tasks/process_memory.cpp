// ProcessCore's way to memory for large arguments: where there is none, wait for what comes back or, where this thread may not wait,
// put them on disk.
#include <algorithm>

#include "bindings/gil.h"
#include "bindings/tasks/interpreter.h"
#include "bindings/tasks/may_wait.h"
#include "bindings/tasks/process_core.h"
#include "manycore/errors.h"
#include "memory/account.h"
#include "os/clock.h"

namespace manycore::python::tasks {
namespace {

constexpr int64_t kLook = 50'000'000;    // signals, and memory that others gave back, are looked at so often
constexpr int64_t kGrace = 1'000'000'000;  // a worker that has nothing to do gives blocks back within
constexpr int64_t kLongCopy = 1 << 20;   // bytes; others may have the GIL meanwhile

}  // namespace

bool ProcessCore::accepts() {
  if (!refusal) return true;
  raise(refusal.get());
  return false;
}

// Null without an exception where there is no memory.
std::shared_ptr<worker::Lease> ProcessCore::keep_now(const void* data, int64_t bytes, std::string* refusal) {
  std::shared_ptr<worker::Lease> lease;
  PyThreadState* state = bytes >= kLongCopy ? release_interpreter() : nullptr;
  try {
    lease = crew->blocks().store(data, bytes);
  } catch (const Error& error) {
    *refusal = error.what();
  }
  if (state != nullptr) take_gil(state);
  return lease;
}

std::shared_ptr<worker::Lease> ProcessCore::spill(const void* data, int64_t bytes) {
  std::string refusal;
  std::shared_ptr<worker::Lease> lease;
  PyThreadState* state = release_interpreter();
  try {
    lease = crew->spill().store(data, bytes);
  } catch (const Error& error) {
    refusal = error.what();
  }
  take_gil(state);
  if (lease == nullptr) PyErr_SetString(PyExc_MemoryError, refusal.c_str());
  return lease;
}

std::shared_ptr<worker::Lease> ProcessCore::keep(const void* data, int64_t bytes) {
  std::string refusal;
  uint32_t seen = worker::Blocks::returns();
  std::shared_ptr<worker::Lease> lease = keep_now(data, bytes, &refusal);
  if (lease != nullptr) return lease;
  if (!may_wait()) return spill(data, bytes);
  const int64_t begin = os::now_nanoseconds();
  int64_t hopeless_since = 0;
  int waited = bytes <= memory::Account::arrays().limit() ? 1 : 0;
  waits += waited;
  while (lease == nullptr && waited > 0) {
    waited = wait_for_return(seen, &hopeless_since);
    seen = worker::Blocks::returns();
    if (waited >= 0) lease = keep_now(data, bytes, &refusal);
  }
  nanoseconds_waited += os::now_nanoseconds() - begin;
  if (lease == nullptr && waited == 0) PyErr_SetString(PyExc_MemoryError, refusal.c_str());
  return waited < 0 ? nullptr : lease;
}

int ProcessCore::wait_for_room() {
  const Reference self = Reference::to(self_);
  const int64_t patience = tasks::patience();
  if (patience == 0) return 0;
  const int64_t begin = os::now_nanoseconds();
  if (patience == INT64_MAX) ++waits;
  const uint32_t seen = returns_seen_;
  int64_t hopeless_since = 0;
  int waited = 1;
  while (waited > 0 && worker::Blocks::returns() == seen) {
    waited = os::now_nanoseconds() - begin < patience ? wait_for_return(seen, &hopeless_since) : 0;
  }
  nanoseconds_waited += os::now_nanoseconds() - begin;
  return waited;
}

// For a moment, or until a block has come back: 1; 0 where none will. Who waits reads what workers say, as who waits for a result.
int ProcessCore::wait_for_return(uint32_t seen, int64_t* hopeless_since) {
  if (orphaned_ || !accepts()) return PyErr_Occurred() != nullptr ? -1 : 0;
  const int64_t now = os::now_nanoseconds();
  // Calls that are over have given theirs back, or their workers will in a moment; or they keep them.
  if (worker::InFlight::count() > 0) {
    *hopeless_since = 0;
  } else if (worker::Blocks::bytes_out() == 0 || (*hopeless_since != 0 && now - *hopeless_since > kGrace)) {
    return 0;
  } else if (*hopeless_since == 0) {
    *hopeless_since = now;
  }
  const bool leads = crew->begin_lead(0);  // no call's number, but that of blocks that come back
  if (!leads) serve();
  look();
  const auto changed = [&] { return worker::Blocks::returns() != seen; };
  PyThreadState* state = release_interpreter();
  if (leads) {
    crew->lead(kLook, changed);
  } else {
    worker::Blocks::wait_for_return(seen, kLook);
  }
  take_gil(state);
  look();
  if (leads) crew->end_lead();
  return PyErr_CheckSignals() < 0 ? -1 : 1;
}

}  // namespace manycore::python::tasks
