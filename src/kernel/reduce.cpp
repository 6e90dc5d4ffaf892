#include "kernel/reduce.h"

#include "kernel/reduce_tables.h"

namespace manycore::kernel {
namespace {

const ReduceLoops* loops_of(const FoldTable& table, DType from) {
  const ReduceLoops& loops = table.loops[static_cast<int>(from)];
  return loops.run != nullptr ? &loops : nullptr;
}

const ReduceLoops* sum_loops(DType from, DType to) {
  const SumTable& table = find_sum_table();
  // A byte of memory that NumPy calls bool may hold more than 1; each counts once.
  if (from == DType::kBool && to == DType::kInt64) return loops_of(find_logic_table(Reduction::kCountNonzero), from);
  const bool widens = kind_of(from) == 'u' ? to == DType::kUInt64 : to == DType::kInt64;
  if (from != to && from <= DType::kUInt64 && widens) return &table.widening[static_cast<int>(from)];
  return from == to ? &table.same[static_cast<int>(to)] : nullptr;
}

}  // namespace

const ReduceLoops* find_reduction(Reduction reduction, DType from, DType to) {
  switch (reduction) {
    case Reduction::kSum:
      return sum_loops(from, to);
    case Reduction::kProd:
      return from == to ? loops_of(find_product_table(), to) : nullptr;
    case Reduction::kMin:
    case Reduction::kMax:
    case Reduction::kFmin:
    case Reduction::kFmax:
      return from == to ? loops_of(find_extreme_table(reduction), to) : nullptr;
    case Reduction::kAll:
    case Reduction::kAny:
    case Reduction::kLogicalXor:
      return to == DType::kBool ? loops_of(find_logic_table(reduction), from) : nullptr;
    case Reduction::kCountNonzero:
      return to == DType::kInt64 ? loops_of(find_logic_table(reduction), from) : nullptr;
    case Reduction::kBitwiseAnd:
    case Reduction::kBitwiseOr:
    case Reduction::kBitwiseXor:
      return from == to ? loops_of(find_bitwise_table(reduction), to) : nullptr;
    case Reduction::kArgmin:
    case Reduction::kArgmax:
      return nullptr;
  }
  return nullptr;
}

PairwiseSum find_pairwise_sum(DType dtype) {
  return dtype < DType::kFloat16 ? nullptr
                                 : find_sum_table().pairwise[static_cast<int>(dtype) - static_cast<int>(DType::kFloat16)];
}

DeviationSum find_deviation_sum(DType dtype) {
  return dtype < DType::kFloat16 ? nullptr
                                 : find_sum_table().deviation[static_cast<int>(dtype) - static_cast<int>(DType::kFloat16)];
}

DeviationRows find_deviation_rows(DType dtype) {
  return dtype < DType::kFloat16 ? nullptr
                                 : find_sum_table().deviation_rows[static_cast<int>(dtype) - static_cast<int>(DType::kFloat16)];
}

}  // namespace manycore::kernel
