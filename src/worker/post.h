// Post: a worker process's side of its link. It reads requests in order, takes each (or finds it withdrawn), and writes replies.
// It waits awake for a moment when it is the pool's one spinner and cores are free, then asleep. One thread uses it.
#pragma once

#include "worker/doorbell.h"
#include "worker/link.h"
#include "worker/message.h"
#include "worker/ring.h"

namespace manycore::worker {

class MANYCORE_API Post {
 public:
  // Maps the pool's page and the worker's region. Throws ResourceError.
  Post(int pool_descriptor, int slot);
  ~Post();
  Post(const Post&) = delete;
  Post& operator=(const Post&) = delete;

  // Until there is a request, a signal came or the time (nanoseconds; negative: none) is over.
  Waited wait(int64_t timeout_nanoseconds);
  bool ready() const { return !requests_.empty(); }
  RingReader::Next next(Record* record) { return requests_.next(record); }
  int64_t pool_process() const { return pool_->process; }
  // Until the pool has read all replies, at most so long.
  void wait_until_read(int64_t timeout_nanoseconds);
  bool take() { return requests_.take(); }
  void release() { requests_.release(); }

  // Holds the ticket of the call that is to stop.
  const std::atomic<uint64_t>& stop_word() const { return link_.page().stop_ticket; }

  // Writes a reply and wakes who has to know. Where the ring is full it waits for room (interrupted: by a signal; call again).
  Waited reply(ReplyKind kind, const Reply& reply);
  // The same without waiting: false where there is no room.
  bool try_reply(ReplyKind kind, const Reply& reply);

 private:
  bool write(ReplyKind kind, const Reply& reply);
  void wake_pool(uint64_t ticket, bool full);

  PoolPage* pool_ = nullptr;
  Link link_;
  uint32_t me_;
  RingReader requests_;
  RingWriter replies_;
  Spinner spinner_;
  bool untold_ = false;  // a reply was sent that nobody was woken for
};

}  // namespace manycore::worker
