#include "worker/blocks.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "manycore/errors.h"
#include "memory/account.h"
#include "memory/pool.h"
#include "os/futex.h"
#include "os/pages.h"
#include "os/write_watch.h"
#include "worker/huge_blocks.h"

namespace manycore::worker {
namespace {

constexpr int64_t kMostKept = int64_t{512} << 20;
constexpr size_t kMostRemembered = 1024;
std::atomic<int64_t> out_everywhere{0};
std::atomic<uint32_t> returned{0};
std::atomic<uint32_t> returns_awaited{0};

constexpr int64_t kWorthWatching = int64_t{1} << 20;  // less is compared in the time that asking takes

int64_t whole_pages(int64_t bytes) { return (bytes + os::kPageBytes - 1) / os::kPageBytes * os::kPageBytes; }

// Four sizes per doubling: at most a quarter is wasted, and a block serves many sizes.
int64_t size_class(int64_t bytes) {
  const auto least = static_cast<uint64_t>(std::max(bytes, kSmallestBlock));
  const int step = std::bit_width(least) - 3;  // bits
  return whole_pages(static_cast<int64_t>(((least - 1) >> step) + 1) << step);
}

uint64_t key_of(const void* data, int64_t bytes) {
  return reinterpret_cast<uintptr_t>(data) * 0x9e3779b97f4a7c15u ^ static_cast<uint64_t>(bytes);
}

// The whole pages of some bytes, and what is before and after them.
struct Parts {
  Parts(const void* data, int64_t bytes) {
    const auto begin = static_cast<int64_t>(reinterpret_cast<uintptr_t>(data));
    head = std::min(bytes, (os::kPageBytes - begin % os::kPageBytes) % os::kPageBytes);
    inside = (bytes - head) / os::kPageBytes * os::kPageBytes;
    pages = static_cast<const std::byte*>(data) + head;
  }
  const std::byte* pages;
  int64_t head;
  int64_t inside;
};

}  // namespace

Blocks::~Blocks() {
  for (auto& [size, blocks] : free_) {
    for (Block& block : blocks) {
      if (block.mapped != nullptr) os::unmap_pages(block.mapped, block.bytes);
    }
  }
  memory::Account::arrays().uncharge(charged_);
}

std::shared_ptr<Lease> Blocks::store(const void* data, int64_t bytes) {
  if (std::shared_ptr<BlockLease> before = sent_before(data, bytes)) {
    if (found_unchanged(*before, data, bytes)) return before;
  }
  std::shared_ptr<BlockLease> lease = memory::ask_keepers_before_refusing(size_class(bytes), [&] { return free_block(bytes); });
  write(*lease, data, bytes);
  const std::lock_guard lock(mutex_);
  const uint64_t key = key_of(data, bytes);
  if (sent_.size() >= kMostRemembered) {
    sent_.clear();
    contents_.clear();
  }
  sent_[key] = Sent{lease->block_.offset, lease, data, bytes};
  contents_[lease->block_.offset] = key;
  counts_.copied += bytes;
  return lease;
}

// The block that these bytes went into, in use or free, unless others went into it since. What it holds is for `equal` to say: the
// key tells where to look, no more.
std::shared_ptr<BlockLease> Blocks::sent_before(const void* data, int64_t bytes) {
  const std::lock_guard lock(mutex_);
  const uint64_t key = key_of(data, bytes);
  const auto sent = sent_.find(key);
  if (sent == sent_.end() || sent->second.data != data || sent->second.bytes != bytes) return nullptr;
  const auto content = contents_.find(sent->second.offset);
  if (content == contents_.end() || content->second != key) return nullptr;
  if (std::shared_ptr<BlockLease> lease = sent->second.lease.lock()) return lease->bytes_ == bytes ? lease : nullptr;
  std::vector<Block>& free = free_[size_class(bytes)];
  const auto block =
      std::find_if(free.begin(), free.end(), [&](const Block& entry) { return entry.offset == sent->second.offset; });
  if (block == free.end() || !block->has_pages) return nullptr;
  kept_bytes_ -= block->bytes;
  out_everywhere.fetch_add(block->bytes, std::memory_order_relaxed);
  auto lease = std::make_shared<BlockLease>(shared_from_this(), *block, bytes);
  free.erase(block);
  sent->second.lease = lease;
  return lease;
}

bool Blocks::found_unchanged(BlockLease& lease, const void* data, int64_t bytes) {
  uint64_t watched;
  bool was_equal;
  const uint64_t key = key_of(data, bytes);
  {
    const std::lock_guard lock(mutex_);
    const Sent& sent = sent_[key];
    watched = sent.watch;
    was_equal = sent.was_equal;
  }
  const Parts parts(data, bytes);
  const auto* from = static_cast<const std::byte*>(data);
  if (watched != 0 && lease.block_.mapped != nullptr && os::unwritten(parts.pages, parts.inside, watched)) {
    const int64_t after = parts.head + parts.inside;
    if (std::memcmp(lease.block_.mapped, from, static_cast<size_t>(parts.head)) == 0 &&
        std::memcmp(lease.block_.mapped + after, from + after, static_cast<size_t>(bytes - after)) == 0) {
      const std::lock_guard lock(mutex_);
      counts_.found_unwritten += bytes;
      return true;
    }
  }
  // Watched before they are compared, so that a write in between is seen. Not the first time: most are sent twice at most, and
  // what is watched is slower to write.
  const uint64_t watch = was_equal && bytes >= kWorthWatching ? os::watch_writes(parts.pages, parts.inside) : 0;
  const bool same = equal(lease, data, bytes);
  const bool well = watch != 0 && same && os::watched_well(parts.pages, parts.inside);
  if (!well && (watch != 0 || watched != 0)) os::forget_writes(parts.pages, parts.inside);
  const std::lock_guard lock(mutex_);
  Sent& sent = sent_[key];
  sent.was_equal = same;
  sent.watch = well ? watch : 0;
  return same;
}

bool Blocks::equal(BlockLease& lease, const void* data, int64_t bytes) {
  // A new array often gets the address of one that is gone: a look at the first bytes spares the mapping then.
  std::byte first[256];
  if (!file_.read(lease.block_.offset, first, sizeof first) || std::memcmp(first, data, sizeof first) != 0) return false;
  if (!map(lease, bytes, false) || std::memcmp(lease.block_.mapped, data, static_cast<size_t>(bytes)) != 0) return false;
  const std::lock_guard lock(mutex_);
  counts_.found_equal += bytes;
  return true;
}

bool Blocks::map(BlockLease& lease, int64_t bytes, bool to_write) {
  const std::lock_guard lock(mutex_);
  if (lease.block_.mapped != nullptr) return true;
  lease.block_.mapped = os::map_shared(file_.descriptor(), lease.block_.offset, lease.block_.bytes);
  if (lease.block_.mapped == nullptr) return false;
  if (to_write) {
    os::fault_in_for_writing(lease.block_.mapped, whole_pages(bytes));
  } else {
    os::fault_in_for_reading(lease.block_.mapped, whole_pages(bytes));
  }
  return true;
}

std::shared_ptr<BlockLease> Blocks::free_block(int64_t bytes) {
  const std::lock_guard lock(mutex_);
  const int64_t size = size_class(bytes);
  std::vector<Block>& free = free_[size];
  Block block;
  block.offset = end_;
  block.bytes = size;
  if (!free.empty()) {
    block = free.back();
    free.pop_back();
    if (block.has_pages) kept_bytes_ -= size;
  } else {
    // Where huge pages may begin. What is left out has no pages.
    if (size >= os::kHugePageBytes) block.offset = (end_ + os::kHugePageBytes - 1) / os::kHugePageBytes * os::kHugePageBytes;
    end_ = block.offset + size;
  }
  contents_.erase(block.offset);
  if (!block.has_pages) {
    try {
      charge(size);
    } catch (...) {
      free_[size].push_back(block);
      throw;
    }
    block.has_pages = true;
  }
  out_everywhere.fetch_add(size, std::memory_order_relaxed);
  return std::make_shared<BlockLease>(shared_from_this(), block, bytes);
}

// Fresh pages as huge ones, or by a call, which neither zeroes them nor faults them in one by one (64 MiB: 23 ms against 60) and for which a lack of
// pages is an error and not SIGBUS. Used ones through a mapping, which is twice as fast.
void Blocks::write(BlockLease& lease, const void* data, int64_t bytes) {
  if (lease.block_.written >= bytes && map(lease, bytes, true)) {
    std::memcpy(lease.block_.mapped, data, static_cast<size_t>(bytes));
    return;
  }
  const int64_t done = lease.block_.written == 0 ? write_huge(lease, data, bytes) : 0;
  if (file_.write(lease.block_.offset + done, static_cast<const std::byte*>(data) + done, bytes - done)) {
    lease.block_.written = std::max(lease.block_.written, bytes);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    kept_bytes_ += lease.block_.bytes;  // as if it were free, which `cool` takes it to be
    cool(lease.block_);
  }
  throw ResourceError("sending to another process: the system has no " + std::to_string(bytes) + " bytes of shared memory left");
}

// How many of the bytes.
int64_t Blocks::write_huge(BlockLease& lease, const void* data, int64_t bytes) {
  Block& block = lease.block_;
  if (bytes < os::kHugePageBytes || block.mapped != nullptr) return 0;
  std::byte* mapped = os::map_shared(file_.descriptor(), block.offset, block.bytes);
  if (mapped == nullptr) return 0;
  const int64_t done = write_in_huge_pages(file_, block.offset, mapped, data, bytes);
  // What is in small pages is mapped all at once when it is used again.
  if (bytes - done < os::kHugePageBytes) {
    block.mapped = mapped;
  } else {
    os::unmap_pages(mapped, block.bytes);
  }
  const std::lock_guard lock(mutex_);
  counts_.in_huge_pages += done;
  return done;
}

void Blocks::charge(int64_t bytes) {
  memory::Account& account = memory::Account::arrays();
  if (!account.try_charge(bytes)) {
    for (auto& [size, blocks] : free_) {
      for (Block& block : blocks) cool(block);
    }
    if (!account.try_charge(bytes)) memory::Pool::instance().trim(account.held() + bytes - account.limit());
    if (!account.try_charge(bytes)) account.fail("sending to another process", bytes, account.held());
  }
  charged_ += bytes;
}

int64_t Blocks::give_back(int64_t bytes) {
  const std::lock_guard lock(mutex_);
  const int64_t before = charged_;
  for (auto& [size, blocks] : free_) {
    for (Block& block : blocks) {
      if (orphaned_ || before - charged_ >= bytes) return before - charged_;
      cool(block);
    }
  }
  return before - charged_;
}

void Blocks::cool(Block& block) {
  if (!block.has_pages) return;
  if (block.mapped != nullptr) os::unmap_pages(block.mapped, block.bytes);
  block.mapped = nullptr;
  block.written = 0;
  file_.drop(block.offset, block.bytes);
  block.has_pages = false;
  kept_bytes_ -= block.bytes;
  charged_ -= block.bytes;
  memory::Account::arrays().uncharge(block.bytes);
}

void Blocks::take_back(const Block& block) {
  {
    const std::lock_guard lock(mutex_);
    if (orphaned_) return;
    std::vector<Block>& free = free_[block.bytes];
    free.push_back(block);
    if (block.has_pages) kept_bytes_ += block.bytes;
    if (kept_bytes_ > kMostKept) cool(free.back());
    out_everywhere.fetch_sub(block.bytes, std::memory_order_relaxed);
  }
  returned.fetch_add(1, std::memory_order_seq_cst);
  if (returns_awaited.load(std::memory_order_seq_cst) > 0) os::futex_wake(returned, os::kFutexEveryone);
}

void Blocks::orphan() {
  new (&mutex_) std::mutex;
  if (std::exchange(orphaned_, true)) return;
  memory::Account::arrays().uncharge(std::exchange(charged_, 0));
  out_everywhere.store(0, std::memory_order_relaxed);
}

int64_t Blocks::bytes_out() { return out_everywhere.load(std::memory_order_relaxed); }

uint32_t Blocks::returns() { return returned.load(std::memory_order_seq_cst); }

void Blocks::wait_for_return(uint32_t seen, int64_t timeout_nanoseconds) {
  returns_awaited.fetch_add(1, std::memory_order_seq_cst);
  os::futex_wait(returned, seen, timeout_nanoseconds);
  returns_awaited.fetch_sub(1, std::memory_order_seq_cst);
}

BlockCounts Blocks::counts() {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace manycore::worker
