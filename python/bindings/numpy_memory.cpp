// Memory of the arrays that NumPy itself makes: charged to the engine's account, the large ones from its pool.
//
// NumPy takes array memory through a handler (NEP 49), by default one for all threads and contexts; a handler of our own would
// have to be set in every context that begins. So the capsule of the default one points to a copy of it with our functions from
// here on. Arrays made before keep the capsule and come here when they die, which is why a block is known by its address.
//   up to kCountedLimit  NumPy's own functions with their cache; counted by a Tally
//   larger               memory::AddressedBlocks: used pages, where NumPy's malloc would map and fault in new ones
// NumPy calls with the GIL held.
#include "bindings/numpy_memory.h"

#include <malloc.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "base/options.h"
#include "bindings/gil.h"
#include "bindings/numpy_api.h"
#include "memory/addressed_blocks.h"
#include "memory/pool.h"
#include "memory/tally.h"

namespace manycore::python {
namespace {

using memory::AddressedBlocks;

// The C library keeps used blocks up to this size in any case; the pool's would cost 50 ns more.
constexpr size_t kCountedLimit = 128 << 10;
// What malloc_usable_size may answer for a block of that size.
constexpr int64_t kCountedBytes = kCountedLimit + 64;

constexpr const char* kCapsuleName = "mem_handler";  // NEP 49
// From here on zeros are written, or pages mapped, while other threads run Python, as NumPy does.
constexpr size_t kLongZeros = 1 << 20;

PyDataMem_Handler* numpy_handler = nullptr;  // NumPy's own, never freed
PyDataMem_Handler our_handler;
memory::Tally tally;

// The last request of this thread that was refused, until somebody asks why.
struct Refusal {
  int64_t asked = -1;
  std::string reason;
};
thread_local Refusal refusal;

const PyDataMemAllocator& plain() { return numpy_handler->allocator; }

// Blocks of the C library that the tally counts: by what they hold, since realloc is not told what they were asked for.
int64_t counted_bytes(void* block) {
  const auto bytes = static_cast<int64_t>(malloc_usable_size(block));
  return bytes <= kCountedBytes ? bytes : 0;
}

// Runs what may be refused; remembers why it was.
template <class F>
void* or_refuse(size_t size, const F& body) {
  try {
    return body();
  } catch (const ResourceError& error) {
    std::string_view reason = error.what();
    constexpr std::string_view kOperation = "allocate: ";
    if (reason.starts_with(kOperation)) reason.remove_prefix(kOperation.size());
    refusal = {static_cast<int64_t>(size), std::string(reason)};
  } catch (const std::bad_alloc&) {
    refusal.asked = -1;
  }
  return nullptr;
}

void* count_small(void* block, size_t size) {
  if (block == nullptr) {
    refusal.asked = -1;
    return nullptr;
  }
  return or_refuse(size, [&] {
    try {
      tally.add(counted_bytes(block));
    } catch (...) {
      plain().free(plain().ctx, block, size);
      throw;
    }
    return block;
  });
}

int64_t as_bytes(size_t size) {
  constexpr auto kMost = std::numeric_limits<int64_t>::max();
  return size > static_cast<size_t>(kMost) ? kMost : static_cast<int64_t>(size);
}

void* take(void*, size_t size) {
  if (size <= kCountedLimit) return count_small(plain().malloc(plain().ctx, size), size);
  return or_refuse(size, [&] { return AddressedBlocks::instance().allocate(as_bytes(size), false); });
}

void* take_zeroed(void*, size_t count, size_t item) {
  size_t size;
  if (__builtin_mul_overflow(count, item, &size)) size = std::numeric_limits<size_t>::max();
  if (size <= kCountedLimit) return count_small(plain().calloc(plain().ctx, count, item), size);
  PyThreadState* others = size >= kLongZeros && holds_gil() ? PyEval_SaveThread() : nullptr;
  void* block = or_refuse(size, [&] { return AddressedBlocks::instance().allocate(as_bytes(size), true); });
  if (others != nullptr) take_gil(others);
  return block;
}

void give(void*, void* block, size_t size) {
  auto* address = static_cast<std::byte*>(block);
  if (AddressedBlocks::may_hold(address) && AddressedBlocks::instance().release(address)) return;
  if (size <= kCountedLimit && block != nullptr) tally.subtract(counted_bytes(block));
  plain().free(plain().ctx, block, size);
}

// Between the C library's memory and the pool's, where a size crosses the limit.
void* move(void* block, int64_t held, size_t size) {
  void* moved = take(nullptr, size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, block, std::min(static_cast<size_t>(held), size));
  give(nullptr, block, static_cast<size_t>(held));
  return moved;
}

void* resize(void*, void* block, size_t size) {
  if (block == nullptr) return take(nullptr, size);
  auto* address = static_cast<std::byte*>(block);
  const int64_t pooled = AddressedBlocks::instance().bytes_at(address);
  if (pooled >= 0) {
    if (size <= kCountedLimit) return move(block, pooled, size);
    return or_refuse(size, [&] { return AddressedBlocks::instance().resize(address, as_bytes(size)); });
  }
  // A large block from before our time moves to the pool as well.
  if (size > kCountedLimit) return move(block, static_cast<int64_t>(malloc_usable_size(block)), size);
  const int64_t held = counted_bytes(block);
  // Charged first: where that is refused, the old block must still be there.
  const auto wanted = static_cast<int64_t>(size);
  if (or_refuse(size, [&] { return tally.add(wanted), block; }) == nullptr) return nullptr;
  void* resized = plain().realloc(plain().ctx, block, size);
  tally.subtract(wanted);
  if (resized != nullptr) tally.correct(counted_bytes(resized) - held);
  return resized;
}

bool is_in_force() {
  npy_intp size = 1;
  const int64_t before = tally.bytes();
  PyObject* probe = PyArray_SimpleNew(1, &size, NPY_UINT8);
  if (probe == nullptr) {
    PyErr_Clear();
    return false;
  }
  const bool taken = tally.bytes() > before;
  Py_DECREF(probe);
  return taken && tally.bytes() == before;
}

// A NumPy that does not ask the capsule each time keeps its own memory, which is then not counted.
bool install() {
  if (base::integer_option(base::Option::numpy_memory) == 0) return true;
  PyObject* capsule = PyDataMem_DefaultHandler;
  numpy_handler = static_cast<PyDataMem_Handler*>(PyCapsule_GetPointer(capsule, kCapsuleName));
  if (numpy_handler == nullptr) return false;
  if (numpy_handler->version != 1) return true;
  our_handler = *numpy_handler;
  our_handler.allocator.malloc = take;
  our_handler.allocator.calloc = take_zeroed;
  our_handler.allocator.realloc = resize;
  our_handler.allocator.free = give;
  if (PyCapsule_SetPointer(capsule, &our_handler) < 0) return false;
  return is_in_force() || PyCapsule_SetPointer(capsule, numpy_handler) == 0;
}

PyObject* take_refusal(PyObject*, PyObject* nbytes) {
  const long long asked = PyLong_AsLongLong(nbytes);
  if (asked == -1 && PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return nullptr;
    PyErr_Clear();
  }
  if (refusal.asked < 0 || refusal.asked != asked) Py_RETURN_NONE;
  refusal.asked = -1;
  return PyUnicode_FromString(refusal.reason.c_str());
}

PyMethodDef methods[] = {{"take_refusal", take_refusal, METH_O,
                          "Why NumPy was last refused so many bytes on this thread, once; None when it was not refused them."},
                         {nullptr, nullptr, 0, nullptr}};

}  // namespace

void explain_memory_error() {
  if (refusal.asked < 0 || !PyErr_Occurred()) return;
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (type == PyExc_MemoryError) {
    PyObject* said = PyObject_Str(value);
    const char* text = said != nullptr ? PyUnicode_AsUTF8(said) : nullptr;
    const char* between = text != nullptr && *text != '\0' ? ": " : "";
    PyObject* arguments = Py_BuildValue("(N)", PyUnicode_FromFormat("%s%s%s", text ? text : "", between, refusal.reason.c_str()));
    if (arguments == nullptr || PyObject_SetAttrString(value, "args", arguments) < 0) PyErr_Clear();
    Py_XDECREF(arguments);
    Py_XDECREF(said);
    refusal.asked = -1;
  }
  PyErr_Restore(type, value, traceback);
}

bool register_numpy_memory(PyObject* module) { return PyModule_AddFunctions(module, methods) == 0 && install(); }

}  // namespace manycore::python
