// float16 operations: blocks are widened to float32, go through that loop and are rounded back, which is how NumPy computes
// them. Maxima keep the first of equal operands, and neighbours and spacing are those of float16, so these have own loops.
#include "kernel/half.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernel/table.h"

namespace manycore::kernel {
namespace {

constexpr int64_t kBlock = 512;
constexpr int kMaxArguments = 4;

// How one operation goes through float32. Lives in static memory; `table` is the one the loop stands in.
struct Through {
  const Table* table;
  const Loop* loop;
  int arguments;
  int inputs;
  bool is_half[kMaxArguments];
};
Through through[op::kOpCount];

void through_float(char** args, const int64_t* dims, const int64_t* steps, void* data) {
  const Through& t = *static_cast<const Through*>(data);
  constexpr int kHalfSlot = slot_of<Half>, kFloatSlot = slot_of<float>;
  const LoopFn widen = t.table->casts[kHalfSlot][kFloatSlot], narrow = t.table->casts[kFloatSlot][kHalfSlot];
  float floats[kMaxArguments][kBlock];
  for (int64_t begin = 0; begin < dims[0]; begin += kBlock) {
    const int64_t n = std::min(kBlock, dims[0] - begin);
    char* inner[kMaxArguments];
    int64_t inner_steps[kMaxArguments];
    for (int k = 0; k < t.arguments; ++k) {
      char* here = args[k] + begin * steps[k];
      inner[k] = t.is_half[k] ? reinterpret_cast<char*>(floats[k]) : here;
      inner_steps[k] = t.is_half[k] ? (steps[k] == 0 ? 0 : sizeof(float)) : steps[k];
      if (!t.is_half[k] || k >= t.inputs) continue;
      const int64_t count = steps[k] == 0 ? 1 : n;
      char* pair[2] = {here, inner[k]};
      const int64_t pair_steps[2] = {steps[k], sizeof(float)};
      widen(pair, &count, pair_steps, nullptr);
    }
    t.loop->run(inner, &n, inner_steps, t.loop->data);
    for (int k = t.inputs; k < t.arguments; ++k) {
      if (!t.is_half[k]) continue;
      char* pair[2] = {inner[k], args[k] + begin * steps[k]};
      const int64_t pair_steps[2] = {sizeof(float), steps[k]};
      narrow(pair, &n, pair_steps, nullptr);
    }
  }
}

Half next_after(Half x, Half y) {
  const float from = half_to_float(x), to = half_to_float(y);
  if (from != from || to != to) return {uint16_t(from != from ? x.bits : y.bits)};
  if (from == to) return x;
  if (from == 0) return {uint16_t((y.bits & 0x8000u) | 1)};
  const bool outwards = (from < to) == (from > 0);
  const Half next = {uint16_t(outwards ? x.bits + 1 : x.bits - 1)};
  if ((next.bits & 0x7fffu) == 0x7c00u) raise_status(kOverflowBit);
  return next;
}

// Towards plus infinity: NumPy's float16 spacing is positive for negative numbers too, unlike that of wider types.
Half spacing(Half x) {
  if ((x.bits & 0x7c00u) == 0x7c00u) {
    raise_status(kInvalidBit);
    return {0x7e00u};
  }
  if ((x.bits & 0x7fffu) == 0) return {1};
  return to_half(half_to_float(next_after(x, {0x7c00u})) - half_to_float(x));
}

bool keeps_first(op::Op op, float x, float y) {
  switch (op) {
    case op::Op::maximum:
      return x >= y || x != x;
    case op::Op::minimum:
      return x <= y || x != x;
    case op::Op::fmax:
      return x >= y || y != y;
    default:
      return x <= y || y != y;
  }
}

template <op::Op kOp>
Half choose(Half x, Half y) {
  return keeps_first(kOp, half_to_float(x), half_to_float(y)) ? x : y;
}

template <Half (*kFunction)(Half, Half)>
void binary_half(char** args, const int64_t* dims, const int64_t* steps, void*) {
  char *a = args[0], *b = args[1], *r = args[2];
  for (int64_t i = 0; i < dims[0]; ++i, a += steps[0], b += steps[1], r += steps[2]) {
    *reinterpret_cast<Half*>(r) = kFunction(*reinterpret_cast<Half*>(a), *reinterpret_cast<Half*>(b));
  }
}
// minimum(maximum(x, low), high)
void clip_half(char** args, const int64_t* dims, const int64_t* steps, void*) {
  char *a = args[0], *b = args[1], *c = args[2], *r = args[3];
  for (int64_t i = 0; i < dims[0]; ++i, a += steps[0], b += steps[1], c += steps[2], r += steps[3]) {
    const Half raised = choose<op::Op::maximum>(*reinterpret_cast<Half*>(a), *reinterpret_cast<Half*>(b));
    *reinterpret_cast<Half*>(r) = choose<op::Op::minimum>(raised, *reinterpret_cast<Half*>(c));
  }
}
void spacing_half(char** args, const int64_t* dims, const int64_t* steps, void*) {
  char *a = args[0], *r = args[1];
  for (int64_t i = 0; i < dims[0]; ++i, a += steps[0], r += steps[1]) {
    *reinterpret_cast<Half*>(r) = spacing(*reinterpret_cast<Half*>(a));
  }
}

}  // namespace

// Runs last: an operation that has a float32 loop gets a float16 one.
void fill_half(Builder& builder) {
  Table& table = builder.table();
  for (int i = 0; i < op::kOpCount; ++i) {
    const op::Op op = static_cast<op::Op>(i);
    const op::OpInfo& info = op::info(op);
    const Loop& single = table.loops[i][slot_of<float>];
    if (!single.run) continue;
    Through& t = through[i];
    t = {&table, &single, info.inputs + info.outputs, info.inputs, {}};
    const std::string_view types = info.types;
    for (int k = 0; k < t.arguments; ++k) {
      const bool is_output = k >= info.inputs;
      t.is_half[k] = !(is_output && (types == "compare" || types == "test" || types == "test_floating")) &&
                     !(op == op::Op::ldexp && k == 1) && !(op == op::Op::frexp && k == 2);
    }
    Loop& half = table.loops[i][slot_of<Half>];
    half = single;
    half.run = &through_float;
    half.data = &t;
    half.cost = std::max(single.cost, Cost::kDivision);
  }
  builder.cost(Cost::kDivision);
  builder.set(op::Op::maximum, slot_of<Half>, &binary_half<choose<op::Op::maximum>>);
  builder.set(op::Op::minimum, slot_of<Half>, &binary_half<choose<op::Op::minimum>>);
  builder.set(op::Op::fmax, slot_of<Half>, &binary_half<choose<op::Op::fmax>>);
  builder.set(op::Op::fmin, slot_of<Half>, &binary_half<choose<op::Op::fmin>>);
  builder.set(op::Op::clip, slot_of<Half>, &clip_half);
  builder.set(op::Op::nextafter, slot_of<Half>, &binary_half<next_after>);
  builder.set(op::Op::spacing, slot_of<Half>, &spacing_half);
}

}  // namespace manycore::kernel
