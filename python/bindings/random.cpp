// numpy.random.Generator's common methods filling our memory: NumPy's own distribution functions (libnpyrandom.a, which its
// wheel carries) over the generator's own bit stream, under its lock, so that streams continue bit for bit whichever side draws.
// Used only while the NumPy at run time is the release that the functions came from; everything else is the base class's.
#include "evaluate/random.h"

#include <numpy/numpyconfig.h>
#include <numpy/random/distributions.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bindings/array_object.h"
#include "bindings/fallback.h"
#include "bindings/function_arguments.h"
#include "bindings/numpy_random.h"
#include "bindings/operation_inputs.h"
#include "bindings/pcg64.h"
#include "bindings/real_numpy.h"
#include "bindings/real_values.h"
#include "bindings/trace.h"
#include "sched/parallel.h"
#include "trace/counters.h"

namespace manycore::python {
namespace {

PyTypeObject* base_type = nullptr;  // numpy.random.Generator
bool same_release = false;

// The generator's bit stream, locked while this lives.
class LockedStream {
 public:
  explicit LockedStream(PyObject* generator) {
    const Names& text = names();
    PyObject* bits = PyObject_GetAttr(generator, text.bit_generator);
    PyObject* capsule = bits != nullptr ? PyObject_GetAttr(bits, text.capsule) : nullptr;
    lock_ = capsule != nullptr ? PyObject_GetAttr(bits, text.lock) : nullptr;
    PyObject* held = lock_ != nullptr ? PyObject_CallMethodNoArgs(lock_, text.acquire) : nullptr;
    if (held != nullptr) stream_ = static_cast<bitgen_t*>(PyCapsule_GetPointer(capsule, "BitGenerator"));
    if (stream_ != nullptr) pcg64_ = pcg64_behind(bits, stream_);
    Py_XDECREF(held);
    Py_XDECREF(capsule);
    Py_XDECREF(bits);
  }
  LockedStream(const LockedStream&) = delete;
  LockedStream& operator=(const LockedStream&) = delete;
  ~LockedStream() {
    if (stream_ != nullptr) {
      PyObject *type, *value, *traceback;
      PyErr_Fetch(&type, &value, &traceback);
      Py_XDECREF(PyObject_CallMethodNoArgs(lock_, names().release));
      PyErr_Restore(type, value, traceback);
    }
    Py_XDECREF(lock_);
  }
  bitgen_t* get() const { return stream_; }        // null with an exception set
  kernel::Pcg64* pcg64() const { return pcg64_; }  // null for other bit generators

 private:
  // Made once: building these strings would double the cost of drawing ten numbers.
  struct Names {
    PyObject* bit_generator = PyUnicode_InternFromString("bit_generator");
    PyObject* capsule = PyUnicode_InternFromString("capsule");
    PyObject* lock = PyUnicode_InternFromString("lock");
    PyObject* acquire = PyUnicode_InternFromString("acquire");
    PyObject* release = PyUnicode_InternFromString("release");
  };
  static const Names& names() {
    static const Names made;
    return made;
  }

