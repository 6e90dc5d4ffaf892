#include "worker/blocks.h"

#include <algorithm>
#include <bit>
#include <string>

#include "manycore/errors.h"
#include "memory/account.h"
#include "os/pages.h"

namespace manycore::worker {
namespace {

constexpr int64_t kMostKept = int64_t{512} << 20;

int64_t whole_pages(int64_t bytes) { return (bytes + os::kPageBytes - 1) / os::kPageBytes * os::kPageBytes; }

// Four sizes per doubling: at most a quarter is wasted, and a block serves many sizes.
int64_t size_class(int64_t bytes) {
  const int64_t least = std::max(bytes, kSmallestBlock);
  const int64_t step = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(least))) / 4;
  return whole_pages((least + step - 1) / step * step);
}

}  // namespace

Blocks::~Blocks() {
  for (auto& [size, blocks] : free_) {
    for (Block& block : blocks) {
      if (block.data != nullptr) os::unmap_pages(block.data, block.bytes);
    }
  }
  memory::Account::arrays().uncharge(charged_);
}

void Blocks::charge(int64_t bytes) {
  memory::Account& account = memory::Account::arrays();
  if (!account.try_charge(bytes)) {
    for (auto& [size, blocks] : free_) {
      for (Block& block : blocks) cool(block);
    }
    if (!account.try_charge(bytes)) account.fail("sending to another process", bytes, account.held());
  }
  charged_ += bytes;
}

void Blocks::cool(Block& block) {
  if (block.data == nullptr) return;
  os::unmap_pages(block.data, block.bytes);
  file_.drop(block.offset, block.bytes);
  block.data = nullptr;
  kept_bytes_ -= block.bytes;
  charged_ -= block.bytes;
  memory::Account::arrays().uncharge(block.bytes);
}

std::shared_ptr<BlockLease> Blocks::lease(int64_t bytes) {
  const std::lock_guard lock(mutex_);
  const int64_t size = size_class(bytes);
  std::vector<Block>& free = free_[size];
  Block block{end_, size, nullptr};
  if (!free.empty()) {
    block = free.back();
    free.pop_back();
    if (block.data != nullptr) kept_bytes_ -= size;
  } else {
    end_ += size;
  }
  if (block.data == nullptr) {
    try {
      charge(size);
    } catch (...) {
      free.push_back(block);
      throw;
    }
    // Pages now rather than SIGBUS later.
    if (file_.reserve(block.offset, size)) block.data = os::map_shared(file_.descriptor(), block.offset, size);
    if (block.data == nullptr) {
      charged_ -= size;
      memory::Account::arrays().uncharge(size);
      file_.drop(block.offset, size);
      free.push_back(block);
      throw ResourceError("sending to another process: the system has no " + std::to_string(size) +
                          " bytes of shared memory left");
    }
  }
  return std::make_shared<BlockLease>(shared_from_this(), block, bytes);
}

void Blocks::take_back(const Block& block) {
  const std::lock_guard lock(mutex_);
  kept_bytes_ += block.bytes;
  std::vector<Block>& free = free_[block.bytes];
  free.push_back(block);
  if (kept_bytes_ > kMostKept) cool(free.back());
}

int64_t Blocks::charged_bytes() {
  const std::lock_guard lock(mutex_);
  return charged_;
}

BlockLease::~BlockLease() { owner_->take_back(block_); }

PrivateBlock::PrivateBlock(int descriptor, const BlockPlace& place) {
  const auto offset = static_cast<int64_t>(place.offset);
  const auto bytes = static_cast<int64_t>(place.bytes);
  const int64_t held = os::file_bytes(descriptor);
  if (bytes <= 0 || offset % os::kPageBytes != 0 || offset > held || bytes > held - offset) return;
  data_ = os::map_private(descriptor, offset, whole_pages(bytes));
  bytes_ = data_ != nullptr ? bytes : 0;
}

PrivateBlock::PrivateBlock(PrivateBlock&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

PrivateBlock::~PrivateBlock() {
  if (data_ != nullptr) os::unmap_pages(data_, whole_pages(bytes_));
}

}  // namespace manycore::worker
