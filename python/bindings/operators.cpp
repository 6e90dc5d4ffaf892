#include "bindings/operators.h"

#include <iterator>

#include "bindings/fallback.h"
#include "bindings/operator_meeting.h"
#include "bindings/real_numpy.h"
#include "bindings/real_values.h"
#include "bindings/ufunc_call.h"
#include "evaluate/matmul.h"

namespace manycore::python {
namespace {

using op::Op;

// What a binary operator is: the operation, and Python's own operator for operands that decide for themselves.
struct Operator {
  Op operation;
  binaryfunc number;
};

PyObject* power_of(PyObject* a, PyObject* b) { return PyNumber_Power(a, b, Py_None); }

// The operator on the real array behind ours: subclasses of ndarray bring their own reflected methods.
PyObject* real_operator(const Operator& which, PyObject* a, PyObject* b, const char* reason) {
  const bool left = is_array(a);
  PyObject* real = to_numpy(left ? a : b);
  if (real == nullptr) return nullptr;
  const char* name = op::info(which.operation).name;
  PyObject* result = nullptr;
  if (refuse_fallback_of(name, reason) == 0) result = left ? which.number(real, b) : which.number(a, real);
  Py_DECREF(real);
  return finish_real_operator(result, left ? a : b, name, reason);
}

PyObject* refused(const Operator& which, PyObject* const* operands, size_t count, const Refusal& refusal,
                  PyObject* kwnames = nullptr) {
  const UfuncObject* ufunc = ufunc_of(which.operation);
  if (ufunc == nullptr) {
    PyErr_SetString(PyExc_SystemError, "operator: NumPy lacks the ufunc behind it");
    return nullptr;
  }
  if (!refusal.error.empty()) {
    return retry_with_numpy(ufunc->real, operands, count, kwnames, ufunc->qualified_name.c_str(), refusal.error.c_str());
  }
  return call_fallback(ufunc->real, operands, count, kwnames, ufunc->qualified_name.c_str(), refusal.declined);
}

PyObject* binary(const Operator& which, PyObject* a, PyObject* b) {
  Inputs inputs;
  Refusal refusal;
  if (is_array(a) && !is_plain_operand(b)) {
    switch (meet(b, false)) {
      case Meeting::kDefer:
        Py_RETURN_NOTIMPLEMENTED;
      case Meeting::kSubclass:
        return real_operator(which, a, b, "operand is a subclass of ndarray");
      case Meeting::kConvert:
        break;
    }
  } else if (!is_array(a) && !is_plain_operand(a) && meet(a, true) == Meeting::kSubclass) {
    return real_operator(which, a, b, "operand is a subclass of ndarray");
  }
  PyObject* operands[2] = {a, b};
  const int taken = inputs.add_all(operands, 2);
  if (taken < 0) return nullptr;
  if (taken == 1) {
    evaluate::ElementwiseOptions options;
    PyObject* outputs[2] = {nullptr, nullptr};
    PyObject* result = run_operation(which.operation, inputs, options, outputs, op::info(which.operation).name, &refusal);
    if (result != nullptr || !refusal.refused()) return result;
  } else {
    refusal.declined = "type of an operand";
  }
  return refused(which, operands, 2, refusal);
}

PyObject* out_name() {
  static PyObject* names = Py_BuildValue("(s)", "out");
  return names;
}

PyObject* in_place(const Operator& which, PyObject* self, PyObject* other) {
  if (!is_array(self)) return binary(which, self, other);
  if (!is_plain_operand(other) && meet(other, true) == Meeting::kDefer) Py_RETURN_NOTIMPLEMENTED;
  PyObject* operands[3] = {self, other, self};
  Refusal refusal;
  Inputs inputs;
  const int taken = reinterpret_cast<ArrayObject*>(self)->writeable ? inputs.add_all(operands, 2) : 0;
  if (taken < 0) return nullptr;
  if (taken == 1) {
    evaluate::ElementwiseOptions options;
    options.outputs[0] = &array_of(self);
    PyObject* outputs[2] = {self, nullptr};
    PyObject* result = run_operation(which.operation, inputs, options, outputs, op::info(which.operation).name, &refusal);
    if (result != nullptr || !refusal.refused()) return result;
  } else {
    refusal.declined = "type of an operand";
  }
  return refused(which, operands, 2, refusal, out_name());
}

PyObject* unary(Op operation, PyObject* self, PyObject* output = nullptr) {
  Inputs inputs;
  Refusal refusal;
  if (inputs.add(self) < 0) return nullptr;
  evaluate::ElementwiseOptions options;
  if (output != nullptr) options.outputs[0] = &array_of(output);
  PyObject* outputs[2] = {output, nullptr};
  PyObject* result = run_operation(operation, inputs, options, outputs, op::info(operation).name, &refusal);
  if (result != nullptr || !refusal.refused()) return result;
  PyObject* operands[2] = {self, output};
  return refused({operation, nullptr}, operands, 1, refusal, output != nullptr ? out_name() : nullptr);
}

template <Op kOperation, binaryfunc kNumber>
PyObject* binary_slot(PyObject* a, PyObject* b) {
  static constexpr Operator which{kOperation, kNumber};
  return binary(which, a, b);
}
template <Op kOperation, binaryfunc kNumber>
PyObject* in_place_slot(PyObject* a, PyObject* b) {
  static constexpr Operator which{kOperation, kNumber};
  return in_place(which, a, b);
}
template <Op kOperation>
PyObject* unary_slot(PyObject* a) {
  return unary(kOperation, a);
}

// NumPy's short cuts for `array ** number` (number.c): square for 2, and for floating point arrays reciprocal for -1 and
// sqrt for 0.5. Op::count_ where none applies.
Op short_power(PyObject* base, PyObject* exponent) {
  if (!is_array(base)) return Op::count_;
  Op operation = Op::count_;
  if (PyLong_CheckExact(exponent)) {
    int overflow = 0;
    const long value = PyLong_AsLongAndOverflow(exponent, &overflow);
    if (overflow == 0 && value == 2) return Op::square;
    if (overflow == 0 && value == -1) operation = Op::reciprocal;
  } else if (PyFloat_CheckExact(exponent) && PyFloat_AS_DOUBLE(exponent) == 0.5) {
    operation = Op::sqrt;
  }
  return operation != Op::count_ && is_inexact(array_of(base).dtype()) ? operation : Op::count_;
}

PyObject* power(PyObject* base, PyObject* exponent, PyObject* modulus) {
  if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
  const Op operation = short_power(base, exponent);
  if (operation != Op::count_) return unary(operation, base);
  return binary_slot<Op::power, power_of>(base, exponent);
}

PyObject* in_place_power(PyObject* base, PyObject* exponent, PyObject*) {
  const Op operation = short_power(base, exponent);
  if (operation != Op::count_ && reinterpret_cast<ArrayObject*>(base)->writeable) return unary(operation, base, base);
  return in_place_slot<Op::power, power_of>(base, exponent);
}

UfuncObject* matmul_ufunc() {
  static UfuncObject* ufunc = nullptr;
  if (ufunc == nullptr) {
    PyObject* real = PyObject_GetAttrString(real_numpy().module, "matmul");
    if (real != nullptr) ufunc = ufunc_for(real);
    Py_XDECREF(real);
  }
  return ufunc;
}

PyObject* matmul(PyObject* a, PyObject* b) {
  if (is_array(a) && !is_plain_operand(b)) {
    const Meeting meeting = meet(b, false);
    if (meeting == Meeting::kDefer) Py_RETURN_NOTIMPLEMENTED;
  }
  PyObject* operands[2] = {a, b};
  const UfuncObject* ufunc = matmul_ufunc();
  return ufunc != nullptr ? call_plain(*ufunc, operands) : nullptr;
}

PyObject* in_place_matmul(PyObject* self, PyObject* other) {
  if (!is_array(self)) return matmul(self, other);
  if (!is_plain_operand(other) && meet(other, true) == Meeting::kDefer) Py_RETURN_NOTIMPLEMENTED;
  // The shape rules differ from matmul(out=): NumPy's own operator settles them (and its error) on the real array.
  Array right;
  const Array& left = array_of(self);
  const int taken = take_array(other, &right);
  if (taken < 0) return nullptr;
  if (taken == 1 && left.ndim() >= 1 && right.ndim() >= 2) {
    PyObject* operands[3] = {self, other, self};
    const UfuncObject* ufunc = matmul_ufunc();
    return ufunc != nullptr ? ufunc_vectorcall(reinterpret_cast<PyObject*>(const_cast<UfuncObject*>(ufunc)), operands, 3, nullptr)
                            : nullptr;
  }
  PyObject* real = to_numpy(self);
  PyObject* result = real != nullptr ? PyNumber_InPlaceMatrixMultiply(real, other) : nullptr;
  Py_XDECREF(real);
  if (result == nullptr) return nullptr;
  Py_DECREF(result);
  return Py_NewRef(self);
}

constexpr Op kComparisons[] = {Op::less, Op::less_equal, Op::equal, Op::not_equal, Op::greater, Op::greater_equal};
static_assert(Py_LT == 0 && Py_LE == 1 && Py_EQ == 2 && Py_NE == 3 && Py_GT == 4 && Py_GE == 5);

// The comparison on the real array: strings, None and objects, where == and != answer instead of raising.
PyObject* real_comparison(PyObject* self, PyObject* other, int comparison, const char* reason) {
  const char* name = op::info(kComparisons[comparison]).name;
  PyObject* real = refuse_fallback_of(name, reason) == 0 ? to_numpy(self) : nullptr;
  if (real == nullptr) return nullptr;
  PyObject* result = PyObject_RichCompare(real, other, comparison);
  Py_DECREF(real);
  return finish_real_operator(result, self, name, reason);
}

// The other side goes first. Where `==` and `!=` get no answer Python compares identities, in silence: a compiled library that
// asks for NumPy's type (PyTorch) would have had one for the real array, so that is asked again as NumPy would.
PyObject* deferred_comparison(PyObject* self, PyObject* other, int comparison) {
  const richcmpfunc theirs = Py_TYPE(other)->tp_richcompare;
  if ((comparison != Py_EQ && comparison != Py_NE) || theirs == nullptr) Py_RETURN_NOTIMPLEMENTED;
  PyObject* result = theirs(other, self, comparison);
  if (result != Py_NotImplemented) return result;
  Py_DECREF(result);
  PyObject* real = to_numpy(self);
  if (real == nullptr) return nullptr;
  result = PyObject_RichCompare(real, other, comparison);
  Py_DECREF(real);
  if (result == nullptr) return nullptr;
  RealValues values;
  return values.from_real(result);
}

}  // namespace

PyObject* array_richcompare(PyObject* self, PyObject* other, int comparison) {
  if (!is_plain_operand(other)) {
    switch (meet(other, false)) {
      case Meeting::kDefer:
        return deferred_comparison(self, other, comparison);
      case Meeting::kSubclass:
        return real_comparison(self, other, comparison, "operand is a subclass of ndarray");
      case Meeting::kConvert:
        break;
    }
  }
  PyObject* operands[2] = {self, other};
  Inputs inputs;
  const int taken = inputs.add_all(operands, 2);
  if (taken < 0) return nullptr;
  Refusal refusal;
  if (taken == 1) {
    evaluate::ElementwiseOptions options;
    PyObject* outputs[2] = {nullptr, nullptr};
    const Op operation = kComparisons[comparison];
    PyObject* result = run_operation(operation, inputs, options, outputs, op::info(operation).name, &refusal);
    if (result != nullptr || !refusal.refused()) return result;
  }
  return real_comparison(self, other, comparison, taken == 1 ? refusal.error.c_str() : "type of an operand");
}

void fill_number_slots(PyNumberMethods* slots) {
  slots->nb_add = binary_slot<Op::add, PyNumber_Add>;
  slots->nb_subtract = binary_slot<Op::subtract, PyNumber_Subtract>;
  slots->nb_multiply = binary_slot<Op::multiply, PyNumber_Multiply>;
  slots->nb_true_divide = binary_slot<Op::divide, PyNumber_TrueDivide>;
  slots->nb_floor_divide = binary_slot<Op::floor_divide, PyNumber_FloorDivide>;
  slots->nb_remainder = binary_slot<Op::remainder, PyNumber_Remainder>;
  slots->nb_divmod = binary_slot<Op::divmod, PyNumber_Divmod>;
  slots->nb_power = power;
  slots->nb_and = binary_slot<Op::bitwise_and, PyNumber_And>;
  slots->nb_or = binary_slot<Op::bitwise_or, PyNumber_Or>;
  slots->nb_xor = binary_slot<Op::bitwise_xor, PyNumber_Xor>;
  slots->nb_lshift = binary_slot<Op::left_shift, PyNumber_Lshift>;
  slots->nb_rshift = binary_slot<Op::right_shift, PyNumber_Rshift>;
  slots->nb_matrix_multiply = matmul;
  slots->nb_inplace_add = in_place_slot<Op::add, PyNumber_Add>;
  slots->nb_inplace_subtract = in_place_slot<Op::subtract, PyNumber_Subtract>;
  slots->nb_inplace_multiply = in_place_slot<Op::multiply, PyNumber_Multiply>;
  slots->nb_inplace_true_divide = in_place_slot<Op::divide, PyNumber_TrueDivide>;
  slots->nb_inplace_floor_divide = in_place_slot<Op::floor_divide, PyNumber_FloorDivide>;
  slots->nb_inplace_remainder = in_place_slot<Op::remainder, PyNumber_Remainder>;
  slots->nb_inplace_power = in_place_power;
  slots->nb_inplace_and = in_place_slot<Op::bitwise_and, PyNumber_And>;
  slots->nb_inplace_or = in_place_slot<Op::bitwise_or, PyNumber_Or>;
  slots->nb_inplace_xor = in_place_slot<Op::bitwise_xor, PyNumber_Xor>;
  slots->nb_inplace_lshift = in_place_slot<Op::left_shift, PyNumber_Lshift>;
  slots->nb_inplace_rshift = in_place_slot<Op::right_shift, PyNumber_Rshift>;
  slots->nb_inplace_matrix_multiply = in_place_matmul;
  slots->nb_negative = unary_slot<Op::negative>;
  slots->nb_positive = unary_slot<Op::positive>;
  slots->nb_absolute = unary_slot<Op::absolute>;
  slots->nb_invert = unary_slot<Op::invert>;
}

}  // namespace manycore::python
