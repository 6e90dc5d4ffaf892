// Recorded work and Python: may an operation wait, where was it asked for, how does it warn when it has run, who else sees the memory.
// Fills in the hooks of the engine; needs the GIL but where said otherwise.
#include <map>
#include <memory>
#include <vector>

#include "base/hooks.h"
#include "bindings/errstate.h"
#include "bindings/exchange.h"
#include "bindings/gil.h"
#include "bindings/recorded_site.h"
#include "bindings/site.h"
#include "evaluate/record.h"
#include "trace/groups.h"

namespace manycore::python {
namespace {

// Code objects, kept alive, and offsets: as many as there are lines that record while a report is kept.
std::vector<std::pair<PyObject*, int>>& recorded_lines() {
  static auto* lines = new std::vector<std::pair<PyObject*, int>>();
  return *lines;
}

// The line's place in recorded_lines, counted from 1; 0 while no report is kept.
uint64_t line_of(PyObject* code, int offset) {
  if (!trace::keeps_groups()) return 0;
  static auto* known = new std::map<std::pair<PyObject*, int>, uint64_t>();
  const auto [found, fresh] = known->try_emplace({code, offset}, recorded_lines().size() + 1);
  if (fresh) recorded_lines().emplace_back(Py_NewRef(code), offset);
  return found->second;
}

// Where an operation was recorded, with what warnings.warn_explicit needs. Lives as long as the instruction.
struct RecordedSite {
  PyObject* code;
  int offset;
  PyObject* globals;  // null where no condition is reported
  // Found while it is recorded: whoever runs the program must not wait for the GIL, with which a fork waits for the program.
  uint64_t line;

  RecordedSite(PyObject* code, int offset, PyObject* globals)
      : code(code), offset(offset), globals(globals), line(line_of(code, offset)) {}
  RecordedSite(const RecordedSite&) = delete;
  RecordedSite& operator=(const RecordedSite&) = delete;
  ~RecordedSite() {
    release_owner(code);
    if (globals) release_owner(globals);
  }
};

// Globals of a module that is there to stay. Others (exec, eval) may own the very arrays that wait, which would then
// keep each other alive until something else runs them.
bool are_of_a_module(PyObject* globals) {
  static const PyObject* last = nullptr;  // an address; at worst a later dict at the same one waits for a run too
  if (globals == last) return true;
  PyObject* name = PyDict_GetItemString(globals, "__name__");
  PyObject* module = name && PyUnicode_Check(name) ? PyImport_GetModule(name) : nullptr;
  const bool found = module && PyModule_Check(module) && PyModule_GetDict(module) == globals;
  Py_XDECREF(module);
  if (PyErr_Occurred()) PyErr_Clear();
  if (found) last = globals;
  return found;
}

// The innermost Python frame, as NumPy's warnings have it (stacklevel 1).
bool site_now(std::shared_ptr<const void>* site) {
  PyFrameObject* frame = PyEval_GetFrame();
  if (!frame) return true;
  PyObject* globals = PyFrame_GetGlobals(frame);
  if (!are_of_a_module(globals)) {
    Py_DECREF(globals);
    return false;
  }
  *site = std::make_shared<RecordedSite>(reinterpret_cast<PyObject*>(PyFrame_GetCode(frame)), PyFrame_GetLasti(frame), globals);
  return true;
}

// Who replaced warnings.showwarning is told at once: a later replacement must not hear of what came before.
bool warnings_are_shown_plainly() {
  static PyObject* module = PyImport_ImportModule("warnings");
  static PyObject* plain = module ? PyObject_GetAttrString(module, "_showwarning_orig") : nullptr;
  static PyObject* name = PyUnicode_InternFromString("showwarning");
  PyObject* shown = module && name ? PyObject_GetAttr(module, name) : nullptr;
  if (PyErr_Occurred()) PyErr_Clear();
  Py_XDECREF(shown);
  return !plain || shown == plain;
}

// For a report alone: nobody will warn, so the globals are not needed.
void line_now(std::shared_ptr<const void>* site) {
  PyFrameObject* frame = PyEval_GetFrame();
  if (frame)
    *site = std::make_shared<RecordedSite>(reinterpret_cast<PyObject*>(PyFrame_GetCode(frame)), PyFrame_GetLasti(frame), nullptr);
}

bool may_record(std::shared_ptr<const void>* site, unsigned* reported) {
  if (!holds_gil()) return false;
  if (!deferred_conditions(reported)) return false;
  if (*reported == 0 && trace::keeps_groups()) line_now(site);
  return *reported == 0 || (!warnings_are_errors() && warnings_are_shown_plainly() && site_now(site));
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
    auto* code = reinterpret_cast<PyCodeObject*>(site.code);
    const int line = PyCode_Addr2Line(code, site.offset);
    PyErr_WarnExplicitObject(PyExc_RuntimeWarning, message, code->co_filename, line, name, registry);
  }
  Py_XDECREF(message);
  Py_XDECREF(name);
  Py_XDECREF(fresh);
}

// What was recorded before warnings.showwarning was replaced is shown as it would have been then.
class PlainlyShown {
 public:
  PlainlyShown() {
    if (warnings_are_shown_plainly()) return;
    module_ = PyImport_ImportModule("warnings");
    replaced_ = module_ ? PyObject_GetAttrString(module_, "showwarning") : nullptr;
    PyObject* plain = module_ ? PyObject_GetAttrString(module_, "_showwarning_orig") : nullptr;
    if (plain) PyObject_SetAttrString(module_, "showwarning", plain);
    Py_XDECREF(plain);
  }
  ~PlainlyShown() {
    if (replaced_) PyObject_SetAttrString(module_, "showwarning", replaced_);
    if (PyErr_Occurred()) PyErr_WriteUnraisable(nullptr);
    Py_XDECREF(replaced_);
    Py_XDECREF(module_);
  }
  PlainlyShown(const PlainlyShown&) = delete;
  PlainlyShown& operator=(const PlainlyShown&) = delete;

