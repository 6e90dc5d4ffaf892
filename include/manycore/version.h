// The one place of the version: CMake and the wheel read it from this line.
#pragma once

#define MANYCORE_VERSION "0.1.0"
