#include "os/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "manycore/errors.h"
#include "os/pages.h"

namespace manycore::os {
namespace {

std::byte* map(int descriptor, int64_t offset, int64_t bytes, int kind) {
  std::byte* place = nullptr;
  if (bytes >= kHugePageBytes && offset % kHugePageBytes == 0) {
    place = map_pages(bytes, kHugePageBytes);
    if (place != nullptr) kind |= MAP_FIXED;
  }
  void* memory = mmap(place, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, kind, descriptor, offset);
  if (memory != MAP_FAILED) return static_cast<std::byte*>(memory);
  if (place != nullptr) unmap_pages(place, bytes);
  return nullptr;
}

}  // namespace

MemoryFile::~MemoryFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

MemoryFile& MemoryFile::operator=(MemoryFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

MemoryFile MemoryFile::create(const char* name, int64_t bytes) {
  MemoryFile file(memfd_create(name, MFD_CLOEXEC));
  if (!file.valid() || ftruncate(file.descriptor_, bytes) != 0)
    throw ResourceError(std::string("shared memory: the system gives no ") + std::to_string(bytes) +
                        " bytes: " + strerror(errno));
  return file;
}

const char* temporary_folder() {
  const char* folder = getenv("TMPDIR");
  return folder != nullptr && *folder != '\0' ? folder : "/tmp";
}

MemoryFile MemoryFile::on_disk() {
  const std::string folder = temporary_folder();
  MemoryFile file(open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, S_IRUSR | S_IWUSR));
  if (file.valid()) return file;
  // Some file systems make none without a name.
  std::string name = folder + "/manycore-XXXXXX";
  MemoryFile named(mkostemp(name.data(), O_CLOEXEC));
  if (named.valid() && unlink(name.c_str()) == 0) return named;
  throw ResourceError("temporary file: none can be made in " + folder + " (TMPDIR): " + strerror(errno));
}

MemoryFile open_of_process(int64_t process, int descriptor) {
  const std::string path = "/proc/" + std::to_string(process) + "/fd/" + std::to_string(descriptor);
  struct stat facts;
  // Opening a pipe or a device could wait or do something.
  if (stat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return MemoryFile();
  return MemoryFile(open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

int64_t file_bytes(int descriptor) {
  struct stat facts;
  return fstat(descriptor, &facts) == 0 ? static_cast<int64_t>(facts.st_size) : 0;
}

bool MemoryFile::reserve(int64_t offset, int64_t bytes) {
  int result;
  do {
    result = fallocate(descriptor_, 0, offset, bytes);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

bool MemoryFile::write(int64_t offset, const void* data, int64_t bytes) {
  const auto* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = pwrite(descriptor_, from, static_cast<size_t>(bytes), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    from += written;
    offset += written;
    bytes -= written;
  }
  return true;
}

bool MemoryFile::read(int64_t offset, void* data, int64_t bytes) const {
  auto* to = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t count = pread(descriptor_, to, static_cast<size_t>(bytes), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    to += count;
    offset += count;
    bytes -= count;
  }
  return true;
}

void MemoryFile::clear() { [[maybe_unused]] const int result = ftruncate(descriptor_, 0); }

void MemoryFile::drop(int64_t offset, int64_t bytes) {
  fallocate(descriptor_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
}

std::byte* map_shared(int descriptor, int64_t offset, int64_t bytes) { return map(descriptor, offset, bytes, MAP_SHARED); }
std::byte* map_private(int descriptor, int64_t offset, int64_t bytes) { return map(descriptor, offset, bytes, MAP_PRIVATE); }

}  // namespace manycore::os
