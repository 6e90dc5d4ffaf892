#include "bindings/flags.h"

#include <string_view>

#include "bindings/exchange.h"

namespace manycore::python {

namespace {

struct FlagsObject {
  PyObject_HEAD PyObject* array;
};

ArrayObject* array_behind(PyObject* flags) {
  return reinterpret_cast<ArrayObject*>(reinterpret_cast<FlagsObject*>(flags)->array);
}

void deallocate(PyObject* object) {
  Py_DECREF(reinterpret_cast<FlagsObject*>(object)->array);
  PyObject_Free(object);
}

int flag_bits(const ArrayObject* self) {
  const View& view = self->array.described();
  return (view.is_c_contiguous() ? NPY_ARRAY_C_CONTIGUOUS : 0) | (view.is_f_contiguous() ? NPY_ARRAY_F_CONTIGUOUS : 0) |
         (owns_data(self) ? NPY_ARRAY_OWNDATA : 0) | (self->writeable ? NPY_ARRAY_WRITEABLE : 0) |
         (view.is_aligned() ? NPY_ARRAY_ALIGNED : 0);
}

// What one name means: any of the given bits' conditions.
enum class Rule : unsigned char { kAll, kForc, kFnc };
struct FlagName {
  const char* attribute;
  const char* item;
  const char* letters;  // the short item name
  int bits;
  Rule rule;
};
constexpr int kCarray = NPY_ARRAY_CARRAY;
constexpr int kFarray = NPY_ARRAY_FARRAY;
constexpr FlagName kNames[] = {
    {"c_contiguous", "C_CONTIGUOUS", "C", NPY_ARRAY_C_CONTIGUOUS, Rule::kAll},
    {"contiguous", "CONTIGUOUS", "C", NPY_ARRAY_C_CONTIGUOUS, Rule::kAll},
    {"f_contiguous", "F_CONTIGUOUS", "F", NPY_ARRAY_F_CONTIGUOUS, Rule::kAll},
    {"fortran", "FORTRAN", "F", NPY_ARRAY_F_CONTIGUOUS, Rule::kAll},
    {"owndata", "OWNDATA", "O", NPY_ARRAY_OWNDATA, Rule::kAll},
    {"writeable", "WRITEABLE", "W", NPY_ARRAY_WRITEABLE, Rule::kAll},
    {"aligned", "ALIGNED", "A", NPY_ARRAY_ALIGNED, Rule::kAll},
    {"writebackifcopy", "WRITEBACKIFCOPY", "X", NPY_ARRAY_WRITEBACKIFCOPY, Rule::kAll},
    {"behaved", "BEHAVED", "B", NPY_ARRAY_BEHAVED, Rule::kAll},
    {"carray", "CARRAY", "CA", kCarray, Rule::kAll},
    {"farray", "FARRAY", "FA", kFarray, Rule::kAll},
    {"forc", "FORC", "FORC", 0, Rule::kForc},
    {"fnc", "FNC", "FNC", 0, Rule::kFnc},
};

bool holds(const FlagName& name, int bits) {
  const bool c = bits & NPY_ARRAY_C_CONTIGUOUS;
  const bool f = bits & NPY_ARRAY_F_CONTIGUOUS;
  if (name.rule == Rule::kForc) return c || f;
  if (name.rule == Rule::kFnc) return f && !c;
  // NumPy's FARRAY is for arrays that are not C-ordered as well.
  if (name.bits == kFarray && c) return false;
  return (bits & name.bits) == name.bits;
}

PyObject* get_flag(PyObject* self, void* closure) {
  const auto& name = *static_cast<const FlagName*>(closure);
  const int bits = flag_bits(array_behind(self));
  // As an attribute (not as an item) NumPy's farray asks for any of its three flags.
  if (name.bits == kFarray) return PyBool_FromLong((bits & kFarray) && !(bits & NPY_ARRAY_C_CONTIGUOUS));
  return PyBool_FromLong(holds(name, bits));
}

PyObject* get_number(PyObject* self, void*) { return PyLong_FromLong(flag_bits(array_behind(self))); }

int set_flag(PyObject* self, PyObject* value, void* closure) {
  const auto* name = static_cast<const FlagName*>(closure);
  if (!value) {
    PyErr_Format(PyExc_AttributeError, "Cannot delete flags %s attribute", name->attribute);
    return -1;
  }
  const int on = PyObject_IsTrue(value);
  if (on < 0) return -1;
  if (name->bits == NPY_ARRAY_WRITEABLE) return set_writeable(array_behind(self), on);
  if (name->bits == NPY_ARRAY_ALIGNED && on == array_behind(self)->array.described().is_aligned()) return 0;
  if (name->bits == NPY_ARRAY_WRITEBACKIFCOPY && !on) return 0;
  PyErr_Format(PyExc_ValueError, "cannot set %s flag to %s", name->item, on ? "True" : "False");
  return -1;
}

const FlagName* find_item(PyObject* key) {
  const char* wanted = PyUnicode_Check(key) ? PyUnicode_AsUTF8(key) : nullptr;
  if (wanted) {
    for (const FlagName& name : kNames) {
      if (std::string_view(wanted) == name.item || std::string_view(wanted) == name.letters) return &name;
    }
  }
  if (!PyErr_Occurred()) PyErr_SetString(PyExc_KeyError, "Unknown flag");
  return nullptr;
}

PyObject* get_item(PyObject* self, PyObject* key) {
  const FlagName* name = find_item(key);
  return name ? PyBool_FromLong(holds(*name, flag_bits(array_behind(self)))) : nullptr;
}

int set_item(PyObject* self, PyObject* key, PyObject* value) {
  const FlagName* name = find_item(key);
  if (!name) return -1;
  const bool settable =
      name->bits == NPY_ARRAY_WRITEABLE || name->bits == NPY_ARRAY_ALIGNED || name->bits == NPY_ARRAY_WRITEBACKIFCOPY;
  if (!settable) {
    PyErr_SetString(PyExc_KeyError, "Unknown flag");
    return -1;
  }
  return set_flag(self, value, const_cast<FlagName*>(name));
}

PyObject* represent(PyObject* self) {
  const int bits = flag_bits(array_behind(self));
  const auto word = [bits](int bit) { return bits & bit ? "True" : "False"; };
  return PyUnicode_FromFormat(
      "  C_CONTIGUOUS : %s\n  F_CONTIGUOUS : %s\n  OWNDATA : %s\n  WRITEABLE : %s\n  ALIGNED : %s\n  WRITEBACKIFCOPY : False\n",
      word(NPY_ARRAY_C_CONTIGUOUS), word(NPY_ARRAY_F_CONTIGUOUS), word(NPY_ARRAY_OWNDATA), word(NPY_ARRAY_WRITEABLE),
      word(NPY_ARRAY_ALIGNED));
}

PyObject* compare(PyObject* self, PyObject* other, int comparison);

PyMappingMethods mapping = {nullptr, get_item, set_item};
PyGetSetDef attributes[std::size(kNames) + 2];

PyTypeObject FlagsType = blank_type();

PyObject* compare(PyObject* self, PyObject* other, int comparison) {
  if (Py_TYPE(other) != &FlagsType || (comparison != Py_EQ && comparison != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  const bool equal = flag_bits(array_behind(self)) == flag_bits(array_behind(other));
  return PyBool_FromLong(equal == (comparison == Py_EQ));
}

// May memory be made writeable again? NumPy asks the base, and for foreign memory whether its owner gives a writeable buffer.
bool may_become_writeable(const ArrayObject* self) {
  if (!self->array.buffer() || !self->array.buffer()->is_writeable()) return false;
  if (self->base && is_array(self->base)) return reinterpret_cast<ArrayObject*>(self->base)->writeable;
  if (self->base && PyArray_Check(self->base)) return PyArray_ISWRITEABLE(reinterpret_cast<PyArrayObject*>(self->base));
  return true;
}

}  // namespace

bool owns_data(const ArrayObject* self) { return self->base == nullptr; }

int set_writeable(ArrayObject* self, bool writeable) {
  if (self->writeable == writeable) return 0;
  if (writeable && !may_become_writeable(self)) {
    PyErr_SetString(PyExc_ValueError, "cannot set WRITEABLE flag to True of this array");
    return -1;
  }
  if (self->is_remembered) {  // a library's array that is ours too: the library sees the change as well
    PyObject* done = PyObject_CallMethod(self->numpy_view, "setflags", "i", writeable ? 1 : 0);
    if (done == nullptr) return -1;
    Py_DECREF(done);
  } else {
    drop_numpy_view(self);
  }
  self->writeable = writeable;
  return 0;
}

PyObject* make_flags(PyObject* array) {
  auto* flags = PyObject_New(FlagsObject, &FlagsType);
  if (flags) flags->array = Py_NewRef(array);
  return reinterpret_cast<PyObject*>(flags);
}

bool register_flags() {
  size_t count = 0;
  for (const FlagName& name : kNames) {
    const bool settable =
        name.bits == NPY_ARRAY_WRITEABLE || name.bits == NPY_ARRAY_ALIGNED || name.bits == NPY_ARRAY_WRITEBACKIFCOPY;
    attributes[count++] = {name.attribute, get_flag, settable ? set_flag : nullptr, nullptr, const_cast<FlagName*>(&name)};
  }
  attributes[count++] = {"num", get_number, nullptr, nullptr, nullptr};
  FlagsType.tp_name = "numpy._core.multiarray.flagsobj";
  FlagsType.tp_basicsize = sizeof(FlagsObject);
  FlagsType.tp_dealloc = deallocate;
  FlagsType.tp_repr = represent;
  FlagsType.tp_str = represent;
  FlagsType.tp_richcompare = compare;
  FlagsType.tp_as_mapping = &mapping;
  FlagsType.tp_getset = attributes;
  FlagsType.tp_hash = PyObject_HashNotImplemented;
  FlagsType.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  return PyType_Ready(&FlagsType) == 0;
}

}  // namespace manycore::python
