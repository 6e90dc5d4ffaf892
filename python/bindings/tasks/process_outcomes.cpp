// ProcessCore's making of futures' outcomes: of replies, and of the deaths of workers.
#include "bindings/tasks/packed.h"
#include "bindings/tasks/pickling.h"
#include "bindings/tasks/process_core.h"
#include "bindings/tasks/process_flags.h"
#include "bindings/tasks/travelling_errors.h"

namespace manycore::python::tasks {

// A result, or null with what it could not be read for.
Reference ProcessCore::outcome_of(worker::Finished& finished) {
  if ((finished.flags & kNone) != 0) return Reference::to(Py_None);
  // Buffers may outlive pool and worker, and the file as long as they do.
  const std::weak_ptr<worker::Crew> weak = crew;
  const auto give_back = [weak, slot = finished.worker, incarnation = finished.incarnation](const worker::BlockPlace& place) {
    if (const auto owner = weak.lock()) owner->release_block(slot, incarnation, place);
  };
  const auto payload = std::as_bytes(std::span(finished.payload));
  const bool packed = (finished.flags & kPacked) != 0;
  const bool in_block = (finished.flags & kPayloadInBlock) != 0;
  const bool of_items = (finished.call->flags & kItems) != 0 && finished.how == worker::Finished::How::result;
  const Rescue rescue = breaking ? Rescue() : of_items ? rescue_results() : explain_result();
  Reference opened = packed ? raw_payload(payload, finished.blocks, in_block, finished.reader.get(), give_back)
                            : from_bytes(payload, finished.blocks, in_block, finished.reader.get(), give_back, rescue);
  if (!opened || !packed) return opened;
  Py_buffer view;
  if (PyObject_GetBuffer(opened.get(), &view, PyBUF_SIMPLE) < 0) return {};
  const double nanoseconds =
      PackedReader(worker::Bytes(static_cast<const std::byte*>(view.buf), static_cast<size_t>(view.len))).nanoseconds();
  PyBuffer_Release(&view);
  return Reference(Py_BuildValue("(OOd)", opened.get(), Py_None, nanoseconds));
}

Reference ProcessCore::death_of(const worker::Death& death, const TaskOwner& owner) {
  // Before anybody sees the future fail.
  if (breaking && !refusal) refusal = Reference::to(breaking.get());
  const Reference exit_code = death.known ? Reference(PyLong_FromLong(death.exit_code)) : Reference::to(Py_None);
  return Reference(PyObject_CallFunction(death_error.get(), "LOLOOi", static_cast<long long>(death.process), exit_code.get(),
                                         static_cast<long long>(death.peak_bytes), owner.function,
                                         owner.code != nullptr ? owner.code : Py_None, owner.instruction));
}

// Breaks the pool by the death of the worker that sent it.
Reference ProcessCore::unreadable(const worker::Finished& finished, const TaskOwner& owner) {
  const Reference why = take_raised();
  crew->end_worker(finished.worker, finished.incarnation);
  Reference broken = death_of({}, owner);
  if (broken) PyException_SetCause(broken.get(), Py_NewRef(why.get()));
  return broken;
}

}  // namespace manycore::python::tasks
