#include "bindings/reduce_call.h"

#include "bindings/function_arguments.h"
#include "bindings/real_numpy.h"
#include "evaluate/record.h"
#include "evaluate/refused.h"

namespace manycore::python {
namespace {

// Everything of one reduction in the engine's terms; owns what the options point at.
struct Prepared {
  Array input;
  Array output;
  Array where;
  evaluate::ReduceOptions options;
  unsigned status = 0;
};

bool decline(Refusal* refusal, const char* reason) {
  refusal->declined = reason;
  return false;
}

bool prepare_where(const ReduceArguments& arguments, Prepared* prepared, Refusal* refusal) {
  if (arguments.where == nullptr || arguments.where == real_numpy().no_value || arguments.where == Py_True) return true;
  const int taken = take_array(arguments.where, &prepared->where);
  if (taken < 0) return false;
  if (taken == 0 || prepared->where.dtype() != DType::kBool) return decline(refusal, "argument where");
  prepared->options.where = &prepared->where.view();
  return true;
}

bool prepare_initial(const ReduceArguments& arguments, Prepared* prepared, Refusal* refusal) {
  if (arguments.initial == nullptr || arguments.initial == real_numpy().no_value) return true;
  OperandHolder holder;
  const int taken = arguments.initial == Py_None ? 0 : convert_operand(arguments.initial, &holder);
  if (taken < 0) return false;
  if (taken == 0 || !holder.is_scalar) return decline(refusal, "argument initial");
  prepared->options.initial = holder.scalar;
  return true;
}

// False with `refusal` filled or an exception set.
bool prepare(const ReduceArguments& arguments, Prepared* prepared, Refusal* refusal) {
  const int taken = take_array(arguments.array, &prepared->input);
  if (taken < 0) return false;
  if (taken == 0) return decline(refusal, "type of the array");
  evaluate::ReduceOptions& options = prepared->options;
  if (!axes_from(arguments.axis, &options.axes)) return decline(refusal, "argument axis");
  if (!evaluate::axes_fit(options.axes, prepared->input.ndim())) {
    refusal->error = "argument axis";
    return false;
  }
  if (options.axes) options.axes = evaluate::normalize_axes(*options.axes, prepared->input.ndim());
  if (!not_given(arguments.dtype)) {
    DType dtype;
    if (!dtype_from_descr(arguments.dtype, &dtype)) return decline(refusal, "argument dtype");
    if (is_complex(prepared->input.dtype()) && !is_complex(dtype)) return decline(refusal, "dtype discards the imaginary part");
    options.dtype = dtype;
  }
  if (!not_given(arguments.out)) {
    PyObject* out = arguments.out;
    if (PyTuple_CheckExact(out) && PyTuple_GET_SIZE(out) == 1) out = PyTuple_GET_ITEM(out, 0);
    const int usable = take_output(out, &prepared->output);
    if (usable < 0) return false;
    if (usable == 0) return decline(refusal, "argument out");
    options.output = &prepared->output;
  }
  if (arguments.keepdims != nullptr && arguments.keepdims != real_numpy().no_value) {
    if (!PyLong_Check(arguments.keepdims)) return decline(refusal, "argument keepdims");
    options.keepdims = PyObject_IsTrue(arguments.keepdims) == 1;
  }
  options.status = &prepared->status;
  return prepare_where(arguments, prepared, refusal) && prepare_initial(arguments, prepared, refusal);
}

PyObject* output_object(PyObject* out) { return PyTuple_CheckExact(out) ? PyTuple_GET_ITEM(out, 0) : out; }

// Is the caller's the only reference? Then the array most likely goes when the call returns, as in (a * b).sum(). A tuple that
// arguments were taken from looks the same, so nothing may depend on it.
bool is_passing(PyObject* object) { return is_array(object) && Py_REFCNT(object) == 1; }

// The result of a reduction that was recorded: one element is wanted at once.
Array settle_recorded(PyObject* input, Prepared* prepared, Array result) {
  if (result.ndim() > 0) return result;
  Buffer* passing = is_passing(input) ? prepared->input.buffer().get() : nullptr;
  prepared->input = Array();  // `input` keeps it
  evaluate::evaluate_passing(passing);
  return result;
}

// Prepare, run `work` on it without the GIL where large, report and wrap. `record` tries to record instead.
template <class Work, class Record>
PyObject* run(const ReduceArguments& arguments, const char* name, Refusal* refusal, Work work, Record record) {
  return guarded([&]() -> PyObject* {
    Prepared prepared;
    try {
      if (!prepare(arguments, &prepared, refusal)) return nullptr;
      Array result;
      if (record(prepared, &result)) {
        result = settle_recorded(arguments.array, &prepared, std::move(result));
      } else {
        ReleaseForLarge released(prepared.input.size());
        result = work(prepared);
      }
      if (refusal->refused()) return nullptr;
      if (prepared.status != 0 && report_floating_point(prepared.status, name) < 0) return nullptr;
      return not_given(arguments.out) ? wrap_or_scalar(std::move(result)) : Py_NewRef(output_object(arguments.out));
    } catch (const UserError& error) {
      refusal->error = error.what();
      return nullptr;
    }
  });
}

bool never(Prepared&, Array*) { return false; }

// Elements that go into each result.
int64_t reduced_count(const Prepared& prepared) {
  if (!prepared.options.axes) return prepared.input.size();
  int64_t count = 1;
  for (int64_t axis : *prepared.options.axes) count *= prepared.input.shape()[static_cast<int>(axis)];
  return count;
}

bool has_no_start(evaluate::Reduction reduction) {
  using enum evaluate::Reduction;
  return reduction == kMin || reduction == kMax || reduction == kArgmin || reduction == kArgmax;
}

}  // namespace

PyObject* reduce_native(evaluate::Reduction reduction, const ReduceArguments& arguments, Refusal* refusal) {
  return run(
      arguments, "reduce", refusal,
      [&](Prepared& prepared) {
        if (prepared.input.size() == 0 && !prepared.options.axes && !prepared.options.initial && has_no_start(reduction)) {
          refusal->error = "nothing to reduce";
          return Array();
        }
        return evaluate::reduce(reduction, prepared.input.view_to_read(), prepared.options);
      },
      [&](Prepared& prepared, Array* result) {
        return evaluate::record_reduce(reduction, prepared.input, prepared.options, result);
      });
}

PyObject* mean_native(const ReduceArguments& arguments, Refusal* refusal) {
  const auto record = [&](Prepared& prepared, Array* result) {
    return evaluate::record_mean(prepared.input, prepared.options, result);
  };
  return run(
      arguments, "reduce", refusal,
      [&](Prepared& prepared) {
        if (reduced_count(prepared) == 0) {
          decline(refusal, "mean of an empty slice, which warns");
          return Array();
        }
        return evaluate::mean(prepared.input.view_to_read(), prepared.options);
      },
      record);
}

PyObject* variance_native(const ReduceArguments& arguments, double removed, bool take_square_root, Refusal* refusal) {
  return run(
      arguments, "reduce", refusal,
      [&](Prepared& prepared) {
        if (static_cast<double>(reduced_count(prepared)) <= removed) {
          decline(refusal, "degrees of freedom <= 0 for a slice, which warns");
          return Array();
        }
        return evaluate::variance(prepared.input.view_to_read(), removed, take_square_root, prepared.options);
      },
      never);
}

PyObject* accumulate_native(evaluate::Reduction reduction, const ReduceArguments& arguments, Refusal* refusal) {
  return run(
      arguments, "accumulate", refusal,
      [&](Prepared& prepared) {
        if (prepared.options.axes && prepared.options.axes->size() != 1) {
          decline(refusal, "argument axis");
          return Array();
        }
        const int64_t axis = prepared.options.axes ? (*prepared.options.axes)[0] : 0;
        if (!prepared.options.axes) prepared.input = prepared.input.reshape(Dims{prepared.input.size()});
        return evaluate::accumulate(reduction, prepared.input.view_to_read(), static_cast<int>(axis), prepared.options);
      },
      never);
}

}  // namespace manycore::python
