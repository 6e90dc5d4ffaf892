#include "worker/mailbox.h"

#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "manycore/errors.h"
#include "os/pages.h"
#include "worker/mailbox_lock.h"

namespace manycore::worker {
namespace {

struct Head {
  uint32_t bytes;
  uint32_t flags;
  uint32_t pieces;
  uint32_t unused;
};

uint64_t record_bytes(uint64_t payload, uint64_t pieces) {
  return (sizeof(Head) + pieces * sizeof(Mailbox::Piece) + payload + 15) / 16 * 16;
}

}  // namespace

Mailbox Mailbox::make(int64_t most) {
  os::MemoryFile file = os::MemoryFile::create("manycore-mailbox", mailbox_mapped_bytes());
  if (!file.reserve(0, mailbox_mapped_bytes())) throw ResourceError("queue: the system has no memory left for one");
  fchmod(file.descriptor(), S_IRUSR | S_IWUSR);
  os::MemoryFile signal(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!signal.valid()) throw ResourceError("queue: the system gives no descriptor");
  Mailbox box(file.release(), signal.release());
  box.page_ = new (box.page_) MailboxPage();
  box.page_->mutex.make();
  box.page_->most = most;
  box.page_->counts.file_end = first_mailbox_block();
  return box;
}

Mailbox::Mailbox(int descriptor, int signal_descriptor)
    : file_(descriptor), signal_(signal_descriptor), mappings_(std::make_unique<Mappings>()) {
  std::byte* memory = os::map_shared(descriptor, 0, mailbox_mapped_bytes());
  if (memory == nullptr) throw ResourceError("queue: the system does not map its memory");
  page_ = reinterpret_cast<MailboxPage*>(memory);
  ring_ = memory + mailbox_page_bytes();
}

Mailbox::Mailbox(Mailbox&& other) noexcept
    : file_(std::move(other.file_)),
      signal_(std::move(other.signal_)),
      page_(std::exchange(other.page_, nullptr)),
      ring_(other.ring_),
      mappings_(std::move(other.mappings_)),
      outside_(std::move(other.outside_)) {}

Mailbox::~Mailbox() {
  if (page_ != nullptr) os::unmap_pages(reinterpret_cast<std::byte*>(page_), mailbox_mapped_bytes());
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
