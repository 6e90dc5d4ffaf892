#include "worker/mailbox.h"

#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "manycore/errors.h"
#include "os/pages.h"
#include "os/process.h"

namespace manycore::worker {
namespace {

struct Head {
  uint32_t bytes;
  uint32_t flags;
  uint32_t pieces;
  uint32_t unused;
};

constexpr int64_t kUnit = 64 << 10;                   // of a block's size
constexpr int64_t kMostBytes = int64_t{1} << 30;      // of all blocks, unless one message alone is larger
constexpr int64_t kMapped = 1 << 20;                  // and longer pieces are copied through a mapping
constexpr int64_t kMostIdleBytes = int64_t{1} << 28;  // of free blocks with pages

int64_t whole(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }
int64_t page_bytes() { return whole(sizeof(MailboxPage), os::kPageBytes); }
int64_t mapped_bytes() { return page_bytes() + static_cast<int64_t>(Mailbox::kRingBytes); }
int64_t first_block() { return whole(mapped_bytes(), kUnit); }

uint64_t record_bytes(uint64_t payload, uint64_t pieces) {
  return (sizeof(Head) + pieces * sizeof(Mailbox::Piece) + payload + 15) / 16 * 16;
}

}  // namespace

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

Mailbox Mailbox::make(int64_t most) {
  os::MemoryFile file = os::MemoryFile::create("manycore-mailbox", mapped_bytes());
  if (!file.reserve(0, mapped_bytes())) throw ResourceError("queue: the system has no memory left for one");
  fchmod(file.descriptor(), S_IRUSR | S_IWUSR);
  os::MemoryFile signal(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!signal.valid()) throw ResourceError("queue: the system gives no descriptor");
  Mailbox box(file.release(), signal.release());
  box.page_ = new (box.page_) MailboxPage();
  box.page_->mutex.make();
  box.page_->most = most;
  box.page_->counts.file_end = first_block();
  return box;
}

Mailbox::Mailbox(int descriptor, int signal_descriptor)
    : file_(descriptor), signal_(signal_descriptor), mappings_(std::make_unique<Mappings>()) {
  std::byte* memory = os::map_shared(descriptor, 0, mapped_bytes());
  if (memory == nullptr) throw ResourceError("queue: the system does not map its memory");
  page_ = reinterpret_cast<MailboxPage*>(memory);
  ring_ = memory + page_bytes();
}

Mailbox::Mailbox(Mailbox&& other) noexcept
    : file_(std::move(other.file_)),
      signal_(std::move(other.signal_)),
      page_(std::exchange(other.page_, nullptr)),
      ring_(other.ring_),
      mappings_(std::move(other.mappings_)),
      outside_(std::move(other.outside_)) {}

Mailbox::~Mailbox() {
  if (page_ != nullptr) os::unmap_pages(reinterpret_cast<std::byte*>(page_), mapped_bytes());
}

MailboxCounts Mailbox::counts() {
  const Lock lock(*this);
  return page_->counts;
}

bool Mailbox::reserve() {
  const Lock lock(*this);
  MailboxCounts& counts = page_->counts;
  if (page_->most > 0 && counts.held >= page_->most) return false;
  ++counts.held;
  ++counts.unfinished;
  return true;
}

void Mailbox::give_back() {
  {
    const Lock lock(*this);
    --page_->counts.held;
    --page_->counts.unfinished;
  }
  page_->departures.signal(1);
}

bool Mailbox::done_with_one() {
  bool all = false;
  {
    const Lock lock(*this);
    if (page_->counts.unfinished <= 0) return false;
    all = --page_->counts.unfinished == 0;
  }
  if (all) page_->all_done.signal(os::kFutexEveryone);
  return true;
}

bool Mailbox::send(Bytes payload, uint32_t flags, const std::vector<Piece>& pieces) {
  const uint64_t bytes = record_bytes(payload.size(), pieces.size());
  {
    const Lock lock(*this);
    MailboxCounts& counts = page_->counts;
    if (bytes > kRingBytes - (counts.written - counts.read)) return false;
    const Head head{static_cast<uint32_t>(payload.size()), flags, static_cast<uint32_t>(pieces.size()), 0};
    copy_in(counts.written, &head, sizeof head);
    copy_in(counts.written + sizeof head, pieces.data(), pieces.size() * sizeof(Piece));
    copy_in(counts.written + sizeof head + pieces.size() * sizeof(Piece), payload.data(), payload.size());
    for (const Piece& piece : pieces) page_->blocks[piece.block].state = MailboxBlock::sent;
    counts.written += bytes;
    if (++counts.messages == 1 && page_->watched != 0) show_signal();
  }
  page_->arrivals.signal(1);
  return true;
}

bool Mailbox::take(Message* message) {
  {
    const Lock lock(*this);
    MailboxCounts& counts = page_->counts;
    if (counts.messages == 0) return false;
    Head head;
    copy_out(counts.read, &head, sizeof head);
    const uint64_t bytes = record_bytes(head.bytes, head.pieces);
    // Only a bug in one of the processes writes such a thing; all that is there goes, rather than memory of this process.
    if (bytes > counts.written - counts.read || head.pieces > page_->blocks.size()) {
      counts.read = counts.written;
      counts.messages = 0;
      throw Bug("queue: a message that no process sends");
    }
    message->flags = head.flags;
    message->pieces.resize(head.pieces);
    copy_out(counts.read + sizeof head, message->pieces.data(), head.pieces * sizeof(Piece));
    message->payload.resize(head.bytes);
    copy_out(counts.read + sizeof head + head.pieces * sizeof(Piece), message->payload.data(), head.bytes);
    for (const Piece& piece : message->pieces) {
      MailboxBlock& block = page_->blocks[piece.block % page_->blocks.size()];
      block.owner = static_cast<int32_t>(getpid());
      block.state = MailboxBlock::reading;
    }
    counts.read += bytes;
    if (--counts.messages == 0 && page_->watched != 0) show_signal();
    --counts.held;
    ++counts.taken;
  }
  page_->departures.signal(1);
  return true;
}

// Blocks.

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
    if (best >= 0 && page_->blocks[static_cast<size_t>(best)].capacity <= 2 * bytes + kUnit) return best;
    if (round == 0 && !free_blocks_of_the_dead()) break;
  }
  const int64_t made = new_block(bytes);
  if (made >= 0 || best >= 0) return made >= 0 ? made : best;
  return forget_free_blocks() ? new_block(bytes) : -1;
}

