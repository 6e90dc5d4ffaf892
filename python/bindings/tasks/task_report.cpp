#include "bindings/tasks/task_report.h"

#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bindings/tasks/module.h"
#include "bindings/tasks/reference.h"
#include "sched/workers.h"

namespace manycore::python::tasks {

bool report_kept = false;

namespace {

constexpr size_t kMostWorkers = 512;  // each with a line of its own; the others share one
constexpr size_t kSlots = 120;        // of the time, in which a worker's load is shown
constexpr int kSteps = 8;             // of a doubling, to which waiting times are told apart

// Waiting times by their size, so that the median costs no list of all.
class Waits {
 public:
  void add(int64_t nanoseconds, int64_t items) {
    nanoseconds = std::max<int64_t>(nanoseconds, 0);
    counts_[slot_of(nanoseconds)] += items;
    all_ += items;
    sum_ += static_cast<double>(nanoseconds) * static_cast<double>(items);
    longest_ = std::max(longest_, nanoseconds);
  }
  double longest() const { return 1e-9 * static_cast<double>(longest_); }
  double sum() const { return 1e-9 * sum_; }
  double median() const {
    int64_t before = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      before += counts_[i];
      if (2 * before >= all_ && all_ > 0) return std::min(1e-9 * middle_of(i), longest());
    }
    return 0;
  }

 private:
  static size_t slot_of(int64_t nanoseconds) {
    const auto value = static_cast<uint64_t>(nanoseconds);
    if (value < kSteps) return value;
    const int doublings = std::bit_width(value) - 1;  // at least 3
    return static_cast<size_t>((doublings - 2) * kSteps) + (value >> (doublings - 3)) - kSteps;
  }
  static double middle_of(size_t slot) {
    if (slot < kSteps) return static_cast<double>(slot);
    const size_t doublings = slot / kSteps + 2, step = slot % kSteps;
    return static_cast<double>(uint64_t{1} << (doublings - 3)) * (static_cast<double>(kSteps + step) + 0.5);
  }

