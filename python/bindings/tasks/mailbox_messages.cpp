#include "bindings/tasks/mailbox_messages.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "bindings/gil.h"
#include "bindings/tasks/interpreter.h"
#include "bindings/tasks/own_memory.h"
#include "bindings/tasks/pickling.h"
#include "manycore/errors.h"
#include "os/clock.h"

namespace manycore::python::tasks {
namespace {

constexpr int64_t kLookUp = 100'000'000;  // signals, and what a dead process did not tell, are looked for so often
constexpr int64_t kLongCopy = 256 << 10;
constexpr uint32_t kPayloadInPiece = 1;  // the last one

int64_t taken = 0;  // with the GIL

// A block that nobody else knows yet.
class Stored final : public worker::Lease {
 public:
  Stored(worker::Mailbox& box, const worker::Mailbox::Piece& piece) : box_(box), piece_(piece) {}
  ~Stored() override {
    if (!sent_) box_.drop(piece_);
  }
  worker::BlockPlace place() const override { return {0, piece_.block, static_cast<uint64_t>(piece_.bytes)}; }
  void set_sent() { sent_ = true; }

 private:
  worker::Mailbox& box_;
  worker::Mailbox::Piece piece_;
  bool sent_ = false;
};

template <class Copy>
auto without_gil(int64_t bytes, Copy&& copy) {
  PyThreadState* state = bytes >= kLongCopy ? release_interpreter() : nullptr;
  auto result = copy();
  if (state != nullptr) take_gil(state);
  return result;
}

// Could waiting bring room for large bytes?
bool holds_anything(worker::Mailbox& box) { return box.counts().messages > 0 || box.has_blocks_in_use(); }

std::shared_ptr<worker::Lease> store(worker::Mailbox& box, const void* data, int64_t bytes, bool waits, bool* no_room) {
  for (;;) {
    const uint32_t seen = box.departures().now();
    if (const auto piece = without_gil(bytes, [&] { return box.store(data, bytes); }))
      return std::make_shared<Stored>(box, *piece);
    *no_room = holds_anything(box);
    if (!*no_room || !waits) {
      PyErr_Format(PyExc_MemoryError, "queue: the system has no shared memory left for %lld bytes",
                   static_cast<long long>(bytes));
      return nullptr;
    }
    if (wait_for(box, box.departures(), seen, -1) < 0) return nullptr;
  }
}

}  // namespace

int64_t messages_taken() { return taken; }

int wait_for(worker::Mailbox& box, worker::SharedEvent& event, uint32_t seen, int64_t deadline) {
  const int64_t now = os::now_nanoseconds();
  if (deadline >= 0 && now >= deadline) return 0;
  const int64_t slice = deadline < 0 ? kLookUp : std::min(kLookUp, deadline - now);
  PyThreadState* state = release_interpreter();
  bool changed = false;
  {
    sched::Spin spin(box.history());
    while (spin.again()) {
      changed = event.now() != seen;
      if (changed) {
        spin.found();
        break;
      }
    }
  }
  if (!changed) event.wait(seen, slice);
  take_gil(state);
  return PyErr_CheckSignals() < 0 ? -1 : 1;
}

int send_object(worker::Mailbox& box, PyObject* object, bool waits) {
  bool no_room = false;
  const StoreBytes keep = [&](const void* data, int64_t bytes) { return store(box, data, bytes, waits, &no_room); };
  Pickled pickled;
  if (!to_bytes(object, keep, &pickled)) {
    if (!no_room || !PyErr_ExceptionMatches(PyExc_MemoryError)) return -1;
    PyErr_Clear();
    return 0;
  }
  std::vector<worker::Mailbox::Piece> pieces;
  for (const auto& lease : pickled.leases) {
    const worker::BlockPlace place = lease->place();
    pieces.push_back({static_cast<uint32_t>(place.offset), static_cast<int64_t>(place.bytes)});
  }
  const auto payload = std::as_bytes(std::span(pickled.payload));
  for (;;) {
    const uint32_t seen = box.departures().now();
    if (box.send(payload, pickled.payload_in_block ? kPayloadInPiece : 0, pieces)) break;
    if (!waits) return 0;
    if (wait_for(box, box.departures(), seen, -1) < 0) return -1;
  }
  for (const auto& lease : pickled.leases) static_cast<Stored&>(*lease).set_sent();
  return 1;
}

namespace {

Reference open_message(worker::Mailbox& box, const worker::Mailbox::Message& message) {
  ++taken;
  Reference buffers(message.pieces.empty() ? nullptr : PyList_New(0));
  bool whole = message.pieces.empty() || buffers;
  for (const worker::Mailbox::Piece& piece : message.pieces) {
    void* data = nullptr;
    const Reference memory = whole ? own_memory(piece.bytes, &data) : Reference();
    whole = memory && without_gil(piece.bytes, [&] { return box.fetch(piece, data); }) &&
            PyList_Append(buffers.get(), memory.get()) == 0;
    box.drop(piece);
  }
  if (!whole) {
    if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_OSError, "queue: large bytes of a message cannot be read");
    return {};
  }
  return from_bytes_and_buffers(std::as_bytes(std::span(message.payload)), buffers.get(), (message.flags & kPayloadInPiece) != 0);
}

// No pickle begins so.
constexpr char kMark[4] = {'m', 'c', 'p', '1'};

struct PackedHead {
  char mark[4];
  uint32_t flags;
  uint64_t pieces;
};

bool read_packed(worker::Bytes text, worker::Mailbox::Message* message) {
  PackedHead head;
  if (text.size() < sizeof head) return false;
  std::memcpy(&head, text.data(), sizeof head);
  const size_t left = text.size() - sizeof head;
  if (std::memcmp(head.mark, kMark, sizeof kMark) != 0 || head.pieces > left / sizeof(worker::Mailbox::Piece)) return false;
  message->flags = head.flags;
  message->pieces.resize(head.pieces);
  const size_t bytes = head.pieces * sizeof(worker::Mailbox::Piece);
  std::memcpy(message->pieces.data(), text.data() + sizeof head, bytes);
  message->payload.assign(reinterpret_cast<const char*>(text.data()) + sizeof head + bytes, left - bytes);
  return true;
}

}  // namespace

