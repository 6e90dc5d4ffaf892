#include "base/check.h"

namespace manycore::base {

void fail_check(const char* condition, const char* file, int line) {
  throw Bug(std::string("manycore: internal check failed: ") + condition + " at " + file + ":" + std::to_string(line) +
            "; please report this");
}

}  // namespace manycore::base
