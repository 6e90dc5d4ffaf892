#include "op/resolve.h"

#include <array>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/lasting.h"
#include "manycore/errors.h"

namespace manycore::op {
namespace {

// What the loops of a rule return, given the one dtype of their inputs.
enum class Returns : uint8_t { kSame, kTruth, kMagnitude, kCount, kExponent };

// The loops in NumPy's order, as NumPy's type characters; every input of a loop has the same dtype but for ldexp's
// second (int64) and the two mixed comparisons, written m (int64 with uint64) and M.
struct Rule {
  std::string_view name;
  std::string_view loops;
  Returns returns;
};
constexpr Rule kRules[] = {
    {"numeric", "?bBhHiIlLefdFD", Returns::kSame},
    {"number", "bBhHiIlLefdFD", Returns::kSame},
    {"number_only", "bBhHiIlLefdFD", Returns::kSame},  // refuses bool arrays, which the rule above reads as int8
    {"real", "bBhHiIlLefd", Returns::kSame},
    {"real_or_bool", "?bBhHiIlLefd", Returns::kSame},
    {"integer", "bBhHiIlL", Returns::kSame},
    {"integer_only", "bBhHiIlL", Returns::kSame},
    {"bitwise", "?bBhHiIlL", Returns::kSame},
    {"floating", "efd", Returns::kSame},
    {"inexact", "efdFD", Returns::kSame},
    {"divide", "efdFD", Returns::kSame},  // two integers divide as float64
    {"wide", "dD", Returns::kSame},
    {"absolute", "?bBhHiIlLefdFD", Returns::kMagnitude},
    {"compare", "?bBhHiIlLmMefdFD", Returns::kTruth},
    {"test", "?bBhHiIlLefdFD", Returns::kTruth},  // unequal dtypes meet as bool
    {"test_floating", "efd", Returns::kTruth},
    {"count", "bBhHiIlL", Returns::kCount},
    {"frexp", "efd", Returns::kExponent},
    {"ldexp", "efd", Returns::kSame},
};
constexpr int kRuleCount = sizeof(kRules) / sizeof(kRules[0]);
constexpr uint8_t kNoLoop = 255;
constexpr int kMixed = kDTypeCount, kMixedReversed = kDTypeCount + 1;  // kernel::kInt64WithUInt64 and its mirror

constexpr int slot_of(char code) {
  constexpr std::string_view kCodes = "?bhilBHILefdFDmM";
  return static_cast<int>(kCodes.find(code));
}

bool safe(DType from, DType to) { return can_cast(from, to, Casting::kSafe); }
bool accepts(int slot, DType a, DType b) {
  if (slot == kMixed) return safe(a, DType::kInt64) && safe(b, DType::kUInt64);
  if (slot == kMixedReversed) return safe(a, DType::kUInt64) && safe(b, DType::kInt64);
  return safe(a, static_cast<DType>(slot)) && safe(b, static_cast<DType>(slot));
}

uint8_t search(const Rule& rule, DType a, DType b) {
  if (rule.name == "divide" && !is_inexact(a) && !is_inexact(b)) return static_cast<uint8_t>(DType::kFloat64);
  if (rule.name == "test" && a != b) return static_cast<uint8_t>(DType::kBool);
  if (rule.name.ends_with("_only") && a == DType::kBool && b == DType::kBool) return kNoLoop;
  for (char code : rule.loops) {
    if (accepts(slot_of(code), a, b)) return static_cast<uint8_t>(slot_of(code));
  }
  return kNoLoop;
}

// Slots by rule and two dtypes; one input is looked up with itself.
struct Slots {
  uint8_t slot[kRuleCount][kDTypeCount][kDTypeCount];
  uint8_t rule_of[kOpCount];

