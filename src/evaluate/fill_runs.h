// Filling with one element where the destination is made of long runs of neighbouring elements: a block of copies of the
// element is made once and copied over, past the caches where the destination is far larger than they are.
#pragma once

#include "manycore/view.h"
#include "sched/parallel.h"

namespace manycore::evaluate {

// destination[...] = element (of the destination's dtype). False, with nothing written, where there are no runs worth it.
bool fill_runs(const View& destination, const std::byte* element, sched::Interrupts interrupts);

}  // namespace manycore::evaluate
