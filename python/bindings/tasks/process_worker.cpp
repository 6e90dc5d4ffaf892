// The loop of a worker process: requests from its ring, Python's work on them, replies. It holds the GIL but while it waits.
#include <algorithm>
#include <unordered_map>

#include "bindings/gil.h"
#include "bindings/tasks/interpreter.h"
#include "bindings/tasks/may_wait.h"
#include "bindings/tasks/module.h"
#include "bindings/tasks/pickling.h"
#include "bindings/tasks/process_flags.h"
#include "bindings/tasks/reference.h"
#include "bindings/tasks/standard.h"
#include "bindings/tasks/task_seat.h"
#include "bindings/tasks/travelling_errors.h"
#include "bindings/tasks/worker_errors.h"
#include "bindings/tasks/worker_items.h"
#include "manycore/errors.h"
#include "sched/stop.h"
#include "worker/post.h"
#include "worker/spill.h"

namespace manycore::python::tasks {
namespace {

using worker::ReplyKind;

struct Definition {
  std::string bytes;
  Reference function;
  Reference names;  // its module's dict, where a later task may have bound the name anew
  Reference name;
};

class WorkerLoop {
 public:
  WorkerLoop(int descriptor, int slot, int blocks, int results)
      : post_(descriptor, slot),
        reader_(std::make_shared<worker::BlockReader>(blocks)),
        blocks_(std::make_shared<worker::Blocks>(os::MemoryFile(results))) {}

  ~WorkerLoop() { spill_->abandon(); }
  WorkerLoop(const WorkerLoop&) = delete;
  WorkerLoop& operator=(const WorkerLoop&) = delete;

  // Null with an exception, or None when told to leave.
  PyObject* run();

 private:
  enum class Step { go_on, leave, failed };
  Step step();
  bool wait();
  void wait_until_read();
  Reference call(const worker::Request& request, Reference& input, ItemResults* items);
  PyObject* function_of(uint64_t number);
  bool send_result(worker::Reply& reply, PyObject* result);
  bool send_items(worker::Reply& reply, const ItemResults& items);
  bool send_error(worker::Reply& reply, PyObject* exception);
  Step send_missed(worker::Reply& reply, const worker::Request& request, int64_t now);
  bool send(ReplyKind kind, worker::Reply& reply);
  bool write(ReplyKind kind, worker::Reply& reply);
  bool pickle(worker::Reply& reply, PyObject* object);
  std::shared_ptr<worker::Lease> keep(const void* data, int64_t bytes);
  bool give_back();

