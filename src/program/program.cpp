#include "program/program.h"

#include <cmath>
#include <complex>
#include <cstdio>
#include <unordered_map>
#include <unordered_set>

#include "base/check.h"
#include "program/bases.h"
#include "type/half.h"

namespace manycore::program {
namespace {

// One letter and the bits of an element: f64, c128, b8.
std::string short_name(DType dtype) { return std::string(1, kind_of(dtype)) + std::to_string(item_size(dtype) * 8); }

class Printer {
 public:
  explicit Printer(const Program& program) {
    const Bases bases(program);
    for (const BaseUse& use : bases.uses()) {
      names_[use.base] = (use.is_dead ? "t" : "a") + std::to_string(names_.size());
      dead_.insert({use.base, use.is_dead});
    }
  }

  std::string operand(const Operand& operand) const {
    if (operand.is_number()) return number(operand.number);
    std::string text = names_.at(operand.base.get());
    const View& view = operand.view;
    if (!view.is_c_contiguous() || view.nbytes() != operand.base->nbytes()) text += layout(operand);
    return text;
  }

  std::string line(const Instruction& instruction) const {
    if (instruction.kind == Kind::kFree) return "free " + names_.at(instruction.output.base.get());
    std::string text = operand(instruction.output) + ": " + short_name(instruction.output.view.dtype) +
                       shape_text(instruction.output.view.shape) + " = " + name_of(instruction) + "(";
    for (int i = 0; i < instruction.input_count; ++i) text += (i > 0 ? ", " : "") + operand(instruction.inputs[i]);
    return text + ")";
  }

 private:
  static std::string short_number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", value);
    return text;
  }

  static std::string complex_number(double real, double imaginary) {
    return short_number(real) + (std::signbit(imaginary) ? "-" : "+") + short_number(std::fabs(imaginary)) + "j";
  }

  static std::string number(const Scalar& scalar) {
    switch (kind_of(scalar.dtype)) {
      case 'f':
        if (scalar.dtype == DType::kFloat64) return short_number(scalar.get<double>());
        if (scalar.dtype == DType::kFloat32) return short_number(scalar.get<float>());
        return short_number(half_to_float(scalar.get<Half>()));
      case 'c':
        if (scalar.dtype == DType::kComplex128)
          return complex_number(scalar.get<std::complex<double>>().real(), scalar.get<std::complex<double>>().imag());
        return complex_number(scalar.get<std::complex<float>>().real(), scalar.get<std::complex<float>>().imag());
      default: {
        int64_t value = 0;
        std::memcpy(&value, scalar.bytes, static_cast<size_t>(item_size(scalar.dtype)));
        return std::to_string(value);
      }
    }
  }

  // Where a view lies in its base: "{+8, strides 800 8}" in bytes.
  static std::string layout(const Operand& operand) {
    const intptr_t first = operand.view.data - operand.base->data();
    std::string text = "{+" + std::to_string(first) + ", strides";
    for (int64_t stride : operand.view.strides) text += " " + std::to_string(stride);
    return text + "}";
  }

  std::unordered_map<Buffer*, std::string> names_;
  std::unordered_map<Buffer*, bool> dead_;
};

}  // namespace

const char* name_of(const Instruction& instruction) {
  static constexpr const char* kReductions[] = {"sum",        "prod",        "min",    "max",         "fmin",
                                                "fmax",       "all",         "any",    "logical_xor", "bitwise_and",
                                                "bitwise_or", "bitwise_xor", "argmin", "argmax",      "count_nonzero"};
  switch (instruction.kind) {
    case Kind::kElementwise:
      return op::info(instruction.operation).name;
    case Kind::kAssign:
      return "assign";
    case Kind::kSelect:
      return "where";
    case Kind::kReduce:
      return kReductions[static_cast<int>(instruction.reduction)];
    case Kind::kFree:
      return "free";
  }
  return "";
}

std::string Program::text() const {
  const Printer printer(*this);
  std::string result;
  for (const Instruction& instruction : instructions) result += "  " + printer.line(instruction) + "\n";
  return result;
}

void Program::verify() const {
  std::unordered_set<Buffer*> freed;
  for (const Instruction& instruction : instructions) {
    for_each_operand(instruction, [&](const Operand& operand) {
      if (operand.is_number()) return;
      MANYCORE_CHECK(!freed.contains(operand.base.get()));
      if (instruction.kind == Kind::kFree) return;
      MANYCORE_CHECK(operand.view.shape == instruction.shape());
    });
    if (instruction.kind == Kind::kFree) freed.insert(instruction.output.base.get());
  }
}

}  // namespace manycore::program
