// Blocks: where large bytes lie on their way from one process to another. A store is the sender's: it cuts blocks from one memory file
// whose descriptor the receiver has from the start, so no descriptor travels and none is used per block. Used blocks are kept with
// their pages, since fresh pages cost several times as much; what is kept beyond a limit gives its pages back.
// Bytes that were sent before from the same address are compared with the block that they went into, if that has not been used for
// others since, and not copied where they are equal. From the second time on the system is asked to watch them (os/write_watch.h), and
// they are not even compared where it says that nobody wrote.
// Every page is charged to the memory account; free blocks give theirs back when it asks. A store is thread-safe and lives until its last lease has gone.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "memory/keepers.h"
#include "os/memory_file.h"
#include "worker/call.h"

namespace manycore::worker {

inline constexpr int64_t kSmallestBlock = 64 << 10;

class BlockLease;

struct BlockCounts {
  int64_t copied = 0;  // bytes
  int64_t found_equal = 0;
  int64_t found_unwritten = 0;
  int64_t in_huge_pages = 0;  // of those copied, into fresh ones
};

class MANYCORE_API Blocks final : public memory::Keeper, public std::enable_shared_from_this<Blocks> {
 public:
  explicit Blocks(os::MemoryFile file) : file_(std::move(file)) {}
  ~Blocks() override;

  int descriptor() const { return file_.descriptor(); }
  // The bytes as they are now, in a block that comes back when the lease goes. Throws ResourceError.
  std::shared_ptr<Lease> store(const void* data, int64_t bytes);
  BlockCounts counts();
  int64_t give_back(int64_t bytes) override;  // the pages of free blocks
  // In a child of fork, where what was charged and what is out are the parent's.
  void orphan();

  // Of all stores of this process: bytes of blocks that are out, and a number that changes when one comes back.
  static int64_t bytes_out();
  static uint32_t returns();
  // Until that number is no longer `seen`.
  static void wait_for_return(uint32_t seen, int64_t timeout_nanoseconds);

 private:
  friend class BlockLease;
  struct Block {
    int64_t offset = 0;
    int64_t bytes = 0;
    std::byte* mapped = nullptr;  // once it is used again, or has huge pages
    int64_t written = 0;          // bytes from its begin that have pages
    bool has_pages = false;       // is charged for
  };
  struct Sent {
    int64_t offset;
    std::weak_ptr<BlockLease> lease;
    const void* data = nullptr;
    int64_t bytes = 0;
    bool was_equal = false;  // when it was sent again
    uint64_t watch = 0;      // that began before it was last found equal
  };

  std::shared_ptr<BlockLease> sent_before(const void* data, int64_t bytes);
  std::shared_ptr<BlockLease> free_block(int64_t bytes);
  bool found_unchanged(BlockLease& lease, const void* data, int64_t bytes);
  bool equal(BlockLease& lease, const void* data, int64_t bytes);
  void write(BlockLease& lease, const void* data, int64_t bytes);
  int64_t write_huge(BlockLease& lease, const void* data, int64_t bytes);
  bool map(BlockLease& lease, int64_t bytes, bool to_write);
  void charge(int64_t bytes);
  void take_back(const Block& block);
  void cool(Block& block);

  os::MemoryFile file_;
  std::mutex mutex_;
  std::map<int64_t, std::vector<Block>> free_;      // by size
  std::unordered_map<uint64_t, Sent> sent_;         // by address and length
  std::unordered_map<int64_t, uint64_t> contents_;  // the key in sent_ of what a block holds, by offset
  int64_t end_ = 0;
  int64_t kept_bytes_ = 0;
  int64_t charged_ = 0;
  bool orphaned_ = false;
  BlockCounts counts_;
};

class BlockLease final : public Lease {
 public:
  BlockLease(std::shared_ptr<Blocks> owner, const Blocks::Block& block, int64_t bytes)
      : owner_(std::move(owner)), block_(block), bytes_(bytes) {}
  ~BlockLease() override { owner_->take_back(block_); }
  BlockPlace place() const override { return {0, static_cast<uint64_t>(block_.offset), static_cast<uint64_t>(bytes_)}; }

 private:
  friend class Blocks;
  std::shared_ptr<Blocks> owner_;
  Blocks::Block block_;
  int64_t bytes_;
};

}  // namespace manycore::worker
