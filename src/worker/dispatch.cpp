// Crew's choice of who runs what. An idle worker gets one call; more only while its calls are known to be short, up to about a
// millisecond of work, so that a queue never stands behind a long call while somebody is idle; what does is taken back.
#include <algorithm>

#include "worker/crew.h"

namespace manycore::worker {
namespace {

constexpr int64_t kRingBudget = 1'000'000;  // nanoseconds of work that may wait in a ring
constexpr int64_t kWakeWorth = 40'000;      // less than this in a ring does not pay for waking a sleeper
constexpr size_t kMostInRing = 1024;

bool is_before(const Call& a, const Call& b) {
  const auto deadline = [](const Call& call) { return call.deadline == 0 ? INT64_MAX : call.deadline; };
  if (a.priority != b.priority) return a.priority > b.priority;
  if (deadline(a) != deadline(b)) return deadline(a) < deadline(b);
  return a.ticket < b.ticket;
}

bool goes_before(const std::unique_ptr<Call>& a, const std::unique_ptr<Call>& b) { return is_before(*a, *b); }

}  // namespace

int64_t Crew::nanoseconds_in_ring(const Worker& worker) const {
  // Newest calls stand for all: rings hold calls of one kind nearly always.
  if (worker.in_ring.empty()) return 0;
  const Call* last = worker.in_ring.back().get();
  const int64_t each = last != nullptr ? last->function->nanoseconds : -1;
  if (each < 0) return kRingBudget;
  return (each + 1000) * static_cast<int64_t>(worker.in_ring.size());
}

bool Crew::may_have_more(const Worker& worker) const {
  if (worker.presence != Presence::present && worker.presence != Presence::prepared) return false;
  if (calls_per_worker_ > 0 && worker.calls >= calls_per_worker_) return false;
  if (worker.in_ring.size() < 2) return true;
  return worker.in_ring.size() < kMostInRing && nanoseconds_in_ring(worker) < kRingBudget;
}

Crew::Worker* Crew::choose(const Call& call) {
  if (!idle_.empty()) {
    // Short calls go behind short calls: the worker that is awake has them done before a sleeper would be up.
    if (call.function->nanoseconds >= 0) {
      const int64_t now = os::now_nanoseconds();
      for (Worker& worker : workers_) {
        if (!worker.idle && may_have_more(worker) && worker.was_ready &&
            nanoseconds_in_ring(worker) + call.function->nanoseconds < kWakeWorth && now - worker.busy_since < kWakeWorth)
          return &worker;
      }
    }
    return &workers_[static_cast<size_t>(idle_.back())];
  }
  Worker* best = nullptr;
  int64_t least = 0;
  for (Worker& worker : workers_) {
    if (!may_have_more(worker)) continue;
    const int64_t queued = nanoseconds_in_ring(worker);
    if (best == nullptr || queued < least) best = &worker, least = queued;
  }
  return best;
}

void Crew::dispatch_locked() {
  while (!queue_.empty()) {
    Worker* worker = choose(*queue_.front());
    if (worker == nullptr || !send(*worker, queue_.front())) break;
    queue_.pop_front();
  }
  more_wanted_.store(!queue_.empty(), std::memory_order_seq_cst);
  for (Worker& worker : workers_) {
    if (!worker.in_ring.empty()) set_refill(worker);
  }
  if (!timed_.load(std::memory_order_relaxed) && straggler_possible()) {
    timed_.store(true, std::memory_order_seq_cst);
    ring(page_->bell, kBackgroundAsleep);
  }
}

void Crew::return_blocks(Worker& worker) {
  while (!worker.returned.empty()) {
    const size_t count = std::min(worker.returned.size(), kMostBlocks);
    const std::vector<BlockPlace> places(worker.returned.end() - static_cast<ptrdiff_t>(count), worker.returned.end());
    const MessageHead head{0, 0, 0, static_cast<uint32_t>(count)};
    if (!worker.requests.write(static_cast<uint32_t>(RequestKind::blocks_back), {bytes_of(head), bytes_of(places)})) return;
    worker.returned.resize(worker.returned.size() - count);
  }
}

bool Crew::send(Worker& worker, std::unique_ptr<Call>& call) {
  return_blocks(worker);
  const Function& function = *call->function;
  if (!worker.functions.contains(function.number)) {
    const MessageHead head{0, function.number, 0, 0};
    const Bytes definition = std::as_bytes(std::span(function.definition));
    if (!worker.requests.write(static_cast<uint32_t>(RequestKind::function), {bytes_of(head), definition})) return false;
    worker.functions.insert(function.number);
  }
  std::vector<BlockPlace> places;
  for (const auto& lease : call->leases) places.push_back(lease->place());
  const MessageHead head{call->ticket, function.number, call->flags, static_cast<uint32_t>(places.size()), call->deadline};
  const auto position = worker.requests.write(static_cast<uint32_t>(RequestKind::call),
                                              {bytes_of(head), bytes_of(places), std::as_bytes(std::span(call->payload))});
  if (!position) return false;
  for (const auto& lease : call->leases) worker.leases.emplace(key_of(lease->place()), lease);
  call->state = Call::State::sent;
  call->worker = slot_of(worker);
  call->position = *position;
  if (worker.in_ring.empty()) worker.busy_since = os::now_nanoseconds();
  worker.in_ring.push_back(std::move(call));
  set_idle(worker, false);
  if (ring(worker.link.page().bell, kWorkerAsleep)) woke_worker_.store(true, std::memory_order_relaxed);
  if (calls_per_worker_ > 0 && ++worker.calls >= calls_per_worker_) dismiss(worker);
  return true;
}

// The worker wakes us for more when half of what it has is done.
void Crew::set_refill(Worker& worker) {
  if (queue_.empty() && !worker.refill_set) return;
  worker.refill_set = !queue_.empty();
  uint64_t position = ~uint64_t{0};
  if (!queue_.empty()) {
    for (size_t i = worker.in_ring.size() / 2; i < worker.in_ring.size(); ++i) {
      if (worker.in_ring[i] == nullptr) continue;
      position = worker.in_ring[i]->position + 1;
      break;
    }
  }
  worker.link.page().refill_at.store(position, std::memory_order_relaxed);
}

void Crew::set_idle(Worker& worker, bool idle) {
  if (worker.idle == idle) return;
  worker.idle = idle;
  if (idle) {
    idle_.push_back(slot_of(worker));
  } else {
    idle_.erase(std::find(idle_.begin(), idle_.end(), slot_of(worker)));
  }
}

bool Crew::straggler_possible() const {
  if (idle_.empty()) return false;
  return std::any_of(workers_.begin(), workers_.end(), [](const Worker& worker) {
    return worker.in_ring.size() > 1 || (!worker.was_ready && !worker.in_ring.empty());
  });
}

void Crew::take_back_for_idle() {
  if (idle_.empty() || !queue_.empty()) return;
  Worker* loaded = nullptr;
  for (Worker& worker : workers_) {
    const size_t movable = worker.was_ready ? 2 : 1;  // who is not up yet has begun nothing
    if (worker.in_ring.size() >= movable && (loaded == nullptr || worker.in_ring.size() > loaded->in_ring.size()))
      loaded = &worker;
  }
  if (loaded == nullptr) return;
  const int64_t waited = os::now_nanoseconds() - loaded->busy_since;
  if (std::max(nanoseconds_in_ring(*loaded), waited) < kWakeWorth) return;
  // Half of what is behind the running call, from the end; they keep their order.
  size_t wanted = std::max<size_t>(1, loaded->in_ring.size() / 2);
  for (auto call = loaded->in_ring.rbegin(); call != loaded->in_ring.rend() && wanted > 0; ++call) {
    if (*call == nullptr || !loaded->requests.withdraw((*call)->position)) continue;
    take_leases_back(*loaded, **call);
    return_call(std::move(*call));
    --wanted;
  }
  forget_withdrawn(*loaded);
}

void Crew::return_call(std::unique_ptr<Call> call) {
  call->state = Call::State::waiting;
  call->worker = -1;
  enqueue(std::move(call));
}

void Crew::enqueue(std::unique_ptr<Call> call) {
  if (queue_.empty() || !goes_before(call, queue_.back())) {
    queue_.push_back(std::move(call));
  } else if (goes_before(call, queue_.front())) {
    queue_.push_front(std::move(call));
  } else {
    const auto place = std::upper_bound(queue_.begin(), queue_.end(), call, goes_before);
    queue_.insert(place, std::move(call));
  }
}

// What waits in rings was sent before anybody knew of this call, and would begin before it.
void Crew::take_back_for_urgent(const Call& call) {
  for (Worker& worker : workers_) {
    bool any = false;
    while (!worker.in_ring.empty()) {
      std::unique_ptr<Call>& last = worker.in_ring.back();
      if (last != nullptr) {
        if (!is_before(call, *last) || !worker.requests.withdraw(last->position)) break;
        take_leases_back(worker, *last);
        return_call(std::move(last));
      }
      worker.in_ring.pop_back();
      any = true;
    }
    if (any) forget_withdrawn(worker);
  }
}

}  // namespace manycore::worker
