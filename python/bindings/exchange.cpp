#include "bindings/exchange.h"

#include <mutex>
#include <unordered_map>
#include <vector>

#include "bindings/gil.h"

namespace manycore::python {

std::vector<MemoryObject*>& cached_views();

namespace {

// Smaller arrays are seldom recorded, and then run at once while a real view of them is cached.
constexpr int64_t kWatchedBytes = 16 << 10;

void deallocate_memory(PyObject* object) {
  BufferRef& buffer = reinterpret_cast<MemoryObject*>(object)->buffer;
  if (buffer->nbytes() >= kWatchedBytes) std::erase(cached_views(), reinterpret_cast<MemoryObject*>(object));
  buffer->unpin();
  buffer.~BufferRef();
  PyObject_Free(object);
}

// Owners whose last array died on a thread without the GIL: taking it there could deadlock with a caller that waits for the
// engine, so they wait for the main thread's next pending call.
std::mutex waiting_lock;
std::vector<PyObject*>* waiting_owners = new std::vector<PyObject*>;

int release_waiting(void*) {
  std::vector<PyObject*> owners;
  {
    std::lock_guard<std::mutex> lock(waiting_lock);
    owners.swap(*waiting_owners);
  }
  for (PyObject* owner : owners) Py_DECREF(owner);
  return 0;
}

MemoryObject* memory_of(PyObject* base) { return Py_TYPE(base) == &MemoryType ? reinterpret_cast<MemoryObject*>(base) : nullptr; }

// The first thing behind a chain of exact real ndarrays (and memoryviews: NumPy reads our buffer protocol before __array__).
PyObject* root_of(PyArrayObject* real) {
  PyObject* base = PyArray_BASE(real);
  while (base) {
    if (PyArray_CheckExact(base)) {
      base = PyArray_BASE(reinterpret_cast<PyArrayObject*>(base));
    } else if (PyMemoryView_Check(base) && PyMemoryView_GET_BASE(base)) {
      base = PyMemoryView_GET_BASE(base);
    } else {
      break;
    }
  }
  return base;
}

View view_of(PyArrayObject* real, DType dtype) {
  View view;
  view.data = reinterpret_cast<std::byte*>(PyArray_DATA(real));
  view.dtype = dtype;
  const int ndim = PyArray_NDIM(real);
  view.shape = Dims(std::span<const int64_t>(PyArray_DIMS(real), static_cast<size_t>(ndim)));
  view.strides = Dims(std::span<const int64_t>(PyArray_STRIDES(real), static_cast<size_t>(ndim)));
  return view;
}

bool lies_within(const ByteRange& range, const Buffer* buffer) {
  return range.begin >= buffer->data() && range.end <= buffer->data() + buffer->nbytes();
}

// The buffer of ours that a real array was made from, or null.
Buffer* buffer_behind(PyObject* root) {
  if (!root) return nullptr;
  if (MemoryObject* memory = memory_of(root)) return memory->buffer.get();
  return is_array(root) ? array_of(root).buffer().get() : nullptr;
}

// NumPy takes a null pointer as a request for memory; an empty array's is never read.
char* data_for_numpy(const View& view) {
  static char nothing[16];
  return view.data ? reinterpret_cast<char*>(view.data) : nothing;
}

bool has_layout(PyArrayObject* real, const ArrayObject* self) {
  const View& view = self->array.described();
  const int ndim = view.ndim();
  if (PyArray_BYTES(real) != data_for_numpy(view) || PyArray_NDIM(real) != ndim) return false;
  if (static_cast<bool>(PyArray_ISWRITEABLE(real)) != self->writeable) return false;
  if (reinterpret_cast<PyObject*>(PyArray_DESCR(real)) != descr_of(view.dtype)) {
    DType dtype;
    if (!dtype_from_native_descr(PyArray_DESCR(real), &dtype) || dtype != view.dtype) return false;
  }
  return std::equal(view.shape.begin(), view.shape.end(), PyArray_DIMS(real)) &&
         std::equal(view.strides.begin(), view.strides.end(), PyArray_STRIDES(real));
}

// Ours over real arrays that others hold too: the next time one of them arrives it is the same object. Both borrowed: ours keeps
// the real array alive, and leaves the table when it dies. Only touched with the GIL held.
std::unordered_map<PyObject*, ArrayObject*>& remembered() {
  static auto* table = new std::unordered_map<PyObject*, ArrayObject*>;
  return *table;
}

void remember(ArrayObject* self) {
  if (self->is_remembered) return;
  self->is_remembered = remembered().try_emplace(self->numpy_view, self).second;
}

bool shows_our_memory(PyObject* real) {
  PyObject* base = PyArray_BASE(reinterpret_cast<PyArrayObject*>(real));
  return base != nullptr && memory_of(base) != nullptr;
}

PyObject* base_for(PyArrayObject* real, PyObject* root) {
  PyObject* base = PyArray_BASE(real);
  if (MemoryObject* memory = root ? memory_of(root) : nullptr) {
    if (!memory->origin) return nullptr;
    base = memory->origin->base && is_array(memory->origin->base) ? memory->origin->base
                                                                  : reinterpret_cast<PyObject*>(memory->origin);
  }
  Py_XINCREF(base);
  return base;
}

}  // namespace

void release_owner(PyObject* owner) {
  if (!Py_IsInitialized()) return;
  if (holds_gil()) {
    Py_DECREF(owner);
    return;
  }
  {
    std::lock_guard<std::mutex> lock(waiting_lock);
    waiting_owners->push_back(owner);
  }
  Py_AddPendingCall(release_waiting, nullptr);
}

PyTypeObject MemoryType = [] {
  PyTypeObject type = blank_type();
  type.tp_name = "manycore.Memory";
  type.tp_basicsize = sizeof(MemoryObject);
  type.tp_dealloc = deallocate_memory;
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  type.tp_doc = "The owner of array memory that a real NumPy array shows.";
  return type;
}();

bool register_exchange() { return PyType_Ready(&MemoryType) == 0; }

BufferRef buffer_over(std::byte* data, int64_t nbytes, bool writeable, PyObject* owner) {
  BufferRef buffer = BufferRef::adopt(Buffer::wrap(
      data, nbytes, writeable, [owner] { release_owner(owner); }, owner));
  Py_INCREF(owner);
  return buffer;
}

Array array_over(PyArrayObject* real, DType dtype) {
  View view = view_of(real, dtype);
  const ByteRange range = byte_range(view);
  Buffer* ours = buffer_behind(root_of(real));
  if (ours && lies_within(range, ours)) {
    ours->retain();
    return Array(BufferRef::adopt(ours), std::move(view));
  }
  auto* begin = const_cast<std::byte*>(range.begin ? range.begin : view.data);
  return Array(buffer_over(begin, range.end - range.begin, PyArray_ISWRITEABLE(real), reinterpret_cast<PyObject*>(real)),
               std::move(view));
}

PyObject* real_over(const View& view, bool writeable, PyObject* base) {
  PyArray_Descr* descr = descr_table[static_cast<int>(view.dtype)];
  Py_INCREF(descr);
  PyObject* real = PyArray_NewFromDescr(&PyArray_Type, descr, view.ndim(), view.shape.data(), view.strides.data(),
                                        data_for_numpy(view), writeable ? NPY_ARRAY_WRITEABLE : 0, nullptr);
  if (!real || !base) {
    Py_XDECREF(base);
    return real;
  }
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(real), base) < 0) {
    Py_DECREF(real);
    return nullptr;
  }
  return real;
}