  worker::Post post_;
  std::shared_ptr<worker::BlockReader> reader_;  // of the pool's store
  std::shared_ptr<worker::Blocks> blocks_;
  std::shared_ptr<worker::Spill> spill_ = std::make_shared<worker::Spill>();
  const StoreBytes store_ = [this](const void* data, int64_t bytes) { return keep(data, bytes); };
  std::unordered_map<uint64_t, Definition> definitions_;
  Pickled pickled_;
  std::unordered_map<uint64_t, std::shared_ptr<worker::Lease>> sent_;  // by place, until the pool gives them back
  // Of the pool's blocks, those that nobody here uses. Buffers may outlive the loop.
  std::shared_ptr<std::vector<worker::BlockPlace>> unused_ = std::make_shared<std::vector<worker::BlockPlace>>();
};

PyObject* WorkerLoop::run() {
  worker::Reply ready;
  if (!send(ReplyKind::ready, ready)) return nullptr;
  Turn turn;  // threads of the functions' own have the worker's GIL too
  for (;;) {
    const Step step = this->step();
    if (step == Step::failed) return nullptr;
    if (step == Step::leave) Py_RETURN_NONE;
    if (turn.is_over() && !turn.yield_or_raise()) return nullptr;
  }
}

bool WorkerLoop::wait() {
  worker::Waited waited;
  do {
    PyThreadState* state = PyEval_SaveThread();
    waited = post_.wait(-1);
    take_gil(state);
    if (PyErr_CheckSignals() < 0) return false;
  } while (waited != worker::Waited::ready);
  return true;
}

WorkerLoop::Step WorkerLoop::step() {
  // At once, for somebody may wait for the memory.
  if (!give_back() || (!post_.ready() && !wait())) return Step::failed;
  worker::Record record;
  if (post_.next(&record) != worker::RingReader::Next::record) {
    PyErr_SetString(PyExc_SystemError, "worker process: the pool wrote what no pool writes");
    return Step::failed;
  }
  const auto kind = static_cast<worker::RequestKind>(record.kind);
  if (kind == worker::RequestKind::leave) {
    if (spill_->in_use() > 0) wait_until_read();
    return Step::leave;
  }
  worker::Request request;
  if (!worker::decode(record.body, &request)) {
    PyErr_SetString(PyExc_SystemError, "worker process: the pool wrote what no pool writes");
    return Step::failed;
  }
  if (kind == worker::RequestKind::function) {
    definitions_[request.function].bytes.assign(reinterpret_cast<const char*>(request.payload.data()), request.payload.size());
    post_.release();
    return Step::go_on;
  }
  if (kind == worker::RequestKind::blocks_back) {
    for (const worker::BlockPlace& place : request.blocks) sent_.erase(worker::key_of(place));
    post_.release();
    return Step::go_on;
  }
  if (kind != worker::RequestKind::call || !post_.take()) {
    post_.release();
    return Step::go_on;
  }
  const int64_t begin = os::now_nanoseconds();
  worker::Reply reply;
  reply.ticket = request.ticket;
  if (request.deadline != 0 && begin > request.deadline) return send_missed(reply, request, begin);
  const sched::StopScope stop(post_.stop_word(), request.ticket);  // pickling may run loops too: of what was recorded
  const bool items = (request.flags & kItems) != 0;
  Reference input;
  ItemResults item_results;
  const Reference result = call(request, input, &item_results);
  reply.nanoseconds = static_cast<uint64_t>(os::now_nanoseconds() - begin);
  reply.began = begin;
  bool sent, interrupted = static_cast<bool>(item_results.interrupt);
  if (!result) {
    if ((!input && (request.flags & kEndIfUnreadable) != 0) || raised_ends_worker()) return Step::failed;
    const Reference raised = take_raised();
    interrupted = is_interrupt(raised.get());
    sent = send_error(reply, raised.get());
  } else {
    sent = items ? send_items(reply, item_results) : send_result(reply, result.get());
  }
  if (sent && interrupted) leave_time_to_cancel();
  return sent ? Step::go_on : Step::failed;
}

// The pool opens what was spilled when it reads of it, and cannot once this process is gone.
void WorkerLoop::wait_until_read() {
  constexpr int64_t kPatience = 10'000'000'000;
  PyThreadState* state = PyEval_SaveThread();
  post_.wait_until_read(kPatience);
  take_gil(state);
}

// A worker does not wait for memory: what it waits for may be what its pool's next call brings.
std::shared_ptr<worker::Lease> WorkerLoop::keep(const void* data, int64_t bytes) {
  try {
    return blocks_->store(data, bytes);
  } catch (const Error&) {
  }
  try {
    return spill_->store(data, bytes);
  } catch (const Error& error) {
    PyErr_SetString(PyExc_MemoryError, error.what());
  }
  return nullptr;
}

PyObject* WorkerLoop::function_of(uint64_t number) {
  const auto found = definitions_.find(number);
  if (found == definitions_.end()) {
    PyErr_SetString(PyExc_SystemError, "worker process: a call of a function that was not sent");
    return nullptr;
  }
  Definition& definition = found->second;
  if (definition.names) {
    PyObject* now = PyDict_GetItemWithError(definition.names.get(), definition.name.get());
    if (now != nullptr) return now;
    PyErr_Clear();
  }
  if (!definition.function || definition.names) {
    definition.function = from_bytes(std::as_bytes(std::span(definition.bytes)), {}, false, nullptr, {});
    if (!definition.function) return nullptr;
    const Reference module(PyObject_GetAttrString(definition.function.get(), "__module__"));
    definition.name = Reference(PyObject_GetAttrString(definition.function.get(), "__qualname__"));
    PyObject* loaded = module && definition.name && PyUnicode_Check(module.get())
                           ? PyDict_GetItemWithError(PyImport_GetModuleDict(), module.get())
                           : nullptr;
    PyErr_Clear();
    PyObject* names = loaded != nullptr && PyModule_Check(loaded) ? PyModule_GetDict(loaded) : nullptr;
    // Only a plain name of the module: what `names` holds under it is what pickle would find.
    if (names != nullptr && PyDict_GetItemWithError(names, definition.name.get()) == definition.function.get())
      definition.names = Reference::to(names);
    PyErr_Clear();
  }
  return definition.function.get();
}

// `input` is the caller's to let go: unmapping large arguments takes milliseconds that the reply need not wait for.
Reference WorkerLoop::call(const worker::Request& request, Reference& input, ItemResults* items) {
  const bool packed = (request.flags & kPacked) != 0;
  const MayNotWait task;
  for (const worker::BlockPlace& place : request.blocks) {
    if (place.file != 0) reader_->find_spill(post_.pool_process(), place);
  }
  const bool in_block = (request.flags & kPayloadInBlock) != 0;
  const auto give_back = [unused = unused_](const worker::BlockPlace& place) { unused->push_back(place); };
  Reference broken;
  Rescue rescue;
  if ((request.flags & (kItems | kEndIfUnreadable)) == kItems)
    rescue = rescue_arguments((request.flags & kFunctionInside) != 0, &broken);
  input = packed ? raw_payload(request.payload, request.blocks, in_block, reader_.get(), give_back)
                 : from_bytes(request.payload, request.blocks, in_block, reader_.get(), give_back, rescue);
  const uint64_t number = request.function;
  const uint32_t kind = request.flags;
  post_.release();  // the pool may use the place again; what was in it is Python's now
  if (!input) return {};
  if (sched::current_stop_sign()->given()) {
    PyErr_SetNone(standard.cancelled_error);
    return {};
  }
  Reference function;
  PyObject* arguments = input.get();
  PyObject* keywords = nullptr;
  if ((kind & kFunctionInside) != 0) {
    function = Reference::to(PyTuple_GET_ITEM(input.get(), 0));
    arguments = PyTuple_GET_ITEM(input.get(), 1);
    keywords = PyTuple_GET_ITEM(input.get(), 2);
  } else {
    function = Reference::to(function_of(number));
    if (!function) return {};
    if ((kind & kWithKeywords) != 0) {
      arguments = PyTuple_GET_ITEM(input.get(), 0);
      keywords = PyTuple_GET_ITEM(input.get(), 1);
    }
  }
  follow_budget();
  if ((kind & kItems) != 0) {
    const bool ran = run_items(function.get(), arguments, broken.get(), packed, (kind & kItemsAreTuples) != 0, items);
    return ran ? Reference::to(Py_None) : Reference();
  }
  return Reference(PyObject_Call(function.get(), arguments, keywords));
}

bool WorkerLoop::send_items(worker::Reply& reply, const ItemResults& items) {
  if (!items.values) {
    const std::string bytes = items.numbers.bytes(items.nanoseconds);
    pickled_ = {};
    if (!take_payload(bytes.data(), bytes.size(), store_, &pickled_)) return send_error(reply, take_raised().get());
    reply.flags = kPacked | (pickled_.payload_in_block ? kPayloadInBlock : 0);
    return send(ReplyKind::result, reply);
  }
  const Reference results = items.tuple();
  if (!results) return false;
  if (pickle(reply, results.get())) return send(ReplyKind::result, reply);
  // Some item cannot be sent: each alone, so that only those fail.
  PyErr_Clear();
  PyObject* values = items.values.get();
  Reference failures = Reference::to(items.failures.get());
  if (!failures) failures = Reference(PyDict_New());
  for (Py_ssize_t i = 0; failures && i < PyList_GET_SIZE(values); ++i) {
    const Reference index(PyLong_FromSsize_t(i));
    if (!index) return false;
    PyObject* failure = PyDict_GetItemWithError(failures.get(), index.get());
    Pickled alone;
    if (to_bytes(failure != nullptr ? failure : PyList_GET_ITEM(values, i), nullptr, &alone)) continue;
    const Reference exception = take_raised();
    const Reference told =
        unsendable(exception.get(), failure != nullptr ? failure : PyList_GET_ITEM(values, i), failure == nullptr);
    const Reference sent = told ? wrapped(told.get()) : Reference();
    if (!sent || PyDict_SetItem(failures.get(), index.get(), sent.get()) < 0) return false;
    if (PyList_SetItem(values, i, Py_NewRef(Py_None)) < 0) return false;
  }
  const Reference all(PyTuple_Pack(3, values, failures.get(), PyTuple_GET_ITEM(results.get(), 2)));
  return all && send_result(reply, all.get());
}

bool WorkerLoop::send_result(worker::Reply& reply, PyObject* result) {
  if (result == Py_None) {
    pickled_ = {};
    reply.flags |= kNone;
    return send(ReplyKind::result, reply);
  }
  if (pickle(reply, result)) return send(ReplyKind::result, reply);
  const Reference told = unsendable(take_raised().get(), result, true);
  return told && send_error(reply, told.get());
}

bool WorkerLoop::send_error(worker::Reply& reply, PyObject* exception) {
  if (sched::current_stop_sign()->given() && PyErr_GivenExceptionMatches(exception, standard.cancelled_error) != 0) {
    reply.flags = kStopped;
    pickled_ = {};
    return send(ReplyKind::error, reply);
  }
  Reference sent = wrapped(exception);
  if (!sent || !pickle(reply, sent.get())) {
    // As where there is no memory for it.
    const Reference why = take_raised();
    const Reference told = unsendable(why.get(), exception, false);
    sent = told ? wrapped(told.get()) : Reference();
    if (!sent || !pickle(reply, sent.get())) return false;
  }
  return send(ReplyKind::error, reply);
}

WorkerLoop::Step WorkerLoop::send_missed(worker::Reply& reply, const worker::Request& request, int64_t now) {
  post_.release();
  unused_->insert(unused_->end(), request.blocks.begin(), request.blocks.end());
  pickled_ = {};
  reply.flags = kMissed;
  reply.began = now - request.deadline;
  return send(ReplyKind::error, reply) ? Step::go_on : Step::failed;
}

bool WorkerLoop::pickle(worker::Reply& reply, PyObject* object) {
  if (!to_bytes(object, store_, &pickled_)) return false;
  reply.flags = pickled_.payload_in_block ? kPayloadInBlock : 0;
  return true;
}

// Tells the pool which of its blocks are free again.
bool WorkerLoop::give_back() {
  while (!unused_->empty()) {
    const size_t count = std::min(unused_->size(), worker::kMostBlocks);
    worker::Reply reply;
    pickled_ = {};
    reply.blocks.assign(unused_->end() - static_cast<ptrdiff_t>(count), unused_->end());
    unused_->resize(unused_->size() - count);
    if (!write(ReplyKind::blocks_back, reply)) return false;
  }
  return true;
}

bool WorkerLoop::send(ReplyKind kind, worker::Reply& reply) {
  reply.payload = std::as_bytes(std::span(pickled_.payload));
  reply.blocks.clear();
  for (const auto& lease : pickled_.leases) {
    reply.blocks.push_back(lease->place());
    sent_[worker::key_of(lease->place())] = lease;
  }
  pickled_.leases.clear();
  return write(kind, reply);
}

bool WorkerLoop::write(ReplyKind kind, worker::Reply& reply) {
  for (;;) {
    if (post_.try_reply(kind, reply)) break;
    PyThreadState* state = PyEval_SaveThread();
    const worker::Waited waited = post_.reply(kind, reply);
    take_gil(state);
    if (waited == worker::Waited::ready) break;
    if (PyErr_CheckSignals() < 0) return false;
  }
  return true;
}

PyObject* run_worker(PyObject*, PyObject* arguments) {
  int descriptor, slot, blocks, results;
  if (!PyArg_ParseTuple(arguments, "iiii:run_worker", &descriptor, &slot, &blocks, &results)) return nullptr;
  if (load_pickling() < 0) return nullptr;
  try {
    WorkerLoop loop(descriptor, slot, blocks, results);
    return loop.run();
  } catch (const Error& error) {
    PyErr_SetString(PyExc_OSError, error.what());
    return nullptr;
  }
}

PyMethodDef functions[] = {
    {"run_worker", run_worker, METH_VARARGS,
     "run_worker(descriptor, slot, blocks, results)\n--\n\nServe a pool until it says to leave."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

int add_process_worker(PyObject* module) { return PyModule_AddFunctions(module, functions); }

}  // namespace manycore::python::tasks
