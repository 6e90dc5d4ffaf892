#include "bindings/tasks/map_run.h"

#include "bindings/gil.h"
#include "bindings/tasks/call_options.h"
#include "bindings/tasks/interpreter.h"
#include "bindings/tasks/module.h"
#include "bindings/tasks/pool_core.h"

namespace manycore::python::tasks {
namespace {

void finish_item(MapRun* map, size_t index, Reference value, MapItem::State state, Wakeups& later) {
  if (map->abandoned) return;
  map->items[index].value = value.release();
  map->items[index].state = state;
  if (map->sleeper != nullptr && index == map->next_to_give) later.add(std::exchange(map->sleeper, nullptr));
}

Reference call_item(const MapRun& map, PyObject* value) {
  // The place before the arguments is one that a vector call may borrow.
  PyObject* one[2] = {nullptr, value};
  PyObject* const* arguments = map.unpacks ? &PyTuple_GET_ITEM(value, 0) : one + 1;
  const size_t count = map.unpacks ? static_cast<size_t>(PyTuple_GET_SIZE(value)) : 1 | PY_VECTORCALL_ARGUMENTS_OFFSET;
  const auto call = [&] { return PyObject_Vectorcall(map.callable.get(), arguments, count, nullptr); };
  if (!map.context) return Reference(or_stop_thread(call));
  const Reference context(PyContext_Copy(map.context.get()));
  if (!context || PyContext_Enter(context.get()) < 0) return {};
  Reference result(or_stop_thread(call));
  if (PyContext_Exit(context.get()) < 0) return {};
  return result;
}

// Every item that has not begun becomes `state` with `value`.
void end_waiting_items(MapRun* map, MapItem::State state, PyObject* value) {
  Wakeups now;
  const size_t end = map->items.size();
  std::vector<Reference> arguments;
  arguments.reserve(end - map->next_to_run);
  for (; map->next_to_run < end; ++map->next_to_run) {
    MapItem& item = map->items[map->next_to_run];
    arguments.emplace_back(std::exchange(item.value, Py_XNewRef(value)));
    item.state = state;
  }
  if (map->sleeper != nullptr && map->items[map->next_to_give].state != MapItem::State::kRunning) {
    now.add(std::exchange(map->sleeper, nullptr));
  }
}

void clear_items(MapRun* map) {
  const std::vector<MapItem> items = std::exchange(map->items, {});
  for (const MapItem& item : items) Py_XDECREF(item.value);
}

}  // namespace

void abandon_map(PoolCore& pool, MapRun* map) {
  if (map->abandoned) return;
  map->abandoned = true;
  end_waiting_items(map, MapItem::State::kCancelled, nullptr);
  clear_items(map);
  if (pool.queue.remove(*map)) map->drop();
}

void MapRun::drop() {
  if (--holders > 0) return;
  clear_items(this);
  if (order != nullptr) free_options(order);
  delete this;
}

namespace {

void run_next(MapRun* map, Wakeups& later) {
  const size_t index = map->next_to_run++;
  map->items[index].state = MapItem::State::kRunning;
  Reference value(std::exchange(map->items[index].value, nullptr));
  Reference late = map->order == nullptr ? Reference() : lateness(*map->order, map->callable.get());
  Reference result;
  if (!late) {
    const TaskTime time(map->in_row ? Place::kInline : Place::kThread, map->submitted);
    result = call_item(*map, value.get());
  }
  const auto state = result ? MapItem::State::kReturned : MapItem::State::kRaised;
  if (!result) result = late ? std::move(late) : take_raised();
  value = Reference();
  ++map->returned;
  map->failed += state == MapItem::State::kRaised;
  finish_item(map, index, std::move(result), state, later);
}

bool has_next(const MapRun& map) { return map.next_to_run < map.items.size(); }

// In a row of C functions the interpreter never looks whether another thread wants the GIL.
void run_row(MapRun* map, Wakeups& later) {
  map->row_thread = PyThread_get_thread_native_id();
  Turn turn;
  const uint32_t born = process_generation();
  while (map->in_row && has_next(*map) && born == process_generation()) {
    run_next(map, later);
    if (!later.empty()) later.wake();
    if (turn.is_over()) turn.yield();
  }
}

}  // namespace

void run_map_item(MapRun* map, Wakeups& later) {
  if (map->in_row) {
    run_row(map, later);
  } else if (has_next(*map)) {
    run_next(map, later);
  }
  map->drop();
}

bool widen_map(PoolCore& pool, MapRun* map) {
  if (!map->in_row) return true;
  map->in_row = false;
  // Where it is linked, its thread has not come yet: one of the items is counted already.
  const bool held = map->linked;
  const int64_t more = static_cast<int64_t>(map->items.size()) - static_cast<int64_t>(map->next_to_run) - (held ? 1 : 0);
  if (more <= 0) return true;
  if (!held) ++map->holders;
  if (pool.submit(*map, more)) return true;
  if (!held) map->drop();
  return false;
}

PyObject* take_rest(PoolCore& pool, MapRun* map) {
  const size_t end = map->items.size(), begin = map->abandoned ? end : map->next_to_run;
  Reference rest(PyList_New(static_cast<Py_ssize_t>(end - begin)));
  if (!rest) return nullptr;
  for (size_t i = begin; i < end; ++i) {
    PyList_SET_ITEM(rest.get(), static_cast<Py_ssize_t>(i - begin), std::exchange(map->items[i].value, nullptr));
  }
  map->items.resize(begin);
  if (map->sleeper != nullptr && map->next_to_give == begin) std::exchange(map->sleeper, nullptr)->done();
  if (pool.queue.remove(*map)) map->drop();
  return rest.release();
}

void cancel_rest(PoolCore& pool, MapRun* map) {
  if (map->abandoned) return;
  end_waiting_items(map, MapItem::State::kCancelled, nullptr);
  if (pool.queue.remove(*map)) map->drop();
}

void fail_map(MapRun* map, PyObject* exception) {
  end_waiting_items(map, MapItem::State::kRaised, exception);
  map->drop();
}

void cancel_map(MapRun* map) {
  end_waiting_items(map, MapItem::State::kCancelled, nullptr);
  map->drop();
}

}  // namespace manycore::python::tasks