  kernel::Pcg64* pcg64_ = nullptr;
  PyObject* lock_ = nullptr;
  bitgen_t* stream_ = nullptr;
};

// fill(stream, first, n) for all of [0, count). Between the parts Ctrl-C is looked for, without the generator's lock: a signal
// handler may draw too. A part lasts some 10 ms.
template <class Fill>
bool in_parts(PyObject* generator, int64_t count, int64_t part, Fill fill) {
  for (int64_t first = 0; first < count; first += part) {
    if (first > 0) sched::stop_if_interrupted();
    LockedStream stream(generator);
    if (stream.get() == nullptr) return false;
    const int64_t n = std::min(part, count - first);
    ReleaseForLarge released(n * 8);  // a draw costs several times an addition
    fill(stream, first, n);
    if (n == count - first) break;
  }
  return true;
}

// New memory of that shape, filled by fill(stream, count, data) without the GIL. A stream that is drawn in several parts goes on
// where it was, but for integers of one and two bytes, of which a call takes several from one draw.
template <class Fill>
PyObject* drawn(PyObject* generator, const Dims& shape, DType dtype, Fill fill) {
  const trace::NativeTime time;
  Array made = Array::empty(shape, dtype);
  const int64_t item = item_size(dtype);
  const int64_t part = item >= 4 ? int64_t{1} << 20 : std::numeric_limits<int64_t>::max();
  const bool filled = in_parts(generator, made.size(), part, [&](const LockedStream& stream, int64_t first, int64_t n) {
    fill(stream.get(), static_cast<npy_intp>(n), made.data() + first * item);
  });
  if (!filled) return nullptr;
  trace::count_native(made.nbytes());
  return wrap(std::move(made));
}

// low + range * u, by all threads where the generator can jump ahead.
PyObject* drawn_uniform(PyObject* generator, const Dims& shape, double low, double range) {
  const trace::NativeTime time;
  Array made = Array::empty(shape, DType::kFloat64);
  const std::span<double> values(reinterpret_cast<double*>(made.data()), static_cast<size_t>(made.size()));
  const bool filled =
      in_parts(generator, made.size(), int64_t{1} << 23, [&](const LockedStream& stream, int64_t first, int64_t n) {
        const std::span<double> part = values.subspan(static_cast<size_t>(first), static_cast<size_t>(n));
        if (stream.pcg64() != nullptr) {
          evaluate::draw_uniform(stream.pcg64(), low, range, part);
        } else {
          for (double& value : part) value = random_uniform(stream.get(), low, range);
        }
      });
  if (!filled) return nullptr;
  trace::count_native(made.nbytes());
  return wrap(std::move(made));
}

bool number_from(PyObject* object, double otherwise, double* value) {
  *value = otherwise;
  if (object == nullptr) return true;
  if (!PyFloat_CheckExact(object) && !PyLong_CheckExact(object)) return false;
  *value = PyFloat_AsDouble(object);
  if (*value == -1.0 && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    return false;
  }
  return true;
}

// size=: given, and a shape. None asks for one number, which the base class draws.
bool size_from(FunctionCall& call, PyObject* size, Dims* shape) {
  if (same_release && !not_given(size) && shape_from(size, shape)) return true;
  call.declined = "one number";
  return false;
}

// The two floating point dtypes that the standard distributions take.
bool float_from(FunctionCall& call, PyObject* object, DType* dtype) {
  *dtype = DType::kFloat64;
  if (object != nullptr && (!dtype_from_descr(object, dtype) || (*dtype != DType::kFloat64 && *dtype != DType::kFloat32))) {
    call.declined = "argument dtype";
    return false;
  }
  return true;
}

using Fill64 = void (*)(bitgen_t*, npy_intp, double*);
using Fill32 = void (*)(bitgen_t*, npy_intp, float*);

template <Fill64 kFill64, Fill32 kFill32>
PyObject* standard(PyObject* self, FunctionCall& call, PyObject* size, PyObject* dtype_object, PyObject* out) {
  Dims shape;
  DType dtype;
  if (!not_given(out)) return call.decline("argument out");
  if (!size_from(call, size, &shape) || !float_from(call, dtype_object, &dtype)) return nullptr;
  if (kFill64 == random_standard_uniform_fill && dtype == DType::kFloat64) return drawn_uniform(self, shape, 0.0, 1.0);
  return drawn(self, shape, dtype, [&](bitgen_t* stream, npy_intp count, std::byte* data) {
    if (dtype == DType::kFloat64) {
      kFill64(stream, count, reinterpret_cast<double*>(data));
    } else {
      kFill32(stream, count, reinterpret_cast<float*>(data));
    }
  });
}

PyObject* random(PyObject* self, FunctionCall& call) {
  static constexpr const char* names[] = {"size", "dtype", "out"};
  PyObject* values[3];
  if (!parse(call, names, values)) return nullptr;
  return standard<random_standard_uniform_fill, random_standard_uniform_fill_f>(self, call, values[0], values[1], values[2]);
}

PyObject* standard_normal(PyObject* self, FunctionCall& call) {
  static constexpr const char* names[] = {"size", "dtype", "out"};
  PyObject* values[3];
  if (!parse(call, names, values)) return nullptr;
  return standard<random_standard_normal_fill, random_standard_normal_fill_f>(self, call, values[0], values[1], values[2]);
}

PyObject* standard_exponential(PyObject* self, FunctionCall& call) {
  static constexpr const char* names[] = {"size", "dtype", "method", "out"};
  PyObject* values[4];
  if (!parse(call, names, values)) return nullptr;
  if (values[2] != nullptr) return call.decline("argument method");
  return standard<random_standard_exponential_fill, random_standard_exponential_fill_f>(self, call, values[0], values[1],
                                                                                        values[3]);
}

// Two parameters, one value each: normal and uniform.
template <class Draw>
PyObject* drawn_each(PyObject* self, const Dims& shape, Draw draw) {
  return drawn(self, shape, DType::kFloat64, [&](bitgen_t* stream, npy_intp count, std::byte* data) {
    auto* values = reinterpret_cast<double*>(data);
    for (npy_intp i = 0; i < count; ++i) values[i] = draw(stream);
  });
}

// NumPy refuses negative scales, -0.0 among them, and NaN passes; both are left to it.
bool is_plain_scale(double scale) { return scale >= 0 && !std::signbit(scale) && std::isfinite(scale); }

PyObject* normal(PyObject* self, FunctionCall& call) {
  static constexpr const char* names[] = {"loc", "scale", "size"};
  PyObject* values[3];
  if (!parse(call, names, values)) return nullptr;
  Dims shape;
  double location, scale;
  if (!size_from(call, values[2], &shape)) return nullptr;
  if (!number_from(values[0], 0.0, &location) || !number_from(values[1], 1.0, &scale) || !is_plain_scale(scale)) {
    return call.decline("parameters that are not plain numbers");
  }
  return drawn_each(self, shape, [=](bitgen_t* stream) { return random_normal(stream, location, scale); });
}

PyObject* uniform(PyObject* self, FunctionCall& call) {
  static constexpr const char* names[] = {"low", "high", "size"};
  PyObject* values[3];
  if (!parse(call, names, values)) return nullptr;
  Dims shape;
  double low, high;
  if (!size_from(call, values[2], &shape)) return nullptr;
  if (!number_from(values[0], 0.0, &low) || !number_from(values[1], 1.0, &high) || !std::isfinite(low) ||
      !is_plain_scale(high - low)) {
    return call.decline("parameters that are not plain numbers");
  }
  return drawn_uniform(self, shape, low, high - low);
}

PyObject* exponential(PyObject* self, FunctionCall& call) {
  static constexpr const char* names[] = {"scale", "size"};
  PyObject* values[2];
  if (!parse(call, names, values)) return nullptr;
  Dims shape;
  double scale;
  if (!size_from(call, values[1], &shape)) return nullptr;
  if (!number_from(values[0], 1.0, &scale) || !is_plain_scale(scale))
    return call.decline("parameters that are not plain numbers");
  return drawn_each(self, shape, [=](bitgen_t* stream) { return random_exponential(stream, scale); });
}

// Whether [low, last] lies within the dtype.
bool fits(int64_t low, int64_t last, DType dtype) {
  const int bits = static_cast<int>(item_size(dtype)) * 8;
  if (is_unsigned_integer(dtype)) return low >= 0 && (bits == 64 || last <= (int64_t{1} << bits) - 1);
  if (bits == 64) return true;
  return low >= -(int64_t{1} << (bits - 1)) && last <= (int64_t{1} << (bits - 1)) - 1;
}

void fill_integers(bitgen_t* stream, npy_intp count, std::byte* data, int64_t size, uint64_t low, uint64_t range) {
  constexpr bool kMasked = false;  // Lemire's method, Generator's only one
  switch (size) {
    case 8:
      return random_bounded_uint64_fill(stream, low, range, count, kMasked, reinterpret_cast<uint64_t*>(data));
    case 4:
      return random_bounded_uint32_fill(stream, static_cast<uint32_t>(low), static_cast<uint32_t>(range), count, kMasked,
                                        reinterpret_cast<uint32_t*>(data));
    case 2:
      return random_bounded_uint16_fill(stream, static_cast<uint16_t>(low), static_cast<uint16_t>(range), count, kMasked,
                                        reinterpret_cast<uint16_t*>(data));
    default:
      return random_bounded_uint8_fill(stream, static_cast<uint8_t>(low), static_cast<uint8_t>(range), count, kMasked,
                                       reinterpret_cast<uint8_t*>(data));
  }
}

PyObject* integers(PyObject* self, FunctionCall& call) {
  static constexpr const char* names[] = {"low", "high", "size", "dtype", "endpoint"};
  PyObject* values[5];
  if (!parse(call, names, values)) return nullptr;
  Dims shape;
  if (!size_from(call, values[2], &shape)) return nullptr;
  DType dtype = DType::kInt64;
  int64_t low = 0, high = 0;
  if ((values[3] != nullptr && !dtype_from_descr(values[3], &dtype)) || !is_integer(dtype) || values[0] == nullptr ||
      !PyLong_CheckExact(values[0]) || !integer_from(values[0], &low) ||
      (!not_given(values[1]) && (!PyLong_CheckExact(values[1]) || !integer_from(values[1], &high)))) {
    return call.decline("parameters that are not plain numbers");
  }
  if (not_given(values[1])) high = std::exchange(low, 0);
  const int closed = values[4] != nullptr ? PyObject_IsTrue(values[4]) : 0;
  if (closed < 0) return nullptr;
  if (closed == 0 && high == std::numeric_limits<int64_t>::min()) return call.decline("empty range");
  const int64_t last = closed != 0 ? high : high - 1;
  if (last < low || !fits(low, last, dtype)) return call.decline("range outside of the dtype");
  const uint64_t range = static_cast<uint64_t>(last) - static_cast<uint64_t>(low);
  return drawn(self, shape, dtype, [&](bitgen_t* stream, npy_intp count, std::byte* data) {
    fill_integers(stream, count, data, item_size(dtype), static_cast<uint64_t>(low), range);
  });
}

// Scalars and None only: nothing crosses, and a loop that draws single numbers must not pay for looking.
bool is_scalar_call(PyObject* const* args, Py_ssize_t count) {
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (!PyFloat_CheckExact(args[i]) && !PyLong_CheckExact(args[i]) && args[i] != Py_None) return false;
  }
  return true;
}

// The base class's method, on real arrays. `method` is borrowed.
PyObject* base_method(PyObject* self, PyObject* method, const char* name, FunctionCall& call) {
  const Py_ssize_t total = call.nargs + (call.kwnames != nullptr ? PyTuple_GET_SIZE(call.kwnames) : 0);
  const auto count = static_cast<size_t>(call.nargs + 1);
  constexpr Py_ssize_t kFew = 4;
  if (same_release && call.kwnames == nullptr && total <= kFew && is_scalar_call(call.args, total)) {
    PyObject* arguments[kFew + 1] = {self};
    std::copy_n(call.args, total, arguments + 1);
    PyObject* result = PyObject_Vectorcall(method, arguments, count, nullptr);
    if (result == nullptr || !is_real_array(result)) return result;
    RealValues values;  // a size with parameters that the native version leaves to NumPy
    result = values.from_real(result);
    const std::string full_name = std::string("numpy.random.Generator.") + name;
    if (result != nullptr && record_fallback(full_name.c_str(), call.declined, values.bytes()) < 0) Py_CLEAR(result);
    return result;
  }
  std::vector<PyObject*> arguments{self};
  arguments.insert(arguments.end(), call.args, call.args + total);
  const std::string full_name = std::string("numpy.random.Generator.") + name;
  return call_fallback(method, arguments.data(), count, call.kwnames, full_name.c_str(), call.declined);
}

using Drawer = PyObject* (*)(PyObject*, FunctionCall&);

template <const char* kName, Drawer kDrawer>
PyObject* method(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  FunctionCall call{args, nargs, kwnames};
  PyObject* result = guarded([&] { return kDrawer(self, call); });
  if (result != nullptr || PyErr_Occurred() != nullptr) return result;
  static PyObject* base = PyObject_GetAttrString(reinterpret_cast<PyObject*>(base_type), kName);
  return base != nullptr ? base_method(self, base, kName, call) : nullptr;
}

constexpr char kRandom[] = "random", kStandardNormal[] = "standard_normal", kStandardExponential[] = "standard_exponential",
               kNormal[] = "normal", kUniform[] = "uniform", kExponential[] = "exponential", kIntegers[] = "integers";

template <const char* kName, Drawer kDrawer>
constexpr PyMethodDef row() {
  return {kName, reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(method<kName, kDrawer>)), METH_FASTCALL | METH_KEYWORDS,
          nullptr};
}

