#include "evaluate/assign.h"
#include "evaluate/index.h"
#include "evaluate/index_blocks.h"
#include "evaluate/index_positions.h"
#include "sched/parallel.h"
#include "trace/counters.h"

namespace manycore::evaluate {

Array repeat(const View& source, int64_t repeats, int axis) {
  const trace::NativeTime time;
  Array kept;
  View view = source;
  if (!view.is_c_contiguous()) {
    kept = copy(source, CopyOrder::kC);
    view = kept.view();
  }
  Dims shape = view.shape;
  shape[axis] *= repeats;
  const Array result = Array::empty(shape, view.dtype);
  trace::count_native(source.nbytes() + result.nbytes());
  int64_t below = item_size(view.dtype);  // bytes that are repeated as one piece
  for (int i = axis + 1; i < view.ndim(); ++i) below *= view.shape[i];
  if (below == 0 || result.size() == 0) return result;
  const int64_t pieces = view.nbytes() / below;
  const bool is_element = below == item_size(view.dtype);
  with_element_of_size(is_element ? below : 1, [&]<class T>() {
    sched::parallel_for(pieces, grain_for(below * repeats), [&](int64_t begin, int64_t end) {
      std::byte* to = result.data() + begin * below * repeats;
      for (int64_t i = begin; i < end; ++i) {
        const std::byte* from = view.data + i * below;
        if (is_element) {
          const T value = load<T>(from);
          for (int64_t k = 0; k < repeats; ++k, to += sizeof(T)) store<T>(to, value);
        } else {
          for (int64_t k = 0; k < repeats; ++k, to += below) std::memcpy(to, from, static_cast<size_t>(below));
        }
      }
    });
  });
  return result;
}

}  // namespace manycore::evaluate
