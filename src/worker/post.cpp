#include "worker/post.h"

#include <time.h>
#include <unistd.h>

#include <utility>

#include "manycore/errors.h"
#include "os/pages.h"
#include "os/process.h"

namespace manycore::worker {
namespace {

// Results that nobody asks for are freed after this, and nobody who is about to ask is disturbed.
constexpr int64_t kPatience = 10'000'000;

Link link_or_fail(int descriptor, int slot) {
  Link link(descriptor, slot);
  if (!link.valid()) throw ResourceError("worker process: its memory shared with the pool cannot be mapped");
  return link;
}

}  // namespace

Post::Post(int pool_descriptor, int slot)
    : pool_(reinterpret_cast<PoolPage*>(os::map_shared(pool_descriptor, 0, kPoolPageBytes))),
      link_(link_or_fail(pool_descriptor, slot)),
      me_(static_cast<uint32_t>(slot) + 1),
      requests_(&link_.page().requests, link_.request_bytes(), kRingBytes),
      replies_(&link_.page().replies, link_.reply_bytes(), kRingBytes) {
  if (pool_ == nullptr) throw ResourceError("worker process: its memory shared with the pool cannot be mapped");
  link_.page().process.store(getpid(), std::memory_order_relaxed);
  link_.page().inherited_peak.store(os::peak_before_exec(), std::memory_order_relaxed);
}

Post::~Post() { os::unmap_pages(reinterpret_cast<std::byte*>(pool_), kPoolPageBytes); }

Waited Post::wait(int64_t timeout_nanoseconds) {
  const auto ready = [this] { return !requests_.empty(); };
  if (ready()) return Waited::ready;
  const int64_t begin = os::now_nanoseconds();
  uint32_t free = 0;
  if (pool_->spinner.compare_exchange_strong(free, me_, std::memory_order_relaxed)) {
    const bool came = spinner_.spin_until(ready);
    uint32_t mine = me_;
    pool_->spinner.compare_exchange_strong(mine, 0, std::memory_order_relaxed);
    if (came) {
      spinner_.note_wait(os::now_nanoseconds() - begin);
      return Waited::ready;
    }
  }
  Waited waited = Waited::timed_out;
  if (std::exchange(untold_, false)) {
    waited = sleep_until(link_.page().bell, kWorkerAsleep, kPatience, ready);
    if (waited == Waited::timed_out && replies_.unread()) {
      pool_->unread.store(1, std::memory_order_release);
      ring(pool_->bell, kBackgroundAsleep);
    }
  }
  if (waited == Waited::timed_out) waited = sleep_until(link_.page().bell, kWorkerAsleep, timeout_nanoseconds, ready);
  spinner_.note_wait(os::now_nanoseconds() - begin);
  return waited;
}

void Post::wait_until_read(int64_t timeout_nanoseconds) {
  constexpr int64_t kLook = 1'000'000;
  for (int64_t waited = 0; replies_.unread() && waited < timeout_nanoseconds; waited += kLook) {
    pool_->unread.store(1, std::memory_order_release);
    ring(pool_->bell, kBackgroundAsleep);
    const timespec pause{0, kLook};
    nanosleep(&pause, nullptr);
  }
}

bool Post::write(ReplyKind kind, const Reply& reply) {
  const MessageHead head = head_of(reply);
  return replies_.write(static_cast<uint32_t>(kind), {bytes_of(head), bytes_of(reply.blocks), reply.payload}).has_value();
}

bool Post::try_reply(ReplyKind kind, const Reply& reply) {
  if (!write(kind, reply)) return false;
  wake_pool(reply.ticket, false);
  return true;
}

Waited Post::reply(ReplyKind kind, const Reply& reply) {
  bool written = write(kind, reply);
  if (!written) {
    wake_pool(reply.ticket, true);
    const Waited waited = sleep_until(link_.page().bell, kWorkerNoRoom, -1, [&] { return written = write(kind, reply); });
    if (!written) return waited;
  }
  wake_pool(reply.ticket, false);
  return Waited::ready;
}

void Post::wake_pool(uint64_t ticket, bool full) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const uint32_t bell = pool_->bell.load(std::memory_order_relaxed);
  if ((bell & kLeaderPresent) != 0) {
    // Awake it looks at the rings anyway. Asleep it is woken for what it waits for, and when work or room runs out.
    const bool its_own = ticket == pool_->leader_ticket.load(std::memory_order_relaxed);
    untold_ = untold_ || !its_own;
    if ((bell & kLeaderAsleep) == 0) return;
    if (its_own) {
      ring(pool_->bell, kLeaderAsleep);
      return;
    }
  }
  LinkPage& page = link_.page();
  const bool refill = requests_.position() >= page.refill_at.load(std::memory_order_relaxed);
  if (!full && !refill && (bell & kServeEach) == 0) {
    untold_ = true;
    return;
  }
  if (refill) page.refill_at.store(~uint64_t{0}, std::memory_order_relaxed);
  ring(pool_->bell, (bell & kBackgroundAsleep) != 0 ? kBackgroundAsleep : kLeaderAsleep);
}

}  // namespace manycore::worker
