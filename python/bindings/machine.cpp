// The machine and the memory account for `manycore info`: asked from the engine's os/ room, nothing is measured here.
#include "bindings/array_object.h"
#include "bindings/crossing.h"
#include "kernel/dispatch.h"
#include "memory/account.h"
#include "memory/pool.h"
#include "os/memory_limit.h"
#include "os/topology.h"

namespace manycore::python {
namespace {

PyObject* machine_facts() {
  const os::Topology& topology = os::topology();
  auto& account = memory::Account::arrays();
  const int64_t available = os::available_memory();
  return Py_BuildValue("{s:s, s:i, s:i, s:d, s:L, s:L, s:L, s:s, s:s, s:L, s:s, s:L, s:L, s:L, s:L}", "model",
                       topology.model.c_str(), "cores", topology.cores, "machine_cores", topology.machine_cores, "core_quota",
                       topology.quota, "l1_bytes", static_cast<long long>(topology.l1_bytes), "l2_bytes",
                       static_cast<long long>(topology.l2_bytes), "l3_bytes", static_cast<long long>(topology.l3_bytes), "simd",
                       os::name_of(topology.simd), "simd_in_use", kernel::simd_level(), "memory_limit",
                       static_cast<long long>(account.limit()), "memory_limit_source", account.limit_source(), "memory_available",
                       static_cast<long long>(available), "memory_held", static_cast<long long>(account.held()), "memory_kept",
                       static_cast<long long>(memory::Pool::instance().statistics().cached_bytes), "memory_peak",
                       static_cast<long long>(account.peak()));
}

// The memory limit is an option, and the environment may hold nonsense.
PyObject* machine(PyObject*, PyObject*) { return guarded(machine_facts); }

PyMethodDef methods[] = {
    {"machine", machine, METH_NOARGS, "Cores, caches, SIMD level and memory as the engine sees them, as a dict."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool register_machine(PyObject* module) { return PyModule_AddFunctions(module, methods) == 0; }

}  // namespace manycore::python