int64_t Mailbox::new_block(int64_t bytes) {
  MailboxCounts& counts = page_->counts;
  const int64_t capacity = whole(bytes, kUnit);
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
  file_.drop(first_block(), counts.file_end - first_block());
  counts.blocks = 0;
  counts.file_end = first_block();
  return true;
}

int Mailbox::watch() {
  const Lock lock(*this);
  if (std::exchange(page_->watched, 1) == 0) show_signal();
  return signal_.descriptor();
}

// With the lock.
void Mailbox::show_signal() {
  uint64_t value = 1;
  [[maybe_unused]] const ssize_t done = page_->counts.messages > 0 ? write(signal_.descriptor(), &value, sizeof value)
                                                                   : read(signal_.descriptor(), &value, sizeof value);
}

// With the lock, whose holder has died.
void Mailbox::repair() {
  MailboxCounts& counts = page_->counts;
  if (page_->changing != 0) counts = page_->before;
  if (page_->watched != 0) show_signal();
  std::vector<bool> waiting(page_->blocks.size());
  for (uint64_t position = counts.read; position < counts.written;) {
    Head head;
    copy_out(position, &head, sizeof head);
    const uint64_t bytes = record_bytes(head.bytes, head.pieces);
    if (bytes > counts.written - position) break;
    std::vector<Piece> pieces(std::min<size_t>(head.pieces, page_->blocks.size()));
    copy_out(position + sizeof head, pieces.data(), pieces.size() * sizeof(Piece));
    for (const Piece& piece : pieces) waiting[piece.block % waiting.size()] = true;
    position += bytes;
  }
  for (int64_t i = 0; i < counts.blocks; ++i) {
    MailboxBlock& block = page_->blocks[static_cast<size_t>(i)];
    if (waiting[static_cast<size_t>(i)]) {
      block.state = MailboxBlock::sent;
    } else if (block.state == MailboxBlock::sent) {
      block.state = MailboxBlock::free;
    }
  }
}

void Mailbox::copy_in(uint64_t position, const void* data, uint64_t bytes) {
  if (bytes == 0) return;
  const uint64_t at = position % kRingBytes;
  const uint64_t first = std::min(bytes, kRingBytes - at);
  std::memcpy(ring_ + at, data, first);
  std::memcpy(ring_, static_cast<const std::byte*>(data) + first, bytes - first);
}

void Mailbox::copy_out(uint64_t position, void* data, uint64_t bytes) const {
  if (bytes == 0) return;
  const uint64_t at = position % kRingBytes;
  const uint64_t first = std::min(bytes, kRingBytes - at);
  std::memcpy(data, ring_ + at, first);
  std::memcpy(static_cast<std::byte*>(data) + first, ring_, bytes - first);
}

}  // namespace manycore::worker
