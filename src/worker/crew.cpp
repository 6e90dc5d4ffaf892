#include "worker/crew.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "manycore/errors.h"
#include "memory/keepers.h"
#include "os/pages.h"
#include "os/process.h"

namespace manycore::worker {

namespace {
std::atomic<int64_t> calls_in_flight{0};
std::atomic<int64_t> forks{1};
}  // namespace

Lease::~Lease() = default;

void InFlight::begin() {
  if (counted_ != 0) return;
  counted_ = forks.load(std::memory_order_relaxed);
  calls_in_flight.fetch_add(1, std::memory_order_relaxed);
}

void InFlight::end() {
  if (std::exchange(counted_, 0) == forks.load(std::memory_order_relaxed))
    calls_in_flight.fetch_sub(1, std::memory_order_relaxed);
}

void InFlight::forget_all() {
  forks.fetch_add(1, std::memory_order_relaxed);
  calls_in_flight.store(0, std::memory_order_relaxed);
}

int64_t InFlight::count() { return calls_in_flight.load(std::memory_order_relaxed); }

std::shared_ptr<Crew> Crew::make(int slots) {
  auto crew = std::make_shared<Crew>(slots);
  memory::add_keeper(crew->blocks_);
  return crew;
}

Crew::Crew(int slots)
    : file_(os::MemoryFile::create("manycore-pool", Link::file_bytes(slots))), workers_(static_cast<size_t>(slots)) {
  auto* page = os::map_shared(file_.descriptor(), 0, kPoolPageBytes);
  if (page == nullptr) throw ResourceError("process pool: its shared memory cannot be mapped");
  page_ = new (page) PoolPage;
  page_->process = getpid();
  blocks_ = std::make_shared<Blocks>(os::MemoryFile::create("manycore-blocks", 0));
}

Crew::~Crew() {
  for (Worker& worker : workers_) {
    if (worker.descriptor < 0) continue;
    forget(worker.descriptor);
    close(worker.descriptor);
  }
  os::unmap_pages(reinterpret_cast<std::byte*>(page_), kPoolPageBytes);
}

int Crew::prepare() {
  const std::lock_guard lock(mutex_);
  for (Worker& worker : workers_) {
    if (worker.presence != Presence::none) continue;
    const int slot = slot_of(worker);
    const int64_t offset = Link::offset_of(slot);
    if (!worker.link.valid()) {
      if (!file_.reserve(offset, kLinkBytes)) throw ResourceError("process pool: no memory for one more worker");
      worker.link = Link(file_.descriptor(), slot);
      if (!worker.link.valid()) throw ResourceError("process pool: the memory of a worker cannot be mapped");
    }
    worker.link.make_new();
    LinkPage& page = worker.link.page();
    worker.requests = RingWriter(&page.requests, worker.link.request_bytes(), kRingBytes);
    worker.replies = RingReader(&page.replies, worker.link.reply_bytes(), kRingBytes);
    worker.results = os::MemoryFile::create("manycore-results", 0);
    worker.reader = std::make_shared<BlockReader>(worker.results.descriptor());
    worker.presence = Presence::prepared;
    worker.was_ready = false;
    worker.forced = false;
    worker.ended = false;
    worker.process = 0;
    ++worker.incarnation;
    worker.calls = 0;
    worker.functions.clear();
    worker.broken = false;
    worker.refill_set = false;
    set_idle(worker, true);
    take_back_for_idle();
    dispatch_locked();
    return slot;
  }
  return -1;
}

int Crew::results_descriptor(int slot) {
  const std::lock_guard lock(mutex_);
  return workers_[static_cast<size_t>(slot)].results.descriptor();
}

void Crew::joined(int slot, pid_t process) {
  const int descriptor = os::open_process(process);
  bool forced;
  {
    const std::lock_guard lock(mutex_);
    Worker& worker = workers_[static_cast<size_t>(slot)];
    worker.process = process;
    worker.descriptor = descriptor;
    forced = worker.forced;
    if (worker.presence == Presence::prepared) worker.presence = Presence::present;
  }
  const auto token = static_cast<uint64_t>(slot);
  if (forced) kill(process, SIGKILL);
  if (descriptor >= 0 && watch(descriptor, weak_from_this(), token)) return;
  if (descriptor >= 0) kill(process, SIGKILL);
  process_ended(token);
}

void Crew::abandon(int slot) {
  const std::lock_guard lock(mutex_);
  Worker& worker = workers_[static_cast<size_t>(slot)];
  set_idle(worker, false);
  for (auto call = worker.in_ring.rbegin(); call != worker.in_ring.rend(); ++call) {
    if (*call != nullptr) return_call(std::move(*call));
  }
  worker.in_ring.clear();
  worker.presence = Presence::none;
  dispatch_locked();
}

int Crew::live_workers() {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(
      std::count_if(workers_.begin(), workers_.end(), [](const Worker& worker) { return worker.presence != Presence::none; }));
}

bool Crew::has_free_slot() {
  const std::lock_guard lock(mutex_);
  return std::any_of(workers_.begin(), workers_.end(), [](const Worker& worker) { return worker.presence == Presence::none; });
}

void Crew::end_worker(int slot, uint64_t incarnation) {
  const std::lock_guard lock(mutex_);
  const Worker& worker = workers_[static_cast<size_t>(slot)];
  const bool there = worker.incarnation == incarnation && worker.presence != Presence::none && worker.process > 0;
  if (there && !worker.ended.load(std::memory_order_acquire)) kill(worker.process, SIGKILL);
}

void Crew::stop_retrying() {
  const std::lock_guard lock(mutex_);
  retries_over_ = true;
}

void Crew::dismiss_all() {
  const std::lock_guard lock(mutex_);
  for (Worker& worker : workers_) {
    if (worker.presence == Presence::present || worker.presence == Presence::prepared) dismiss(worker);
  }
}

void Crew::dismiss(Worker& worker) {
  set_idle(worker, false);
  worker.presence = Presence::leaving;
  const MessageHead head{};
  worker.requests.write(static_cast<uint32_t>(RequestKind::leave), {bytes_of(head)});
  ring(worker.link.page().bell, kWorkerAsleep);
}

std::shared_ptr<Function> Crew::define(std::string definition) {
  auto function = std::make_shared<Function>();
  function->definition = std::move(definition);
  const std::lock_guard lock(mutex_);
  function->number = next_function_++;
  return function;
}

uint64_t Crew::submit(std::unique_ptr<Call> call, bool* short_of_workers) {
  const std::lock_guard lock(mutex_);
  if (short_of_workers != nullptr) {
    *short_of_workers = idle_.empty() && std::any_of(workers_.begin(), workers_.end(),
                                                     [](const Worker& worker) { return worker.presence == Presence::none; });
  }
  const uint64_t ticket = call->ticket = next_ticket_++;
  ++outstanding_;
  if (!call->leases.empty()) call->in_flight.begin();
  ordered_ = ordered_ || call->priority != 0 || call->deadline != 0;
  if (ordered_) take_back_for_urgent(*call);
  enqueue(std::move(call));
  dispatch_locked();
  return ticket;
}

std::unique_ptr<Call> Crew::withdraw(Call* call) {
  const std::lock_guard lock(mutex_);
  if (call->state == Call::State::waiting) {
    const auto place = std::find_if(queue_.begin(), queue_.end(), [call](const auto& entry) { return entry.get() == call; });
    if (place == queue_.end()) return nullptr;
    std::unique_ptr<Call> taken = std::move(*place);
    queue_.erase(place);
    --outstanding_;
    return taken;
  }
  if (call->state != Call::State::sent) return nullptr;
  Worker& worker = workers_[static_cast<size_t>(call->worker)];
  if (!worker.requests.withdraw(call->position)) return nullptr;
  take_leases_back(worker, *call);
  for (auto& entry : worker.in_ring) {
    if (entry.get() != call) continue;
    --outstanding_;
    std::unique_ptr<Call> taken = std::move(entry);
    forget_withdrawn(worker);
    dispatch_locked();
    return taken;
  }
  return nullptr;
}

void Crew::take_leases_back(Worker& worker, const Call& call) {
  for (const auto& lease : call.leases) {
    const auto held = worker.leases.find(key_of(lease->place()));
    if (held != worker.leases.end()) worker.leases.erase(held);
  }
}

// A worker says nothing of what it finds withdrawn.
void Crew::forget_withdrawn(Worker& worker) {
  while (!worker.in_ring.empty() && worker.in_ring.back() == nullptr) worker.in_ring.pop_back();
  while (!worker.in_ring.empty() && worker.in_ring.front() == nullptr) worker.in_ring.pop_front();
  if (worker.in_ring.empty() && may_have_more(worker)) set_idle(worker, true);
}

std::vector<std::unique_ptr<Call>> Crew::withdraw_waiting() {
  const std::lock_guard lock(mutex_);
  std::vector<std::unique_ptr<Call>> withdrawn;
  for (Worker& worker : workers_) {
    for (auto& call : worker.in_ring) {
      if (call == nullptr || !worker.requests.withdraw(call->position)) continue;
      take_leases_back(worker, *call);
      withdrawn.push_back(std::move(call));
    }
    if (worker.presence != Presence::none) forget_withdrawn(worker);
  }
  for (auto& call : queue_) withdrawn.push_back(std::move(call));
  queue_.clear();
  outstanding_ -= static_cast<int64_t>(withdrawn.size());
  std::sort(withdrawn.begin(), withdrawn.end(), [](const auto& a, const auto& b) { return a->ticket < b->ticket; });
  return withdrawn;
}

bool Crew::is_running(const Call* call) {
  const std::lock_guard lock(mutex_);
  return call->state == Call::State::sent && workers_[static_cast<size_t>(call->worker)].requests.is_taken(call->position);
}

int64_t Crew::outstanding() {
  const std::lock_guard lock(mutex_);
  return outstanding_ + static_cast<int64_t>(finished_.size());
}

bool Crew::begin_lead(uint64_t ticket) {
  if ((page_->bell.fetch_or(kLeaderPresent, std::memory_order_seq_cst) & kLeaderPresent) != 0) return false;
  page_->leader_ticket.store(ticket, std::memory_order_relaxed);
  return true;
}

void Crew::end_lead() {
  page_->bell.fetch_and(~kLeaderPresent, std::memory_order_seq_cst);
  // What came while nobody else was woken is the background thread's now, if anybody waits for it.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const bool wanted =
      (page_->bell.load(std::memory_order_relaxed) & kServeEach) != 0 || more_wanted_.load(std::memory_order_relaxed);
  if (wanted && something_to_sweep()) ring(page_->bell, kBackgroundAsleep);
}

void Crew::serve_each(bool on) {
  if (!on) {
    page_->bell.fetch_and(~kServeEach, std::memory_order_relaxed);
    return;
  }
  const uint32_t before = page_->bell.fetch_or(kServeEach, std::memory_order_seq_cst);
  if ((before & kServeEach) == 0 && (something_to_sweep() || collectable_.load(std::memory_order_acquire)))
    ring(page_->bell, kBackgroundAsleep);
}

Waited Crew::wait_in_background(int64_t timeout_nanoseconds) {
  const auto ready = [this] {
    if (poked_.load(std::memory_order_acquire) || deaths_.load(std::memory_order_acquire) > 0) return true;
    if (departed_.load(std::memory_order_acquire)) return true;  // another thread has settled the death
    if (page_->unread.load(std::memory_order_acquire) != 0 && something_to_sweep()) return true;
    const bool each = (page_->bell.load(std::memory_order_relaxed) & kServeEach) != 0;
    if (each && collectable_.load(std::memory_order_acquire)) return true;
    return (each || more_wanted_.load(std::memory_order_relaxed)) && something_to_sweep();
  };
  constexpr int64_t kStragglerLook = 1'000'000;
  for (;;) {
    const bool timed = timed_.load(std::memory_order_acquire);
    const Waited waited = sleep_until(page_->bell, kBackgroundAsleep, timed ? kStragglerLook : timeout_nanoseconds,
                                      [&] { return ready() || timed != timed_.load(std::memory_order_acquire); });
    if (ready()) {
      poked_.store(false, std::memory_order_relaxed);
      return Waited::ready;
    }
    if (timed && waited == Waited::timed_out) {
      const std::lock_guard lock(mutex_);
      sweep_locked();
      timed_.store(straggler_possible(), std::memory_order_release);
      continue;
    }
    if (waited != Waited::ready) return waited;
  }
}

void Crew::orphan() {
  new (&mutex_) std::mutex;
  blocks_->orphan();
  spill_->abandon();
  InFlight::forget_all();
}

void Crew::wake_background() {
  poked_.store(true, std::memory_order_release);
  ring(page_->bell, kBackgroundAsleep);
}

void Crew::process_ended(uint64_t token) {
  workers_[token].ended.store(true, std::memory_order_release);
  deaths_.fetch_add(1, std::memory_order_release);
  ring(page_->bell, kBackgroundAsleep | kLeaderAsleep);
}

}  // namespace manycore::worker
