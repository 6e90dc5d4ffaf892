#include "bindings/tasks/own_memory.h"

#include <new>

#include "manycore/buffer.h"
#include "manycore/errors.h"

namespace manycore::python::tasks {
namespace {

struct OwnMemory {
  PyObject_HEAD BufferRef memory;
};

PyTypeObject* own_type = nullptr;

void free_memory(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  reinterpret_cast<OwnMemory*>(self)->memory.~BufferRef();
  type->tp_free(self);
  Py_DECREF(type);
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  const BufferRef& memory = reinterpret_cast<OwnMemory*>(self)->memory;
  return PyBuffer_FillInfo(view, self, memory->data(), static_cast<Py_ssize_t>(memory->nbytes()), 0, flags);
}

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("Memory that came from another process, this one's own to write.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(free_memory)},
    {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
    {0, nullptr},
};

PyType_Spec spec = {"manycore._tasks.Memory", sizeof(OwnMemory), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                    slots};

}  // namespace

int add_own_memory_type(PyObject*) {
  own_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return own_type != nullptr ? 0 : -1;
}

Reference own_memory(int64_t bytes, void** data) {
  BufferRef memory;
  try {
    memory = BufferRef::adopt(Buffer::allocate(bytes));
  } catch (const Error& error) {
    PyErr_SetString(PyExc_MemoryError, error.what());
    return {};
  }
  Reference self(own_type->tp_alloc(own_type, 0));
  if (!self) return {};
  *data = memory->data();
  new (&reinterpret_cast<OwnMemory*>(self.get())->memory) BufferRef(std::move(memory));
  return self;
}

}  // namespace manycore::python::tasks
