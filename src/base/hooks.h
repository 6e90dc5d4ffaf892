// Every upward call of the engine. A room below Python never knows who answers; the Python layer fills these in at import,
// a C++ program may leave them null. Set once before threads start, read without locks afterwards.
#pragma once

#include <cstdint>
#include <memory>

#include "manycore/export.h"

namespace manycore::base {

struct Hooks {
  // Has the user asked to stop (Ctrl-C)? Called by long loops between blocks, on the calling thread only.
  bool (*interrupted)() = nullptr;
  // Bytes were processed natively; set only while a report by line is kept. Called on the thread that asked for the work,
  // with or without the GIL.
  void (*counted_native)(int64_t bytes) = nullptr;
  // A native operation that was not recorded lasted so long; set only while groups are kept (trace/groups.h). As counted_native.
  void (*timed_native)(int64_t nanoseconds) = nullptr;
  // May this operation be recorded, to be run later? Answers where it stands and which floating point conditions (FloatingPointStatus
  // bits) the user wants to hear of; false where conditions must rise at once. Called on the recording thread.
  bool (*may_record)(std::shared_ptr<const void>* site, unsigned* reported) = nullptr;
  // A handle that lasts for where an operation was recorded (what may_record answered); 0 where it is not known. Set while groups are
  // kept (trace/groups.h). Any thread asks, while a program runs: it may not wait for the interpreter.
  uint64_t (*line_of_site)(const void* site) = nullptr;
  // Memory of the engine is visible outside; is it still, or did only something idle keep it so (then it is unpinned)? `buffer` is
  // a manycore::Buffer.
  bool (*unpin_idle)(void* buffer) = nullptr;
  // Foreign memory: does nobody but the engine's arrays hold its owner?
  bool (*is_private)(void* owner) = nullptr;
  // A recorded operation met conditions. Called on the thread that ran it, after the program; may come without the GIL.
  void (*warn)(const void* site, const char* operation, unsigned status) = nullptr;
  // Waiting or long work begins: others may use the interpreter meanwhile. Null when this thread does not hold it; what it
  // answers goes back to take_interpreter.
  void* (*release_interpreter)() = nullptr;
  void (*take_interpreter)(void* released) = nullptr;
};

MANYCORE_API Hooks& hooks();

}  // namespace manycore::base
