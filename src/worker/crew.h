// Crew: the pool's side. It hands calls to worker processes, takes their replies, takes queued calls back for idle workers, and
// settles what a death means: the call that ran is lost (or runs again), those behind it go elsewhere, nobody else notices.
// Thread-safe: one mutex, never held while anybody's code runs or while waiting. Nobody need hold the GIL.
// Three kinds of threads meet here. Any thread submits and collects. One thread at a time may lead: it waits for a reply of its own
// and looks at the rings for all. The pool's background thread serves what nobody looks at, and stragglers.
// Who may have how much in its ring is decided by the time that calls take (dispatch.cpp).
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "os/memory_file.h"
#include "worker/blocks.h"
#include "worker/call.h"
#include "worker/link.h"
#include "worker/spill.h"
#include "worker/watch.h"

namespace manycore::worker {

class MANYCORE_API Crew final : public EndListener, public std::enable_shared_from_this<Crew> {
 public:
  // Throws ResourceError.
  static std::shared_ptr<Crew> make(int slots);
  explicit Crew(int slots);
  ~Crew() override;

  int descriptor() const { return file_.descriptor(); }
  Blocks& blocks() { return *blocks_; }
  Spill& spill() { return *spill_; }
  // Of the memory file in which the worker of that slot puts large results.
  int results_descriptor(int slot);

  // Workers. A slot is prepared, its process started by the caller, and then joined; calls may be sent to it from prepare on.
  int prepare();                         // a free slot, or -1
  void joined(int slot, pid_t process);  // where it cannot be watched it is ended at once
  void abandon(int slot);                // no process came to be
  void limit_calls(int64_t calls_per_worker) { calls_per_worker_ = calls_per_worker; }
  int live_workers();
  bool has_free_slot();
  void end_worker(int slot, uint64_t incarnation);
  void stop_retrying();  // a call that a worker dies with is over from now on, however often it might run again
  void dismiss_all();    // each leaves when it has done what it has; nothing more is sent

  // Calls.
  std::shared_ptr<Function> define(std::string definition);
  // The ticket. `short_of_workers`: none was idle and another slot is free.
  uint64_t submit(std::unique_ptr<Call> call, bool* short_of_workers = nullptr);
  // The call back where no worker has begun it; nothing where it runs or is done.
  std::unique_ptr<Call> withdraw(Call* call);
  std::vector<std::unique_ptr<Call>> withdraw_waiting();  // all that no worker has begun
  bool is_running(const Call* call);
  // Of a call that runs: what became of the wish. `waits`: no worker has it (any more), it can be withdrawn.
  enum class Stop : uint8_t { told, waits, over };
  // The loops in it will stop.
  Stop stop(Call* call);
  // It will be a Finished::How::ended with its worker's death, unless it is over before. What stands behind it goes to other workers.
  // The worker is halted, and the caller has it killed at once: kill_halted(), which takes milliseconds, for what is not 0.
  Stop end(Call* call, pid_t* halted);
  static void kill_halted(pid_t process);  // and what descends from it
  int64_t outstanding();                   // submitted and not collected or withdrawn

  // Moves what has come from the rings into the list of finished calls and sends more work. Cheap where nothing has.
  void sweep();
  bool anything_to_collect() const { return collectable_.load(std::memory_order_acquire); }
  bool collect(Finished* finished);
  bool collect(Departure* departure);
  // Nobody here uses the block of a finished call any more; the worker may.
  void release_block(int slot, uint64_t incarnation, const BlockPlace& place);

  // The leader: false where there is one.
  bool begin_lead(uint64_t ticket);
  // Until there is something to sweep or to collect, or done() says so.
  template <class Done>
  Waited lead(int64_t timeout_nanoseconds, Done&& done) {
    const auto ready = [&] { return done() || something_to_sweep() || collectable_.load(std::memory_order_acquire); };
    // Who has just been woken needs microseconds to come up, perhaps on this very core.
    if (!woke_worker_.exchange(false, std::memory_order_relaxed) && leader_spinner_.spin_until(ready)) return Waited::ready;
    return sleep_until(page_->bell, kLeaderAsleep, timeout_nanoseconds, ready);
  }
  void end_lead();
  // While another thread leads: sleep until done() says so. Who finishes calls says wake_leader().
  template <class Done>
  Waited follow(int64_t timeout_nanoseconds, Done&& done) {
    // Several threads share the bit, so none of them clears it; who rings does.
    const uint32_t before = page_->bell.fetch_or(kFollowerAsleep, std::memory_order_seq_cst) | kFollowerAsleep;
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (done()) return Waited::ready;
    os::futex_wait(page_->bell, before, timeout_nanoseconds, os::FutexScope::shared, kFollowerAsleep);
    return done() ? Waited::ready : Waited::timed_out;
  }
  // Somebody else has finished what the leader may wait for.
  void wake_leader() { ring(page_->bell, kLeaderAsleep | kFollowerAsleep); }

