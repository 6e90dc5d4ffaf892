#include "op/op.h"

#include "base/check.h"

namespace manycore::op {
namespace {

constexpr OpInfo kOps[] = {
#define MANYCORE_OP(name, inputs, outputs, types, conditions, accuracy) \
  {#name, inputs, outputs, #types, errors::conditions, accuracy},
#include "op/ops.def"
#undef MANYCORE_OP
};

}  // namespace

const OpInfo& info(Op op) {
  MANYCORE_DCHECK(static_cast<int>(op) < kOpCount);
  return kOps[static_cast<int>(op)];
}

bool find(std::string_view name, Op* op) {
  for (int i = 0; i < kOpCount; ++i) {
    if (name == kOps[i].name) {
      *op = static_cast<Op>(i);
      return true;
    }
  }
  return false;
}

}  // namespace manycore::op
