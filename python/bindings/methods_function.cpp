// a.sum(...) is numpy.sum(a, ...): one native implementation serves both.
#include <string>

#include "bindings/function_object.h"
#include "bindings/methods.h"

namespace manycore::python {

const void* find_native_function(const char* name) {
  const std::string full_name = std::string("numpy.") + name;
  for (const NativeFunctionRow* row : {kReductionFunctions, kSelectionFunctions, kProductFunctions}) {
    for (; row->name; ++row) {
      if (full_name == row->name) return reinterpret_cast<const void*>(row->function);
    }
  }
  return nullptr;
}

PyObject* call_native_function(const void* native, PyObject* self, const char* name, const Call& call) {
  if (!native) return fall_back_to_method(self, name, call, "no native method");
  const MethodArguments arguments(self, call);
  FunctionCall function_call{arguments.begin(), call.count + 1, call.keywords};
  try {
    PyObject* result = reinterpret_cast<NativeFunction>(const_cast<void*>(native))(function_call);
    if (!function_call.refused.empty()) return retry_real_method(self, name, call, function_call.refused.c_str());
    if (result || !function_call.declined) return result;
  } catch (const UserError& error) {
    return retry_real_method(self, name, call, error.what());
  } catch (...) {
    set_python_error();
    return nullptr;
  }
  return fall_back_to_method(self, name, call, function_call.declined);
}

}  // namespace manycore::python
