#include "bindings/tasks/pickling.h"

#include <string.h>

#include <string_view>
#include <utility>

#include "bindings/tasks/block_object.h"
#include "bindings/tasks/names_main.h"
#include "bindings/tasks/plain_values.h"
#include "worker/link.h"

namespace manycore::python::tasks {
namespace {

PyObject* pickle_dumps = nullptr;
PyObject* pickle_loads = nullptr;
PyObject* pickler_class = nullptr;  // the C one
PyObject* pickling_error = nullptr;
PyObject* bytes_io = nullptr;
PyObject* protocol = nullptr;
PyObject* dump_name = nullptr;
PyObject* loads_names = nullptr;       // ("buffers",)
PyObject* general_reducers = nullptr;  // the registries are asked at each pickle, so that later registrations count
PyObject* own_reducers = nullptr;      // ForkingPickler's, which go first

constexpr int kDepth = 4;

bool is_plain(PyObject* object, int depth) {
  if (object == Py_None || PyLong_CheckExact(object) || PyFloat_CheckExact(object) || PyUnicode_CheckExact(object) ||
      PyBool_Check(object) || PyBytes_CheckExact(object) || PyComplex_CheckExact(object))
    return true;
  if (depth == 0) return false;
  if (PyTuple_CheckExact(object) || PyList_CheckExact(object)) {
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i) {
      if (!is_plain(PySequence_Fast_GET_ITEM(object, i), depth - 1)) return false;
    }
    return true;
  }
  if (!PyDict_CheckExact(object)) return false;
  PyObject *key, *value;
  for (Py_ssize_t position = 0; PyDict_Next(object, &position, &key, &value);) {
    if (!is_plain(key, depth - 1) || !is_plain(value, depth - 1)) return false;
  }
  return true;
}

// What buffer_callback is given: a buffer either goes into a block (False) or stays in the pickle (True).
struct Sink {
  const StoreBytes& store;
  std::vector<std::shared_ptr<worker::Lease>>* leases;
};

PyObject* take_buffer(PyObject* capsule, PyObject* buffer) {
  auto* sink = static_cast<Sink*>(PyCapsule_GetPointer(capsule, nullptr));
  const Py_buffer* view = sink != nullptr ? PyPickleBuffer_GetBuffer(buffer) : nullptr;
  if (view == nullptr) return nullptr;
  if (view->len < worker::kSmallestBlock || sink->leases->size() + 1 >= worker::kMostBlocks ||
      PyBuffer_IsContiguous(view, 'A') == 0)
    Py_RETURN_TRUE;
  std::shared_ptr<worker::Lease> lease = sink->store(view->buf, view->len);
  if (lease == nullptr) return nullptr;
  sink->leases->push_back(std::move(lease));
  Py_RETURN_FALSE;
}

PyMethodDef take_buffer_method = {"take_buffer", take_buffer, METH_O, nullptr};

Reference buffer_callback(Sink* sink) {
  if (!sink->store) return Reference::to(Py_None);
  const Reference capsule(PyCapsule_New(sink, nullptr, nullptr));
  return capsule ? Reference(PyCFunction_New(&take_buffer_method, capsule.get())) : Reference();
}

Reference dump_with_registries(PyObject* object, PyObject* callback) {
  const Reference file(PyObject_CallNoArgs(bytes_io));
  if (!file) return {};
  PyObject* arguments[] = {file.get(), protocol, Py_True, callback};
  const Reference pickler(PyObject_Vectorcall(pickler_class, arguments, 2 + 2, nullptr));
  // A dict, which the pickler looks into by itself: for any other mapping it calls Python with each object.
  const Reference table(PyDict_Copy(general_reducers));
  if (!pickler || !table || PyDict_Update(table.get(), own_reducers) < 0) return {};
  if (PyObject_SetAttrString(pickler.get(), "dispatch_table", table.get()) < 0) return {};
  if (!Reference(PyObject_CallMethodOneArg(pickler.get(), dump_name, object))) return {};
  return Reference(PyObject_CallMethod(file.get(), "getvalue", nullptr));
}

// Null without an exception where cloudpickle is not installed.
Reference dump_by_value(PyObject* object, PyObject* callback) {
  const Reference module(PyImport_ImportModule("cloudpickle"));
  if (!module) {
    if (PyErr_ExceptionMatches(PyExc_ImportError)) PyErr_Clear();
    return {};
  }
  return Reference(PyObject_CallMethod(module.get(), "dumps", "OOO", object, protocol, callback));
}

Reference attribute(const char* module, const char* name) {
  const Reference imported(PyImport_ImportModule(module));
  return imported ? Reference(PyObject_GetAttrString(imported.get(), name)) : Reference();
}

}  // namespace

