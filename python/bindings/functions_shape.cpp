// Functions that are a method of the array, and broadcast_to and concatenate.
#include <vector>

#include "bindings/fallback.h"
#include "bindings/function_object.h"
#include "bindings/operation_inputs.h"
#include "bindings/real_numpy.h"
#include "evaluate/create.h"

namespace manycore::python {
namespace {

// The first argument as an object of our array type; null without an exception when it is none.
PyObject* array_object_of(PyObject* object) {
  if (is_array(object)) return Py_NewRef(object);
  if (!is_real_array(object) && !PyList_CheckExact(object) && !PyTuple_CheckExact(object)) return nullptr;
  PyObject* made = is_real_array(object) ? from_numpy(object) : call_numpy(real_numpy().asarray, &object, 1, nullptr);
  if (made != nullptr && is_array(made)) return made;
  Py_XDECREF(made);
  PyErr_Clear();  // an exception of the conversion is raised again by NumPy's own function
  return nullptr;
}

// array.method(*rest): the function and the method take the same arguments after the array.
template <const char* kMethod>
PyObject* method(FunctionCall& call) {
  static PyObject* name = PyUnicode_InternFromString(kMethod);
  if (call.nargs == 0) return call.decline("array given by keyword");
  PyObject* self = array_object_of(call.args[0]);
  if (self == nullptr) return PyErr_Occurred() != nullptr ? nullptr : call.decline("type of the array");
  const Py_ssize_t total = call.nargs + (call.kwnames != nullptr ? PyTuple_GET_SIZE(call.kwnames) : 0);
  std::vector<PyObject*> arguments(call.args, call.args + total);
  arguments[0] = self;
  PyObject* result = PyObject_VectorcallMethod(name, arguments.data(), static_cast<size_t>(call.nargs), call.kwnames);
  Py_DECREF(self);
  return result;
}
constexpr char kReshape[] = "reshape", kTranspose[] = "transpose", kSwapaxes[] = "swapaxes", kRavel[] = "ravel",
               kSqueeze[] = "squeeze", kTake[] = "take", kRepeat[] = "repeat", kRound[] = "round", kDiagonal[] = "diagonal",
               kNonzero[] = "nonzero";

// reshape and ravel take their own keywords by position only in the method.
PyObject* reshape(FunctionCall& call) {
  if (call.nargs < 2 || call.kwnames != nullptr) return call.decline("arguments that only NumPy serves");
  if (call.nargs > 2) return call.decline("argument order");
  return method<kReshape>(call);
}

PyObject* broadcast_to(FunctionCall& call) {
  static constexpr const char* names[] = {"array", "shape", "subok"};
  PyObject* values[3];
  if (!parse(call, names, values)) return nullptr;
  Dims shape;
  if (values[0] == nullptr || values[1] == nullptr || !shape_from(values[1], &shape)) {
    return call.decline("arguments that only NumPy serves");
  }
  PyObject* self = array_object_of(values[0]);
  if (self == nullptr) return PyErr_Occurred() != nullptr ? nullptr : call.decline("type of the array");
  PyObject* result = nullptr;
  try {
    result = wrap_view(array_of(self).broadcast_to(shape), self);
  } catch (...) {
    Py_DECREF(self);
    throw;
  }
  Py_DECREF(self);
  if (result != nullptr) reinterpret_cast<ArrayObject*>(result)->writeable = false;
  return result;
}

PyObject* concatenate(FunctionCall& call) {
  static constexpr const char* names[] = {"arrays", "axis", "out", "dtype", "casting"};
  PyObject* values[5];
  if (!parse(call, names, values)) return nullptr;
  PyObject* sequence = values[0];
  if (sequence == nullptr || (!PyTuple_Check(sequence) && !PyList_Check(sequence))) return call.decline("type of the arrays");
  int64_t axis = 0;
  const bool flatten = values[1] == Py_None;
  if (values[1] != nullptr && !flatten && !integer_from(values[1], &axis)) return call.decline("argument axis");
  std::vector<Array> arrays(static_cast<size_t>(PySequence_Fast_GET_SIZE(sequence)));
  if (arrays.empty()) return call.decline("no arrays");
  int64_t elements = 0;
  for (size_t i = 0; i < arrays.size(); ++i) {
    const int taken = take_array(PySequence_Fast_GET_ITEM(sequence, static_cast<Py_ssize_t>(i)), &arrays[i]);
    if (taken != 1) return taken == 0 ? call.decline("type of an array") : nullptr;
    if (flatten) arrays[i] = arrays[i].reshape(Dims{arrays[i].size()});
    elements += arrays[i].size();
  }
  std::vector<View> views;
  views.reserve(arrays.size());
  for (const Array& array : arrays) views.push_back(array.view());
  evaluate::ElementwiseOptions options;
  Array output;
  if (!not_given(values[2])) {
    if (const int taken = take_output(values[2], &output); taken != 1) return taken == 0 ? call.decline("argument out") : nullptr;
    options.outputs[0] = &output;
  }
  if (!not_given(values[2]) && !not_given(values[3])) return call.decline("arguments out and dtype");
  DType dtype;
  if (!not_given(values[3])) {
    if (!dtype_from_descr(values[3], &dtype)) return call.decline("argument dtype");
    options.dtype = dtype;
  }
  if (values[4] != nullptr && !casting_from(values[4], &options.casting)) return call.decline("argument casting");
  unsigned status = 0;
  options.status = &status;
  Array joined;
  {
    ReleaseForLarge released(elements);
    joined = evaluate::concatenate(views, static_cast<int>(axis), options);
  }
  if (status != 0 && report_floating_point(status, "cast") < 0) return nullptr;
  return options.outputs[0] != nullptr ? Py_NewRef(values[2]) : wrap(std::move(joined));
}

}  // namespace

const NativeFunctionRow kShapeFunctions[] = {{"numpy.reshape", reshape},
                                             {"numpy.transpose", method<kTranspose>},
                                             {"numpy.permute_dims", method<kTranspose>},
                                             {"numpy.swapaxes", method<kSwapaxes>},
                                             {"numpy.ravel", method<kRavel>},
                                             {"numpy.squeeze", method<kSqueeze>},
                                             {"numpy.take", method<kTake>},
                                             {"numpy.repeat", method<kRepeat>},
                                             {"numpy.round", method<kRound>},
                                             {"numpy.around", method<kRound>},
                                             {"numpy.diagonal", method<kDiagonal>},
                                             {"numpy.nonzero", method<kNonzero>},
                                             {"numpy.broadcast_to", broadcast_to},
                                             {"numpy.concatenate", concatenate},
                                             {nullptr, nullptr}};

}  // namespace manycore::python
