// Values to bytes and back, as multiprocessing does it: a few plain ones as they are (plain_values.h), what is plain by pickle alone, the rest with the reducers that are registered
// there (ForkingPickler), and what neither can do, as lambdas and closures, by cloudpickle where it is installed.
// Large buffers (arrays) leave the pickle and are copied into blocks at once, so that what arrives is what they were at this moment;
// so does a large pickle itself. What arrives is mapped privately: writable, and the receiver's own.
// With the GIL. Errors are Python's.
#pragma once

#include <Python.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bindings/tasks/reference.h"
#include "worker/blocks.h"

namespace manycore::python::tasks {

// Before anything else here; more than once does no harm. Imports multiprocessing.
int load_pickling();

struct Pickled {
  std::string payload;
  std::vector<std::shared_ptr<worker::Lease>> leases;
  bool payload_in_block = false;  // then it is the last lease
  bool by_value = false;          // cloudpickle did it
};

// Puts large bytes where they travel; null with an exception.
using StoreBytes = std::function<std::shared_ptr<worker::Lease>(const void* data, int64_t bytes)>;

// False with an exception. Without a store nothing leaves the pickle. `main_by_value`(object, buffer callback) is asked where the
// pickle names something of `__main__`: another pickle, by value, or None.
bool to_bytes(PyObject* object, const StoreBytes& store, Pickled* pickled, PyObject* main_by_value = nullptr);

// Puts such bytes, or those of another encoding, where they travel. False with an exception.
bool take_payload(const char* bytes, size_t size, const StoreBytes& store, Pickled* pickled);

// Called when nobody uses a block any more, with the GIL.
using BlockReturn = std::function<void(const worker::BlockPlace&)>;

// Called with an Exception set by what cannot be read, with the pickle and its buffers (a list or None): what is left of it, or null
// with an exception.
using Rescue = std::function<Reference(PyObject* pickle, PyObject* buffers)>;

// `reader`: of the sender's store; not needed without places.
Reference from_bytes(worker::Bytes payload, const std::vector<worker::BlockPlace>& places, bool payload_in_block,
                     worker::BlockReader* reader, const BlockReturn& give_back, const Rescue& rescue = {});
// The same, of large bytes that are here already: `buffers` is a list of objects with a buffer (null: none), of which the payload is the last
// where it is in a block.
Reference from_bytes_and_buffers(worker::Bytes payload, PyObject* buffers, bool payload_in_block);
// The payload itself as an object with a buffer, for what is no pickle. Null with an exception.
Reference raw_payload(worker::Bytes payload, const std::vector<worker::BlockPlace>& places, bool payload_in_block,
                      worker::BlockReader* reader, const BlockReturn& give_back);

}  // namespace manycore::python::tasks
