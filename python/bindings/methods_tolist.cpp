// tolist: the elements as Python's own numbers in nested lists.
#include "bindings/methods.h"
#include "bindings/scalar.h"

namespace manycore::python {

namespace {

PyObject* list_of(const std::byte* data, const View& view, int axis) {
  const int64_t count = view.shape[axis], stride = view.strides[axis];
  const bool innermost = axis + 1 == view.ndim();
  PyObject* list = PyList_New(count);
  for (int64_t i = 0; list && i < count; ++i, data += stride) {
    PyObject* item = innermost ? python_number_from(data, view.dtype) : list_of(data, view, axis + 1);
    if (!item) {
      Py_CLEAR(list);
    } else {
      PyList_SET_ITEM(list, i, item);
    }
  }
  return list;
}

}  // namespace

MANYCORE_METHOD(method_tolist) {
  if (nargs != 0 || keywords) return call_real_method(self, "tolist", {args, nargs, keywords});
  return guarded([&] {
    const Array& array = array_of(self);
    const View view = array.view_to_read();
    const BufferRef kept = array.buffer();  // a new list may collect garbage, which may run anything
    return view.ndim() == 0 ? python_number_from(view.data, view.dtype) : list_of(view.data, view, 0);
  });
}

}  // namespace manycore::python
