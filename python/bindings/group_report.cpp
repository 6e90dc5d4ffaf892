#include "bindings/group_report.h"

#include <string>

#include "bindings/recorded_site.h"
#include "fuse/schedule.h"
#include "trace/groups.h"

namespace manycore::python {
namespace {

double seconds(int64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-9; }

// Takes the item over; false when it is null or cannot be appended.
bool append(PyObject* list, PyObject* item) {
  const bool appended = item != nullptr && PyList_Append(list, item) == 0;
  Py_XDECREF(item);
  return appended;
}

// body(list) fills a new list, which goes into the dict.
template <class F>
bool add_list(PyObject* dict, const char* name, F&& body) {
  PyObject* list = PyList_New(0);
  const bool added = list != nullptr && body(list) && PyDict_SetItemString(dict, name, list) == 0;
  Py_XDECREF(list);
  return added;
}

PyObject* member(const trace::GroupMember& member) {
  int line = 0;
  const char* file = place_of_recorded_site(member.site, &line);
  return file != nullptr ? Py_BuildValue("(ssi)", member.name, file, line) : nullptr;
}

PyObject* kind(const trace::GroupKind& kind) {
  PyObject* row =
      Py_BuildValue("{s:s, s:L, s:d, s:L, s:i, s:L, s:L, s:L}", "apart", kind.apart, "runs", static_cast<long long>(kind.runs),
                    "seconds", seconds(kind.nanoseconds), "elements", static_cast<long long>(kind.elements), "threads",
                    kind.threads, "read_bytes", static_cast<long long>(kind.bytes.read), "written_bytes",
                    static_cast<long long>(kind.bytes.written), "saved_bytes", static_cast<long long>(kind.bytes.saved));
  const bool made = row != nullptr && add_list(row, "members", [&](PyObject* members) {
                      for (const trace::GroupMember& each : kind.members) {
                        if (!append(members, member(each))) return false;
                      }
                      return true;
                    });
  if (!made) Py_CLEAR(row);
  return row;
}

PyObject* lane(const trace::Lane& lane) {
  PyObject* row = Py_BuildValue("{s:O}", "starts_groups", lane.starts_groups ? Py_True : Py_False);
  const bool made = row != nullptr && add_list(row, "slices", [&](PyObject* slices) {
                      for (const trace::Slice& slice : lane.slices) {
                        if (!append(slices, Py_BuildValue("(ddi)", seconds(slice.begin), seconds(slice.end), slice.kind)))
                          return false;
                      }
                      return true;
                    });
  if (!made) Py_CLEAR(row);
  return row;
}

}  // namespace

bool add_group_report(PyObject* snapshot) {
  const trace::GroupReport report = trace::group_report();
  return add_list(snapshot, "kinds",
                  [&](PyObject* list) {
                    for (const trace::GroupKind& each : report.kinds) {
                      if (!append(list, kind(each))) return false;
                    }
                    return true;
                  }) &&
         add_list(snapshot, "lanes",
                  [&](PyObject* list) {
                    for (const trace::Lane& each : report.lanes) {
                      if (!each.slices.empty() && !append(list, lane(each))) return false;
                    }
                    return true;
                  }) &&
         add_list(snapshot, "passes", [&](PyObject* list) {
           for (const fuse::PassTime& pass : fuse::pass_times()) {
             if (!append(list, Py_BuildValue("(sdL)", pass.name, seconds(pass.nanoseconds), static_cast<long long>(pass.runs))))
               return false;
           }
           return true;
         });
}

}  // namespace manycore::python
