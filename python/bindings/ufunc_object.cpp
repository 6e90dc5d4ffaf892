#include "bindings/ufunc_object.h"

#include <cstddef>
#include <unordered_map>

#include "bindings/math_loops.h"
#include "bindings/operators.h"
#include "bindings/real_numpy.h"

namespace manycore::python {
namespace {

std::unordered_map<PyObject*, UfuncObject*> known_ufuncs;  // borrowed; deallocate() takes them out
UfuncObject* by_operation[op::kOpCount];

std::optional<evaluate::Reduction> reduction_of(const std::string& name) {
  using evaluate::Reduction;
  static const std::unordered_map<std::string, Reduction> table = {{"add", Reduction::kSum},
                                                                   {"multiply", Reduction::kProd},
                                                                   {"minimum", Reduction::kMin},
                                                                   {"maximum", Reduction::kMax},
                                                                   {"fmin", Reduction::kFmin},
                                                                   {"fmax", Reduction::kFmax},
                                                                   {"logical_and", Reduction::kAll},
                                                                   {"logical_or", Reduction::kAny},
                                                                   {"logical_xor", Reduction::kLogicalXor},
                                                                   {"bitwise_and", Reduction::kBitwiseAnd},
                                                                   {"bitwise_or", Reduction::kBitwiseOr},
                                                                   {"bitwise_xor", Reduction::kBitwiseXor}};
  auto found = table.find(name);
  return found == table.end() ? std::nullopt : std::optional(found->second);
}

UfuncObject* self_of(PyObject* object) { return reinterpret_cast<UfuncObject*>(object); }

constexpr char kSignatureName[] = "__signature__";

void deallocate(PyObject* object) {
  UfuncObject* self = self_of(object);
  known_ufuncs.erase(self->real);
  Py_DECREF(self->real);
  self->name.~basic_string();
  self->qualified_name.~basic_string();
  PyObject_Free(object);
}

PyObject* real_class(PyObject*, void*) { return Py_NewRef(reinterpret_cast<PyObject*>(real_numpy().ufunc)); }

PyObject* list_attributes(PyObject* self, PyObject*) { return PyObject_Dir(self_of(self)->real); }

#define MANYCORE_METHOD(name) \
  { #name, reinterpret_cast < PyCFunction>(reinterpret_cast <void*>(ufunc_##name)), METH_FASTCALL | METH_KEYWORDS, nullptr }
PyMethodDef methods[] = {MANYCORE_METHOD(reduce),
                         MANYCORE_METHOD(accumulate),
                         MANYCORE_METHOD(reduceat),
                         MANYCORE_METHOD(outer),
                         MANYCORE_METHOD(at),
                         {"__reduce__", stand_in_reduce, METH_NOARGS, nullptr},
                         {"__copy__", stand_in_copy, METH_NOARGS, nullptr},
                         {"__deepcopy__", stand_in_copy, METH_O, nullptr},
                         {"__dir__", list_attributes, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
#undef MANYCORE_METHOD

// A release of NumPy that has no setter refuses in its words.
int set_doc(PyObject* self, PyObject* text, void*) { return PyObject_SetAttrString(self_of(self)->real, "__doc__", text); }

PyGetSetDef attributes[] = {{"__doc__", stand_in_getter<kDocName>, set_doc, nullptr, nullptr},
                            {"__name__", stand_in_getter<kNameName>, nullptr, nullptr, nullptr},
                            {"__qualname__", stand_in_getter<kQualifiedName>, nullptr, nullptr, nullptr},
                            {"__module__", stand_in_getter<kModuleName>, nullptr, nullptr, nullptr},
                            {"__signature__", stand_in_getter<kSignatureName>, nullptr, nullptr, nullptr},
                            {"__class__", real_class, nullptr, nullptr, nullptr},
                            {"__wrapped__", stand_in_real, nullptr, nullptr, nullptr},
                            {nullptr, nullptr, nullptr, nullptr, nullptr}};

// isinstance(x, manycore.numpy.ufunc) holds for NumPy's ufuncs too; issubclass likewise.
PyObject* instance_check(PyObject*, PyObject* object) {
  return PyBool_FromLong(is_ufunc(object) || PyObject_TypeCheck(object, real_numpy().ufunc));
}
PyObject* subclass_check(PyObject*, PyObject* type) {
  const bool is_type = PyType_Check(type);
  return PyBool_FromLong(is_type && (type == reinterpret_cast<PyObject*>(&UfuncType) ||
                                     PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(type), real_numpy().ufunc)));
}
PyMethodDef meta_methods[] = {{"__instancecheck__", instance_check, METH_O, nullptr},
                              {"__subclasscheck__", subclass_check, METH_O, nullptr},
                              {nullptr, nullptr, 0, nullptr}};
PyTypeObject UfuncMetaType{};

// What only NumPy's type has, as documentation: numpy.ufunc.identity, resolve_dtypes and the like.
PyObject* type_attribute(PyObject* type, PyObject* name) {
  PyObject* found = PyType_Type.tp_getattro(type, name);
  if (found != nullptr || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
  PyErr_Clear();
  return PyObject_GetAttr(reinterpret_cast<PyObject*>(real_numpy().ufunc), name);
}

// help() and signatures of the methods are NumPy's.
void take_texts() {
  for (PyMethodDef& method : methods) {
    if (method.ml_name == nullptr) break;
    PyObject* real = PyObject_GetAttrString(reinterpret_cast<PyObject*>(real_numpy().ufunc), method.ml_name);
    if (real != nullptr && Py_TYPE(real) == &PyMethodDescr_Type) {
      method.ml_doc = reinterpret_cast<PyMethodDescrObject*>(real)->d_method->ml_doc;
    }
    Py_XDECREF(real);
    PyErr_Clear();
  }
}

PyObject* module_ufunc(PyObject*, PyObject* real) {
  if (is_ufunc(real)) return Py_NewRef(real);
  if (!PyObject_TypeCheck(real, real_numpy().ufunc)) {
    PyErr_Format(PyExc_TypeError, "ufunc: wrong argument, expected a numpy.ufunc, got %.200s", Py_TYPE(real)->tp_name);
    return nullptr;
  }
  return reinterpret_cast<PyObject*>(ufunc_for(real));
}

// The table of operations, for the tests that are generated from it.
PyObject* operations(PyObject*, PyObject*) {
  PyObject* list = PyList_New(0);
  for (int i = 0; list != nullptr && i < op::kOpCount; ++i) {
    const op::OpInfo& row = op::info(static_cast<op::Op>(i));
    PyObject* entry = Py_BuildValue("{s:s, s:i, s:i, s:s}", "name", row.name, "inputs", row.inputs, "outputs", row.outputs,
                                    "accuracy", row.accuracy);
    if (entry == nullptr || PyList_Append(list, entry) < 0) Py_CLEAR(list);
    Py_XDECREF(entry);
  }
  return list;
}

PyMethodDef module_methods[] = {{"ufunc_for", module_ufunc, METH_O, "ufunc_for(numpy_ufunc): ours for a ufunc of NumPy."},
                                {"operations", operations, METH_NOARGS, "The rows of the table of elementwise operations."},
                                {nullptr, nullptr, 0, nullptr}};

bool prepare_types() {
  Py_SET_REFCNT(&UfuncMetaType, 1);
  Py_SET_REFCNT(&UfuncType, 1);
  UfuncMetaType.tp_name = "manycore.numpy.ufunc_type";
  UfuncMetaType.tp_base = &PyType_Type;
  UfuncMetaType.tp_flags = Py_TPFLAGS_DEFAULT;
  UfuncMetaType.tp_methods = meta_methods;
  UfuncMetaType.tp_getattro = type_attribute;
  take_texts();
  if (PyType_Ready(&UfuncMetaType) < 0) return false;
  Py_SET_TYPE(&UfuncType, &UfuncMetaType);
  UfuncType.tp_name = "numpy.ufunc";
  UfuncType.tp_basicsize = sizeof(UfuncObject);
  UfuncType.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL;
  UfuncType.tp_vectorcall_offset = offsetof(StandIn, vectorcall);
  UfuncType.tp_dealloc = deallocate;
  UfuncType.tp_call = PyVectorcall_Call;
  UfuncType.tp_getattro = stand_in_attribute;
  UfuncType.tp_repr = stand_in_repr;
  UfuncType.tp_methods = methods;
  UfuncType.tp_getset = attributes;
  return PyType_Ready(&UfuncType) == 0;
}

}  // namespace

PyTypeObject UfuncType{};

UfuncObject* ufunc_for(PyObject* real) {
  auto found = known_ufuncs.find(real);
  if (found != known_ufuncs.end()) {
    Py_INCREF(reinterpret_cast<PyObject*>(found->second));
    return found->second;
  }
  PyObject* name = PyObject_GetAttrString(real, "__name__");
  PyObject* inputs = PyObject_GetAttrString(real, "nin");
  PyObject* outputs = PyObject_GetAttrString(real, "nout");
  const char* text = name != nullptr ? PyUnicode_AsUTF8(name) : nullptr;
  UfuncObject* ufunc = nullptr;
  if (text != nullptr && inputs != nullptr && outputs != nullptr) ufunc = PyObject_New(UfuncObject, &UfuncType);
  if (ufunc != nullptr) {
    ufunc->vectorcall = ufunc_vectorcall;
    ufunc->real = Py_NewRef(real);
    ufunc->inputs = static_cast<int>(PyLong_AsLong(inputs));
    ufunc->outputs = static_cast<int>(PyLong_AsLong(outputs));
    new (&ufunc->name) std::string(text);
    new (&ufunc->qualified_name) std::string("numpy." + ufunc->name);
    // Only NumPy's own ufunc of that name: somebody's frompyfunc called "add" is not.
    PyObject* original = PyObject_GetAttrString(real_numpy().module, text);
    PyErr_Clear();
    const bool is_original = original == real;
    Py_XDECREF(original);
    ufunc->is_matmul = is_original && ufunc->name == "matmul";
    ufunc->is_native = is_original && op::find(ufunc->name, &ufunc->operation) &&
                       op::info(ufunc->operation).inputs == ufunc->inputs && op::info(ufunc->operation).outputs == ufunc->outputs;
    new (&ufunc->reduction) std::optional<evaluate::Reduction>(is_original ? reduction_of(ufunc->name) : std::nullopt);
    if (ufunc->is_native) by_operation[static_cast<int>(ufunc->operation)] = ufunc;
    known_ufuncs.emplace(real, ufunc);
    if (is_original) Py_INCREF(reinterpret_cast<PyObject*>(ufunc));  // never goes
  }
  Py_XDECREF(name);
  Py_XDECREF(inputs);
  Py_XDECREF(outputs);
  return ufunc;
}

UfuncObject* ufunc_of(op::Op operation) {
  UfuncObject*& known = by_operation[static_cast<int>(operation)];
  if (known == nullptr) {
    PyObject* real = PyObject_GetAttrString(real_numpy().module, op::info(operation).name);
    if (real != nullptr && PyObject_TypeCheck(real, real_numpy().ufunc)) known = ufunc_for(real);
    PyErr_Clear();
    Py_XDECREF(real);
  }
  return known;
}

bool register_ufunc_type(PyObject* module) {
  if (!load_real_numpy() || !prepare_types()) return false;
  register_math_loops();
  return PyModule_AddObjectRef(module, "ufunc", reinterpret_cast<PyObject*>(&UfuncType)) == 0 &&
         PyModule_AddFunctions(module, module_methods) == 0;
}

}  // namespace manycore::python
