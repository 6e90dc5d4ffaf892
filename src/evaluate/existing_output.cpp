#include "evaluate/existing_output.h"

#include "manycore/errors.h"

namespace manycore::evaluate {

void fail_existing_output() {
  throw UserError(ErrorKind::kNotImplemented,
                  "the output holds elements in several places; expected elements that lie apart, try writing into a copy");
}

}  // namespace manycore::evaluate
