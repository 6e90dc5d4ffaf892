#include "bindings/ufunc_call.h"

#include "bindings/fallback.h"
#include "bindings/function_arguments.h"
#include "bindings/real_numpy.h"
#include "evaluate/matmul.h"
#include "evaluate/refused.h"
#include "evaluate/small.h"

namespace manycore::python {
namespace {

PyObject* result_object(Array&& result, PyObject* output) {
  return output != nullptr ? Py_NewRef(output) : wrap_or_scalar(std::move(result));
}

// What the operands' conversion met comes first, as in NumPy.
int report(unsigned status, const char* name) {
  const unsigned in_cast = status & evaluate::kOverflowInCast;
  if (in_cast != 0 && report_floating_point(evaluate::kOverflow, "cast") < 0) return -1;
  status &= ~in_cast;
  return status != 0 ? report_floating_point(status, name) : 0;
}

// The keywords of a call, as NumPy documents them for every ufunc.
struct Keywords {
  PyObject* out = nullptr;
  PyObject* where = nullptr;
  PyObject* dtype = nullptr;
  PyObject* casting = nullptr;
  const char* declined = nullptr;  // a keyword that only NumPy serves
};

Keywords read_keywords(PyObject* const* values, PyObject* kwnames) {
  Keywords keywords;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); ++i) {
    PyObject* name = PyTuple_GET_ITEM(kwnames, i);
    PyObject* value = values[i];
    if (PyUnicode_CompareWithASCIIString(name, "out") == 0) {
      keywords.out = value;
    } else if (PyUnicode_CompareWithASCIIString(name, "where") == 0) {
      if (value != Py_True) keywords.where = value;
    } else if (PyUnicode_CompareWithASCIIString(name, "dtype") == 0) {
      if (value != Py_None) keywords.dtype = value;
    } else if (PyUnicode_CompareWithASCIIString(name, "casting") == 0) {
      keywords.casting = value;
    } else if (PyUnicode_CompareWithASCIIString(name, "subok") == 0) {
      if (value != Py_True && value != Py_False) keywords.declined = "argument subok";
    } else if (PyUnicode_CompareWithASCIIString(name, "order") == 0) {
      if (!PyUnicode_Check(value) || PyUnicode_CompareWithASCIIString(value, "K") != 0) keywords.declined = "argument order";
    } else {
      keywords.declined = "arguments that only NumPy serves";
    }
  }
  return keywords;
}

// out= as NumPy takes it: one array, or a tuple with an array or None for each output.
bool spread_outputs(PyObject* out, int count, PyObject** outputs) {
  if (out == Py_None) return true;
  if (!PyTuple_CheckExact(out)) {
    outputs[0] = out;
    return count == 1;
  }
  if (PyTuple_GET_SIZE(out) != count) return false;
  for (int i = 0; i < count; ++i) {
    if (PyTuple_GET_ITEM(out, i) != Py_None) outputs[i] = PyTuple_GET_ITEM(out, i);
  }
  return true;
}

// Arguments for which NumPy warns or raises in ways of its own.
const char* numpys_own_case(const UfuncObject& ufunc, const Inputs& inputs, const evaluate::ElementwiseOptions& options,
                            bool has_out) {
  const auto operands = inputs.operands();
  if (ufunc.operation == op::Op::ldexp) {
    // NumPy's loop reads a bare exponent as a C int.
    const evaluate::Operand& exponent = operands[1];
    const bool bare = !exponent.view && exponent.scalar.weak == Weak::kInteger;
    if (bare && exponent.scalar.get<int64_t>() != exponent.scalar.get<int32_t>()) return "exponent beyond a C int";
  }
  if (options.where != nullptr) {
    if (!has_out) return "argument where without out";
    // It buffers the output, which discards imaginary parts on the way in, and warns.
    for (const Array* output : options.outputs) {
      if (output != nullptr && is_complex(output->dtype())) return "argument where with a complex output";
    }
  }
  // Only an unsafe cast stores a complex number as a real one; NumPy warns of it in words and numbers of its own.
  bool stores_real = options.dtype && !is_complex(*options.dtype);
  for (const Array* output : options.outputs) stores_real |= output != nullptr && !is_complex(output->dtype());
  for (const evaluate::Operand& operand : operands) {
    const DType dtype = operand.view ? operand.view->dtype : operand.scalar.dtype;
    if (options.casting == Casting::kUnsafe && stores_real && is_complex(dtype)) return "complex numbers cast to real ones";
  }
  return nullptr;
}

