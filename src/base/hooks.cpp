#include "base/hooks.h"

namespace manycore::base {

Hooks& hooks() {
  static Hooks instance;
  return instance;
}

}  // namespace manycore::base