int load_pickling() {
  if (own_reducers != nullptr) return 0;
  pickle_dumps = attribute("_pickle", "dumps").release();
  pickle_loads = attribute("_pickle", "loads").release();
  pickler_class = attribute("_pickle", "Pickler").release();
  pickling_error = attribute("_pickle", "PicklingError").release();
  bytes_io = attribute("io", "BytesIO").release();
  protocol = PyLong_FromLong(5);
  dump_name = PyUnicode_InternFromString("dump");
  loads_names = Py_BuildValue("(s)", "buffers");
  const Reference forking = attribute("multiprocessing.reduction", "ForkingPickler");
  general_reducers = attribute("copyreg", "dispatch_table").release();
  if (!forking || general_reducers == nullptr) return -1;
  own_reducers = PyObject_GetAttrString(forking.get(), "_extra_reducers");
  return pickle_dumps && pickle_loads && pickling_error && pickler_class && bytes_io && protocol && dump_name && loads_names &&
                 own_reducers
             ? 0
             : -1;
}

namespace {

Reference dump(PyObject* object, Sink* sink, bool* by_value, PyObject* main_by_value) {
  if (is_plain(object, kDepth)) {
    PyObject* arguments[] = {object, protocol};
    return Reference(PyObject_Vectorcall(pickle_dumps, arguments, 2, nullptr));
  }
  const Reference callback = buffer_callback(sink);
  if (!callback) return {};
  Reference pickled = dump_with_registries(object, callback.get());
  if (pickled && main_by_value != nullptr &&
      names_main({PyBytes_AS_STRING(pickled.get()), static_cast<size_t>(PyBytes_GET_SIZE(pickled.get()))})) {
    std::vector<std::shared_ptr<worker::Lease>> leases;
    std::swap(leases, *sink->leases);
    Reference again(PyObject_CallFunctionObjArgs(main_by_value, object, callback.get(), nullptr));
    if (!again || again.get() != Py_None) {
      *by_value = static_cast<bool>(again);
      return again;
    }
    std::swap(leases, *sink->leases);
  }
  if (pickled || !PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError)) return pickled;
  // What the plain pickler says is what the user knows, so it is what is raised if cloudpickle cannot do it either; but not where it
  // only found no name, as of a lambda, which did not keep cloudpickle from it.
  const bool by_name = PyErr_ExceptionMatches(pickling_error) || PyErr_ExceptionMatches(PyExc_AttributeError);
  const Reference failure = take_raised();
  sink->leases->clear();
  pickled = dump_by_value(object, callback.get());
  *by_value = static_cast<bool>(pickled);
  if (!pickled && !(by_name && PyErr_Occurred() != nullptr)) {
    PyErr_Clear();
    raise(failure.get());
  }
  return pickled;
}

}  // namespace

bool to_bytes(PyObject* object, const StoreBytes& store, Pickled* pickled, PyObject* main_by_value) {
  pickled->leases.clear();
  pickled->payload.clear();
  pickled->payload_in_block = pickled->by_value = false;
  if (write_plain(object, &pickled->payload)) return true;
  Sink sink{store, &pickled->leases};
  const Reference bytes = dump(object, &sink, &pickled->by_value, main_by_value);
  if (!bytes) return false;
  return take_payload(PyBytes_AS_STRING(bytes.get()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.get())), store, pickled);
}

