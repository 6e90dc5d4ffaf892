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

struct OpInfo {
  const char* name;      // NumPy's name: "add"
  int inputs;
  int outputs;
  const char* types;     // name of the rule in resolve.cpp
  const char* accuracy;  // "bits" or "ulp(n)", see ops.def
};
MANYCORE_API const OpInfo& info(Op op);
MANYCORE_API bool find(std::string_view name, Op* op);

}  // namespace manycore::op
