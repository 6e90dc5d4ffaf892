// C++ exceptions become Python's: around what the bindings ask of the engine. Needs the GIL.
#pragma once

#include <Python.h>

#include <type_traits>

namespace manycore::python {

// Translate the engine's errors (UserError, ResourceError, Bug, std::bad_alloc) to Python exceptions, of NumPy's classes where it is
// loaded.
void set_python_error();

// Call `body` and turn C++ exceptions into Python ones; for slots and methods: return guarded([&]() -> PyObject* { ... });
template <class F>
auto guarded(F&& body) -> decltype(body()) {
  try {
    return body();
  } catch (...) {
    set_python_error();
    if constexpr (std::is_pointer_v<decltype(body())>) {
      return nullptr;
    } else {
      return static_cast<decltype(body())>(-1);
    }
  }
}

}  // namespace manycore::python
