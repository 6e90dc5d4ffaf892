// Recording: what of the work on arrays runs later, and when it runs. Decided here and nowhere else.
// An operation is recorded when it is large (option record_from), all its arrays are the engine's own and invisible outside, and
// whoever asks allows it (base::Hooks::may_record). Recorded work runs when a value is needed (Array::view, data), when somebody calls
// evaluate, and when a budget of instructions or bytes is reached: never by timer.
#pragma once

#include "manycore/array.h"
#include "program/instruction.h"
#include "program/recorder.h"

namespace manycore::evaluate {

// An array whose memory comes when the recorded instruction that writes it runs; small ones have it at once.
Array promise(const Dims& shape, DType dtype);

bool worth_recording(const Dims& shape);
bool may_record_any(const Dims& shape);  // recording is on, whatever the size
// Is there recorded work that writes the array?
inline bool will_be_written(const Array& array) { return array.buffer() && (array.buffer()->pending() & Buffer::kWrites) != 0; }
bool may_stay_recorded(const Array& array);
bool ask_to_record(program::Origin* origin);

// Takes the instruction into this thread's program; an input that shares memory with the output other than element by element is
// copied first. `bytes` is what the operation reads and writes, for the counters.
void record(program::Instruction&& instruction, int64_t bytes);

// Runs what this thread has recorded, or what any thread has recorded that touches `array`, and warns of the conditions met. Throws
// ResourceError and Interrupted; what has not run then stays recorded.
void run(program::Recorder& recorder);
MANYCORE_API void evaluate_pending();
MANYCORE_API void evaluate_everything();  // of all threads
// The same for a reduction whose one element is wanted now, and whose input its caller, it seems, holds for the last time: the
// input is not written to memory if nobody else needs it.
MANYCORE_API void evaluate_passing(Buffer* input);

// Ran what this thread had recorded, after which an allocation that failed may succeed; false where there was nothing to run.
bool gave_back_memory();

// What this thread has recorded, a line an instruction.
MANYCORE_API std::string explain();
// The program that `array` waits for and the groups that it would run in, with the reasons why neighbours are apart; empty where the
// array waits for nothing.
MANYCORE_API std::string explain(const Array& array);

}  // namespace manycore::evaluate
