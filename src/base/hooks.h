// Every upward call of the engine. A room below Python never knows who answers; the Python layer fills these in at import,
// a C++ program may leave them null. Set once before threads start, read without locks afterwards.
#pragma once

#include <cstdint>

#include "manycore/export.h"

namespace manycore::base {

struct Hooks {
  // Has the user asked to stop (Ctrl-C)? Called by long loops between blocks, on the calling thread only.
  bool (*interrupted)() = nullptr;
  // Bytes were processed natively; set only while a report by line is kept. Called on the thread that asked for the work,
  // with or without the GIL.
  void (*counted_native)(int64_t bytes) = nullptr;
};

MANYCORE_API Hooks& hooks();

}  // namespace manycore::base
