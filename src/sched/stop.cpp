#include "sched/stop.h"

#include "manycore/errors.h"

namespace manycore::sched {
namespace {

thread_local const StopSign* current = nullptr;

}  // namespace

const StopSign* current_stop_sign() { return current; }

StopScope::StopScope(const std::atomic<uint64_t>& word, uint64_t value) : sign_{&word, value, current} { current = &sign_; }

StopScope::~StopScope() { current = sign_.outer; }

void throw_stopped() { throw Stopped("the call was told to stop"); }

}  // namespace manycore::sched