// The full call, natively. Null with `refusal` filled or an exception set.
PyObject* call_native(const UfuncObject& ufunc, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, Refusal* refusal) {
  const auto decline = [&](const char* reason) {
    refusal->declined = reason;
    return static_cast<PyObject*>(nullptr);
  };
  if (!ufunc.is_native) return decline("no native kernel");
  if (nargs < ufunc.inputs || nargs > ufunc.inputs + ufunc.outputs) return decline("number of arguments");
  Keywords keywords;
  if (kwnames != nullptr) keywords = read_keywords(args + nargs, kwnames);
  if (keywords.declined != nullptr) return decline(keywords.declined);

  // NumPy tells users who mean the maximum of three; it takes out there as before.
  const bool is_extreme = ufunc.operation == op::Op::maximum || ufunc.operation == op::Op::minimum;
  if (is_extreme && nargs > ufunc.inputs) return decline("output by position");

  Inputs inputs;
  if (const int taken = inputs.add_all(args, ufunc.inputs); taken != 1) {
    return taken == 0 ? decline("type of an operand") : nullptr;
  }
  PyObject* outputs[2] = {nullptr, nullptr};
  if (keywords.out != nullptr && nargs > ufunc.inputs) return decline("two outputs");  // NumPy refuses it
  if (keywords.out != nullptr && !spread_outputs(keywords.out, ufunc.outputs, outputs)) return decline("argument out");
  for (Py_ssize_t i = ufunc.inputs; i < nargs; ++i) {
    if (args[i] != Py_None) outputs[i - ufunc.inputs] = args[i];
  }
  if (!inputs.has_array() && outputs[0] == nullptr && outputs[1] == nullptr) return decline(nullptr);

  evaluate::ElementwiseOptions options;
  Array output_arrays[2];
  for (int i = 0; i < 2; ++i) {
    if (outputs[i] == nullptr) continue;
    if (const int taken = take_output(outputs[i], &output_arrays[i]); taken != 1)
      return taken == 0 ? decline("argument out") : nullptr;
    options.outputs[i] = &output_arrays[i];
  }
  Array where;
  if (keywords.where != nullptr) {
    const int taken = take_array(keywords.where, &where);
    if (taken < 0) return nullptr;
    if (taken == 0 || where.dtype() != DType::kBool) return decline("argument where");
    options.where = &where.view();
  }
  if (keywords.dtype != nullptr) {
    DType dtype;
    if (!dtype_from_descr(keywords.dtype, &dtype)) return decline("argument dtype");
    options.dtype = dtype;
  }
  if (keywords.casting != nullptr && !casting_from(keywords.casting, &options.casting)) return decline("argument casting");
  if (const char* reason = numpys_own_case(ufunc, inputs, options, keywords.out != nullptr || nargs > ufunc.inputs))
    return decline(reason);
  return run_operation(ufunc.operation, inputs, options, outputs, ufunc.name.c_str(), refusal);
}

// The answer of NumPy where the engine did not give one.
PyObject* answer_of_numpy(const UfuncObject& ufunc, PyObject* const* args, size_t nargsf, PyObject* kwnames,
                          const Refusal& refusal) {
  if (!refusal.error.empty()) {
    return retry_with_numpy(ufunc.real, args, nargsf, kwnames, ufunc.qualified_name.c_str(), refusal.error.c_str());
  }
  return call_fallback(ufunc.real, args, nargsf, kwnames, ufunc.qualified_name.c_str(), refusal.declined);
}

