// Crew's reading of what workers send, and what a death means.
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "os/process.h"
#include "worker/crew.h"

namespace manycore::worker {

bool Crew::something_to_sweep() const {
  if (deaths_.load(std::memory_order_acquire) > 0) return true;
  for (const Worker& worker : workers_) {
    if (!worker.link.valid() || worker.broken) continue;
    const RingState& replies = worker.link.page().replies;
    if (replies.written.load(std::memory_order_acquire) != replies.read.load(std::memory_order_relaxed)) return true;
  }
  return false;
}

void Crew::sweep() {
  if (!something_to_sweep()) return;
  const std::lock_guard lock(mutex_);
  sweep_locked();
}

void Crew::sweep_locked() {
  page_->unread.store(0, std::memory_order_relaxed);
  for (Worker& worker : workers_) {
    if (worker.presence == Presence::none) continue;
    const bool ended = worker.ended.load(std::memory_order_acquire);
    take_replies(worker);
    if (ended) settle_death(worker);
  }
  take_back_for_idle();
  dispatch_locked();
  collectable_.store(!finished_.empty(), std::memory_order_release);
}

// What a worker spilled is opened while it lives. A call whose result lies with one that is gone is lost with it: settle_death finds it.
bool Crew::reaches_spill(Worker& worker, const Reply& reply) {
  const int64_t sender = worker.link.page().process.load(std::memory_order_relaxed);
  for (const BlockPlace& place : reply.blocks) {
    if (place.file == 0 || worker.reader->find_spill(sender, place)) continue;
    if (worker.descriptor >= 0 && os::has_ended(worker.descriptor)) return false;
  }
  return true;
}

void Crew::take_replies(Worker& worker) {
  if (worker.broken) return;
  Record record;
  bool any = false;
  for (;;) {
    const RingReader::Next next = worker.replies.next(&record);
    if (next == RingReader::Next::none) break;
    if (next == RingReader::Next::corrupt || !take_reply(worker, record)) {
      // It has lost its mind; what it says next is worth nothing. Its death is settled as any other.
      if (worker.process > 0 && !worker.ended.load(std::memory_order_acquire)) kill(worker.process, SIGKILL);
      worker.broken = true;
      set_idle(worker, false);
      worker.presence = Presence::leaving;
      break;
    }
    worker.replies.release();
    any = true;
  }
  if (!any) return;
  ring(worker.link.page().bell, kWorkerNoRoom);
  worker.busy_since = os::now_nanoseconds();
  forget_withdrawn(worker);
}

bool Crew::take_reply(Worker& worker, const Record& record) {
  Reply reply;
  if (!decode(record.body, &reply)) return false;
  const auto kind = static_cast<ReplyKind>(record.kind);
  if (kind == ReplyKind::ready) {
    worker.was_ready = true;
    return true;
  }
  if (kind == ReplyKind::blocks_back) {
    for (const BlockPlace& place : reply.blocks) {
      const auto lease = worker.leases.find(key_of(place));
      if (lease != worker.leases.end()) worker.leases.erase(lease);
    }
    return true;
  }
  if (kind != ReplyKind::result && kind != ReplyKind::error) return false;
  if (!reaches_spill(worker, reply)) return true;
  // Replies come in the order of the requests; what was withdrawn has none.
  const auto place = std::find_if(worker.in_ring.begin(), worker.in_ring.end(),
                                  [&](const auto& call) { return call != nullptr && call->ticket == reply.ticket; });
  if (place == worker.in_ring.end()) return false;
  Finished finished;
  finished.call = std::move(*place);
  finished.how = kind == ReplyKind::result ? Finished::How::result : Finished::How::error;
  finished.flags = reply.flags;
  finished.payload.assign(reinterpret_cast<const char*>(reply.payload.data()), reply.payload.size());
  finished.blocks = std::move(reply.blocks);
  if (!finished.blocks.empty()) finished.reader = worker.reader;
  finished.worker = slot_of(worker);
  finished.process = worker.process;
  finished.began = reply.began;
  finished.incarnation = worker.incarnation;
  // Quick to believe that calls are long, slow to believe that they are short: a short queue costs little, a long one waits.
  int64_t& estimate = finished.call->function->nanoseconds;
  const auto taken = static_cast<int64_t>(std::min<uint64_t>(reply.nanoseconds, INT64_MAX / 4096));
  finished.nanoseconds = taken;
  estimate = taken >= estimate ? taken : estimate - (estimate - taken) / 8;
  settle(*finished.call);
  finished_.push_back(std::move(finished));
  return true;
}

// It is over; the worker may still use its blocks, whatever becomes of the call.
void Crew::settle(Call& call) {
  call.state = Call::State::withdrawn;
  call.leases.clear();
  call.in_flight.end();
  --outstanding_;
}

void Crew::settle_death(Worker& worker) {
  Departure departure;
  departure.slot = slot_of(worker);
  departure.asked = worker.presence == Presence::leaving;
  departure.forced = worker.forced;
  departure.was_ready = worker.was_ready;
  departure.death.process = worker.process;
  const os::Ending ending = os::ending_of(worker.descriptor);
  departure.death.known = ending.known;
  departure.death.exit_code = ending.exit_code;
  // What the program that started it had used is no peak of its own, which then is not known.
  const bool is_own = ending.peak_bytes > worker.link.page().inherited_peak.load(std::memory_order_relaxed);
  departure.death.peak_bytes = is_own ? ending.peak_bytes : 0;
  close(worker.descriptor);
  worker.descriptor = -1;
  worker.ended = false;
  deaths_.fetch_sub(1, std::memory_order_relaxed);
  uint32_t spinning = static_cast<uint32_t>(departure.slot) + 1;
  page_->spinner.compare_exchange_strong(spinning, 0, std::memory_order_relaxed);

  for (auto call = worker.in_ring.rbegin(); call != worker.in_ring.rend(); ++call) {
    if (*call == nullptr) continue;
    const bool had_begun = !worker.requests.withdraw((*call)->position);
    if (!had_begun || (!retries_over_ && !(*call)->told_to_stop && (*call)->retries-- > 0)) {
      departure.retried += had_begun;
      if (had_begun) (*call)->deadline = 0;  // it did begin in time
      return_call(std::move(*call));
      continue;
    }
    Finished finished;
    finished.call = std::move(*call);
    settle(*finished.call);
    finished.how = finished.call->ended ? Finished::How::ended : Finished::How::died;
    finished.death = departure.death;
    finished_.push_back(std::move(finished));
  }
  worker.in_ring.clear();
  worker.leases.clear();
  worker.returned.clear();
  worker.results = os::MemoryFile();
  worker.reader.reset();
  set_idle(worker, false);
  worker.presence = Presence::none;
  worker.link.make_new();
  departures_.push_back(departure);
  departed_.store(true, std::memory_order_seq_cst);
  ring(page_->bell, kBackgroundAsleep);
}

void Crew::release_block(int slot, uint64_t incarnation, const BlockPlace& place) {
  const std::lock_guard lock(mutex_);
  Worker& worker = workers_[static_cast<size_t>(slot)];
  if (worker.incarnation == incarnation && worker.presence != Presence::none) worker.returned.push_back(place);
}

bool Crew::collect(Finished* finished) {
  if (!collectable_.load(std::memory_order_acquire)) return false;
  const std::lock_guard lock(mutex_);
  if (finished_.empty()) {
    collectable_.store(false, std::memory_order_release);
    return false;
  }
  *finished = std::move(finished_.front());
  finished_.pop_front();
  return true;
}

bool Crew::collect(Departure* departure) {
  const std::lock_guard lock(mutex_);
  if (departures_.empty()) return false;
  *departure = departures_.front();
  departures_.pop_front();
  departed_.store(!departures_.empty(), std::memory_order_release);
  return true;
}

}  // namespace manycore::worker
