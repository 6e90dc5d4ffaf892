#include "worker/shared_cells.h"

#include <sys/stat.h>
#include <unistd.h>

#include <mutex>
#include <unordered_map>

#include "base/lasting.h"
#include "manycore/errors.h"
#include "os/memory_file.h"
#include "os/pages.h"

namespace manycore::worker {

class CellFile {
 public:
  static constexpr int64_t kBytes = 16 << 10;

  explicit CellFile(os::MemoryFile file) : file_(std::move(file)), memory_(os::map_shared(file_.descriptor(), 0, kBytes)) {
    if (memory_ == nullptr) throw ResourceError("lock: the system does not map its memory");
  }
  ~CellFile() { os::unmap_pages(memory_, kBytes); }
  CellFile(const CellFile&) = delete;
  CellFile& operator=(const CellFile&) = delete;

  int descriptor() const { return file_.descriptor(); }
  std::byte* at(int64_t number) const { return memory_ + number * kCellBytes; }

 private:
  os::MemoryFile file_;
  std::byte* memory_;
};

namespace {

struct Files {
  std::mutex mutex;
  std::shared_ptr<CellFile> current;
  pid_t process = 0;  // that cuts cells from it
  int64_t next = 0;
  std::unordered_map<uint64_t, std::weak_ptr<CellFile>> opened;  // by inode
};

Files& files() {
  static constinit base::Lasting<Files> files;  // locks may outlive everything else
  return files.get();
}

uint64_t inode_of(int descriptor) {
  struct stat facts {};
  return fstat(descriptor, &facts) == 0 && facts.st_size == CellFile::kBytes ? facts.st_ino : 0;
}

}  // namespace

Cell make_cell() {
  Files& files = worker::files();
  const std::lock_guard lock(files.mutex);
  const pid_t process = getpid();
  if (files.current == nullptr || files.process != process || files.next * kCellBytes >= CellFile::kBytes) {
    os::MemoryFile file = os::MemoryFile::create("manycore-locks", CellFile::kBytes);
    fchmod(file.descriptor(), S_IRUSR | S_IWUSR);
    if (!file.reserve(0, CellFile::kBytes)) throw ResourceError("lock: the system has no memory left for one");
    files.opened.clear();
    files.current = std::make_shared<CellFile>(std::move(file));
    files.process = process;
    files.next = 0;
  }
  const int64_t number = files.next++;
  return {files.current, number, files.current->at(number)};
}

Cell open_cell(int descriptor, int64_t number) {
  os::MemoryFile file(descriptor);
  const uint64_t inode = inode_of(descriptor);
  if (inode == 0 || number < 0 || number * kCellBytes >= CellFile::kBytes)
    throw ResourceError("lock: what came from another process is no lock");
  Files& files = worker::files();
  const std::lock_guard lock(files.mutex);
  std::shared_ptr<CellFile> opened = files.opened[inode].lock();
  if (opened == nullptr) {
    opened = std::make_shared<CellFile>(std::move(file));
    files.opened[inode] = opened;
  } else if (opened->descriptor() == descriptor) {
    file.release();
  }
  return {opened, number, opened->at(number)};
}

int descriptor_of(const Cell& cell) { return cell.file->descriptor(); }

}  // namespace manycore::worker
