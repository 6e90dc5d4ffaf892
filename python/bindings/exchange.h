// Sharing memory with real NumPy arrays. A real view of our memory is kept alive by a MemoryObject (its .base); ours over
// real memory by a foreign Buffer whose owner is the real array. Neither direction copies or makes a reference cycle.
// Needs the GIL, except the release of a foreign owner, which may happen on any thread.
#pragma once

#include "bindings/numpy_api.h"

namespace manycore::python {

// Holds a buffer for a real ndarray. `origin` is the array whose cached view this is: borrowed, null once that died.
struct MemoryObject {
  PyObject_HEAD BufferRef buffer;
  ArrayObject* origin;
};
extern PyTypeObject MemoryType;

// An engine array over the memory of a real ndarray that is_usable_real() accepted. May throw.
Array array_over(PyArrayObject* real, DType dtype);

// A buffer over memory that a Python object keeps alive.
BufferRef buffer_over(std::byte* data, int64_t nbytes, bool writeable, PyObject* owner);

// Drops a reference, at once or, on a thread without the GIL, at the main thread's next pending call.
void release_owner(PyObject* owner);

// A fresh real ndarray over `view`, kept alive by `base` (stolen, null allowed for none).
PyObject* real_over(const View& view, bool writeable, PyObject* base);

// Drops cached real views of the buffer that nobody else holds. True when the buffer is visible nowhere any more.
bool drop_idle_views(Buffer* buffer);

// Forget the cached real view (the layout or the writeable flag changed).
void drop_numpy_view(ArrayObject* self);

// Dealloc's part: the cached view may outlive the array, its memory object must not point back.
inline void forget_numpy_view(ArrayObject* self) {
  if (self->numpy_view) drop_numpy_view(self);
}

bool register_exchange();

}  // namespace manycore::python
