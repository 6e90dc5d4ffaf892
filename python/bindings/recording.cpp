// Recorded work and Python: may an operation wait, where was it asked for, how does it warn when it has run, who else sees the memory.
// Fills in the hooks of the engine; needs the GIL but where said otherwise.
#include <unordered_map>
#include <vector>

#include "base/hooks.h"
#include "bindings/errstate.h"
#include "bindings/exchange.h"
#include "bindings/gil.h"
#include "bindings/site.h"
#include "evaluate/record.h"

namespace manycore::python {
namespace {

// Where an operation was recorded, with what warnings.warn_explicit needs. Kept for ever: as many as there are lines that record.
struct RecordedSite {
  PyCodeObject* code;
  int offset;
  PyObject* globals;
  PyObject* filters;  // a copy of warnings.filters as they were, or null for those in force
};
std::vector<RecordedSite>& sites() {
  static auto* instance = new std::vector<RecordedSite>();
  return *instance;
}

struct SiteKey {
  PyCodeObject* code;
  int offset;
  PyObject* globals;
  bool operator==(const SiteKey&) const = default;
};
struct SiteHash {
  size_t operator()(const SiteKey& key) const {
    return (reinterpret_cast<uintptr_t>(key.code) * 31 + static_cast<size_t>(key.offset)) * 31 +
           reinterpret_cast<uintptr_t>(key.globals);
  }
};

// The innermost Python frame, as NumPy's warnings have it (stacklevel 1). Zero where no Python code runs.
uint64_t site_now() {
  static auto* known = new std::unordered_map<SiteKey, uint64_t, SiteHash>();
  PyFrameObject* frame = PyEval_GetFrame();
  if (!frame) return 0;
  PyCodeObject* code = PyFrame_GetCode(frame);
  PyObject* globals = PyFrame_GetGlobals(frame);
  const SiteKey key{code, PyFrame_GetLasti(frame), globals};
  auto found = known->find(key);
  if (found == known->end()) {
    sites().push_back({code, key.offset, globals, nullptr});
    return known->emplace(key, sites().size()).first->second;
  }
  Py_DECREF(code);
  Py_DECREF(globals);
  return found->second;
}

bool may_record(uint64_t* site, unsigned* reported) {
  if (!PyGILState_Check()) return false;
  if (!deferred_conditions(reported)) return false;
  if (*reported != 0 && warnings_are_errors()) return false;
  *site = site_now();
  return true;
}

void warn_explicit(const RecordedSite& site, const char* text) {
  PyObject* registry = PyDict_GetItemString(site.globals, "__warningregistry__");
  PyObject* fresh = registry ? nullptr : PyDict_New();
  if (fresh) {
    PyDict_SetItemString(site.globals, "__warningregistry__", fresh);
    registry = fresh;
  }
  PyObject* module = PyDict_GetItemString(site.globals, "__name__");
  PyObject* message = PyUnicode_FromString(text);
  PyObject* name = module && PyUnicode_Check(module) ? Py_NewRef(module) : PyUnicode_FromString("<string>");
  if (message && name) {
    const int line = PyCode_Addr2Line(site.code, site.offset);
    PyErr_WarnExplicitObject(PyExc_RuntimeWarning, message, site.code->co_filename, line, name, registry);
  }
  Py_XDECREF(message);
  Py_XDECREF(name);
  Py_XDECREF(fresh);
}

void warn(uint64_t site, const char* operation, unsigned status) {
  const PyGILState_STATE state = ensure_gil();
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  if (site > 0) {
    const RecordedSite where = sites()[site - 1];
    for_each_condition(status, [&](const char* condition) {
      char text[160];
      std::snprintf(text, sizeof text, "%s encountered in %s", condition, operation);
      warn_explicit(where, text);
      // A filter that turned warnings into errors since then cannot raise at the recorded line any more.
      if (PyErr_Occurred()) PyErr_WriteUnraisable(nullptr);
    });
  }
  PyErr_Restore(type, value, traceback);
  PyGILState_Release(state);
}

void* release_interpreter() { return PyGILState_Check() ? PyEval_SaveThread() : nullptr; }
void take_interpreter(void* released) { take_gil(static_cast<PyThreadState*>(released)); }

// The owner is a real array that NumPy made for itself; its references are the buffer's and the cached view's.
bool is_private(void* owner) {
  auto* object = static_cast<PyObject*>(owner);
  if (!PyGILState_Check() || !PyArray_CheckExact(object) || Py_REFCNT(object) > 2) return false;
  auto* real = reinterpret_cast<PyArrayObject*>(object);
  return PyArray_BASE(real) == nullptr && PyArray_CHKFLAGS(real, NPY_ARRAY_OWNDATA) &&
         reinterpret_cast<PyArrayObject_fields*>(real)->weakreflist == nullptr;
}

bool unpin_idle(void* buffer) { return PyGILState_Check() && drop_idle_views(static_cast<Buffer*>(buffer)); }

PyObject* evaluate_arrays(PyObject*, PyObject* const* args, Py_ssize_t count) {
  return guarded([&]() -> PyObject* {
    if (count == 0) evaluate::evaluate_everything();
    for (Py_ssize_t i = 0; i < count; ++i) {
      if (is_array(args[i])) array_of(args[i]).view();
    }
    if (count == 1) return Py_NewRef(args[0]);
    if (count == 0) Py_RETURN_NONE;
    PyObject* result = PyTuple_New(count);
    for (Py_ssize_t i = 0; result && i < count; ++i) PyTuple_SET_ITEM(result, i, Py_NewRef(args[i]));
    return result;
  });
}

PyObject* explain(PyObject*, PyObject*) {
  return guarded([] { return PyUnicode_FromString(evaluate::explain().c_str()); });
}

PyObject* is_pending(PyObject*, PyObject* object) { return PyBool_FromLong(is_array(object) && array_of(object).is_pending()); }

PyMethodDef functions[] = {
    {"evaluate", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(evaluate_arrays)), METH_FASTCALL,
     "evaluate(*arrays)\n--\n\nRun the recorded work that touches the arrays, or all of it, and wait.\n\n"
     "Returns the array, or a tuple of the arrays. Raises MemoryError as the operations would have."},
    {"explain_pending", explain, METH_NOARGS, "explain_pending()\n--\n\nWhat this thread has recorded, as text."},
    {"is_pending", is_pending, METH_O, "is_pending(array)\n--\n\nWhether recorded work touches the array."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool register_recording(PyObject* module) {
  base::Hooks& hooks = base::hooks();
  hooks.may_record = may_record;
  hooks.warn = warn;
  hooks.release_interpreter = release_interpreter;
  hooks.take_interpreter = take_interpreter;
  hooks.is_private = is_private;
  hooks.unpin_idle = unpin_idle;
  return PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace manycore::python
