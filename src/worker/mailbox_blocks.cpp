// Mailbox's blocks: where the large bytes of messages lie.
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "os/process.h"
#include "worker/mailbox_lock.h"

namespace manycore::worker {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 30;      // of all blocks, unless one message alone is larger
constexpr int64_t kMapped = 1 << 20;                  // and longer pieces are copied through a mapping
constexpr int64_t kMostIdleBytes = int64_t{1} << 28;  // of free blocks with pages

}  // namespace

std::optional<Mailbox::Piece> Mailbox::store(const void* data, int64_t bytes) {
  int64_t index;
  {
    const Lock lock(*this);
    index = find_block(bytes);
    if (index < 0) return {};
    MailboxBlock& block = page_->blocks[static_cast<size_t>(index)];
    block.owner = static_cast<int32_t>(getpid());
    block.state = MailboxBlock::filling;
  }
  const Piece piece{static_cast<uint32_t>(index), bytes};
  MailboxBlock& block = page_->blocks[static_cast<size_t>(index)];
  std::byte* mapped = bytes >= kMapped && block.written >= bytes ? map(block) : nullptr;
  if (mapped != nullptr) {
    std::memcpy(mapped, data, static_cast<size_t>(bytes));
    return piece;
  }
  if (file_.write(block.offset, data, bytes)) {
    block.written = std::max(block.written, bytes);
    return piece;
  }
  drop(piece);
  return {};
}

// Null where the system refuses.
std::byte* Mailbox::map(const MailboxBlock& block) {
  const std::lock_guard lock(mappings_->mutex);
  Mappings::Mapping& known = mappings_->by_offset[block.offset];
  if (known.memory == nullptr || known.bytes < block.capacity) {
    std::byte* memory = os::map_shared(file_.descriptor(), block.offset, block.capacity);
    if (memory == nullptr) return known.bytes < block.capacity ? nullptr : known.memory;
    os::fault_in_for_reading(memory, whole(block.written, os::kPageBytes));
    known = {memory, block.capacity};
    mappings_->all.push_back(known);
  }
  return known.memory;
}

bool Mailbox::fetch(const Piece& piece, void* data) {
  const MailboxBlock& block = page_->blocks[piece.block % page_->blocks.size()];
  // Only where the file has the pages: a mapping of what it has not is a signal and no error.
  if (piece.bytes >= kMapped && piece.bytes <= block.written) {
    if (const std::byte* mapped = map(block)) {
      std::memcpy(data, mapped, static_cast<size_t>(piece.bytes));
      return true;
    }
  }
  return piece.bytes <= block.capacity && file_.read(block.offset, data, piece.bytes);
}

void Mailbox::keep(const Piece& piece) {
  const Lock lock(*this);
  page_->blocks[piece.block].state = MailboxBlock::kept;
}

bool Mailbox::begin_reading(const Piece& piece) {
  const Lock lock(*this);
  if (piece.block >= static_cast<uint64_t>(page_->counts.blocks)) return false;
  MailboxBlock& block = page_->blocks[piece.block];
  if (block.state != MailboxBlock::kept || piece.bytes < 0 || piece.bytes > block.capacity) return false;
  block.owner = static_cast<int32_t>(getpid());
  block.state = MailboxBlock::reading;
  return true;
}

void Mailbox::drop(const Piece& piece) {
  {
    const Lock lock(*this);
    MailboxBlock& block = page_->blocks[piece.block % page_->blocks.size()];
    int64_t idle = 0;
    for (int64_t i = 0; i < page_->counts.blocks; ++i) {
      const MailboxBlock& other = page_->blocks[static_cast<size_t>(i)];
      if (other.state == MailboxBlock::free) idle += other.capacity;
    }
    if (idle + block.capacity > kMostIdleBytes) {
      block.written = 0;
      file_.drop(block.offset, block.capacity);
    }
    block.state = MailboxBlock::free;
  }
  page_->departures.signal(1);
}

bool Mailbox::has_blocks_in_use() {
  const Lock lock(*this);
  free_blocks_of_the_dead();
  const MailboxBlock* first = page_->blocks.data();
  return std::any_of(first, first + page_->counts.blocks,
                     [](const MailboxBlock& block) { return block.state != MailboxBlock::free; });
}

bool Mailbox::fits(const MailboxBlock& block, int64_t bytes) const {
  return block.state == MailboxBlock::free && block.capacity >= bytes;
}

// With the lock.
int64_t Mailbox::find_block(int64_t bytes) {
  int64_t best = -1;
  for (int round = 0; round < 2; ++round) {
    for (int64_t i = 0; i < page_->counts.blocks; ++i) {
      const MailboxBlock& block = page_->blocks[static_cast<size_t>(i)];
      if (fits(block, bytes) && (best < 0 || block.capacity < page_->blocks[static_cast<size_t>(best)].capacity)) best = i;
    }
    if (best >= 0 && page_->blocks[static_cast<size_t>(best)].capacity <= 2 * bytes + kMailboxUnit) return best;
    if (round == 0 && !free_blocks_of_the_dead()) break;
  }
  const int64_t made = new_block(bytes);
  if (made >= 0 || best >= 0) return made >= 0 ? made : best;
  return forget_free_blocks() ? new_block(bytes) : -1;
}

int64_t Mailbox::new_block(int64_t bytes) {
  MailboxCounts& counts = page_->counts;
  const int64_t capacity = whole(bytes, kMailboxUnit);
  const bool room = counts.blocks == 0 || counts.file_end + capacity <= kMostBytes;
  if (!room || counts.blocks == static_cast<int64_t>(page_->blocks.size())) return -1;
  page_->blocks[static_cast<size_t>(counts.blocks)] = {counts.file_end, capacity, MailboxBlock::free, 0, 0};
  counts.file_end += capacity;
  return counts.blocks++;
}

// True where there were any.
bool Mailbox::free_blocks_of_the_dead() {
  bool found = false;
  for (int64_t i = 0; i < page_->counts.blocks; ++i) {
    MailboxBlock& block = page_->blocks[static_cast<size_t>(i)];
    if (block.state != MailboxBlock::filling && block.state != MailboxBlock::reading) continue;
    if (!os::is_gone(block.owner)) continue;
    block.state = MailboxBlock::free;
    found = true;
  }
  return found;
}

// Where all blocks are free and none has the right size, the file begins anew.
bool Mailbox::forget_free_blocks() {
  MailboxCounts& counts = page_->counts;
  for (int64_t i = 0; i < counts.blocks; ++i) {
    if (page_->blocks[static_cast<size_t>(i)].state != MailboxBlock::free) return false;
  }
  file_.drop(first_mailbox_block(), counts.file_end - first_mailbox_block());
  counts.blocks = 0;
  counts.file_end = first_mailbox_block();
  return true;
}

}  // namespace manycore::worker
