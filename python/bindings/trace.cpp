#include "bindings/trace.h"

#include <dlfcn.h>

#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/hooks.h"
#include "base/options.h"
#include "bindings/array_object.h"
#include "bindings/gil.h"
#include "bindings/group_report.h"
#include "bindings/recorded_site.h"
#include "bindings/site.h"
#include "os/clock.h"
#include "trace/counters.h"
#include "trace/groups.h"

namespace manycore::python {

PyObject* FallbackError = nullptr;

namespace {

struct FallbackRow {
  std::string name;
  std::string reason;
  int64_t calls = 0;
  int64_t bytes = 0;
};

struct SiteRow {
  std::vector<FallbackRow> fallbacks;
  int64_t native_calls = 0;
  int64_t native_bytes = 0;
  int64_t native_nanoseconds = 0;    // of what ran at once
  int64_t fallback_nanoseconds = 0;  // both only while groups are kept
};

// Keyed by code object (kept alive) and offset. Only touched with the GIL held.
std::map<std::pair<PyCodeObject*, int>, SiteRow>& sites() {
  static std::map<std::pair<PyCodeObject*, int>, SiteRow> rows;
  return rows;
}

// Takes over the site's reference.
SiteRow& row_of(const Site& site) {
  auto [place, is_new] = sites().try_emplace({site.code, site.offset});
  if (!is_new) Py_XDECREF(site.code);
  return place->second;
}

void forget_sites() {
  auto old = std::move(sites());
  sites().clear();
  for (auto& [key, row] : old) Py_XDECREF(key.first);
}

// base::Hooks::counted_native: the engine may have released the GIL around the work that it counts.
void count_native_by_line(int64_t bytes) {
  const PyGILState_STATE state = ensure_gil();
  SiteRow& row = row_of(current_site());
  row.native_calls += 1;
  row.native_bytes += bytes;
  PyGILState_Release(state);
}

// base::Hooks::timed_native.
void time_native_by_line(int64_t nanoseconds) {
  const PyGILState_STATE state = ensure_gil();
  row_of(current_site()).native_nanoseconds += nanoseconds;
  PyGILState_Release(state);
}

PyObject* trace_start(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"by_line", "groups", nullptr};
  int by_line = 0, groups = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pp:trace_start", const_cast<char**>(names), &by_line, &groups)) return nullptr;
  base::hooks().counted_native = by_line ? count_native_by_line : nullptr;
  base::hooks().timed_native = by_line && groups ? time_native_by_line : nullptr;
  base::hooks().line_of_site = groups ? line_of_recorded_site : nullptr;
  trace::keep_groups(groups != 0);
  Py_RETURN_NONE;
}

PyObject* trace_reset(PyObject*, PyObject*) {
  trace::reset_totals();
  trace::forget_groups();
  forget_sites();
  Py_RETURN_NONE;
}

PyObject* trace_user_rule(PyObject*, PyObject* rule) {
  set_user_rule(rule);
  Py_RETURN_NONE;
}

// Append a new reference to a list and release it; false when either failed.
bool append(PyObject* list, PyObject* item) {
  const bool appended = item != nullptr && PyList_Append(list, item) == 0;
  Py_XDECREF(item);
  return appended;
}

bool append_rows(PyObject* fallbacks, PyObject* lines) {
  // Two offsets may lie on one line: joined here, where lines are known.
  std::map<std::pair<std::string, int>, SiteRow> by_line;
  for (const auto& [key, row] : sites()) {
    const char* file = key.first != nullptr ? PyUnicode_AsUTF8(key.first->co_filename) : "<no Python code>";
    if (file == nullptr) return false;
    SiteRow& joined = by_line[{file, key.first != nullptr ? line_of({key.first, key.second}) : 0}];
    joined.native_calls += row.native_calls;
    joined.native_bytes += row.native_bytes;
    joined.native_nanoseconds += row.native_nanoseconds;
    joined.fallback_nanoseconds += row.fallback_nanoseconds;
    for (const FallbackRow& fallback : row.fallbacks) {
      FallbackRow* place = nullptr;
      for (FallbackRow& other : joined.fallbacks) {
        if (other.name == fallback.name && other.reason == fallback.reason) place = &other;
      }
      if (place == nullptr) place = &joined.fallbacks.emplace_back(FallbackRow{fallback.name, fallback.reason});
      place->calls += fallback.calls;
      place->bytes += fallback.bytes;
    }
  }
  for (const auto& [place, row] : by_line) {
    const auto& [file, line] = place;
    int64_t fallback_calls = 0, fallback_bytes = 0;
    for (const FallbackRow& fallback : row.fallbacks) {
      fallback_calls += fallback.calls;
      fallback_bytes += fallback.bytes;
      if (!append(fallbacks,
                  Py_BuildValue("{s:s, s:i, s:s, s:s, s:L, s:L}", "file", file.c_str(), "line", line, "name",
                                fallback.name.c_str(), "reason", fallback.reason.c_str(), "calls",
                                static_cast<long long>(fallback.calls), "bytes", static_cast<long long>(fallback.bytes)))) {
        return false;
      }
    }
    if (!append(lines,
                Py_BuildValue("{s:s, s:i, s:L, s:L, s:L, s:L, s:d, s:d}", "file", file.c_str(), "line", line, "native_calls",
                              static_cast<long long>(row.native_calls), "native_bytes", static_cast<long long>(row.native_bytes),
                              "fallback_calls", static_cast<long long>(fallback_calls), "fallback_bytes",
                              static_cast<long long>(fallback_bytes), "native_seconds",
                              static_cast<double>(row.native_nanoseconds) * 1e-9, "fallback_seconds",
                              static_cast<double>(row.fallback_nanoseconds) * 1e-9))) {
      return false;
    }
  }
  return true;
}

PyObject* trace_snapshot(PyObject*, PyObject*) {
  const trace::Totals totals = trace::totals();
  const std::pair<const char*, int64_t> numbers[] = {
      {"native_calls", totals.native_calls},
      {"native_bytes", totals.native_bytes},
      {"fallback_calls", totals.fallback_calls},
      {"fallback_bytes", totals.fallback_bytes},
      {"recorded", totals.recorded},
      {"groups", totals.groups},
      {"grouped", totals.grouped},
      {"reused_plans", totals.reused_plans},
      {"materialised_bytes", totals.materialised_bytes},
      {"saved_bytes", totals.saved_bytes},
  };
  PyObject* snapshot = PyDict_New();
  PyObject* fallbacks = PyList_New(0);
  PyObject* lines = PyList_New(0);
  bool made = snapshot != nullptr && fallbacks != nullptr && lines != nullptr && append_rows(fallbacks, lines) &&
              PyDict_SetItemString(snapshot, "fallbacks", fallbacks) == 0 && PyDict_SetItemString(snapshot, "lines", lines) == 0;
  for (const auto& [name, number] : numbers) {
    PyObject* value = made ? PyLong_FromLongLong(number) : nullptr;
    made = value != nullptr && PyDict_SetItemString(snapshot, name, value) == 0;
    Py_XDECREF(value);
  }
  made = made && (!trace::keeps_groups() || add_group_report(snapshot));
  Py_XDECREF(fallbacks);
  Py_XDECREF(lines);
  if (!made) Py_CLEAR(snapshot);
  return snapshot;
}

PyMethodDef trace_methods[] = {
    {"trace_start", reinterpret_cast<PyCFunction>(trace_start), METH_VARARGS | METH_KEYWORDS,
     "trace_start(by_line=False, groups=False): keep native bytes by line from now on, and the groups that run with the times of "
     "all operations; or stop doing so."},
    {"trace_reset", trace_reset, METH_NOARGS, "Forget every total and every site."},
    {"trace_snapshot", trace_snapshot, METH_NOARGS,
     "Totals, fallbacks by line with reason, bytes by line, and the groups that were kept, as a dict."},
    {"trace_user_rule", trace_user_rule, METH_O,
     "trace_user_rule(rule): rule(file name) says whether a file is the user's code; None returns to the default."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

int refuse_fallback(const char* name, const char* reason) {
  if (base::integer_option(base::Option::fail_on_fallback) == 0) return 0;
  PyErr_Format(FallbackError,
               "%s: would fall back to NumPy (%s), expected native execution because fail_on_fallback is set; try another "
               "formulation, or run without --fail-on-fallback",
               name, reason);
  return -1;
}

// Pending work that an argument waits for belongs to the lines that recorded it.
int64_t fallback_begins() {
  return base::hooks().timed_native != nullptr ? os::now_nanoseconds() - trace::counted_elsewhere() : 0;
}

int record_fallback(const char* name, const char* reason, int64_t bytes, int64_t began) {
  trace::count_fallback(bytes);
  SiteRow& row = row_of(current_site());
  if (began != 0) row.fallback_nanoseconds += os::now_nanoseconds() - trace::counted_elsewhere() - began;
  for (FallbackRow& fallback : row.fallbacks) {
    if (fallback.name == name && fallback.reason == reason) {
      fallback.calls += 1;
      fallback.bytes += bytes;
      return refuse_fallback(name, reason);
    }
  }
  row.fallbacks.push_back({name, reason, 1, bytes});
  return refuse_fallback(name, reason);
}

bool register_trace(PyObject* module) {
  FallbackError =
      PyErr_NewExceptionWithDoc("manycore.FallbackError", "An operation would fall back to NumPy while fail_on_fallback is set.",
                                PyExc_RuntimeError, nullptr);
  if (FallbackError == nullptr || PyModule_AddObjectRef(module, "FallbackError", FallbackError) < 0) return false;
  PyObject* os = PyImport_ImportModule("os");
  PyObject* os_file = os != nullptr ? PyObject_GetAttrString(os, "__file__") : nullptr;
  const char* path = os_file != nullptr ? PyUnicode_AsUTF8(os_file) : nullptr;
  if (path == nullptr) return false;
  std::string folder(path);
  add_library_folder(folder.substr(0, folder.rfind('/') + 1).c_str());
  Py_DECREF(os_file);
  Py_DECREF(os);
  // The package's own folder: the module object does not know its file before its initialisation is over.
  Dl_info own;
  if (dladdr(reinterpret_cast<const void*>(&register_trace), &own) != 0 && own.dli_fname != nullptr) {
    folder = own.dli_fname;
    add_library_folder(folder.substr(0, folder.rfind('/') + 1).c_str());
  }
  return PyModule_AddFunctions(module, trace_methods) == 0;
}

}  // namespace manycore::python
