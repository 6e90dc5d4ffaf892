// The iterator that map() answers: results in the order of the arguments, each let go of once it is given.
#include "bindings/locks/known_wait.h"
#include "bindings/tasks/call_options.h"
#include "bindings/tasks/future_wait.h"
#include "bindings/tasks/future_wakers.h"
#include "bindings/tasks/map_run.h"
#include "bindings/tasks/module.h"
#include "bindings/tasks/pool_core.h"
#include "bindings/tasks/standard.h"

namespace manycore::python::tasks {
namespace {

struct MapResults {
  PyObject_HEAD MapRun* map;
  PoolCore* pool;
  int64_t deadline;
  bool started;
  bool running;
};

PyTypeObject* results_type = nullptr;

MapResults& results_of(PyObject* self) { return *reinterpret_cast<MapResults*>(self); }

bool unlink_sleeper(void* map, task::Waiter&) { return std::exchange(static_cast<MapRun*>(map)->sleeper, nullptr) != nullptr; }

bool is_ready(const MapItem& item) { return item.state > MapItem::State::kRunning; }

PyObject* give(MapRun& map) {
  MapItem& item = map.items[map.next_to_give++];
  const MapItem::State state = std::exchange(item.state, MapItem::State::kGiven);
  Reference value(std::exchange(item.value, nullptr));
  if (state == MapItem::State::kReturned) return value.release();
  if (state == MapItem::State::kCancelled)
    PyErr_SetNone(standard.cancelled_error);
  else
    raise_from_results(value.get());
  return nullptr;
}

class MapWait final : public locks::KnownWait {
 public:
  MapWait(PyObject* results, PoolCore& pool) : KnownWait(locks::Kind::map, results), pool_(pool) {}
  manycore::sync::Wakers wakers() const override { return wakers_in_pool(pool_); }

 private:
  PoolCore& pool_;
};

// 1 when the next item is ready, 0 at the deadline, -1 with an exception.
int wait_for_next(MapResults& self) {
  MapRun& map = *self.map;
  // Somebody may take_rest() meanwhile: then there is no next one, which next_result() sees.
  if (is_ready(map.items[map.next_to_give])) return 1;
  task::Waiter waiter;
  map.sleeper = &waiter;
  if (self.deadline >= 0) return sleep_on(waiter, self.deadline, unlink_sleeper, &map);
  MapWait known(reinterpret_cast<PyObject*>(&self), *self.pool);
  return sleep_on(waiter, self.deadline, unlink_sleeper, &map, &known);
}

PyObject* next_result(PyObject* object) {
  MapResults& self = results_of(object);
  if (self.running) {
    PyErr_SetString(PyExc_ValueError, "generator already executing");
    return nullptr;
  }
  self.started = true;
  if (self.map->abandoned || self.map->next_to_give == self.map->items.size()) return nullptr;
  self.running = true;
  const int ready = wait_for_next(self);
  self.running = false;
  PyObject* value = nullptr;
  if (ready == 0) PyErr_SetNone(PyExc_TimeoutError);
  if (ready == 1 && self.map->next_to_give == self.map->items.size()) return nullptr;
  if (ready == 1) value = give(*self.map);
  if (value == nullptr) {
    PyObject *type = nullptr, *error = nullptr, *traceback = nullptr;
    PyErr_Fetch(&type, &error, &traceback);
    abandon_map(*self.pool, self.map);
    PyErr_Restore(type, error, traceback);
  }
  return value;
}

PyObject* close(PyObject* object, PyObject*) {
  MapResults& self = results_of(object);
  if (self.running) {
    PyErr_SetString(PyExc_ValueError, "generator already executing");
    return nullptr;
  }
  abandon_map(*self.pool, self.map);
  Py_RETURN_NONE;
}

int traverse(PyObject* object, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(object));
  const MapResults& self = results_of(object);
  // Others who hold the map keep what is in it alive.
  if (self.map == nullptr || self.map->holders > 1) return 0;
  Py_VISIT(self.map->callable.get());
  Py_VISIT(self.map->context.get());
  for (const MapItem& item : self.map->items) Py_VISIT(item.value);
  return 0;
}

int clear(PyObject* object) {
  MapResults& self = results_of(object);
  if (self.map != nullptr && self.map->holders == 1) abandon_map(*self.pool, self.map);
  return 0;
}

void dealloc(PyObject* object) {
  PyObject_GC_UnTrack(object);
  MapResults& self = results_of(object);
  PyTypeObject* type = Py_TYPE(object);
  if (self.map != nullptr) {
    if (self.started) abandon_map(*self.pool, self.map);
    self.map->drop();
    self.pool->drop();
  }
  type->tp_free(object);
  Py_DECREF(type);
}

PyObject* widen(PyObject* object, PyObject*) {
  MapResults& self = results_of(object);
  return widen_map(*self.pool, self.map) ? Py_NewRef(Py_None) : nullptr;
}

PyObject* rest_of(PyObject* object, PyObject*) { return take_rest(*results_of(object).pool, results_of(object).map); }

PyObject* cancel_waiting_items(PyObject* object, PyObject*) {
  cancel_rest(*results_of(object).pool, results_of(object).map);
  Py_RETURN_NONE;
}

PyObject* counts(PyObject* object, PyObject*) {
  const MapRun& map = *results_of(object).map;
  return Py_BuildValue("nnnnOk", static_cast<Py_ssize_t>(map.returned), static_cast<Py_ssize_t>(map.failed),
                       static_cast<Py_ssize_t>(map.next_to_run), static_cast<Py_ssize_t>(map.items.size()),
                       map.abandoned ? Py_True : Py_False, map.row_thread);
}

PyMethodDef methods[] = {
    {"_widen", widen, METH_NOARGS, "Let any free thread take items of a row."},
    {"_take_rest", rest_of, METH_NOARGS, "Take away what has not begun, as a list of arguments."},
    {"_cancel_rest", cancel_waiting_items, METH_NOARGS, "What has not begun is cancelled."},
    {"_counts", counts, METH_NOARGS,
     "How many items are over, raised, have begun and are there; whether nobody asks for them; "
     "the system's number of the thread that takes a row."},
    {"close", close, METH_NOARGS, "Cancel what has not begun."},
    {nullptr, nullptr, 0, nullptr},
};

// Puts an item into the run; false with an exception.
bool add_item(MapRun& map, PyObject* value) {
  try {
    map.items.push_back(MapItem{value});
  } catch (const std::bad_alloc&) {
    Py_DECREF(value);
    PyErr_NoMemory();
    return false;
  }
  return true;
}

bool submit_items(PoolCore& pool, MapRun& map, int64_t count) {
  if (count == 0) return true;
  if (pool.refuse_when_closed() < 0) return false;
  const bool held = map.linked;
  if (!held) ++map.holders;
  if (pool.submit(map, count)) return true;
  if (!held) map.drop();
  return false;
}

// Iterating over these runs no code of the user's, so nothing can wait for the first items meanwhile.
bool yields_at_once(PyObject* iterable) {
  return PyList_CheckExact(iterable) || PyTuple_CheckExact(iterable) || PyRange_Check(iterable);
}

bool feed(PoolCore& pool, MapRun& map, PyObject* iterator, bool at_once) {
  while (PyObject* value = PyIter_Next(iterator)) {
    if (!add_item(map, value) || (!at_once && !submit_items(pool, map, 1))) return false;
  }
  if (PyErr_Occurred() != nullptr) return false;
  return !at_once || submit_items(pool, map, static_cast<int64_t>(map.items.size()));
}

Reference iterator_over(PyObject* iterables) {
  if (PyTuple_GET_SIZE(iterables) == 1) return Reference(PyObject_GetIter(PyTuple_GET_ITEM(iterables, 0)));
  const Reference zipped(PyObject_Call(reinterpret_cast<PyObject*>(&PyZip_Type), iterables, nullptr));
  return Reference(zipped ? PyObject_GetIter(zipped.get()) : nullptr);
}

// Results without items yet, whose run holds the callable, the caller's context and, from now on, `order`.
Reference make_results(PoolCore& pool, PyObject* callable, bool unpacks, int64_t deadline, task::Order* order = nullptr) {
  Reference results(results_type->tp_alloc(results_type, 0));
  if (!results) {
    if (order != nullptr) free_options(order);
    return {};
  }
  auto* map = new MapRun;
  map->order = order;
  map->kind = kMapCall;
  map->callable = Reference::to(callable);
  map->unpacks = unpacks;
  MapResults& self = results_of(results.get());
  self.map = map;
  self.pool = &pool;
  self.deadline = deadline;
  pool.hold();
  if (pool.inherits_context) {
    map->context = Reference(PyContext_CopyCurrent());
    if (!map->context) return {};
  }
  return results;
}

}  // namespace

