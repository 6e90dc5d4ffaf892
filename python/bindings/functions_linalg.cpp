// numpy.linalg on LAPACK. Where the engine refuses an argument, NumPy reads it again and raises its own LinAlgError.
#include "bindings/function_object.h"
#include "bindings/operation_inputs.h"
#include "evaluate/linalg.h"

namespace manycore::python {
namespace {

// Reads the arguments called `names`; the first `arrays` of them are arrays. False: declined, or an exception is set.
template <size_t n>
bool read(FunctionCall& call, const char* const (&names)[n], PyObject* (&values)[n], Array* arrays, int array_count) {
  if (!evaluate::has_linalg()) return call.decline("no LAPACK is loaded"), false;
  if (!parse(call, names, values)) return false;
  for (int i = 0; i < array_count; ++i) {
    if (values[i] == nullptr) return call.decline("arguments that only NumPy serves"), false;
    const int taken = take_array(values[i], &arrays[i]);
    if (taken != 1) return taken == 0 ? (call.decline("type of an operand"), false) : false;
  }
  return true;
}

// True or false as given, -1 for anything else.
int flag(PyObject* value, bool fallback) {
  if (not_given(value)) return fallback;
  return value == Py_True ? 1 : value == Py_False ? 0 : -1;
}

// About the multiplications in a decomposition: what decides whether the GIL is worth releasing.
int64_t work_of(const Array& a) {
  const int64_t size = a.size();
  return a.ndim() < 2 ? size : size * std::min(a.shape()[a.ndim() - 1], a.shape()[a.ndim() - 2]);
}

// NumPy's named tuple, made of new references; null when one of them is.
PyObject* named(const char* name, PyObject* first, PyObject* second, PyObject* third = nullptr) {
  PyObject* result = nullptr;
  PyObject* module = first && second ? PyImport_ImportModule("numpy.linalg._linalg") : nullptr;
  if (module != nullptr) {
    PyObject* type = PyObject_GetAttrString(module, name);
    if (type != nullptr) result = PyObject_CallFunctionObjArgs(type, first, second, third, nullptr);
    Py_XDECREF(type);
    Py_DECREF(module);
  }
  Py_XDECREF(first);
  Py_XDECREF(second);
  Py_XDECREF(third);
  return result;
}

PyObject* svd(FunctionCall& call) {
  static constexpr const char* names[] = {"a", "full_matrices", "compute_uv", "hermitian"};
  PyObject* values[4];
  Array a;
  if (!read(call, names, values, &a, 1)) return nullptr;
  const int full = flag(values[1], true), vectors = flag(values[2], true), hermitian = flag(values[3], false);
  if (full < 0 || vectors < 0 || hermitian != 0) return call.decline("arguments that only NumPy serves");
  evaluate::SvdResult result;
  {
    ReleaseForLarge released(work_of(a));
    result = evaluate::svd(a.view(), full != 0, vectors != 0);
  }
  if (vectors == 0) return wrap(std::move(result.s));
  PyObject* u = wrap(std::move(result.u));
  PyObject* s = wrap(std::move(result.s));
  return named("SVDResult", u, s, wrap(std::move(result.vh)));
}

// UPLO, "L" by default: 1 upper, 0 lower, -1 something else.
int is_upper(PyObject* value) {
  if (not_given(value)) return 0;
  if (!PyUnicode_Check(value) || PyUnicode_GET_LENGTH(value) != 1) return -1;
  const Py_UCS4 letter = PyUnicode_READ_CHAR(value, 0);
  return letter == 'U' || letter == 'u' ? 1 : letter == 'L' || letter == 'l' ? 0 : -1;
}

PyObject* eigenvalues(FunctionCall& call, bool with_vectors) {
  static constexpr const char* names[] = {"a", "UPLO"};
  PyObject* values[2];
  Array a;
  if (!read(call, names, values, &a, 1)) return nullptr;
  const int upper = is_upper(values[1]);
  if (upper < 0) return call.decline("arguments that only NumPy serves");
  evaluate::EighResult result;
  {
    ReleaseForLarge released(work_of(a));
    result = evaluate::eigh(a.view(), upper != 0, with_vectors);
  }
  if (!with_vectors) return wrap(std::move(result.values));
  PyObject* first = wrap(std::move(result.values));
  return named("EighResult", first, wrap(std::move(result.vectors)));
}

PyObject* eigh(FunctionCall& call) { return eigenvalues(call, true); }
PyObject* eigvalsh(FunctionCall& call) { return eigenvalues(call, false); }

PyObject* solve(FunctionCall& call) {
  static constexpr const char* names[] = {"a", "b"};
  PyObject* values[2];
  Array operands[2], result;
  if (!read(call, names, values, operands, 2)) return nullptr;
  {
    ReleaseForLarge released(work_of(operands[0]));
    result = evaluate::solve(operands[0].view(), operands[1].view());
  }
  return wrap(std::move(result));
}

PyObject* inv(FunctionCall& call) {
  static constexpr const char* names[] = {"a"};
  PyObject* values[1];
  Array a, result;
  if (!read(call, names, values, &a, 1)) return nullptr;
  {
    ReleaseForLarge released(work_of(a));
    result = evaluate::inv(a.view());
  }
  return wrap(std::move(result));
}

PyObject* cholesky(FunctionCall& call) {
  static constexpr const char* names[] = {"a", "upper"};
  PyObject* values[2];
  Array a, result;
  if (!read(call, names, values, &a, 1)) return nullptr;
  const int upper = flag(values[1], false);
  if (upper < 0) return call.decline("arguments that only NumPy serves");
  {
    ReleaseForLarge released(work_of(a));
    result = evaluate::cholesky(a.view(), upper != 0);
  }
  return wrap(std::move(result));
}

PyObject* qr(FunctionCall& call) {
  static constexpr const char* names[] = {"a", "mode"};
  PyObject* values[2];
  Array a;
  if (!read(call, names, values, &a, 1)) return nullptr;
  evaluate::QrMode mode = evaluate::QrMode::kReduced;
  if (!not_given(values[1])) {
    if (!PyUnicode_Check(values[1])) return call.decline("arguments that only NumPy serves");
    if (PyUnicode_CompareWithASCIIString(values[1], "complete") == 0)
      mode = evaluate::QrMode::kComplete;
    else if (PyUnicode_CompareWithASCIIString(values[1], "r") == 0)
      mode = evaluate::QrMode::kR;
    else if (PyUnicode_CompareWithASCIIString(values[1], "reduced") != 0)
      return call.decline("arguments that only NumPy serves");
  }
  evaluate::QrResult result;
  {
    ReleaseForLarge released(work_of(a));
    result = evaluate::qr(a.view(), mode);
  }
  if (mode == evaluate::QrMode::kR) return wrap(std::move(result.r));
  PyObject* q = wrap(std::move(result.q));
  return named("QRResult", q, wrap(std::move(result.r)));
}

PyObject* det(FunctionCall& call) {
  static constexpr const char* names[] = {"a"};
  PyObject* values[1];
  Array a, result;
  if (!read(call, names, values, &a, 1)) return nullptr;
  {
    ReleaseForLarge released(work_of(a));
    result = evaluate::det(a.view());
  }
  return wrap_or_scalar(std::move(result));
}

PyObject* slogdet(FunctionCall& call) {
  static constexpr const char* names[] = {"a"};
  PyObject* values[1];
  Array a;
  if (!read(call, names, values, &a, 1)) return nullptr;
  evaluate::SlogdetResult result;
  {
    ReleaseForLarge released(work_of(a));
    result = evaluate::slogdet(a.view());
  }
  PyObject* sign = wrap_or_scalar(std::move(result.sign));
  return named("SlogdetResult", sign, wrap_or_scalar(std::move(result.logarithm)));
}

}  // namespace

const NativeFunctionRow kLinalgFunctions[] = {{"numpy.linalg.svd", svd},
                                              {"numpy.linalg.eigh", eigh},
                                              {"numpy.linalg.eigvalsh", eigvalsh},
                                              {"numpy.linalg.solve", solve},
                                              {"numpy.linalg.inv", inv},
                                              {"numpy.linalg.cholesky", cholesky},
                                              {"numpy.linalg.qr", qr},
                                              {"numpy.linalg.det", det},
                                              {"numpy.linalg.slogdet", slogdet},
                                              {nullptr, nullptr}};

}  // namespace manycore::python