bool take_payload(const char* bytes, size_t size, const StoreBytes& store, Pickled* pickled) {
  if (!store || size <= worker::kLongestInline) {
    pickled->payload.assign(bytes, size);
    return true;
  }
  std::shared_ptr<worker::Lease> lease = store(bytes, static_cast<int64_t>(size));
  if (lease == nullptr) return false;
  pickled->leases.push_back(std::move(lease));
  pickled->payload_in_block = true;
  return true;
}

namespace {

// What came in blocks, in a list (none: null), and the payload. Null with an exception.
Reference open_payload(worker::Bytes payload, const std::vector<worker::BlockPlace>& places, bool payload_in_block,
                       worker::BlockReader* reader, const BlockReturn& give_back, Reference& buffers) {
  Reference input;
  if (!places.empty()) {
    buffers = Reference(PyList_New(0));
    for (const worker::BlockPlace& place : places) {
      // Even if mapping fails each place is given back once, by the object that stands for it.
      const Reference buffer = block_object(*reader, place, give_back);
      if (!buffer || !buffers || PyList_Append(buffers.get(), buffer.get()) < 0) {
        for (const worker::BlockPlace* rest = &place + 1; rest != places.data() + places.size(); ++rest) give_back(*rest);
        return {};
      }
    }
    if (payload_in_block) {
      input = Reference(PySequence_GetItem(buffers.get(), -1));
      if (!input || PySequence_DelItem(buffers.get(), -1) < 0) return {};
    }
  }
  if (!input) {
    input = Reference(
        PyBytes_FromStringAndSize(reinterpret_cast<const char*>(payload.data()), static_cast<Py_ssize_t>(payload.size())));
    if (!input) return {};
  }
  return input;
}

}  // namespace

Reference from_bytes(worker::Bytes payload, const std::vector<worker::BlockPlace>& places, bool payload_in_block,
                     worker::BlockReader* reader, const BlockReturn& give_back, const Rescue& rescue) {
  if (is_written_plain(payload)) return read_plain(payload);
  Reference buffers;
  const Reference input = open_payload(payload, places, payload_in_block, reader, give_back, buffers);
  if (!input) return {};
  PyObject* arguments[] = {input.get(), buffers ? buffers.get() : Py_None};
  const bool plain = !buffers || PyList_GET_SIZE(buffers.get()) == 0;
  Reference object(PyObject_Vectorcall(pickle_loads, arguments, 1, plain ? nullptr : loads_names));
  if (!object && rescue && PyErr_ExceptionMatches(PyExc_Exception)) [[unlikely]]
    return rescue(arguments[0], arguments[1]);
  return object;
}

Reference from_bytes_and_buffers(worker::Bytes payload, PyObject* buffers, bool payload_in_block) {
  if (buffers == nullptr || PyList_GET_SIZE(buffers) == 0) return from_bytes(payload, {}, false, nullptr, {});
  Reference input;
  if (payload_in_block) {
    input = Reference(PySequence_GetItem(buffers, -1));
    if (!input || PySequence_DelItem(buffers, -1) < 0) return {};
  } else {
    input = Reference(
        PyBytes_FromStringAndSize(reinterpret_cast<const char*>(payload.data()), static_cast<Py_ssize_t>(payload.size())));
    if (!input) return {};
  }
  PyObject* arguments[] = {input.get(), buffers};
  return Reference(PyObject_Vectorcall(pickle_loads, arguments, 1, loads_names));
}

Reference raw_payload(worker::Bytes payload, const std::vector<worker::BlockPlace>& places, bool payload_in_block,
                      worker::BlockReader* reader, const BlockReturn& give_back) {
  Reference buffers;
  return open_payload(payload, places, payload_in_block, reader, give_back, buffers);
}

}  // namespace manycore::python::tasks
