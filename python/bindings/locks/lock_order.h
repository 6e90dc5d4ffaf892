// The order in which locks are taken, while that is watched (sync/order.h), and where locks were made. With the GIL.
#pragma once

#include <Python.h>

#include <cstdint>

#include "sync/threads.h"

namespace manycore::python::locks {

// A line of the program: a code object and an instruction. The innermost frame that is neither the standard library's threading or
// queue nor ours.
struct MadeAt {
  PyObject* code = nullptr;  // owned
  int instruction = 0;
};
MadeAt current_place();
// (file name, line, function), or None.
PyObject* place_text(const MadeAt& place);

// What the order knows a lock by; 0: made while nobody watched.
struct OrderName {
  uint64_t instance = 0;
  uint64_t place = 0;
};

extern bool watches_order;
// Are places of locks kept?
extern bool keeps_places;

OrderName order_name(const MadeAt& place);
void forget_name(const OrderName& name);

// This thread has taken the lock, or `waits` for it: what waits without a limit adds to the order.
void note_wait(manycore::sync::Thread& thread, const OrderName& lock);
void note_taken(manycore::sync::Thread& thread, const OrderName& lock);
void note_released(manycore::sync::Thread& owner, const OrderName& lock);

}  // namespace manycore::python::locks