Reference take_object(worker::Mailbox& box) {
  worker::Mailbox::Message message;
  return box.take(&message) ? open_message(box, message) : Reference();
}

Reference packed_object(worker::Mailbox& box, PyObject* object) {
  bool no_room = false;
  const StoreBytes keep = [&](const void* data, int64_t bytes) { return store(box, data, bytes, false, &no_room); };
  Pickled pickled;
  if (!to_bytes(object, keep, &pickled)) {
    if (!PyErr_ExceptionMatches(PyExc_MemoryError)) return {};
    PyErr_Clear();
    return Reference::to(Py_None);
  }
  if (pickled.leases.empty()) return Reference::to(Py_None);
  PackedHead head{{}, pickled.payload_in_block ? kPayloadInPiece : 0, pickled.leases.size()};
  std::memcpy(head.mark, kMark, sizeof kMark);
  std::string text(reinterpret_cast<const char*>(&head), sizeof head);
  for (const auto& lease : pickled.leases) {
    const worker::BlockPlace place = lease->place();
    const worker::Mailbox::Piece piece{static_cast<uint32_t>(place.offset), static_cast<int64_t>(place.bytes)};
    text.append(reinterpret_cast<const char*>(&piece), sizeof piece);
  }
  text += pickled.payload;
  Reference bytes(PyBytes_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size())));
  for (const auto& lease : pickled.leases) {
    if (!bytes) break;
    const worker::BlockPlace place = lease->place();
    box.keep({static_cast<uint32_t>(place.offset), static_cast<int64_t>(place.bytes)});
    static_cast<Stored&>(*lease).set_sent();
  }
  return bytes;
}

Reference unpacked_object(worker::Mailbox& box, worker::Bytes text) {
  worker::Mailbox::Message message;
  bool good = read_packed(text, &message);
  for (size_t i = 0; good && i < message.pieces.size(); ++i) {
    good = box.begin_reading(message.pieces[i]);
    if (good) continue;
    for (size_t before = 0; before < i; ++before) box.drop(message.pieces[before]);
  }
  if (good) return open_message(box, message);
  PyErr_SetString(PyExc_OSError, "pipe: a message whose large bytes are not here, expected those of the other end of this pipe");
  return {};
}

void discard_packed(worker::Mailbox& box, worker::Bytes text) {
  worker::Mailbox::Message message;
  if (!read_packed(text, &message)) return;
  for (const worker::Mailbox::Piece& piece : message.pieces) {
    if (box.begin_reading(piece)) box.drop(piece);
  }
}

}  // namespace manycore::python::tasks
