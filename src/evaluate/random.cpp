#include "evaluate/random.h"

#include "sched/parallel.h"

namespace manycore::evaluate {

void draw_uniform(kernel::Pcg64* generator, double low, double range, std::span<double> values) {
  constexpr int64_t kGrain = 16384;  // about 15 us a chunk; finding a chunk's state takes 0.1 us
  const kernel::Pcg64 start = *generator;
  sched::parallel_for(
      static_cast<int64_t>(values.size()), kGrain,
      [&](int64_t begin, int64_t end) {
        const kernel::Pcg64 own = kernel::advanced(start, static_cast<uint64_t>(begin));
        kernel::fill_uniform(own, low, range, values.data() + begin, end - begin);
      },
      sched::Interrupts::kFinish);
  *generator = kernel::advanced(start, values.size());
}

}  // namespace manycore::evaluate