PyMethodDef generator_methods[] = {
    {kRandom, nullptr, 0, nullptr},  {kStandardNormal, nullptr, 0, nullptr}, {kStandardExponential, nullptr, 0, nullptr},
    {kNormal, nullptr, 0, nullptr},  {kUniform, nullptr, 0, nullptr},        {kExponential, nullptr, 0, nullptr},
    {kIntegers, nullptr, 0, nullptr}};

void fill_methods() {
  generator_methods[0] = row<kRandom, random>();
  generator_methods[1] = row<kStandardNormal, standard_normal>();
  generator_methods[2] = row<kStandardExponential, standard_exponential>();
  generator_methods[3] = row<kNormal, normal>();
  generator_methods[4] = row<kUniform, uniform>();
  generator_methods[5] = row<kExponential, exponential>();
  generator_methods[6] = row<kIntegers, integers>();
}

// add_generator_methods(cls, base, numpy_version)
PyObject* add_generator_methods(PyObject*, PyObject* args) {
  PyTypeObject *type, *base;
  const char* version;
  if (!PyArg_ParseTuple(args, "O!O!s:add_generator_methods", &PyType_Type, &type, &PyType_Type, &base, &version)) return nullptr;
  base_type = reinterpret_cast<PyTypeObject*>(Py_NewRef(reinterpret_cast<PyObject*>(base)));
  same_release = std::string(version).starts_with(std::string(MANYCORE_NUMPY_RELEASE) + ".");
  if (same_release) find_pcg64();
  fill_methods();
  for (PyMethodDef& definition : generator_methods) {
    PyObject* descriptor = PyDescr_NewMethod(type, &definition);
    const int added =
        descriptor != nullptr ? PyObject_SetAttrString(reinterpret_cast<PyObject*>(type), definition.ml_name, descriptor) : -1;
    Py_XDECREF(descriptor);
    if (added < 0) return nullptr;
  }
  Py_RETURN_NONE;
}

PyMethodDef module_methods[] = {
    {"add_generator_methods", add_generator_methods, METH_VARARGS,
     "add_generator_methods(cls, base, numpy_version): the native methods of a subclass of numpy.random.Generator."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool register_random(PyObject* module) { return PyModule_AddFunctions(module, module_methods) == 0; }

}  // namespace manycore::python
