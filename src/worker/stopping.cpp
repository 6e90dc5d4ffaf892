// Crew's stopping of a call that runs: by a word that its loops look at, or with its process.
#include <signal.h>

#include <algorithm>

#include "os/process.h"
#include "worker/crew.h"

namespace manycore::worker {

Crew::Stop Crew::stop(Call* call) {
  const std::lock_guard lock(mutex_);
  if (call->state == Call::State::waiting) return Stop::waits;
  if (call->state != Call::State::sent) return Stop::over;
  Worker& worker = workers_[static_cast<size_t>(call->worker)];
  if (!worker.requests.is_taken(call->position)) return Stop::waits;
  call->told_to_stop = true;
  worker.link.page().stop_ticket.store(call->ticket, std::memory_order_seq_cst);
  return Stop::told;
}

Crew::Stop Crew::end(Call* call, pid_t* halted) {
  *halted = 0;
  const std::lock_guard lock(mutex_);
  if (call->state == Call::State::waiting) return Stop::waits;
  if (call->state != Call::State::sent) return Stop::over;
  Worker& worker = workers_[static_cast<size_t>(call->worker)];
  if (!worker.requests.is_taken(call->position)) return Stop::waits;
  // Then there is nothing that the worker could begin before it is killed. Where it has begun the next one already, this one's reply
  // is there.
  while (!worker.in_ring.empty() && worker.in_ring.back().get() != call) {
    std::unique_ptr<Call>& last = worker.in_ring.back();
    if (last != nullptr) {
      if (!worker.requests.withdraw(last->position)) break;
      take_leases_back(worker, *last);
      return_call(std::move(last));
    }
    worker.in_ring.pop_back();
  }
  if (worker.in_ring.back().get() != call) {
    sweep_locked();
    return Stop::over;
  }
  set_idle(worker, false);
  worker.presence = Presence::leaving;
  const bool again = worker.forced;
  call->told_to_stop = call->ended = worker.forced = true;
  if (!again && worker.process > 0 && !worker.ended.load(std::memory_order_acquire) && kill(worker.process, SIGSTOP) == 0)
    *halted = worker.process;
  dispatch_locked();
  return Stop::told;
}

void Crew::kill_halted(pid_t process) {
  os::kill_descendants_of(process);
  kill(process, SIGKILL);
}

}  // namespace manycore::worker