// The memory objects of cached views of large buffers: few, since dropped when idle.
std::vector<MemoryObject*>& cached_views() {
  static auto* views = new std::vector<MemoryObject*>;
  return *views;
}

bool drop_idle_views(Buffer* buffer) {
  std::vector<ArrayObject*> idle;
  for (MemoryObject* memory : cached_views()) {
    if (memory->buffer.get() == buffer && memory->origin && memory->origin->numpy_view &&
        Py_REFCNT(memory->origin->numpy_view) == 1 && Py_REFCNT(reinterpret_cast<PyObject*>(memory)) == 1) {
      idle.push_back(memory->origin);
    }
  }
  for (ArrayObject* origin : idle) drop_numpy_view(origin);
  return !buffer->is_pinned();
}

void drop_numpy_view(ArrayObject* self) {
  if (!self->numpy_view) return;
  // What tells a private owner from one that the program holds is how often it is held; without the cached view that fails.
  const BufferRef& buffer = self->array.buffer();
  if (buffer && buffer->is_foreign() && buffer->owner() == self->numpy_view && Py_REFCNT(reinterpret_cast<PyObject*>(self)) > 0)
    buffer->pin();
  PyObject* base = PyArray_BASE(reinterpret_cast<PyArrayObject*>(self->numpy_view));
  MemoryObject* memory = base ? memory_of(base) : nullptr;
  if (memory && memory->origin == self) memory->origin = nullptr;
  if (self->is_remembered) remembered().erase(self->numpy_view);
  self->is_remembered = false;
  Py_CLEAR(self->numpy_view);
}

