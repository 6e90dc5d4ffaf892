// Blocks: where large bytes lie on their way from one process to another. A store is the sender's: it cuts blocks from one memory file
// whose descriptor the receiver has from the start, so no descriptor travels and none is used per block. The receiver maps a block
// privately (PrivateBlock): it may write, and the sender's bytes stay. Used blocks are kept, pages and mapping, since filling fresh
// pages costs five times as much; what is kept beyond a limit gives its pages back. Every page is charged to the memory account.
// A store is thread-safe; it lives until its last lease has gone.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "os/memory_file.h"
#include "worker/call.h"

namespace manycore::worker {

inline constexpr int64_t kSmallestBlock = 64 << 10;

class MANYCORE_API Blocks : public std::enable_shared_from_this<Blocks> {
 public:
  explicit Blocks(os::MemoryFile file) : file_(std::move(file)) {}
  ~Blocks();

  int descriptor() const { return file_.descriptor(); }
  // A block that the caller fills; it comes back when the lease goes. Throws ResourceError.
  std::shared_ptr<class BlockLease> lease(int64_t bytes);
  int64_t charged_bytes();

 private:
  friend class BlockLease;
  struct Block {
    int64_t offset = 0;
    int64_t bytes = 0;
    std::byte* data = nullptr;  // null: its pages have been given back
  };

  void charge(int64_t bytes);
  void take_back(const Block& block);
  void cool(Block& block);

  os::MemoryFile file_;
  std::mutex mutex_;
  std::map<int64_t, std::vector<Block>> free_;  // by size
  int64_t end_ = 0;
  int64_t kept_bytes_ = 0;
  int64_t charged_ = 0;
};

class MANYCORE_API BlockLease final : public Lease {
 public:
  BlockLease(std::shared_ptr<Blocks> owner, Blocks::Block block, int64_t bytes)
      : owner_(std::move(owner)), block_(block), bytes_(bytes) {}
  ~BlockLease() override;
  std::byte* data() const { return block_.data; }
  BlockPlace place() const override { return {0, static_cast<uint64_t>(block_.offset), static_cast<uint64_t>(bytes_)}; }

 private:
  std::shared_ptr<Blocks> owner_;
  Blocks::Block block_;
  int64_t bytes_;
};

// A receiver's view of a block. Unmaps itself.
class MANYCORE_API PrivateBlock {
 public:
  // Not valid where the file does not hold the place, or the system refuses.
  PrivateBlock(int descriptor, const BlockPlace& place);
  ~PrivateBlock();
  PrivateBlock(PrivateBlock&& other) noexcept;
  PrivateBlock(const PrivateBlock&) = delete;
  PrivateBlock& operator=(const PrivateBlock&) = delete;
  bool valid() const { return data_ != nullptr; }
  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace manycore::worker
