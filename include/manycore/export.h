// MANYCORE_API marks what the engine's shared library exports; everything else is hidden.
#pragma once

#define MANYCORE_API __attribute__((visibility("default")))
