// Options in force: read once from the environment at load, changed by name afterwards. One row in options.def adds one.
// Reading is lock-free and cheap; set_option may be called from any thread, later operations see it. A size given as a
// percentage reads as a negative number: -50 is 50 % of what the machine has, and who uses it asks the machine.
// A bad value in the environment throws UserError(kValue) at the first read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "manycore/errors.h"

namespace manycore::base {

enum class Option : int {
#define MANYCORE_OPTION(name, type, fallback, help) name,
#include "base/options.def"
#undef MANYCORE_OPTION
  count_
};

struct OptionRow {
  const char* name;
  const char* type;
  const char* fallback;
  const char* help;
};
MANYCORE_API std::vector<OptionRow> option_rows();

MANYCORE_API int64_t integer_option(Option option);  // boolean, integer and size options
MANYCORE_API std::string text_option(Option option);
MANYCORE_API uint64_t options_version();                // another number after each set_option
MANYCORE_API std::string option_source(Option option);  // "default", "environment MANYCORE_THREADS", "set"

// Variables are read when the library is loaded, where no error can be raised: a wrong value leaves the default in force, and
// this throws UserError(kValue) that names the first one and what was expected.
MANYCORE_API void check_environment();

// Throws UserError(kValue) that names the choices (with the nearest name) when the name or the value is not one.
MANYCORE_API void set_option(std::string_view name, std::string_view value);

}  // namespace manycore::base
