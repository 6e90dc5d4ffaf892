// What each reduce_*.cpp gives: its loops by dtype, for the SIMD level in force. Internal to kernel/.
#pragma once

#include "kernel/reduce.h"

namespace manycore::kernel {

struct SumTable {
  ReduceLoops same[kDTypeCount];
  ReduceLoops widening[9];  // bool and integers into 64 bits, of the input's signedness
  PairwiseSum pairwise[5];  // float16 and up
  DeviationSum deviation[5];
  DeviationRows deviation_rows[5];
};
const SumTable& find_sum_table();

struct FoldTable {
  ReduceLoops loops[kDTypeCount];  // by input dtype; run is null where there is none
};
const FoldTable& find_product_table();
const FoldTable& find_extreme_table(Reduction reduction);  // kMin, kMax, kFmin, kFmax
const FoldTable& find_logic_table(Reduction reduction);    // kAll, kAny, kLogicalXor, kCountNonzero
const FoldTable& find_bitwise_table(Reduction reduction);

}  // namespace manycore::kernel