PyObject* to_numpy(PyObject* object) {
  auto* self = reinterpret_cast<ArrayObject*>(object);
  if (self->array.is_pending() && guarded([&] { return self->array.view(), 0; }) < 0) return nullptr;
  if (self->numpy_view) {
    if (has_layout(reinterpret_cast<PyArrayObject*>(self->numpy_view), self)) {
      if (!self->is_remembered && !shows_our_memory(self->numpy_view)) remember(self);
      return Py_NewRef(self->numpy_view);
    }
    drop_numpy_view(self);
  }
  auto* memory = PyObject_New(MemoryObject, &MemoryType);
  if (!memory) return nullptr;
  new (&memory->buffer) BufferRef(self->array.buffer());
  memory->buffer->pin();
  memory->origin = self;
  PyObject* real = guarded([&] { return real_over(self->array.view(), self->writeable, reinterpret_cast<PyObject*>(memory)); });
  if (!real) return nullptr;
  self->numpy_view = Py_NewRef(real);
  if (memory->buffer->nbytes() >= kWatchedBytes) cached_views().push_back(memory);
  return real;
}

PyObject* from_numpy(PyObject* object) {
  DType dtype;
  if (!is_usable_real(object, &dtype)) return Py_NewRef(object);
  auto* real = reinterpret_cast<PyArrayObject*>(object);
  PyObject* root = root_of(real);
  MemoryObject* memory = root ? memory_of(root) : nullptr;
  if (memory && memory->origin && memory->origin->numpy_view == object && has_layout(real, memory->origin)) {
    return Py_NewRef(reinterpret_cast<PyObject*>(memory->origin));
  }
  const bool is_shared = Py_REFCNT(object) > 1;
  if (is_shared && !remembered().empty()) {
    auto known = remembered().find(object);
    if (known != remembered().end() && has_layout(real, known->second)) {
      return Py_NewRef(reinterpret_cast<PyObject*>(known->second));
    }
  }
  return guarded([&]() -> PyObject* {
    auto* self = reinterpret_cast<ArrayObject*>(wrap(array_over(real, dtype)));
    if (!self) return nullptr;
    self->writeable = PyArray_ISWRITEABLE(real);
    self->base = base_for(real, root);
    self->numpy_view = Py_NewRef(object);
    if (is_shared && !shows_our_memory(object)) remember(self);
    return reinterpret_cast<PyObject*>(self);
  });
}

}  // namespace manycore::python