PyObject* matmul_native(const UfuncObject& ufunc, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, Refusal* refusal) {
  const auto decline = [&](const char* reason) {
    refusal->declined = reason;
    return static_cast<PyObject*>(nullptr);
  };
  if (nargs < 2 || nargs > 3) return decline("number of arguments");
  Keywords keywords;
  if (kwnames != nullptr) keywords = read_keywords(args + nargs, kwnames);
  if (keywords.declined != nullptr) return decline(keywords.declined);
  if (keywords.where != nullptr || keywords.dtype != nullptr || keywords.casting != nullptr) return decline("keyword arguments");
  PyObject* output = nullptr;
  if (keywords.out != nullptr && nargs > 2) return decline("two outputs");  // NumPy refuses it
  if (keywords.out != nullptr && !spread_outputs(keywords.out, 1, &output)) return decline("argument out");
  if (nargs == 3 && args[2] != Py_None) output = args[2];
  return guarded([&]() -> PyObject* {
    Array a, b, out;
    for (int i = 0; i < 2; ++i) {
      const int taken = take_array(args[i], i == 0 ? &a : &b);
      if (taken != 1) return taken == 0 ? decline("type of an operand") : nullptr;
    }
    evaluate::ElementwiseOptions options;
    if (output != nullptr) {
      if (const int taken = take_output(output, &out); taken != 1) return taken == 0 ? decline("argument out") : nullptr;
      options.outputs[0] = &out;
    }
    if (!evaluate::matmul_meets(a.described(), b.described())) {
      refusal->error = "shapes of the operands";
      return nullptr;
    }
    unsigned status = 0;
    options.status = &status;
    try {
      Array result;
      {
        ReleaseForLarge released(a.size() + b.size());
        result = evaluate::matmul(a.view(), b.view(), options);
      }
      if (status != 0 && report_floating_point(status, "matmul") < 0) return nullptr;
      return result_object(std::move(result), output);
    } catch (const UserError& error) {
      refusal->error = error.what();
      return nullptr;
    }
  });
}

// Numbers only: nothing for the engine. Looked at from the last argument, since an array mostly comes first.
bool are_numbers(PyObject* const* args, Py_ssize_t count) {
  for (Py_ssize_t i = count; i-- > 0;) {
    if (!PyFloat_CheckExact(args[i]) && !PyLong_CheckExact(args[i])) return false;
  }
  return true;
}

}  // namespace

PyObject* run_operation(op::Op operation, const Inputs& inputs, evaluate::ElementwiseOptions options, PyObject* const* outputs,
                        const char* name, Refusal* refusal) {
  unsigned status = 0;
  options.status = &status;
  return guarded([&]() -> PyObject* {
    Array results[2];
    if (!options.where && !options.dtype && options.casting == Casting::kSameKind && !options.outputs[1] &&
        evaluate::small_elementwise(operation, inputs.operands(), options.outputs[0], &results[0], &status)) {
      if (status != 0 && report(status, name) < 0) return nullptr;
      return result_object(std::move(results[0]), outputs[0]);
    }
    const int count = op::info(operation).outputs;
    const bool plain = !options.where && !options.dtype && options.casting == Casting::kSameKind && !options.outputs[1];
    if (plain && !evaluate::elementwise_fits(operation, inputs.operands(), options.outputs[0])) {
      refusal->error = "shapes or dtypes of the operands";
      return nullptr;
    }
    try {
      if (evaluate::record_elementwise(operation, inputs.operands(), &results[0], options)) {
        return result_object(std::move(results[0]), outputs[0]);
      }
      ReleaseForLarge released(inputs.largest());
      evaluate::elementwise(operation, inputs.operands(), {results, static_cast<size_t>(count)}, options);
    } catch (const UserError& error) {
      refusal->error = error.what();
      return nullptr;
    }
    if (status != 0 && report(status, name) < 0) return nullptr;
    PyObject* first = result_object(std::move(results[0]), outputs[0]);
    if (count == 1 || first == nullptr) return first;
    PyObject* second = result_object(std::move(results[1]), outputs[1]);
    return second != nullptr ? Py_BuildValue("NN", first, second) : (Py_DECREF(first), nullptr);
  });
}

PyObject* call_plain(const UfuncObject& ufunc, PyObject* const* args) {
  return ufunc_vectorcall(const_cast<PyObject*>(reinterpret_cast<const PyObject*>(&ufunc)), args,
                          static_cast<size_t>(ufunc.inputs), nullptr);
}

PyObject* ufunc_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const UfuncObject& ufunc = *reinterpret_cast<UfuncObject*>(self);
  const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  if (nargs > 0 && kwnames == nullptr && are_numbers(args, nargs)) return PyObject_Vectorcall(ufunc.real, args, nargsf, nullptr);
  Refusal refusal;
  PyObject* result = guarded([&]() -> PyObject* {
    return ufunc.is_matmul ? matmul_native(ufunc, args, nargs, kwnames, &refusal)
                           : call_native(ufunc, args, nargs, kwnames, &refusal);
  });
  if (result != nullptr || PyErr_Occurred() != nullptr) return result;
  // Numbers only: NumPy's scalar result is as native as it gets.
  if (!refusal.refused()) return call_numpy(ufunc.real, args, nargsf, kwnames);
  return answer_of_numpy(ufunc, args, nargsf, kwnames, refusal);
}

}  // namespace manycore::python
