// Python objects as messages of a mailbox (worker/mailbox.h): pickled into its ring, large bytes into its blocks, and back. With the GIL,
// which large copies and waits let go of.
#pragma once

#include <Python.h>

#include "bindings/tasks/reference.h"
#include "worker/mailbox.h"

namespace manycore::python::tasks {

// Waits for what `event` tells of, unless its count is no longer `seen`, at most until `deadline` (monotonic; negative: for ever). 1 where
// it may have happened, 0 once the time is up, -1 with an exception (Ctrl-C).
int wait_for(worker::Mailbox& box, worker::SharedEvent& event, uint32_t seen, int64_t deadline);

// 1 where it was sent, 0 where there is no room now and `waits` is false, -1 with an exception.
int send_object(worker::Mailbox& box, PyObject* object, bool waits);

// The next message's object; null without an exception where there is none, else with one.
Reference take_object(worker::Mailbox& box);

// The same for objects that travel by a pipe, their large bytes alone by the mailbox. The text for the pipe; None where it has no large
// bytes, or there is no room for them; null with an exception.
Reference packed_object(worker::Mailbox& box, PyObject* object);
// Null with an exception.
Reference unpacked_object(worker::Mailbox& box, worker::Bytes text);
// What was packed is not sent.
void discard_packed(worker::Mailbox& box, worker::Bytes text);

// How many messages this process has taken, of all mailboxes.
int64_t messages_taken();

}  // namespace manycore::python::tasks
