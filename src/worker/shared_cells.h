// Small pieces of memory that processes share and that have no name: cells of 64 bytes, cut from memory files of which each process has
// one at a time, so that a lock costs no descriptor. Children of fork inherit a cell where it lies; another process is given the file's
// descriptor and the cell's number. A cell is not used again, since nobody knows who has it still; its file goes with the last process
// and the last Cell that hold it. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "manycore/export.h"

namespace manycore::worker {

inline constexpr int64_t kCellBytes = 64;

class CellFile;

struct Cell {
  std::shared_ptr<CellFile> file;
  int64_t number = 0;
  std::byte* memory = nullptr;
};

// Zeroed. Throws ResourceError.
MANYCORE_API Cell make_cell();
// One of another process; the descriptor becomes this room's, unless it is so already. Throws ResourceError, UserError where there is no such cell.
MANYCORE_API Cell open_cell(int descriptor, int64_t number);
MANYCORE_API int descriptor_of(const Cell& cell);

}  // namespace manycore::worker