  Slots() {
    for (int r = 0; r < kRuleCount; ++r) {
      for (int a = 0; a < kDTypeCount; ++a) {
        for (int b = 0; b < kDTypeCount; ++b) slot[r][a][b] = search(kRules[r], static_cast<DType>(a), static_cast<DType>(b));
      }
    }
    for (int i = 0; i < kOpCount; ++i) rule_of[i] = find_rule(info(static_cast<Op>(i)).types);
  }
  static uint8_t find_rule(std::string_view name) {
    int r = 0;
    while (r < kRuleCount && kRules[r].name != name) ++r;
    MANYCORE_CHECK(r < kRuleCount);
    return static_cast<uint8_t>(r);
  }
};
const Slots& slots() {
  static constinit base::Lasting<const Slots> table;
  return table.get();
}

DType magnitude_of(DType dtype) {
  if (dtype == DType::kComplex64) return DType::kFloat32;
  return dtype == DType::kComplex128 ? DType::kFloat64 : dtype;
}

Signature signature_of(Op op, const Rule& rule, int slot) {
  Signature s;
  s.slot = slot;
  const DType common = slot == kMixed ? DType::kInt64 : slot == kMixedReversed ? DType::kUInt64 : static_cast<DType>(slot);
  s.inputs[0] = s.inputs[1] = s.inputs[2] = common;
  if (slot == kMixed) s.inputs[1] = DType::kUInt64;
  if (slot == kMixedReversed || op == Op::ldexp) s.inputs[1] = DType::kInt64;
  s.outputs[0] = s.outputs[1] = common;
  switch (rule.returns) {
    case Returns::kSame:
      break;
    case Returns::kTruth:
      s.outputs[0] = DType::kBool;
      break;
    case Returns::kMagnitude:
      s.outputs[0] = magnitude_of(common);
      break;
    case Returns::kCount:
      s.outputs[0] = DType::kUInt8;
      break;
    case Returns::kExponent:
      s.outputs[1] = DType::kInt32;
      break;
  }
  return s;
}

DType default_of(const OperandType& operand) {
  switch (operand.weak) {
    case Weak::kFloat:
      return DType::kFloat64;
    case Weak::kComplex:
      return DType::kComplex128;
    default:
      return operand.dtype;  // int64, or uint64 for a Python integer above its range
  }
}

// ldexp looks at its operands apart: the first picks the float, the second must be an integer below uint64.
uint8_t search_ldexp(std::span<const OperandType> inputs) {
  const OperandType &x = inputs[0], &exponent = inputs[1];
  const DType e = default_of(exponent);
  if (exponent.weak != Weak::kInteger && !safe(e, DType::kInt64)) return kNoLoop;
  DType first = default_of(x);
  const bool other_is_integer = exponent.weak == Weak::kStrong && is_integer(e);
  if (x.weak == Weak::kInteger && other_is_integer) first = DType::kFloat16;  // any loop takes a bare integer
  return slots().slot[Slots::find_rule("floating")][static_cast<int>(first)][static_cast<int>(first)];
}

std::string dtype_class(DType dtype) {
  std::string name = name_of(dtype);
  name[0] = static_cast<char>(name[0] - 'a' + 'A');
  if (name.starts_with("Uint")) name[1] = 'I';
  return "<class 'numpy.dtypes." + name + "DType'>";
}

// `asked` is what dtype= asked for.
[[noreturn]] void fail_no_loop(Op op, std::span<const OperandType> inputs, std::optional<DType> asked = {}) {
  const std::string name = info(op).name;
  bool all_bool = asked == DType::kBool || !asked;
  for (const OperandType& input : inputs) all_bool &= asked || input.dtype == DType::kBool;
  if (op == Op::subtract && all_bool) {
    throw UserError(ErrorKind::kType,
                    "numpy boolean subtract, the `-` operator, is not supported, use the bitwise_xor, the `^` operator, or the "
                    "logical_xor function instead.");
  }
  if (op == Op::negative && all_bool) {
    throw UserError(ErrorKind::kType,
                    "The numpy boolean negative, the `-` operator, is not supported, use the `~` operator or the logical_not "
                    "function instead.");
  }
  if (op == Op::positive || op == Op::sign || op == Op::gcd || op == Op::lcm || (asked && op == Op::absolute)) {
    std::string classes;
    for (const OperandType& input : inputs) classes += (classes.empty() ? "" : ", ") + dtype_class(default_of(input));
    if (inputs.size() > 1) classes = "(" + classes + ")";
    throw UserError(ErrorKind::kType, "ufunc '" + name + "' did not contain a loop with signature matching types " + classes +
                                          " -> " + (asked ? dtype_class(*asked) : "None"));
  }
  if (asked) {
    throw UserError(ErrorKind::kType, "No loop matching the specified signature and casting was found for ufunc " + name);
  }
  throw UserError(ErrorKind::kType, "ufunc '" + name +
                                        "' not supported for the input types, and the inputs could not be safely coerced to any "
                                        "supported types according to the casting rule ''safe''");
}

[[noreturn]] void fail_cast(Op op, const char* what, int index, bool indexed, DType from, DType to, Casting casting) {
  std::string text = std::string("Cannot cast ufunc '") + info(op).name + "' " + what;
  if (indexed) text.append(1, ' ').append(std::to_string(index));
  text.append(" from dtype('").append(name_of(from)).append("') to dtype('").append(name_of(to));
  throw UserError(ErrorKind::kCasting, text.append("') with casting rule '").append(name_of(casting)).append("'"));
}

[[noreturn]] void fail_weak_cast(Weak weak, DType to) {
  const char* kind = weak == Weak::kInteger ? "int" : weak == Weak::kFloat ? "float" : "complex";
  throw UserError(ErrorKind::kType,
                  std::string("cannot cast Python ") + kind + " to " + name_of(to) + " under the casting rule 'equiv'");
}

// The loop that returns `dtype`.
Signature with_output(Op op, std::span<const OperandType> inputs, DType dtype) {
  const Rule& rule = kRules[slots().rule_of[static_cast<int>(op)]];
  if (rule.returns == Returns::kTruth || rule.returns == Returns::kCount) {
    Signature s;
    if (dtype != (rule.returns == Returns::kTruth ? DType::kBool : DType::kUInt8)) fail_no_loop(op, inputs, dtype);
    if (!find_signature(op, inputs, &s)) fail_no_loop(op, inputs);
    return s;
  }
  for (char code : rule.loops) {
    const Signature s = signature_of(op, rule, slot_of(code));
    if (s.outputs[0] == dtype) return s;
  }
  fail_no_loop(op, inputs, dtype);
}

bool may_cast(const OperandType& from, DType to, Casting casting) {
  if (from.weak == Weak::kStrong) return can_cast(from.dtype, to, casting);
  if (from.weak == Weak::kInteger) return to != DType::kBool || casting == Casting::kUnsafe;
  return casting == Casting::kUnsafe || is_complex(to) || (from.weak == Weak::kFloat && is_floating(to));
}

}  // namespace

DType settle_weak(Weak weak, DType own, std::span<const OperandType> operands) {
  DType met = DType::kBool;
  bool strong = false;
  for (const OperandType& operand : operands) {
    if (operand.weak != Weak::kStrong) continue;
    met = strong ? promote(met, operand.dtype) : operand.dtype;
    strong = true;
  }
  if (!strong) return default_of({own, weak});
  switch (weak) {
    case Weak::kStrong:
      return own;
    case Weak::kInteger:
      return met == DType::kBool ? own : met;
    case Weak::kFloat:
      return is_inexact(met) ? met : DType::kFloat64;
    case Weak::kComplex:
      if (is_complex(met)) return met;
      return met == DType::kFloat16 || met == DType::kFloat32 ? DType::kComplex64 : DType::kComplex128;
  }
  return own;
}

bool find_signature(Op op, std::span<const OperandType> inputs, Signature* signature) {
  const int rule = slots().rule_of[static_cast<int>(op)];
  const int n = static_cast<int>(inputs.size());
  MANYCORE_DCHECK(n == info(op).inputs);
  DType dtypes[3];
  for (int i = 0; i < n; ++i) {
    dtypes[i] = inputs[i].weak == Weak::kStrong ? inputs[i].dtype : settle_weak(inputs[i].weak, inputs[i].dtype, inputs);
  }
  uint8_t slot;
  if (op == Op::ldexp) {
    slot = search_ldexp(inputs);
  } else if (kRules[rule].name == "test" && n == 2 && inputs[0].weak != inputs[1].weak) {
    slot = static_cast<uint8_t>(DType::kBool);  // a bare number and an array meet as truth values
  } else if (n == 3) {
    const DType common = promote_all(dtypes);
    slot = slots().slot[rule][static_cast<int>(common)][static_cast<int>(common)];
  } else {
    slot = slots().slot[rule][static_cast<int>(dtypes[0])][static_cast<int>(dtypes[n - 1])];
  }
  if (slot == kNoLoop) return false;
  *signature = signature_of(op, kRules[rule], slot);
  return true;
}

Signature resolve(Op op, std::span<const OperandType> inputs, std::optional<DType> dtype, Casting casting) {
  Signature s;
  if (dtype) {
    s = with_output(op, inputs, *dtype);
  } else if (!find_signature(op, inputs, &s)) {
    fail_no_loop(op, inputs);
  }
  const int n = static_cast<int>(inputs.size());
  const bool truths = s.outputs[0] == DType::kBool && s.inputs[0] == DType::kBool && std::string_view(info(op).types) == "test";
  for (int i = 0; i < n && casting == Casting::kEquiv; ++i) {
    if (inputs[i].weak != Weak::kStrong && default_of(inputs[i]) != s.inputs[i]) fail_weak_cast(inputs[i].weak, s.inputs[i]);
  }
  for (int i = 0; i < n && !truths; ++i) {
    if (!may_cast(inputs[i], s.inputs[i], casting)) fail_cast(op, "input", i, n > 1, default_of(inputs[i]), s.inputs[i], casting);
  }
  return s;
}

void check_output_cast(Op op, int output, DType loop, DType array, Casting casting) {
  if (can_cast(loop, array, casting)) return;
  fail_cast(op, "output", info(op).inputs + output, info(op).outputs > 1, loop, array, casting);
}

}  // namespace manycore::op
