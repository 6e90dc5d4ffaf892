// What one pool and its workers share: a memory file whose first page is the pool's (a bell for the side that waits for replies),
// followed by one region per worker with a page of state, a ring of requests and a ring of replies. A process maps the pool's page
// and the regions that it needs; the pool owns the file. A region is used by one worker process at a time and made new for the next.
#pragma once

#include <atomic>
#include <cstdint>

#include "os/memory_file.h"
#include "worker/doorbell.h"
#include "worker/ring.h"

namespace manycore::worker {

inline constexpr int64_t kPoolPageBytes = 4096;
inline constexpr int64_t kLinkPageBytes = 4096;
inline constexpr uint64_t kRingBytes = 256 << 10;
inline constexpr int64_t kLinkBytes = kLinkPageBytes + 2 * static_cast<int64_t>(kRingBytes);
// Longer messages travel in a block.
inline constexpr uint64_t kLongestInline = 56 << 10;

// Bits of the pool's bell. Sleepers, then what a worker must know to choose whom to wake.
inline constexpr uint32_t kLeaderAsleep = 1;      // the thread that waits for a reply in result()
inline constexpr uint32_t kBackgroundAsleep = 2;  // the pool's own thread
inline constexpr uint32_t kFollowerAsleep = 16;   // threads that wait while another one leads
inline constexpr uint32_t kLeaderPresent = 4;     // it looks at the rings itself, asleep or not: nobody else need be woken
inline constexpr uint32_t kServeEach = 8;         // somebody waits for replies without looking: callbacks, wait(), shutdown

struct PoolPage {
  Bell bell{0};
  int64_t process = 0;                           // whose pool it is
  std::atomic<uint64_t> leader_ticket{0};        // of the call that the leader waits for
  std::atomic<uint32_t> unread{0};               // a worker went to sleep and nobody had read its replies for a while
  alignas(64) std::atomic<uint32_t> spinner{0};  // 1 + the slot of the one idle worker that may wait awake; 0: the place is free
};

// Bits of a worker's bell.
inline constexpr uint32_t kWorkerAsleep = 1;  // for a request
inline constexpr uint32_t kWorkerNoRoom = 2;  // for room in its ring of replies

struct LinkPage {
  Bell bell{0};
  std::atomic<int64_t> process{0};         // the worker's
  std::atomic<int64_t> inherited_peak{0};  // of memory, in bytes: os::peak_before_exec
  // Position in the ring of requests from which on the worker wakes the pool for more work; the greatest number means never.
  alignas(64) std::atomic<uint64_t> refill_at{~uint64_t{0}};
  // Ticket of the call that is to stop, if it still runs (sched/stop.h).
  alignas(64) std::atomic<uint64_t> stop_ticket{0};
  RingState requests;
  RingState replies;
};
static_assert(sizeof(PoolPage) <= kPoolPageBytes && sizeof(LinkPage) <= kLinkPageBytes);

// A mapped region. Movable; unmaps itself. Null after a failure to map, which `valid` tells.
class MANYCORE_API Link {
 public:
  Link() = default;
  Link(int descriptor, int slot);
  ~Link();
  Link(Link&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)) {}
  Link& operator=(Link&& other) noexcept;

  bool valid() const { return memory_ != nullptr; }
  LinkPage& page() const { return *reinterpret_cast<LinkPage*>(memory_); }
  std::byte* request_bytes() const { return memory_ + kLinkPageBytes; }
  std::byte* reply_bytes() const { return memory_ + kLinkPageBytes + kRingBytes; }
  // Empty rings, nobody asleep. Only while no worker uses the region.
  void make_new();

  static int64_t offset_of(int slot) { return kPoolPageBytes + slot * kLinkBytes; }
  static int64_t file_bytes(int slots) { return offset_of(slots); }

 private:
  std::byte* memory_ = nullptr;
};

}  // namespace manycore::worker
