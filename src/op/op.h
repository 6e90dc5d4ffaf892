// Operations by name: what a row of ops.def says, as data. The enumerators are NumPy's ufunc names.
#pragma once

#include <string_view>

#include "manycore/dtype.h"
#include "manycore/export.h"

namespace manycore::op {

enum class Op : uint16_t {
#define MANYCORE_OP(name, inputs, outputs, types, errors, accuracy) name,
#include "op/ops.def"
#undef MANYCORE_OP
  count_
};
inline constexpr int kOpCount = static_cast<int>(Op::count_);

// Which floating point conditions may be reported; the bits are those of evaluate::FloatingPointStatus and NumPy's NPY_FPE_*.
namespace errors {
inline constexpr unsigned none = 0;
inline constexpr unsigned divide = 1;
inline constexpr unsigned all = 15;
}  // namespace errors

struct OpInfo {
  const char* name;  // NumPy's name: "add"
  int inputs;
  int outputs;
  const char* types;     // name of the rule in resolve.cpp
  unsigned errors;       // conditions that may be reported
  const char* accuracy;  // "bits" or "ulp(n)", see ops.def
};
MANYCORE_API const OpInfo& info(Op op);
MANYCORE_API bool find(std::string_view name, Op* op);

}  // namespace manycore::op
