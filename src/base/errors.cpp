#include "manycore/errors.h"

namespace manycore {

// Out of line, so that the type information lives in one library and `catch` works across library borders.
Error::~Error() = default;
UserError::~UserError() = default;
ResourceError::~ResourceError() = default;
Interrupted::~Interrupted() = default;
Stopped::~Stopped() = default;
Bug::~Bug() = default;

}  // namespace manycore
