// The options table for Python: rows for `manycore info`, the command line and the docs; get and set by name.
#include "bindings/options.h"

#include <string>

#include "base/options.h"
#include "bindings/guarded.h"
#include "kernel/dispatch.h"

namespace manycore::python {
namespace {

PyObject* option_value(base::Option option, const char* type) {
  const std::string kind = type;
  if (kind == "text" || kind.starts_with("choice") || kind.starts_with("any_of"))
    return PyUnicode_FromString(base::text_option(option).c_str());
  const int64_t value = base::integer_option(option);
  return kind == "boolean" ? PyBool_FromLong(value != 0) : PyLong_FromLongLong(value);
}

PyObject* option_rows(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    PyObject* list = PyList_New(0);
    if (list == nullptr) return nullptr;
    int number = 0;
    for (const base::OptionRow& row : base::option_rows()) {
      const auto option = static_cast<base::Option>(number++);
      PyObject* entry =
          Py_BuildValue("{s:s, s:s, s:s, s:s, s:s, s:N}", "name", row.name, "type", row.type, "default", row.fallback, "help",
                        row.help, "source", base::option_source(option).c_str(), "value", option_value(option, row.type));
      const bool appended = entry != nullptr && PyList_Append(list, entry) == 0;
      Py_XDECREF(entry);
      if (!appended) {
        Py_DECREF(list);
        return nullptr;
      }
    }
    return list;
  });
}

PyObject* get_option(PyObject*, PyObject* name) {
  const char* text = PyUnicode_AsUTF8(name);
  if (text == nullptr) return nullptr;
  return guarded([&]() -> PyObject* {
    int number = 0;
    for (const base::OptionRow& row : base::option_rows()) {
      if (std::string_view(row.name) == text) return option_value(static_cast<base::Option>(number), row.type);
      ++number;
    }
    base::set_option(text, "");  // throws the error that names the choices
    Py_RETURN_NONE;
  });
}

PyObject* check_environment(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    base::check_environment();
    Py_RETURN_NONE;
  });
}

PyObject* set_option(PyObject*, PyObject* args) {
  const char* name = nullptr;
  PyObject* value = nullptr;
  if (!PyArg_ParseTuple(args, "sO:set_option", &name, &value)) return nullptr;
  PyObject* text = PyBool_Check(value) ? PyUnicode_FromString(value == Py_True ? "1" : "0") : PyObject_Str(value);
  const char* characters = text != nullptr ? PyUnicode_AsUTF8(text) : nullptr;
  PyObject* result = characters == nullptr ? nullptr : guarded([&]() -> PyObject* {
    base::set_option(name, characters);
    if (std::string_view(name) == "simd") {
      kernel::set_simd_level(base::text_option(base::Option::simd));
      simd_level_changed();
    }
    Py_RETURN_NONE;
  });
  Py_XDECREF(text);
  return result;
}

PyMethodDef option_methods[] = {
    {"option_rows", option_rows, METH_NOARGS, "Every option: name, type, default, help, value in force and where it came from."},
    {"get_option", get_option, METH_O, "get_option(name): the value in force."},
    {"check_environment", check_environment, METH_NOARGS,
     "Raise ValueError for the first MANYCORE_ variable with a wrong value."},
    {"set_option", set_option, METH_VARARGS, "set_option(name, value)"},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool register_options(PyObject* module) { return PyModule_AddFunctions(module, option_methods) == 0; }

}  // namespace manycore::python
