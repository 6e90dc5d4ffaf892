#include "bindings/locks/lock_order.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "bindings/locks/module.h"
#include "bindings/tasks/reference.h"
#include "sync/order.h"

namespace manycore::python::locks {

using manycore::sync::Held;
using manycore::sync::OrderEdge;
using manycore::sync::Thread;
using tasks::Reference;

bool watches_order = false;
bool keeps_places = true;

namespace {

manycore::sync::LockOrder order;
PyObject* told = nullptr;  // told(list of edges): a new circle
uint64_t last_instance = 0;
int64_t edges_seen = 0;

// By code object and instruction; a place is its index and one.
struct Places {
  std::vector<MadeAt> list;
  std::unordered_map<uint64_t, uint64_t> index;
};
Places places;

// File names whose frames are passed over, by the address of the string; both kinds are kept alive.
std::unordered_map<PyObject*, bool> inner_files;
PyObject* is_inner = nullptr;  // is_inner(file name)

bool is_inner_file(PyObject* name) {
  const auto found = inner_files.find(name);
  if (found != inner_files.end()) return found->second;
  bool inner = false;
  if (is_inner != nullptr) {
    const Reference answer(PyObject_CallOneArg(is_inner, name));
    inner = answer && answer.get() == Py_True;
    PyErr_Clear();
  }
  inner_files.emplace(Py_NewRef(name), inner);
  return inner;
}

uint64_t place_number(const MadeAt& place) {
  const uint64_t key = reinterpret_cast<uintptr_t>(place.code) * 0x9e3779b97f4a7c15U + static_cast<uint64_t>(place.instruction);
  const auto [found, is_new] = places.index.try_emplace(key, places.list.size() + 1);
  if (is_new) places.list.push_back({Py_XNewRef(place.code), place.instruction});
  return found->second;
}

Reference edge_text(const OrderEdge& edge) {
  const auto text = [](uint64_t place) {
    return place == 0 || place > places.list.size() ? Py_NewRef(Py_None) : place_text(places.list[place - 1]);
  };
  return Reference(Py_BuildValue("(NNNO)", text(edge.first.place), text(edge.second.place),
                                 text(static_cast<uint64_t>(edge.where)),
                                 edge.first.place == edge.second.place ? Py_True : Py_False));
}

void tell(const std::vector<OrderEdge>& circle) {
  PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  const Reference list(PyList_New(0));
  bool whole = static_cast<bool>(list);
  for (const OrderEdge& edge : circle) {
    const Reference text = edge_text(edge);
    whole = whole && text && PyList_Append(list.get(), text.get()) == 0;
  }
  if (told != nullptr && (!whole || !Reference(PyObject_CallOneArg(told, list.get())))) PyErr_WriteUnraisable(told);
  PyErr_Restore(type, value, traceback);
}

PyObject* watch_order(PyObject*, PyObject* function) {
  watches_order = function != Py_None;
  Py_XSETREF(told, watches_order ? Py_NewRef(function) : nullptr);
  if (!watches_order) {
    order.clear();
    for (Thread* thread = manycore::sync::first_thread(); thread != nullptr; thread = thread->next) thread->order.clear();
  }
  Py_RETURN_NONE;
}

PyObject* keep_places(PyObject*, PyObject* arguments) {
  PyObject* rule = nullptr;
  int on = 0;
  if (!PyArg_ParseTuple(arguments, "pO:keep_places", &on, &rule)) return nullptr;
  keeps_places = on != 0;
  for (auto& [name, inner] : inner_files) Py_DECREF(name);
  inner_files.clear();
  Py_XSETREF(is_inner, rule == Py_None ? nullptr : Py_NewRef(rule));
  Py_RETURN_NONE;
}

PyObject* count_edges(PyObject*, PyObject*) {
  return Py_BuildValue("nL", static_cast<Py_ssize_t>(order.edges()), static_cast<long long>(edges_seen));
}

PyMethodDef functions[] = {
    {"watch_lock_order", watch_order, METH_O, "Call this with each new circle in the order of locks; None: do not watch it."},
    {"keep_places", keep_places, METH_VARARGS,
     "keep_places(on, is_inner, /)\n--\n\nWhether locks know where they were made: in the innermost frame whose file is not "
     "inner."},
    {"lock_order_edges", count_edges, METH_NOARGS, "Nodes with edges, and edges that were ever new."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

MadeAt current_place() {
  PyFrameObject* frame = PyThreadState_GetFrame(PyThreadState_Get());
  while (frame != nullptr) {
    PyCodeObject* code = PyFrame_GetCode(frame);
    PyFrameObject* outer = is_inner_file(code->co_filename) ? PyFrame_GetBack(frame) : nullptr;
    if (outer == nullptr) {
      const MadeAt place{reinterpret_cast<PyObject*>(code), PyFrame_GetLasti(frame)};
      Py_DECREF(frame);
      return place;
    }
    Py_DECREF(code);
    Py_DECREF(frame);
    frame = outer;
  }
  return {};
}

PyObject* place_text(const MadeAt& place) {
  if (place.code == nullptr) Py_RETURN_NONE;
  auto* code = reinterpret_cast<PyCodeObject*>(place.code);
  return Py_BuildValue("(OiO)", code->co_filename, PyCode_Addr2Line(code, place.instruction), code->co_qualname);
}

OrderName order_name(const MadeAt& place) { return {++last_instance, place_number(place)}; }

void forget_name(const OrderName& name) {
  if (name.instance != 0) order.forget(name.instance);
}

void note_wait(Thread& thread, const OrderName& lock) {
  if (thread.order.empty() || lock.instance == 0) return;
  const auto where = [] {
    ++edges_seen;
    const MadeAt place = current_place();
    const uint64_t number = place_number(place);
    Py_XDECREF(place.code);
    return static_cast<int64_t>(number);
  };
  const std::vector<OrderEdge> circle = order.take(thread, {lock.instance, lock.place}, where);
  if (!circle.empty()) tell(circle);
}

void note_taken(Thread& thread, const OrderName& lock) {
  if (lock.instance != 0) thread.order.push_back({lock.instance, lock.place});
}

void note_released(Thread& owner, const OrderName& lock) {
  for (size_t i = owner.order.size(); i > 0; --i) {
    if (owner.order[i - 1].instance != lock.instance) continue;
    owner.order.erase(owner.order.begin() + static_cast<std::ptrdiff_t>(i - 1));
    return;
  }
}

int add_lock_order(PyObject* module) { return PyModule_AddFunctions(module, functions); }

}  // namespace manycore::python::locks
