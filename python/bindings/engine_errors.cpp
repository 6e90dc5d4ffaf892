#include "bindings/engine_errors.h"

#include <cxxabi.h>

#include <exception>
#include <new>

#include "bindings/gil.h"

namespace manycore::python {
namespace {

// As the future of the call will raise it.
void set_cancelled(const char* text) {
  PyObject* futures = PyImport_ImportModule("concurrent.futures");
  PyObject* error = futures != nullptr ? PyObject_GetAttrString(futures, "CancelledError") : nullptr;
  if (error != nullptr) PyErr_SetString(error, text);
  Py_XDECREF(error);
  Py_XDECREF(futures);
}

}  // namespace

void set_engine_error(PyObject* (*class_of)(const UserError&)) {
  try {
    throw;
  } catch (const abi::__forced_unwind&) {
    stop_thread();  // the interpreter ends, see gil.h
  } catch (const UserError& error) {
    PyErr_SetString(class_of(error), error.what());
  } catch (const Stopped& error) {
    set_cancelled(error.what());
  } catch (const Interrupted&) {
    // The handler's exception is set already, on this thread.
    if (!PyErr_Occurred()) PyErr_SetNone(PyExc_KeyboardInterrupt);
  } catch (const ResourceError& error) {
    PyErr_SetString(PyExc_MemoryError, error.what());
  } catch (const Bug& error) {
    PyErr_Format(PyExc_SystemError, "manycore: broken invariant: %s; please report it", error.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  } catch (...) {
    PyErr_SetString(PyExc_RuntimeError, "manycore: unknown C++ exception");
  }
}

}  // namespace manycore::python
