#include "bindings/tasks/block_object.h"

#include <memory>

namespace manycore::python::tasks {
namespace {

struct Held {
  worker::PrivateBlock block;
  worker::BlockPlace place;
  std::function<void(const worker::BlockPlace&)> give_back;
};

struct BlockObject {
  PyObject_HEAD Held* held;
};

PyTypeObject* block_type = nullptr;

void free_block(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  if (Held* held = reinterpret_cast<BlockObject*>(self)->held) {
    const worker::BlockPlace place = held->place;
    const auto give_back = std::move(held->give_back);
    delete held;  // unmapped before the sender may write there
    give_back(place);
  }
  type->tp_free(self);
  Py_DECREF(type);
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  const worker::PrivateBlock& block = reinterpret_cast<BlockObject*>(self)->held->block;
  return PyBuffer_FillInfo(view, self, block.data(), block.bytes(), 0, flags);
}

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("Memory that came from another process, this one's own to write.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(free_block)},
    {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
    {0, nullptr},
};

PyType_Spec spec = {"manycore._tasks.Block", sizeof(BlockObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                    slots};

}  // namespace

int add_block_type(PyObject*) {
  block_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return block_type != nullptr ? 0 : -1;
}

Reference block_object(worker::BlockReader& reader, const worker::BlockPlace& place,
                       const std::function<void(const worker::BlockPlace&)>& give_back) {
  worker::PrivateBlock block = reader.open(place);
  Reference self(block.valid() ? block_type->tp_alloc(block_type, 0) : PyErr_NoMemory());
  if (!self) {
    give_back(place);
    return {};
  }
  reinterpret_cast<BlockObject*>(self.get())->held = new Held{std::move(block), place, give_back};
  return self;
}

}  // namespace manycore::python::tasks