PoolCore* pool_of_results(PyObject* results) {
  return PyObject_TypeCheck(results, results_type) ? results_of(results).pool : nullptr;
}

PyObject* start_map(PoolCore& pool, PyObject* callable, PyObject* iterables, int64_t deadline, task::Order* order) {
  Reference results = make_results(pool, callable, PyTuple_GET_SIZE(iterables) != 1, deadline, order);
  const Reference iterator(results ? iterator_over(iterables) : Reference());
  if (!iterator) return nullptr;
  bool at_once = true;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(iterables); ++i) at_once &= yields_at_once(PyTuple_GET_ITEM(iterables, i));
  return feed(pool, *results_of(results.get()).map, iterator.get(), at_once) ? results.release() : nullptr;
}

PyObject* start_row(PoolCore& pool, PyObject* callable, PyObject* list, bool unpacks, int64_t deadline) {
  Reference results = make_results(pool, callable, unpacks, deadline);
  if (!results) return nullptr;
  MapRun& map = *results_of(results.get()).map;
  map.in_row = true;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    if (!add_item(map, Py_NewRef(PyList_GET_ITEM(list, i)))) return nullptr;
  }
  return submit_items(pool, map, map.items.empty() ? 0 : 1) ? results.release() : nullptr;
}

int add_map_type(PyObject* module) {
  PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("Results of ThreadPoolExecutor.map in the order of its arguments.")},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
      {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(clear)},
      {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
      {Py_tp_iternext, reinterpret_cast<void*>(next_result)},
      {Py_tp_methods, methods},
      {0, nullptr},
  };
  PyType_Spec spec = {"manycore._tasks.MapResults", sizeof(MapResults), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  results_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  if (results_type == nullptr) return -1;
  return PyModule_AddObjectRef(module, "MapResults", reinterpret_cast<PyObject*>(results_type));
}

}  // namespace manycore::python::tasks
