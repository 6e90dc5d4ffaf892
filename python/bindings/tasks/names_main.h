// Does a pickle name functions or classes of `__main__`? The word alone may stand in data: filters of warnings have it.
#pragma once

#include <string_view>

namespace manycore::python::tasks {

// Of a pickle of protocol 5 by the interpreter's own pickler; true where it is not clear.
bool names_main(std::string_view pickle);

}  // namespace manycore::python::tasks
