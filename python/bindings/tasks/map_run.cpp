#include "bindings/tasks/map_run.h"

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
  if (!map.context) return Reference(PyObject_Vectorcall(map.callable.get(), arguments, count, nullptr));
  const Reference context(PyContext_Copy(map.context.get()));
  if (!context || PyContext_Enter(context.get()) < 0) return {};
  Reference result(PyObject_Vectorcall(map.callable.get(), arguments, count, nullptr));
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

MapRun* as_map(task::Call* call) { return call->kind == kMapCall ? static_cast<MapRun*>(call) : nullptr; }

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
  delete this;
}

void run_map_item(MapRun* map, Wakeups& later) {
  if (map->next_to_run < map->items.size()) {
    const size_t index = map->next_to_run++;
    map->items[index].state = MapItem::State::kRunning;
    Reference value(std::exchange(map->items[index].value, nullptr));
    Reference result = call_item(*map, value.get());
    const MapItem::State state = result ? MapItem::State::kReturned : MapItem::State::kRaised;
    if (!result) result = take_raised();
    value = Reference();
    finish_item(map, index, std::move(result), state, later);
  }
  map->drop();
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
