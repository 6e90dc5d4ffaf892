#include "bindings/pcg64.h"

#include <initializer_list>

namespace manycore::python {
namespace {

// numpy.random.PCG64 behind its bitgen_t: NumPy's pcg64_state. The layout is not public, so it is compared once with what the
// generator says of itself; when it differs, draws stay sequential.
struct Pcg64State {
  kernel::Pcg64* generator;
  int has_uint32;
  uint32_t uinteger;
};

PyTypeObject* pcg64_type = nullptr;  // null when its layout is not the expected one

bool says(PyObject* words, const char* name, unsigned __int128 value) {
  PyObject* high = PyLong_FromUnsignedLongLong(static_cast<uint64_t>(value >> 64));
  PyObject* low = PyLong_FromUnsignedLongLong(static_cast<uint64_t>(value));
  PyObject* width = PyLong_FromLong(64);
  PyObject* shifted = high != nullptr && width != nullptr ? PyNumber_Lshift(high, width) : nullptr;
  PyObject* number = shifted != nullptr && low != nullptr ? PyNumber_Or(shifted, low) : nullptr;
  PyObject* said = PyDict_GetItemString(words, name);
  const bool same = number != nullptr && said != nullptr && PyObject_RichCompareBool(number, said, Py_EQ) == 1;
  for (PyObject* object : {high, low, width, shifted, number}) Py_XDECREF(object);
  return same;
}

bool has_expected_layout(PyObject* bits) {
  PyObject* capsule = PyObject_GetAttrString(bits, "capsule");
  PyObject* said = PyObject_GetAttrString(bits, "state");
  PyObject* words = said != nullptr ? PyDict_GetItemString(said, "state") : nullptr;
  bool same = capsule != nullptr && words != nullptr && PyDict_Check(words);
  if (same) {
    const auto* stream = static_cast<bitgen_t*>(PyCapsule_GetPointer(capsule, "BitGenerator"));
    const kernel::Pcg64* held = static_cast<Pcg64State*>(stream->state)->generator;
    same = says(words, "state", held->state) && says(words, "inc", held->increment);
  }
  Py_XDECREF(said);
  Py_XDECREF(capsule);
  PyErr_Clear();
  return same;
}

}  // namespace

void find_pcg64() {
  PyObject* module = PyImport_ImportModule("numpy.random");
  PyObject* type = module != nullptr ? PyObject_GetAttrString(module, "PCG64") : nullptr;
  PyObject* bits = type != nullptr ? PyObject_CallFunction(type, "i", 1) : nullptr;
  if (bits != nullptr && has_expected_layout(bits)) pcg64_type = reinterpret_cast<PyTypeObject*>(Py_NewRef(type));
  Py_XDECREF(bits);
  Py_XDECREF(type);
  Py_XDECREF(module);
  PyErr_Clear();
}

kernel::Pcg64* pcg64_behind(PyObject* bits, const bitgen_t* stream) {
  if (pcg64_type == nullptr || Py_TYPE(bits) != pcg64_type) return nullptr;
  return static_cast<Pcg64State*>(stream->state)->generator;
}

}  // namespace manycore::python
