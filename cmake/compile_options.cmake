# One place for what every target is compiled with. Results must equal NumPy's bit for bit, so products are never
# contracted into FMA and no fast-math flag is ever used.
add_library(manycore_options INTERFACE)
target_compile_options(manycore_options INTERFACE
  -Wall -Wextra -Wno-unused-parameter -ffp-contract=off -fno-math-errno)
if(MANYCORE_SANITIZE)
  string(REPLACE ";" "," MANYCORE_SANITIZE_LIST "${MANYCORE_SANITIZE}")
  target_compile_options(manycore_options INTERFACE -fsanitize=${MANYCORE_SANITIZE_LIST} -fno-omit-frame-pointer -g)
  target_link_options(manycore_options INTERFACE -fsanitize=${MANYCORE_SANITIZE_LIST})
endif()
