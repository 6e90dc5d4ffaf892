// Mailbox: a queue of messages between any number of processes that have its memory file: many write, many read, any of them may die at any
// instruction and harms nobody else. Small messages lie in a ring, large bytes in blocks of the same file, outside of the lock.
// The ring and the counts are guarded by a mutex that outlives its holder (os/shared_mutex.h). Who holds it keeps the counts as they were
// before (`before`), so that the next one takes back what a dead process had half done: its message was not sent, or is still there.
// A block belongs to a process while that one fills or reads it, and is free again when it has died.
// A mailbox may grow slower than its writers: `send` then answers that there is no room, and `departures` tells when to try again.
// Who cannot wait for `arrivals`, because it waits for descriptors, watches a second one, which is readable while there are messages.
// Any thread of any process. Each process has a Mailbox of its own; it holds the descriptors.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "os/memory_file.h"
#include "os/shared_mutex.h"
#include "sched/spin.h"
#include "worker/ring.h"
#include "worker/shared_event.h"

namespace manycore::worker {

struct MailboxCounts {
  uint64_t written = 0;  // bytes of the ring, ever
  uint64_t read = 0;
  int64_t messages = 0;    // in the ring
  int64_t held = 0;        // accepted and not taken, those included that wait in their senders
  int64_t unfinished = 0;  // accepted and not said to be done
  int64_t blocks = 0;      // entries of the table that are in use
  int64_t file_end = 0;
  int64_t taken = 0;  // messages, ever
};

struct MailboxBlock {
  enum State : uint32_t { free, filling, sent, reading, kept };
  int64_t offset;
  int64_t capacity;
  uint32_t state;
  int32_t owner;    // the process that fills or reads it
  int64_t written;  // bytes from its begin that have pages
};

struct MailboxPage {
  os::SharedMutex mutex;
  alignas(64) SharedEvent arrivals;
  alignas(64) SharedEvent departures;
  alignas(64) SharedEvent all_done;
  alignas(64) MailboxCounts counts;
  alignas(64) MailboxCounts before;
  uint32_t changing = 0;
  uint32_t watched = 0;  // somebody waits for the second descriptor
  int64_t most = 0;      // messages held; 0: no limit
  std::array<MailboxBlock, 1024> blocks;
};

class MANYCORE_API Mailbox {
 public:
  struct Piece {  // of a message
    uint32_t block = 0;
    int64_t bytes = 0;
  };
  struct Message {
    std::string payload;
    uint32_t flags = 0;
    std::vector<Piece> pieces;
  };
  // Calls what it is given, which may wait for another process, without what others here may need meanwhile.
  using Outside = std::function<void(const std::function<void()>&)>;

  static constexpr uint64_t kRingBytes = 256 << 10;
  static constexpr uint64_t kLongestPayload = 56 << 10;

  // Throw ResourceError.
  static Mailbox make(int64_t most);
  Mailbox(int descriptor, int signal_descriptor);  // of one that was made; the descriptors become this one's
  ~Mailbox();
  Mailbox(Mailbox&& other) noexcept;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  void set_outside(Outside outside) { outside_ = std::move(outside); }
  int descriptor() const { return file_.descriptor(); }
  int signal_descriptor() const { return signal_.descriptor(); }
  // From now on it tells; the descriptor.
  int watch();
  MailboxCounts counts();
  int64_t most() const { return page_->most; }

  // A place among `most`; false where all are taken. Whoever has one sends a message or gives it back.
  bool reserve();
  void give_back();
  // False where there is no room in the ring.
  bool send(Bytes payload, uint32_t flags, const std::vector<Piece>& pieces);
  // A block with those bytes, to be sent or dropped; nothing where there is no room for it.
  std::optional<Piece> store(const void* data, int64_t bytes);
  // It stays until somebody reads it, told of by other ways than a message here.
  void keep(const Piece& piece);
  // It is this process's to fetch and to drop. False where it is none that is kept.
  bool begin_reading(const Piece& piece);
  bool fetch(const Piece& piece, void* data);
  void drop(const Piece& piece);
  bool has_blocks_in_use();
  bool take(Message* message);
  // False where all are done already.
  bool done_with_one();

  SharedEvent& arrivals() { return page_->arrivals; }
  SharedEvent& departures() { return page_->departures; }
  SharedEvent& all_done() { return page_->all_done; }
  sched::SpinHistory& history() { return history_; }

 private:
  class Lock;
  void repair();
  void show_signal();
  bool fits(const MailboxBlock& block, int64_t bytes) const;
  int64_t find_block(int64_t bytes);
  int64_t new_block(int64_t bytes);
  bool free_blocks_of_the_dead();
  bool forget_free_blocks();
  std::byte* map(const MailboxBlock& block);
  void copy_in(uint64_t position, const void* data, uint64_t bytes);
  void copy_out(uint64_t position, void* data, uint64_t bytes) const;

  os::MemoryFile file_;
  os::MemoryFile signal_;  // no memory, but a descriptor to be closed too
  MailboxPage* page_ = nullptr;
  std::byte* ring_ = nullptr;
  // Blocks are mapped when they are used again: fresh pages come sooner by a write, and used ones are copied sooner when mapped.
  struct Mappings;
  std::unique_ptr<Mappings> mappings_;
  Outside outside_;
  sched::SpinHistory history_;
};

}  // namespace manycore::worker
