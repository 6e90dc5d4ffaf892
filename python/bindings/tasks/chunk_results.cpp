// The iterator that a process pool's map() answers. It asks for chunk after chunk, each with its values or the bytes of its numbers, and
// gives their items without running Python code between two of them. It keeps no reference to what it has given.
#include "bindings/tasks/module.h"
#include "bindings/tasks/packed.h"

namespace manycore::python::tasks {
namespace {

struct ChunkResults {
  PyObject_HEAD PyObject* take;  // take(): (values, exceptions by index or None, nanoseconds an item), or None after the last
  PyObject* stop;                // stop(): nobody wants the rest
  PyObject* values;              // a list, or an object with a buffer of packed numbers
  PyObject* failures;            // a dict or null
  PackedReader* packed;
  Py_buffer view;
  Py_ssize_t index;
  Py_ssize_t count;
  bool started;
  bool running;
};

ChunkResults& results_of(PyObject* self) { return *reinterpret_cast<ChunkResults*>(self); }

void forget_chunk(ChunkResults& self) {
  if (self.packed != nullptr) {
    delete std::exchange(self.packed, nullptr);
    PyBuffer_Release(&self.view);
  }
  Py_CLEAR(self.values);
  Py_CLEAR(self.failures);
  self.index = self.count = 0;
}

// Whatever is being raised stays so.
void finish(ChunkResults& self) {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  forget_chunk(self);
  Py_CLEAR(self.take);
  if (PyObject* stop = std::exchange(self.stop, nullptr)) {
    if (!Reference(PyObject_CallNoArgs(stop))) PyErr_WriteUnraisable(stop);
    Py_DECREF(stop);
  }
  PyErr_Restore(type, value, traceback);
}

bool open_chunk(ChunkResults& self, PyObject* chunk) {
  if (!PyTuple_Check(chunk) || PyTuple_GET_SIZE(chunk) < 2) {
    PyErr_SetString(PyExc_SystemError, "map: a chunk that is no tuple of values and exceptions");
    return false;
  }
  PyObject* failures = PyTuple_GET_ITEM(chunk, 1);
  self.values = Py_NewRef(PyTuple_GET_ITEM(chunk, 0));
  self.failures = failures != Py_None ? Py_NewRef(failures) : nullptr;
  if (PyList_CheckExact(self.values)) {
    self.count = PyList_GET_SIZE(self.values);
    return true;
  }
  if (PyObject_GetBuffer(self.values, &self.view, PyBUF_SIMPLE) < 0) return false;
  self.packed = new PackedReader(worker::Bytes(static_cast<const std::byte*>(self.view.buf), static_cast<size_t>(self.view.len)));
  self.count = self.packed->count();
  if (self.packed->valid()) return true;
  PyErr_SetString(PyExc_SystemError, "map: a worker sent numbers that no worker sends");
  return false;
}

// 1 with a chunk, 0 after the last, -1 with an exception.
int next_chunk(ChunkResults& self) {
  forget_chunk(self);
  self.running = true;
  const Reference chunk(PyObject_CallNoArgs(self.take));
  self.running = false;
  if (!chunk) {
    raise_from_results(take_raised().get());
    return -1;
  }
  if (chunk.get() == Py_None) return 0;
  return open_chunk(self, chunk.get()) ? 1 : -1;
}

PyObject* value_at(ChunkResults& self, Py_ssize_t index) {
  if (self.failures != nullptr) {
    const Reference key(PyLong_FromSsize_t(index));
    PyObject* failure = key ? PyDict_GetItemWithError(self.failures, key.get()) : nullptr;
    if (failure != nullptr) raise_from_results(Reference::to(failure).get());
    if (PyErr_Occurred() != nullptr) return nullptr;
  }
  if (self.packed != nullptr) return self.packed->at(index).release();
  return std::exchange(reinterpret_cast<PyListObject*>(self.values)->ob_item[index], Py_NewRef(Py_None));
}

PyObject* next_result(PyObject* object) {
  ChunkResults& self = results_of(object);
  if (self.running) {
    PyErr_SetString(PyExc_ValueError, "generator already executing");
    return nullptr;
  }
  self.started = true;
  if (self.take == nullptr) return nullptr;
  PyObject* value = nullptr;
  int more = 1;
  while (self.index == self.count && (more = next_chunk(self)) > 0) {
  }
  if (more > 0) value = value_at(self, self.index++);
  if (value == nullptr) finish(self);
  return value;
}

PyObject* close(PyObject* object, PyObject*) {
  if (results_of(object).running) {
    PyErr_SetString(PyExc_ValueError, "generator already executing");
    return nullptr;
  }
  finish(results_of(object));
  Py_RETURN_NONE;
}

int traverse(PyObject* object, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(results_of(object).take);
  Py_VISIT(results_of(object).stop);
  Py_VISIT(results_of(object).values);
  Py_VISIT(results_of(object).failures);
  return 0;
}

int clear(PyObject* object) {
  forget_chunk(results_of(object));
  Py_CLEAR(results_of(object).take);
  Py_CLEAR(results_of(object).stop);
  return 0;
}

void dealloc(PyObject* object) {
  PyObject_GC_UnTrack(object);
  PyTypeObject* type = Py_TYPE(object);
  // As a generator that was never asked: its calls run on.
  if (results_of(object).started) finish(results_of(object));
  clear(object);
  type->tp_free(object);
  Py_DECREF(type);
}

PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject*) {
  PyObject *take, *stop;
  if (!PyArg_ParseTuple(arguments, "OO:ChunkResults", &take, &stop)) return nullptr;
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  results_of(self).take = Py_NewRef(take);
  results_of(self).stop = Py_NewRef(stop);
  return self;
}

// A chunk's values, which may be packed numbers, as a list.
PyObject* values_of(PyObject*, PyObject* values) {
  if (PyList_CheckExact(values)) return Py_NewRef(values);
  Py_buffer view;
  if (PyObject_GetBuffer(values, &view, PyBUF_SIMPLE) < 0) return nullptr;
  const PackedReader packed(worker::Bytes(static_cast<const std::byte*>(view.buf), static_cast<size_t>(view.len)));
  Reference list(PyList_New(packed.valid() ? packed.count() : 0));
  for (int64_t i = 0; list && i < packed.count(); ++i) {
    PyObject* number = packed.at(i).release();
    if (number == nullptr) list = Reference();
    if (number != nullptr) PyList_SET_ITEM(list.get(), i, number);
  }
  PyBuffer_Release(&view);
  return list.release();
}

PyMethodDef functions[] = {
    {"chunk_values", values_of, METH_O, "The values of a chunk's outcome as a list."},
    {nullptr, nullptr, 0, nullptr},
};

PyMethodDef methods[] = {
    {"close", close, METH_NOARGS, "Cancel what has not begun."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_doc,
     const_cast<char*>("ChunkResults(take, stop)\n--\n\nResults of ProcessPoolExecutor.map in the order of its items.")},
    {Py_tp_new, reinterpret_cast<void*>(make)},
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear)},
    {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void*>(next_result)},
    {Py_tp_methods, methods},
    {0, nullptr},
};

PyType_Spec spec = {"manycore._tasks.ChunkResults", sizeof(ChunkResults), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots};

}  // namespace

int add_chunk_type(PyObject* module) {
  const Reference type(PyType_FromSpec(&spec));
  return type && PyModule_AddFunctions(module, functions) == 0 ? PyModule_AddObjectRef(module, "ChunkResults", type.get()) : -1;
}

}  // namespace manycore::python::tasks
