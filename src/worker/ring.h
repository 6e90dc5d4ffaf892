// A ring of records between two processes: one writes, one reads, neither takes a lock, so either may die at any instruction.
// The state and the bytes lie in shared memory; RingWriter and RingReader are each side's view of them, used by one thread at a time.
// A record lies in one piece at a multiple of 16; one that would cross the end goes to the front behind a mark.
// Memory order: the writer fills a record and then releases `written`; a reader that acquires it sees the record whole. The reader
// releases `read` when it needs the record no more; a writer that acquires it may overwrite. Positions count bytes and only grow.
// Each record has a claim word, changed by compare-and-swap: the reader takes it to run it, or the writer withdraws it; never both.
// A reader believes nothing that it reads: what a broken writer left is `corrupt`, and no access leaves the ring.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>

#include "manycore/export.h"

namespace manycore::worker {

using Bytes = std::span<const std::byte>;

struct RingState {
  alignas(64) std::atomic<uint64_t> written{0};
  alignas(64) std::atomic<uint64_t> read{0};
};

enum class Claim : uint32_t { open = 0, taken = 1, withdrawn = 2 };

struct RecordHead {
  uint32_t bytes;  // of the body
  uint32_t kind;
  std::atomic<uint32_t> claim;
  uint32_t unused;
};
static_assert(sizeof(RecordHead) == 16 && std::atomic<uint64_t>::is_always_lock_free);

struct Record {
  uint32_t kind = 0;
  uint64_t position = 0;
  Bytes body;
};

class MANYCORE_API RingWriter {
 public:
  // `capacity`: a power of two, the size of `bytes`.
  RingWriter(RingState* state, std::byte* bytes, uint64_t capacity) : state_(state), bytes_(bytes), capacity_(capacity) {}

  // Bodies up to this always fit once the reader has caught up.
  static uint64_t longest_body(uint64_t capacity) { return capacity / 4; }

  // The record's position, or nothing where there is no room now.
  std::optional<uint64_t> write(uint32_t kind, std::initializer_list<Bytes> parts);
  // False where the reader has taken the record or is past it.
  bool withdraw(uint64_t position);
  // Has the reader taken the record, or gone past it?
  bool is_taken(uint64_t position) const;
  // Is there something that the reader has not let go?
  bool unread() const { return state_->read.load(std::memory_order_acquire) != written_; }

 private:
  RecordHead* head_at(uint64_t position) const { return reinterpret_cast<RecordHead*>(bytes_ + (position & (capacity_ - 1))); }

  RingState* state_;
  std::byte* bytes_;
  uint64_t capacity_;
  uint64_t written_ = 0;
  uint64_t seen_read_ = 0;
};

class MANYCORE_API RingReader {
 public:
  enum class Next { none, record, corrupt };

  RingReader(RingState* state, std::byte* bytes, uint64_t capacity) : state_(state), bytes_(bytes), capacity_(capacity) {}

  bool empty() const { return state_->written.load(std::memory_order_acquire) == read_; }
  uint64_t position() const { return read_; }
  // The next record; it stays in place until `release`.
  Next next(Record* record);
  // Takes the record that `next` showed; false where it has been withdrawn.
  bool take();
  void release();

 private:
  RingState* state_;
  std::byte* bytes_;
  uint64_t capacity_;
  uint64_t read_ = 0;   // begin of the record shown, or of the next one
  uint64_t after_ = 0;  // its end
};

}  // namespace manycore::worker