 private:
  PyObject* module_ = nullptr;
  PyObject* replaced_ = nullptr;
};

void warn(const void* site, const char* operation, unsigned status) {
  if (!site) return;
  const PyGILState_STATE state = ensure_gil();
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  {
    const PlainlyShown shown;
    for_each_condition(status, [&](const char* condition) {
      char text[160];
      std::snprintf(text, sizeof text, "%s encountered in %s", condition, operation);
      warn_explicit(*static_cast<const RecordedSite*>(site), text);
      // A filter that turned warnings into errors since then cannot raise at the recorded line any more.
      if (PyErr_Occurred()) PyErr_WriteUnraisable(nullptr);
    });
  }
  PyErr_Restore(type, value, traceback);
  PyGILState_Release(state);
}

void* release_interpreter() { return holds_gil() ? PyEval_SaveThread() : nullptr; }
void take_interpreter(void* released) { take_gil(static_cast<PyThreadState*>(released)); }

// The owner is a real array that NumPy made for itself; its references are the buffer's and the cached view's.
bool is_private(void* owner) {
  auto* object = static_cast<PyObject*>(owner);
  if (!holds_gil() || !PyArray_CheckExact(object) || Py_REFCNT(object) > 2) return false;
  auto* real = reinterpret_cast<PyArrayObject*>(object);
  return PyArray_BASE(real) == nullptr && PyArray_CHKFLAGS(real, NPY_ARRAY_OWNDATA) &&
         reinterpret_cast<PyArrayObject_fields*>(real)->weakreflist == nullptr;
}

bool unpin_idle(void* buffer) { return holds_gil() && drop_idle_views(static_cast<Buffer*>(buffer)); }

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

PyObject* explain_array(PyObject*, PyObject* object) {
  return guarded(
      [&]() -> PyObject* { return PyUnicode_FromString(is_array(object) ? evaluate::explain(array_of(object)).c_str() : ""); });
}

PyObject* is_pending(PyObject*, PyObject* object) { return PyBool_FromLong(is_array(object) && array_of(object).is_pending()); }

PyMethodDef functions[] = {
    {"evaluate", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(evaluate_arrays)), METH_FASTCALL,
     "evaluate(*arrays)\n--\n\nRun the recorded work that touches the arrays, or all of it, and wait.\n\n"
     "Returns the array, or a tuple of the arrays. Raises MemoryError as the operations would have."},
    {"explain_pending", explain, METH_NOARGS, "explain_pending()\n--\n\nWhat this thread has recorded, as text."},
    {"explain", explain_array, METH_O,
     "explain(array)\n--\n\nThe recorded program that the array waits for and its groups, as text; empty without one."},
    {"is_pending", is_pending, METH_O, "is_pending(array)\n--\n\nWhether recorded work touches the array."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

uint64_t line_of_recorded_site(const void* site) { return static_cast<const RecordedSite*>(site)->line; }

const char* place_of_recorded_site(uint64_t site, int* line) {
  *line = 0;
  if (site == 0) return "<unknown line>";
  const auto& [code, offset] = recorded_lines()[site - 1];
  auto* where = reinterpret_cast<PyCodeObject*>(code);
  *line = PyCode_Addr2Line(where, offset);
  return PyUnicode_AsUTF8(where->co_filename);
}

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