  // The background thread. `serve_each`: as long as it is set, each reply wakes it.
  void serve_each(bool on);
  Waited wait_in_background(int64_t timeout_nanoseconds);
  void wake_background();

  // In a child of fork, which has none of this pool's threads and shares its workers' memory with the parent: its objects may go,
  // and nothing else may be asked of it.
  void orphan();

  void process_ended(uint64_t token) override;

 private:
  enum class Presence : uint8_t { none, prepared, present, leaving };

  struct Worker {
    Link link;
    RingWriter requests{nullptr, nullptr, 1};
    RingReader replies{nullptr, nullptr, 1};
    Presence presence = Presence::none;
    bool idle = false;
    bool was_ready = false;
    bool forced = false;  // to be killed for a call that is to end
    bool broken = false;  // it wrote what no worker writes
    std::atomic<bool> ended{false};
    pid_t process = 0;
    int descriptor = -1;
    uint64_t incarnation = 0;
    bool refill_set = false;
    os::MemoryFile results;                                            // where it puts large results
    std::shared_ptr<BlockReader> reader;                               // of them
    std::vector<BlockPlace> returned;                                  // its blocks that it does not know to be free
    std::unordered_multimap<uint64_t, std::shared_ptr<Lease>> leases;  // blocks that it uses, by place
    int64_t calls = 0;                                                 // sent in this incarnation
    int64_t busy_since = 0;                                            // when its oldest call was sent or came to the front
    std::deque<std::unique_ptr<Call>> in_ring;                         // in the order sent; null: withdrawn
    std::unordered_set<uint64_t> functions;                            // that it has the definition of
  };

  bool something_to_sweep() const;
  void sweep_locked();
  void take_replies(Worker& worker);
  static bool reaches_spill(Worker& worker, const Reply& reply);
  bool take_reply(Worker& worker, const Record& record);
  void settle_death(Worker& worker);
  void settle(Call& call);
  void return_call(std::unique_ptr<Call> call);
  void enqueue(std::unique_ptr<Call> call);
  void take_back_for_urgent(const Call& call);

  void dispatch_locked();
  bool send(Worker& worker, std::unique_ptr<Call>& call);
  Worker* choose(const Call& call);
  bool may_have_more(const Worker& worker) const;
  int64_t nanoseconds_in_ring(const Worker& worker) const;
  void set_refill(Worker& worker);
  void set_idle(Worker& worker, bool idle);
  void take_back_for_idle();
  void dismiss(Worker& worker);
  bool straggler_possible() const;
  void forget_withdrawn(Worker& worker);
  void return_blocks(Worker& worker);
  void take_leases_back(Worker& worker, const Call& call);
  int slot_of(const Worker& worker) const { return static_cast<int>(&worker - workers_.data()); }

  os::MemoryFile file_;
  std::shared_ptr<Blocks> blocks_;
  std::shared_ptr<Spill> spill_ = std::make_shared<Spill>();
  PoolPage* page_ = nullptr;
  std::mutex mutex_;
  std::vector<Worker> workers_;
  std::vector<int> idle_;  // slots; the last is the one that was busy last
  std::deque<std::unique_ptr<Call>> queue_;
  std::deque<Finished> finished_;
  std::deque<Departure> departures_;
  std::atomic<int64_t> deaths_{0};  // not settled yet
  std::atomic<bool> collectable_{false};
  std::atomic<bool> departed_{false};     // there are departures to collect
  std::atomic<bool> more_wanted_{false};  // calls wait for room in a ring
  std::atomic<bool> timed_{false};        // the background thread looks for stragglers by itself
  std::atomic<bool> poked_{false};
  std::atomic<bool> woke_worker_{false};
  bool ordered_ = false;  // some call had a priority or a deadline
  bool retries_over_ = false;
  int64_t calls_per_worker_ = 0;
  int64_t outstanding_ = 0;
  uint64_t next_ticket_ = 1;
  uint64_t next_function_ = 1;
  Spinner leader_spinner_;
};

}  // namespace manycore::worker
