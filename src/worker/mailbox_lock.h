// What the sources of Mailbox share: the lock, the mappings of blocks, and how long the parts of the file are.
#pragma once

#include <atomic>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "os/pages.h"
#include "worker/mailbox.h"

namespace manycore::worker {

inline constexpr int64_t kMailboxUnit = 64 << 10;  // of a block's size

inline int64_t whole(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }
inline int64_t mailbox_page_bytes() { return whole(sizeof(MailboxPage), os::kPageBytes); }
inline int64_t mailbox_mapped_bytes() { return mailbox_page_bytes() + static_cast<int64_t>(Mailbox::kRingBytes); }
inline int64_t first_mailbox_block() { return whole(mailbox_mapped_bytes(), kMailboxUnit); }

struct Mailbox::Mappings {
  struct Mapping {
    std::byte* memory;
    int64_t bytes;
  };
  ~Mappings() {
    for (const Mapping& mapping : all) os::unmap_pages(mapping.memory, mapping.bytes);
  }
  std::mutex mutex;
  std::unordered_map<int64_t, Mapping> by_offset;
  std::vector<Mapping> all;  // shorter ones of the same offset, which somebody may use still, too
};

// The mutex, held. What is changed counts from its end on.
class Mailbox::Lock {
 public:
  explicit Lock(Mailbox& box) : page_(*box.page_) {
    os::SharedMutex::Locked locked = page_.mutex.try_lock();
    if (locked == os::SharedMutex::Locked::no) {
      const auto wait = [&] { locked = page_.mutex.lock(); };
      if (box.outside_) {
        box.outside_(wait);
      } else {
        wait();
      }
    }
    if (locked == os::SharedMutex::Locked::from_the_dead) box.repair();
    page_.before = page_.counts;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    page_.changing = 1;
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ~Lock() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    page_.changing = 0;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    page_.mutex.unlock();
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  MailboxPage& page_;
};

}  // namespace manycore::worker
