// Writing by index: array[...] = value.
#include "bindings/array_type.h"
#include "bindings/exchange.h"
#include "bindings/index_basic.h"
#include "bindings/index_plan.h"
#include "bindings/scalar.h"
#include "bindings/trace.h"
#include "evaluate/assign.h"
#include "evaluate/index.h"
#include "evaluate/refused.h"

namespace manycore::python {

namespace {

// NumPy converts Python numbers with setitem, which raises where a cast would wrap or warn: those are left to it.
bool fits_quietly(const Scalar& value, DType dtype) {
  if (value.weak == Weak::kStrong || value.weak == Weak::kInteger) return true;
  if (value.weak == Weak::kComplex) return is_complex(dtype);
  return is_inexact(dtype) || dtype == DType::kBool;
}

int store_by_numpy(const Array& destination, PyObject* value) {
  PyObject* ours = wrap(destination);
  PyObject* real = ours ? to_numpy(ours) : nullptr;
  PyObject* real_value = is_array(value) ? to_numpy(value) : Py_NewRef(value);
  int status = -1;
  if (real && real_value) status = PyArray_CopyObject(reinterpret_cast<PyArrayObject*>(real), real_value);
  Py_XDECREF(real_value);
  Py_XDECREF(real);
  Py_XDECREF(ours);
  return status;
}

// The same for what the engine could store but for the destination's layout: counted.
int store_by_fallback(const Array& destination, PyObject* value, const char* reason) {
  constexpr const char* name = "ndarray.__setitem__";
  if (refuse_fallback(name, reason) < 0) return -1;
  const int64_t began = fallback_begins();
  if (store_by_numpy(destination, value) < 0) return -1;
  return record_fallback(name, reason, destination.nbytes(), began);
}

// The values of an advanced assignment as an array that broadcasts; scalars as zero-dimensional arrays.
// 1, 0 (left to NumPy) or -1.
int values_for(PyObject* value, DType dtype, Array* values) {
  OperandHolder holder;
  const int converted = convert_operand(value, &holder);
  if (converted != 1) return converted;
  if (!holder.is_scalar) {
    *values = std::move(holder.array);
    return warn_discards_imaginary(values->dtype(), dtype) < 0 ? -1 : 1;
  }
  if (!fits_quietly(holder.scalar, dtype)) return 0;
  if (warn_discards_imaginary(holder.scalar.dtype, dtype) < 0) return -1;
  if (holder.scalar.weak == Weak::kStrong) {  // cast like an array; plain assignment stores it like a Python number
    *values = Array::empty(Dims(), holder.scalar.dtype);
    std::memcpy(values->data(), holder.scalar.bytes, static_cast<size_t>(values->nbytes()));
    return 1;
  }
  *values = Array::empty(Dims(), dtype);
  unsigned status = 0;
  evaluate::fill(values->view(), holder.scalar, &status);
  return report_floating_point(status, "cast") < 0 ? -1 : 1;
}

// An advanced assignment in the engine's terms; nothing in it is owned.
struct Target {
  const View& view;
  bool is_mask;
  std::span<const View> indices;
  std::span<const int> axes;
  int result_axis;
};

int write_advanced(const Target& target, const View& values) {
  unsigned status = 0;
  {
    ReleaseGil released(std::max(target.view.size(), target.indices[0].size()));
    if (target.is_mask) {
      if (target.indices[0].ndim() == target.view.ndim() && values.ndim() > 1) {
        throw UserError(ErrorKind::kType, "more than one dimension for elements under a mask");  // NumPy raises instead
      }
      evaluate::assign_selected(target.view, target.indices[0], values, &status);
    } else {
      evaluate::scatter(target.view, {target.indices, target.axes, target.result_axis}, values, &status);
    }
  }
  return report_floating_point(status, "cast");
}

int write_by_numpy(PyObject* self, PyObject* index, PyObject* value, const char* reason) {
  PyObject* args[] = {self, index, value};
  PyObject* done = call_fallback(real_method("__setitem__"), args, 3, nullptr, "ndarray.__setitem__", reason);
  if (!done) return -1;
  Py_DECREF(done);
  return 0;
}

// The engine's complaints about numbers, shapes and bounds are NumPy's to word, and to order.
int write_advanced_or_by_numpy(PyObject* self, PyObject* index, PyObject* value, const Target& target) {
  return guarded([&]() -> int {
    const BufferRef kept = array_of(self).buffer();  // another thread may resize the object meanwhile
    alignas(16) std::byte number[16];
    Array values;
    View view;
    try {
      if (store_number(value, number, target.view.dtype)) {
        view.data = number;
        view.dtype = target.view.dtype;
      } else {
        const int taken = values_for(value, target.view.dtype, &values);
        if (taken < 0) return -1;
        if (taken == 0) return write_by_numpy(self, index, value, "kind of value");
        view = values.view();
      }
      return write_advanced(target, view);
    } catch (const UserError& error) {
      if (error.kind() == ErrorKind::kNotImplemented) return write_by_numpy(self, index, value, error.what());
      PyObject* args[] = {index, value};
      PyObject* done = retry_real_method(self, "__setitem__", {args, 2, nullptr}, "bounds or shapes of the index");
      Py_XDECREF(done);
      return done ? 0 : -1;
    }
  });
}

int write_by_plan(PyObject* self, PyObject* index, PyObject* value, const IndexPlan& plan) {
  std::vector<View> indices;
  for (const Array& array : plan.indices) indices.push_back(array.view());
  return write_advanced_or_by_numpy(self, index, value,
                                    {plan.view, plan.kind == IndexKind::kMask, indices, plan.axes, plan.result_axis});
}

bool is_same_view(const View& a, const View& b) {
  return a.data == b.data && a.dtype == b.dtype && a.shape == b.shape && a.strides == b.strides;
}

// One index array or mask of ours over the first axes: no plan is needed.
bool is_array_kind(const Array& array, const Array& index) {
  return array.ndim() > 0 && index.ndim() > 0 && index.ndim() <= array.ndim() &&
         (index.dtype() == DType::kBool || index.dtype() == DType::kInt64);
}

int write_by_one_array(PyObject* self, PyObject* index, PyObject* value) {
  static constexpr int first_axis[] = {0};
  const View& view = array_of(index).view();
  return write_advanced_or_by_numpy(self, index, value,
                                    {array_of(self).view(), view.dtype == DType::kBool, {&view, 1}, first_axis, 0});
}

}  // namespace

int warn_discards_imaginary(DType from, DType to) {
  if (!is_complex(from) || is_complex(to) || to == DType::kBool) return 0;
  return PyErr_WarnEx(numpy_objects.complex_warning, "Casting complex values to real discards the imaginary part", 1);
}

int store_value(const Array& destination, PyObject* value) {
  return guarded([&]() -> int {
    OperandHolder holder;
    const int converted = convert_operand(value, &holder);
    if (converted < 0) return -1;
    if (converted == 0) return store_by_numpy(destination, value);
    const DType dtype = destination.dtype();
    const DType given = holder.is_scalar ? holder.scalar.dtype : holder.array.dtype();
    if (holder.is_scalar && !fits_quietly(holder.scalar, dtype)) return store_by_numpy(destination, value);
    if (warn_discards_imaginary(given, dtype) < 0) return -1;
    if (!holder.is_scalar && is_same_view(destination.described(), holder.array.described())) return 0;  // a[...] = a
    if (!holder.is_scalar && !evaluate::shape_fits(holder.array.shape(), destination.shape())) {
      return store_by_numpy(destination, value);  // which says so
    }
    unsigned status = 0;
    try {
      const bool recorded = holder.is_scalar ? evaluate::record_fill(destination, holder.scalar)
                                             : evaluate::record_assign(destination, holder.array, Casting::kUnsafe);
      if (recorded) return 0;
      ReleaseGil released(destination.size());
      if (holder.is_scalar) {
        evaluate::fill(destination.view(), holder.scalar, &status);
      } else {
        evaluate::assign(destination.view(), holder.array.view_to_read(), Casting::kUnsafe, &status);
      }
    } catch (const UserError& error) {
      if (error.kind() == ErrorKind::kNotImplemented) return store_by_fallback(destination, value, error.what());
      return store_by_numpy(destination, value);  // raises in NumPy's own words
    }
    return report_floating_point(status, "cast");
  });
}

int array_assign_subscript(PyObject* self, PyObject* index, PyObject* value) {
  auto* object = reinterpret_cast<ArrayObject*>(self);
  if (!value) {
    PyErr_SetString(PyExc_ValueError, "cannot delete array elements");
    return -1;
  }
  if (!object->writeable) {
    PyErr_SetString(PyExc_ValueError, "assignment destination is read-only");
    return -1;
  }
  const Array& array = object->array;
  View view;
  const BasicIndex basic = basic_index(array.described(), index, &view);
  if (basic == BasicIndex::kError) return -1;
  if (is_array(index) && is_array_kind(array, array_of(index))) return write_by_one_array(self, index, value);
  if (basic == BasicIndex::kElement) {
    const std::ptrdiff_t offset = view.data - array.described().data;
    const int stored = guarded([&] { return store_number(value, array.view().data + offset, array.dtype()) ? 1 : 0; });
    if (stored != 0) return stored > 0 ? 0 : -1;
  }
  if (basic == BasicIndex::kView) return guarded([&] { return store_value(array.with_view(std::move(view)), value); });
  IndexPlan plan;
  if (plan_index(array.described(), index, &plan) < 0) return -1;
  switch (plan.kind) {
    case IndexKind::kDeclined:
      return write_by_numpy(self, index, value, "kind of index");
    case IndexKind::kElement:
      // Storing an array or a sequence in one element has rules and errors of its own.
      if (is_array(value) || !(PyFloat_Check(value) || PyLong_Check(value) || PyArray_CheckScalar(value))) {
        return write_by_numpy(self, index, value, "kind of value");
      }
      [[fallthrough]];
    case IndexKind::kView:
      return guarded([&] { return store_value(array.with_view(std::move(plan.view)), value); });
    default: {
      const std::ptrdiff_t offset = plan.view.data - array.described().data;
      if (guarded([&] { return plan.view.data = array.view().data + offset, 0; }) < 0) return -1;
      return write_by_plan(self, index, value, plan);
    }
  }
}

}  // namespace manycore::python
