// Transposing a panel of elements of 4 or 8 bytes: whole lines of the source are read once, turned in registers, collected in L1 and
// written in long runs, past the caches where the caller asks for it (stream.h; call finish_stream when done). Any alignment of
// lines; elements are aligned. Source and destination do not overlap.
#pragma once

#include "kernel/loops.h"

namespace manycore::kernel {

inline constexpr int64_t kPanelRows = 256;  // most rows of one panel

struct Panel {
  std::byte* to;           // element (row, column) goes to to + column * to_step + row * size
  int64_t to_step;         // bytes
  std::byte* const* rows;  // where each row of the source begins; its columns lie side by side
  int64_t row_count;
  int64_t columns;
  bool past_caches;
};

inline bool can_transpose(int64_t item_size) { return item_size == 4 || item_size == 8; }
inline void transpose(const Panel& panel, int64_t item_size) { table().transposes[item_size == 8](panel); }

}  // namespace manycore::kernel
