#include "bindings/tasks/process_core.h"

#include <algorithm>

#include "bindings/gil.h"
#include "bindings/tasks/call_site.h"
#include "bindings/tasks/interpreter.h"
#include "bindings/tasks/packed.h"
#include "bindings/tasks/pickling.h"
#include "bindings/tasks/process_flags.h"
#include "bindings/tasks/standard.h"
#include "bindings/tasks/task_report.h"
#include "bindings/tasks/travelling_errors.h"
#include "os/clock.h"

namespace manycore::python::tasks {
namespace {

constexpr int64_t kLookUp = 100'000'000;  // the main thread looks for signals so often while it waits
constexpr size_t kMostFunctions = 1024;

int64_t answered = 0;  // with the GIL

// What an error calls a function that must not be kept alive for that.
Reference name_of(PyObject* function) {
  Reference name(PyObject_GetAttrString(function, "__qualname__"));
  if (!name) {
    PyErr_Clear();
    const Reference inner(PyObject_GetAttrString(function, "func"));  // of a partial
    if (inner) name = Reference(PyObject_GetAttrString(inner.get(), "__qualname__"));
  }
  PyErr_Clear();
  return name && PyUnicode_Check(name.get()) ? std::move(name) : Reference(PyUnicode_FromString(Py_TYPE(function)->tp_name));
}

}  // namespace

int64_t calls_answered() { return answered; }

// Functions and classes that pickle finds by their module and plain name. They are sent once to each worker; what the name means
// is looked up each time, here as there.
const ProcessCore::Known* ProcessCore::known(PyObject* function) {
  const auto found = functions_.find(function);
  if (found != functions_.end()) {
    const Known& known = found->second;
    if (PyDict_GetItemWithError(known.names.get(), known.name.get()) == function) return &known;
    PyErr_Clear();
    functions_.erase(found);
  }
  if (!PyFunction_Check(function) && !PyCFunction_Check(function) && !PyType_Check(function)) return nullptr;
  Known known;
  const Reference module(PyObject_GetAttrString(function, "__module__"));
  known.name = Reference(PyObject_GetAttrString(function, "__qualname__"));
  PyObject* loaded = module && known.name && PyUnicode_CheckExact(module.get()) && PyUnicode_CheckExact(known.name.get())
                         ? PyDict_GetItemWithError(PyImport_GetModuleDict(), module.get())
                         : nullptr;
  PyErr_Clear();
  if (loaded == nullptr || !PyModule_Check(loaded)) return nullptr;
  known.names = Reference::to(PyModule_GetDict(loaded));
  if (PyDict_GetItemWithError(known.names.get(), known.name.get()) != function) {
    PyErr_Clear();
    return nullptr;
  }
  Pickled definition;
  if (!to_bytes(function, nullptr, &definition, main_by_value.get()) || definition.by_value ||
      definition.payload.size() > worker::kLongestInline) {
    PyErr_Clear();
    return nullptr;
  }
  known.object = Reference::to(function);
  known.function = crew->define(std::move(definition.payload));
  if (functions_.size() >= kMostFunctions) functions_.clear();
  return &(functions_[function] = std::move(known));
}

std::shared_ptr<worker::Function> ProcessCore::anonymous() {
  if (anonymous_ == nullptr) anonymous_ = crew->define({});
  return anonymous_;
}

PyObject* ProcessCore::submit(PyObject* function, PyObject* arguments, PyObject* keywords, std::unique_ptr<CallOptions> options) {
  const Reference self = Reference::to(self_);  // others run while it waits for memory
  const StoreBytes store = [this](const void* data, int64_t bytes) { return keep(data, bytes); };
  look();  // first, so that blocks that have come back serve this call
  auto call = std::make_unique<worker::Call>();
  Pickled pickled;
  bool written;
  const bool has_keywords = keywords != nullptr && PyDict_GET_SIZE(keywords) > 0;
  if (const Known* known = this->known(function)) {
    call->function = known->function;
    if (has_keywords) {
      call->flags = kWithKeywords;
      const Reference both(PyTuple_Pack(2, arguments, keywords));
      written = both && to_bytes(both.get(), store, &pickled, main_by_value.get());
    } else {
      written = to_bytes(arguments, store, &pickled, main_by_value.get());
    }
  } else {
    call->function = anonymous();
    call->flags = kFunctionInside;
    const Reference all(PyTuple_Pack(3, function, arguments, has_keywords ? keywords : Py_None));
    if (all && !has_keywords) {
      const Reference none(PyDict_New());
      const Reference whole(none ? PyTuple_Pack(3, function, arguments, none.get()) : nullptr);
      written = whole && to_bytes(whole.get(), store, &pickled, main_by_value.get());
    } else {
      written = all && to_bytes(all.get(), store, &pickled, main_by_value.get());
    }
  }
  if (written) return send(std::move(call), pickled, function, std::move(options));
  if (!PyErr_ExceptionMatches(PyExc_Exception)) return nullptr;  // Ctrl-C
  // What cannot be pickled is the future's business, as in the standard, which starts its processes even so.
  Reference exception = take_raised();
  const Reference check(PyObject_GetAttrString(self_, "check_pickle"));
  if (check) exception = blamed(exception.get(), check.get(), function, arguments, keywords);
  PyErr_Clear();
  if (!started || crew->has_free_slot()) {
    if (!Reference(PyObject_CallNoArgs(starter.get()))) return nullptr;
    started = true;
  }
  Reference future(new_future());
  return future && set_exception(future.get(), exception.get()) == 0 ? future.release() : nullptr;
}

bool ProcessCore::can_pickle(PyObject* object) {
  Pickled pickled;
  return to_bytes(object, nullptr, &pickled, main_by_value.get());
}

PyObject* ProcessCore::submit_items(PyObject* function, PyObject* items, bool tuples, bool only_with_room,
                                    std::unique_ptr<CallOptions> options, PyObject* site) {
  const Reference self = Reference::to(self_);
  bool no_room = false;
  const StoreBytes store = [this, &no_room, only_with_room](const void* data, int64_t bytes) {
    if (!only_with_room) return keep(data, bytes);
    std::string refusal;
    returns_seen_ = worker::Blocks::returns();
    std::shared_ptr<worker::Lease> lease = keep_now(data, bytes, &refusal);
    no_room = lease == nullptr;
    if (no_room) PyErr_SetString(PyExc_MemoryError, refusal.c_str());
    return lease;
  };
  look();
  auto call = std::make_unique<worker::Call>();
  Pickled pickled;
  call->flags = kItems | (tuples ? kItemsAreTuples : 0);
  call->items = std::max<Py_ssize_t>(PyObject_Size(items), 0);
  bool written;
  if (const Known* known = this->known(function)) {
    call->function = known->function;
    const std::string numbers = !tuples && PyList_CheckExact(items) ? packed_list(items) : std::string();
    if (!numbers.empty()) {
      call->flags |= kPacked;
      written = take_payload(numbers.data(), numbers.size(), store, &pickled);
    } else {
      written = to_bytes(items, store, &pickled, main_by_value.get());
    }
  } else {
    call->function = anonymous();
    call->flags |= kFunctionInside;
    const Reference all(PyTuple_Pack(3, function, items, Py_None));
    written = all && to_bytes(all.get(), store, &pickled, main_by_value.get());
  }
  if (!written) {
    if (!no_room || !PyErr_ExceptionMatches(PyExc_MemoryError)) return nullptr;
    PyErr_Clear();
    Py_RETURN_NONE;
  }
  serve();  // a chunk that is done makes room for the next, whether or not somebody waits for it
  return send(std::move(call), pickled, function, std::move(options), site);
}

PyObject* ProcessCore::send(std::unique_ptr<worker::Call> call, Pickled& pickled, PyObject* function,
                            std::unique_ptr<CallOptions> options, PyObject* site) {
  call->payload = std::move(pickled.payload);
  call->leases = std::move(pickled.leases);
  if (pickled.payload_in_block) call->flags |= kPayloadInBlock;
  if (breaking) call->flags |= kEndIfUnreadable;
  if (!accepts()) return nullptr;  // any more
  Reference future(new_future());
  Reference named = (call->flags & kFunctionInside) != 0 ? name_of(function) : Reference::to(function);
  if (!future || !named) return nullptr;
  call->retries = retries;
  if (options != nullptr) [[unlikely]] {
    call->priority = options->priority;
    if (options->deadline != task::Order::kNever) call->deadline = options->deadline;
    if (options->retries >= 0) call->retries = options->retries;
    if (options->name.get() != Py_None) named = Reference::to(options->name.get());
  }
  CallSite where = site_of(site != nullptr || options == nullptr ? site : options->site.get());
  auto* owner = new TaskOwner{Py_NewRef(future.get()), Py_NewRef(self_),  named.release(),
                              where.code.release(),    where.instruction, std::move(options)};
  call->owner = owner;
  if (report_kept) [[unlikely]]
    note_sent(*call);
  worker::Call* sent = call.get();
  FutureFields& fields = fields_of(future.get());
  fields.source = this;
  fields.source_call = sent;
  bool short_of_workers = false;
  crew->submit(std::move(call), &short_of_workers);
  if ((short_of_workers || !started) && !start_workers(short_of_workers, sent, future.get())) return nullptr;
  return future.release();
}

// For the report.
void ProcessCore::note_sent(worker::Call& call) {
  call.submitted = os::now_nanoseconds();
  int64_t in_blocks = 0;
  for (const auto& lease : call.leases) in_blocks += static_cast<int64_t>(lease->place().bytes);
  const worker::BlockCounts counts = crew->blocks().counts();
  const int64_t unchanged = counts.found_equal + counts.found_unwritten;
  count_sent(static_cast<int64_t>(call.payload.size()), in_blocks, unchanged - std::exchange(noted_unchanged_, unchanged));
}

void ProcessCore::note_finished(const worker::Finished& finished) {
  const worker::Call& call = *finished.call;
  if (finished.how == worker::Finished::How::died) return count_lost(call.items);
  if (finished.how == worker::Finished::How::ended) return;  // as its user wanted
  if (finished.how == worker::Finished::How::error && (finished.flags & kMissed) != 0) return;
  int64_t in_blocks = 0;
  for (const worker::BlockPlace& place : finished.blocks) in_blocks += static_cast<int64_t>(place.bytes);
  count_received(static_cast<int64_t>(finished.payload.size()), in_blocks);
  count_process_task(finished.process,
                     {Place::kProcess, call.submitted, finished.began, finished.began + finished.nanoseconds, call.items});
}

bool ProcessCore::start_workers(bool, worker::Call* call, PyObject* future) {
  const Reference answer(PyObject_CallNoArgs(starter.get()));
  if (answer) {
    started = true;
    return true;
  }
  if (crew->live_workers() > 0) {
    PyErr_WriteUnraisable(starter.get());
    return true;
  }
  const Reference raised = take_raised();
  if (std::unique_ptr<worker::Call> taken = crew->withdraw(call)) {
    fields_of(future).source = nullptr;
    free_owner(static_cast<TaskOwner*>(taken->owner));
  }
  raise(raised.get());
  return false;
}

void ProcessCore::free_owner(TaskOwner* owner) {
  Py_XDECREF(owner->future);
  Py_XDECREF(owner->function);
  Py_XDECREF(owner->code);
  PyObject* core = owner->core;
  delete owner;
  Py_DECREF(core);
}

void ProcessCore::complete(worker::Finished& finished, bool may_call, bool feeds) {
  auto* owner = static_cast<TaskOwner*>(finished.call->owner);
  // Whoever looks may hold the future's condition, as wait() does while it counts what is done: nothing may be done under its eyes.
  const FutureFields& fields = fields_of(owner->future);
  if (!may_call && (fields.condition != nullptr || has_callbacks(fields))) {
    deferred_.push_back(std::move(finished));
    crew->wake_background();
    return;
  }
  const Reference self = Reference::to(self_);
  const Reference future = Reference::to(owner->future);
  Reference outcome;
  bool failed = finished.how != worker::Finished::How::result;
  const bool stopped = finished.how == worker::Finished::How::ended || (failed && (finished.flags & kStopped) != 0);
  if (finished.how == worker::Finished::How::result || finished.how == worker::Finished::How::error) ++answered;
  if (report_kept) [[unlikely]]
    note_finished(finished);
  if (stopped) {
    outcome = Reference::to(Py_None);
  } else if (finished.how == worker::Finished::How::died) {
    outcome = death_of(finished.death, *owner);
  } else if (failed && (finished.flags & kMissed) != 0 && owner->options != nullptr) {
    outcome = late_error(*owner->options, owner->function, finished.began);
  } else {
    outcome = outcome_of(finished);
    if (!outcome && breaking) outcome = unreadable(finished, *owner), failed = true;
  }
  if (!outcome) {
    outcome = take_raised();
    failed = true;
  }
  const bool of_map = (finished.call->flags & kItems) != 0;
  finished.call->owner = nullptr;
  free_owner(owner);
  if (!is_done(fields_of(future.get()))) {
    const int set = stopped  ? set_cancelled(future.get())
                    : failed ? set_exception(future.get(), outcome.get())
                             : set_result(future.get(), outcome.get());
    if (set < 0) log_failed_callback(future.get(), take_raised().get());
  }
  completions_.fetch_add(1, std::memory_order_seq_cst);
  crew->wake_leader();
  // The background thread lets workers go when nothing is left.
  if (shut_down && !may_call) crew->wake_background();
  if (of_map && !feeds) {
    feed_wanted_ = true;
    if (!may_call) crew->wake_background();
  }
}

// `feeds`: who looks sends the next chunks of its map() when it has what it waits for.
void ProcessCore::look(bool feeds) {
  if (orphaned_) return;
  crew->sweep();
  worker::Finished finished;
  if (!crew->anything_to_collect()) return;
  // An exception that is being handled by who looks is none of the replies' business.
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  while (crew->collect(&finished)) complete(finished, false, feeds);
  PyErr_Restore(type, value, traceback);
}

bool ProcessCore::is_running(PyObject* future) {
  if (orphaned_) return false;
  return crew->is_running(static_cast<const worker::Call*>(fields_of(future).source_call));
}

bool ProcessCore::withdraw(PyObject* future) {
  if (orphaned_) return false;
  std::unique_ptr<worker::Call> call = crew->withdraw(static_cast<worker::Call*>(fields_of(future).source_call));
  if (call == nullptr) return false;
  free_owner(static_cast<TaskOwner*>(call->owner));
  return true;
}

FutureSource::Stop ProcessCore::stop(PyObject* future, bool force) {
  if (orphaned_) return Stop::over;
  auto* call = static_cast<worker::Call*>(fields_of(future).source_call);
  pid_t halted = 0;
  const worker::Crew::Stop answer = force ? crew->end(call, &halted) : crew->stop(call);
  if (halted != 0) {
    const Reference self = Reference::to(self_);
    PyThreadState* state = release_interpreter();
    worker::Crew::kill_halted(halted);
    take_gil(state);
  }
  switch (answer) {
    case worker::Crew::Stop::told:
      return Stop::told;
    case worker::Crew::Stop::waits:
      return Stop::waits;
    case worker::Crew::Stop::over:
      break;
  }
  return Stop::over;
}

int ProcessCore::wait(PyObject* future, int64_t deadline) {
  const Reference self = Reference::to(self_);  // whoever completes the future may hold the last other one
  FutureFields& fields = fields_of(future);
  if (orphaned_ && !is_done(fields)) return set_exception(future, refusal.get()) < 0 ? -1 : 1;
  const bool feeds = !is_done(fields) && (static_cast<const worker::Call*>(fields.source_call)->flags & kItems) != 0;
  look(feeds);
  if (is_done(fields)) return 1;
  const auto* call = static_cast<const worker::Call*>(fields.source_call);
  // Another thread leads and reads for all; who follows is told by the background thread.
  const bool leads = crew->begin_lead(call->ticket);
  if (!leads) serve();
  int result = -1;
  while (result < 0) {
    const uint64_t before = completions_.load(std::memory_order_seq_cst);
    const auto changed = [&] { return completions_.load(std::memory_order_seq_cst) != before; };
    look(feeds);
    if (is_done(fields)) result = 1;
    const int64_t now = os::now_nanoseconds();
    if (result < 0 && deadline >= 0 && now >= deadline) result = 0;
    if (result >= 0) break;
    const int64_t slice = deadline < 0 ? kLookUp : std::min(kLookUp, deadline - now);
    PyThreadState* state = release_interpreter();
    if (leads) {
      crew->lead(slice, changed);
    } else {
      crew->follow(slice, changed);
    }
    take_gil(state);
    if (PyErr_CheckSignals() < 0) break;
  }
  if (leads) crew->end_lead();
  return result;
}

}  // namespace manycore::python::tasks
