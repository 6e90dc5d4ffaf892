#include "evaluate/small.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "base/options.h"
#include "evaluate/record.h"
#include "evaluate/weak.h"
#include "kernel/float_status.h"
#include "kernel/loops.h"
#include "op/resolve.h"
#include "trace/counters.h"

namespace manycore::evaluate {
namespace {

// Above this the cost of a call no longer shows, and larger ones may run in parallel.
constexpr int64_t kMostElements = 4096;

// What an operand is to the table: its dtype, or one of the three kinds of bare numbers.
constexpr int kKinds = kDTypeCount + 3;
int kind_number(const Operand& operand) {
  if (operand.view) return static_cast<int>(operand.view->dtype);
  if (operand.scalar.weak == Weak::kStrong) return static_cast<int>(operand.scalar.dtype);
  return kDTypeCount + static_cast<int>(operand.scalar.weak) - 1;
}
op::OperandType type_of(int kind) {
  if (kind < kDTypeCount) return {static_cast<DType>(kind), Weak::kStrong};
  constexpr DType kOwn[] = {DType::kInt64, DType::kFloat64, DType::kComplex128};
  return {kOwn[kind - kDTypeCount], static_cast<Weak>(kind - kDTypeCount + 1)};
}

// A resolved call. Filled once; every thread that fills an entry writes the same.
struct Entry {
  enum State : uint8_t { kUnknown, kNone, kReady };
  std::atomic<uint8_t> state{kUnknown};
  DType inputs[2];
  DType output;
  uint8_t slot;
};
Entry table[op::kOpCount][kKinds][kKinds + 1];

// Operations whose errors depend on the values of the operands: elementwise() knows them.
bool is_special(op::Op operation, const op::Signature& signature) {
  return operation == op::Op::power && is_integer(signature.inputs[0]);
}

uint8_t resolve_entry(op::Op operation, int first, int second, Entry* entry) {
  const op::OpInfo& info = op::info(operation);
  const op::OperandType types[2] = {type_of(first), second < kKinds ? type_of(second) : op::OperandType{}};
  op::Signature signature;
  uint8_t state = Entry::kNone;
  if (info.outputs == 1 && op::find_signature(operation, std::span<const op::OperandType>(types, info.inputs), &signature) &&
      !is_special(operation, signature)) {
    state = Entry::kReady;
    for (int i = 0; i < info.inputs; ++i) {
      entry->inputs[i] = signature.inputs[i];
      // An array that needs a cast takes the long way; numbers are converted here.
      const bool is_weak = types[i].weak != Weak::kStrong;
      if (!is_weak && types[i].dtype != signature.inputs[i]) state = Entry::kNone;
    }
    entry->output = signature.outputs[0];
    entry->slot = static_cast<uint8_t>(signature.slot);
  }
  entry->state.store(state, std::memory_order_release);
  return state;
}

// A bare number as an element, where that rounds nothing away that needs a warning.
bool convert_number(const Scalar& number, DType dtype, std::byte* element) {
  if (number.weak == Weak::kStrong) {
    std::memcpy(element, number.bytes, static_cast<size_t>(item_size(dtype)));
    return true;
  }
  if (number.weak == Weak::kComplex) {
    if (dtype != DType::kComplex128) return false;
    std::memcpy(element, number.bytes, 16);
    return true;
  }
  if (number.dtype == DType::kUInt64) return false;
  const bool whole = number.weak == Weak::kInteger;
  const double value = whole ? static_cast<double>(number.get<int64_t>()) : number.get<double>();
  switch (dtype) {
    case DType::kFloat64:
      std::memcpy(element, &value, sizeof value);
      return true;
    case DType::kFloat32: {
      // In range and not a denormal result: no flag that NumPy would report.
      if (!(value == 0 || (std::fabs(value) >= 0x1p-126 && std::fabs(value) <= 0x1.fffffep127))) return false;
      const auto narrow = static_cast<float>(value);
      std::memcpy(element, &narrow, sizeof narrow);
      return true;
    }
    case DType::kComplex128: {
      const double parts[2] = {value, 0.0};
      std::memcpy(element, parts, sizeof parts);
      return true;
    }
    default:
      break;
  }
  if (!whole || !is_integer(dtype) || side_of_range(number, dtype) != 0) return false;
  // Little-endian two's complement: the low bytes are the value.
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(element, number.bytes, static_cast<size_t>(item_size(dtype)));
  return true;
}

Array new_result(const View& model, int64_t count, DType dtype) {
  View view;
  const int64_t item = item_size(dtype);
  BufferRef buffer = BufferRef::adopt(Buffer::allocate(count * item));
  view.data = buffer->data();
  view.dtype = dtype;
  view.shape = model.shape;
  view.strides.resize(model.ndim());
  int64_t stride = item;
  for (int i = model.ndim() - 1; i >= 0; --i) {
    view.strides[i] = stride;
    stride *= view.shape[i];
  }
  return Array(std::move(buffer), std::move(view));
}

// The bytes from element to element of an operand of the model's shape in C order, or along its one dimension. False for other layouts,
// and where a loop wants its elements packed.
bool find_step(const View& view, const View& model, const kernel::Loop& loop, int64_t* step) {
  if (!(view.shape == model.shape) || !view.is_aligned()) return false;
  *step = item_size(view.dtype);
  if (view.is_c_contiguous()) return true;
  if (view.ndim() != 1 || loop.cost == kernel::Cost::kTranscendental) return false;
  *step = view.strides[0];
  return true;
}

// May an input be read while the output is written? It is the output element by element, or lies apart; another place in the same memory
// takes the long way.
bool may_be_read(const View& input, int64_t input_step, const View& output, int64_t output_step, int64_t elements) {
  if (input.data == output.data) return input_step == output_step && item_size(input.dtype) == item_size(output.dtype);
  const auto first = [&](const View& view, int64_t step) { return view.data + std::min<int64_t>(0, (elements - 1) * step); };
  const auto last = [&](const View& view, int64_t step) {
    return view.data + std::max<int64_t>(0, (elements - 1) * step) + item_size(view.dtype);
  };
  return last(input, input_step) <= first(output, output_step) || last(output, output_step) <= first(input, input_step);
}

}  // namespace

bool small_elementwise(op::Op operation, std::span<const Operand> inputs, const Array* output, Array* result, unsigned* status) {
  const auto count = static_cast<int>(inputs.size());
  if (count > 2) return false;
  const View* model = inputs[0].view ? inputs[0].view : count == 2 ? inputs[1].view : nullptr;
  if (!model) return false;
  const int64_t elements = model->size();
  if (elements > kMostElements || elements == 0 || elements >= base::integer_option(base::Option::record_from)) return false;
  const int first = kind_number(inputs[0]), second = count == 2 ? kind_number(inputs[1]) : kKinds;
  Entry& entry = table[static_cast<int>(operation)][first][second];
  uint8_t state = entry.state.load(std::memory_order_acquire);
  if (state == Entry::kUnknown) state = resolve_entry(operation, first, second, &entry);
  if (state != Entry::kReady) return false;

  const kernel::Loop& loop = kernel::find_loop(operation, entry.slot);
  alignas(16) std::byte numbers[2][16];
  char* args[3];
  int64_t steps[3];
  int64_t bytes = elements * item_size(entry.output);
  for (int i = 0; i < count; ++i) {
    const View* view = inputs[i].view;
    if (view) {
      if (inputs[i].array) {
        if (will_be_written(*inputs[i].array)) return false;  // recorded with what it waits for
        inputs[i].settle();
      }
      if (!find_step(*view, *model, loop, &steps[i])) return false;
      args[i] = reinterpret_cast<char*>(view->data);
      bytes += elements * item_size(entry.inputs[i]);
    } else {
      if (!convert_number(inputs[i].scalar, entry.inputs[i], numbers[i])) return false;
      args[i] = reinterpret_cast<char*>(numbers[i]);
      steps[i] = 0;
    }
  }
  if (output) {
    const View& view = output->view();
    if (view.dtype != entry.output || !find_step(view, *model, loop, &steps[count])) return false;
    if (std::abs(steps[count]) < item_size(entry.output)) return false;  // one element in several places
    for (int i = 0; i < count; ++i) {
      if (inputs[i].view && !may_be_read(*inputs[i].view, steps[i], view, steps[count], elements)) return false;
    }
    *result = *output;
  } else {
    *result = new_result(*model, elements, entry.output);
    steps[count] = item_size(entry.output);
  }
  args[count] = reinterpret_cast<char*>(result->data());

  if (loop.errors == 0) {
    loop.run(args, &elements, steps, loop.data);
  } else {
    loop.scalar_unit ? kernel::clear_status_all() : kernel::clear_status();
    loop.run(args, &elements, steps, loop.data);
    *status |= (loop.scalar_unit ? kernel::read_status_all() : kernel::read_status()) & loop.errors;
  }
  trace::count_native(bytes);
  return true;
}

}  // namespace manycore::evaluate