  std::array<int64_t, 64 * kSteps> counts_{};
  int64_t all_ = 0;
  int64_t longest_ = 0;
  double sum_ = 0;
};

struct WorkerLoad {
  std::string name;
  Place place;
  int64_t tasks = 0;
  int64_t busy = 0;
  std::array<int64_t, kSlots> slots{};  // nanoseconds of each slot of the time that were busy
};

struct PlaceTotals {
  int64_t tasks = 0;
  int64_t busy = 0;
  Waits waits;
};

struct Bytes {
  int64_t sent_in_rings = 0, sent_in_blocks = 0, sent_unchanged = 0, received_in_rings = 0, received_in_blocks = 0;
};

struct TaskReport {
  std::array<PlaceTotals, kPlaces> places;
  std::vector<std::unique_ptr<WorkerLoad>> workers;
  std::unordered_map<int64_t, WorkerLoad*> processes;
  Bytes bytes;
  int64_t deaths = 0, retried = 0, lost = 0;
  int64_t first = 0, last = 0;  // when the first task began, and the last one ended
  int64_t slot = 1'000'000;     // nanoseconds
  int64_t native_before = 0;
};

std::unique_ptr<TaskReport> report;
uint64_t reports = 0;  // which one it is
// Each thread's own line; of an earlier report it says nothing.
thread_local WorkerLoad* own_load = nullptr;
thread_local uint64_t own_report = 0;
thread_local bool left_out = false;

WorkerLoad* new_worker(std::string name, Place place) {
  if (report->workers.size() >= kMostWorkers) {
    WorkerLoad* last = report->workers.back().get();
    last->name = "others";
    return last;
  }
  return report->workers.emplace_back(std::make_unique<WorkerLoad>(WorkerLoad{std::move(name), place})).get();
}

// The task may have raised.
std::string thread_name() {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  const Reference threading(PyImport_ImportModule("threading"));
  const Reference thread(threading ? PyObject_CallMethod(threading.get(), "current_thread", nullptr) : nullptr);
  const Reference name(thread ? PyObject_GetAttrString(thread.get(), "name") : nullptr);
  const char* text = name && PyUnicode_Check(name.get()) ? PyUnicode_AsUTF8(name.get()) : nullptr;
  std::string copied = text != nullptr ? text : "thread";
  PyErr_Restore(type, value, traceback);
  return copied;
}

WorkerLoad& load_of_thread() {
  if (own_load == nullptr || own_report != reports) {
    own_load = new_worker(thread_name(), Place::kThread);
    own_report = reports;
  }
  return *own_load;
}

// Twice as much time in a slot, so that all of it fits.
void widen_slots() {
  for (const auto& worker : report->workers) {
    for (size_t i = 0; i < kSlots; ++i) {
      worker->slots[i] = 2 * i + 1 < kSlots ? worker->slots[2 * i] + worker->slots[2 * i + 1] : 0;
    }
  }
  report->slot *= 2;
}

void add_busy(WorkerLoad& worker, int64_t begin, int64_t end) {
  worker.busy += end - begin;
  begin = std::max(begin - report->first, int64_t{0});
  end = std::max(end - report->first, begin);
  while (end > report->slot * static_cast<int64_t>(kSlots)) widen_slots();
  while (begin < end) {
    const int64_t slot = begin / report->slot, until = std::min(end, (slot + 1) * report->slot);
    worker.slots[static_cast<size_t>(slot)] += until - begin;
    begin = until;
  }
}

void count(WorkerLoad& worker, const Ran& ran) {
  PlaceTotals& place = report->places[static_cast<size_t>(ran.place)];
  place.tasks += ran.items;
  place.busy += ran.end - ran.begin;
  place.waits.add(ran.begin - ran.submitted, ran.items);
  worker.tasks += ran.items;
  if (report->first == 0) report->first = ran.begin;
  report->last = std::max(report->last, ran.end);
  add_busy(worker, ran.begin, ran.end);
}

double seconds(int64_t nanoseconds) { return 1e-9 * static_cast<double>(nanoseconds); }

PyObject* place_to_python(const PlaceTotals& place) {
  return Py_BuildValue("{s:L,s:d,s:d,s:d,s:d}", "tasks", static_cast<long long>(place.tasks), "busy_seconds", seconds(place.busy),
                       "waited_median", place.waits.median(), "waited_longest", place.waits.longest(), "waited_seconds",
                       place.waits.sum());
}

PyObject* worker_to_python(const WorkerLoad& worker) {
  const int64_t span = report->last - report->first;
  const size_t shown = static_cast<size_t>(std::min<int64_t>(kSlots, (span + report->slot - 1) / report->slot));
  const Reference load(PyList_New(static_cast<Py_ssize_t>(shown)));
  for (size_t i = 0; load && i < shown; ++i) {
    const int64_t all = std::min(report->slot, span - static_cast<int64_t>(i) * report->slot);
    PyObject* share = PyFloat_FromDouble(std::min(1.0, seconds(worker.slots[i]) / seconds(std::max<int64_t>(all, 1))));
    if (share == nullptr) return nullptr;
    PyList_SET_ITEM(load.get(), static_cast<Py_ssize_t>(i), share);
  }
  if (!load) return nullptr;
  return Py_BuildValue("{s:s,s:s,s:L,s:d,s:O}", "name", worker.name.c_str(), "kind",
                       worker.place == Place::kProcess ? "process" : "thread", "tasks", static_cast<long long>(worker.tasks),
                       "busy_seconds", seconds(worker.busy), "load", load.get());
}

PyObject* workers_to_python() {
  Reference list(PyList_New(0));
  for (const auto& worker : report->workers) {
    const Reference entry(worker_to_python(*worker));
    if (!list || !entry || PyList_Append(list.get(), entry.get()) < 0) return nullptr;
  }
  return list.release();
}

PyObject* keep_report(PyObject*, PyObject* keeps) {
  const int on = PyObject_IsTrue(keeps);
  if (on < 0) return nullptr;
  report_kept = on != 0;
  if (report_kept) {
    report = std::make_unique<TaskReport>();
    report->native_before = sched::Workers::instance().executed();
    ++reports;
  }
  Py_RETURN_NONE;
}

PyObject* task_report(PyObject*, PyObject*) {
  if (!report) Py_RETURN_NONE;
  const auto place = [](Place which) { return Reference(place_to_python(report->places[static_cast<size_t>(which)])); };
  const Reference threads = place(Place::kThread), row = place(Place::kInline), processes = place(Place::kProcess);
  const Reference workers(workers_to_python());
  if (!threads || !row || !processes || !workers) return nullptr;
  const Bytes& bytes = report->bytes;
  return Py_BuildValue(
      "{s:O,s:O,s:O,s:L,s:O,s:d,s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:L}", "threads", threads.get(), "inline", row.get(), "processes",
      processes.get(), "native_tasks", static_cast<long long>(sched::Workers::instance().executed() - report->native_before),
      "workers", workers.get(), "span_seconds", seconds(report->last - report->first), "sent_in_rings",
      static_cast<long long>(bytes.sent_in_rings), "sent_in_blocks", static_cast<long long>(bytes.sent_in_blocks),
      "sent_unchanged", static_cast<long long>(bytes.sent_unchanged), "received_in_rings",
      static_cast<long long>(bytes.received_in_rings), "received_in_blocks", static_cast<long long>(bytes.received_in_blocks),
      "worker_deaths", static_cast<long long>(report->deaths), "retried_calls", static_cast<long long>(report->retried),
      "lost_tasks", static_cast<long long>(report->lost));
}

PyObject* leave_out(PyObject*, PyObject*) {
  TaskTime::leave_out();
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {
    {"keep_report", keep_report, METH_O, "keep_report(on, /)\n--\n\nCount tasks from now on, from nothing; or no more."},
    {"task_report", task_report, METH_NOARGS, "What was counted, or None where nothing ever was."},
    {"leave_out_of_report", leave_out, METH_NOARGS, "The task that runs here is none of the program's."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void TaskTime::start() { begin_ = os::now_nanoseconds(); }

void TaskTime::finish() {
  if (std::exchange(left_out, false) || !report_kept) return;
  count(load_of_thread(), {place_, submitted_, begin_, os::now_nanoseconds()});
}

void TaskTime::leave_out() { left_out = report_kept; }

void count_process_task(int64_t process, const Ran& ran) {
  if (!report_kept || ran.submitted == 0) return;
  WorkerLoad*& worker = report->processes[process];
  if (worker == nullptr) worker = new_worker("process " + std::to_string(process), Place::kProcess);
  count(*worker, ran);
}

void count_sent(int64_t in_rings, int64_t in_blocks, int64_t unchanged) {
  report->bytes.sent_in_rings += in_rings;
  report->bytes.sent_in_blocks += in_blocks;
  report->bytes.sent_unchanged += unchanged;
}

void count_received(int64_t in_rings, int64_t in_blocks) {
  report->bytes.received_in_rings += in_rings;
  report->bytes.received_in_blocks += in_blocks;
}

void count_death(int64_t retried) {
  ++report->deaths;
  report->retried += retried;
}

void count_lost(int64_t items) { report->lost += items; }

void forget_report() { report_kept = false; }

int add_task_report(PyObject* module) { return PyModule_AddFunctions(module, functions); }

}  // namespace manycore::python::tasks
