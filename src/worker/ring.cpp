#include "worker/ring.h"

#include <cstring>
#include <new>

namespace manycore::worker {
namespace {

constexpr uint64_t kHead = sizeof(RecordHead);
constexpr uint32_t kSkip = 0xffffffffu;  // the rest up to the end of the ring is unused

uint64_t record_bytes(uint64_t body) { return kHead + ((body + 15) & ~uint64_t{15}); }

}  // namespace

std::optional<uint64_t> RingWriter::write(uint32_t kind, std::initializer_list<Bytes> parts) {
  uint64_t body = 0;
  for (Bytes part : parts) body += part.size();
  const uint64_t size = record_bytes(body);
  const uint64_t before_end = capacity_ - (written_ & (capacity_ - 1));
  const uint64_t skipped = size > before_end ? before_end : 0;
  if (size + skipped > capacity_) return std::nullopt;
  if (written_ + size + skipped - seen_read_ > capacity_) {
    seen_read_ = state_->read.load(std::memory_order_acquire);
    // A reader that is ahead of us is broken; nothing more is written for it.
    if (seen_read_ > written_ || written_ + size + skipped - seen_read_ > capacity_) return std::nullopt;
  }
  if (skipped > 0) {
    new (head_at(written_)) RecordHead{0, kSkip, 0, 0};
    written_ += skipped;
  }
  const uint64_t position = written_;
  RecordHead* head = new (head_at(position)) RecordHead{static_cast<uint32_t>(body), kind, 0, 0};
  auto* to = reinterpret_cast<std::byte*>(head + 1);
  for (Bytes part : parts) {
    if (!part.empty()) std::memcpy(to, part.data(), part.size());
    to += part.size();
  }
  written_ += size;
  state_->written.store(written_, std::memory_order_release);
  return position;
}

bool RingWriter::withdraw(uint64_t position) {
  // What the reader has released may be overwritten by us alone, so the word is still this record's when it is looked at.
  if (state_->read.load(std::memory_order_acquire) > position) return false;
  auto open = static_cast<uint32_t>(Claim::open);
  return head_at(position)->claim.compare_exchange_strong(open, static_cast<uint32_t>(Claim::withdrawn),
                                                          std::memory_order_acq_rel);
}

bool RingWriter::is_taken(uint64_t position) const {
  return state_->read.load(std::memory_order_acquire) > position ||
         head_at(position)->claim.load(std::memory_order_acquire) == static_cast<uint32_t>(Claim::taken);
}

RingReader::Next RingReader::next(Record* record) {
  for (;;) {
    const uint64_t written = state_->written.load(std::memory_order_acquire);
    if (written == read_) return Next::none;
    const uint64_t available = written - read_;
    if (available > capacity_ || (available & 15) != 0) return Next::corrupt;
    const uint64_t before_end = capacity_ - (read_ & (capacity_ - 1));
    const auto* head = reinterpret_cast<const RecordHead*>(bytes_ + (read_ & (capacity_ - 1)));
    // Read once: the other side might change it between the check and the use.
    const uint32_t kind = *const_cast<const volatile uint32_t*>(&head->kind);
    const uint32_t body = *const_cast<const volatile uint32_t*>(&head->bytes);
    if (kind == kSkip) {
      if (before_end > available) return Next::corrupt;
      read_ += before_end;
      continue;
    }
    const uint64_t size = record_bytes(body);
    if (size > available || size > before_end) return Next::corrupt;
    *record = Record{kind, read_, Bytes(reinterpret_cast<const std::byte*>(head + 1), body)};
    after_ = read_ + size;
    return Next::record;
  }
}

bool RingReader::take() {
  auto* head = reinterpret_cast<RecordHead*>(bytes_ + (read_ & (capacity_ - 1)));
  auto open = static_cast<uint32_t>(Claim::open);
  return head->claim.compare_exchange_strong(open, static_cast<uint32_t>(Claim::taken), std::memory_order_acq_rel);
}

void RingReader::release() {
  read_ = after_;
  state_->read.store(read_, std::memory_order_release);
}

}  // namespace manycore::worker
