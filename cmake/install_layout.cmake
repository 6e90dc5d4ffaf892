# Where things are installed: under a prefix in the usual folders, or inside the package folder of a wheel.
# Component `python` is the importable package; it is left out of a plain `cmake --install`, which serves C++.
include(GNUInstallDirs)
if(SKBUILD)
  set(MANYCORE_INSTALL_LIBRARY manycore)
  set(MANYCORE_INSTALL_INCLUDE manycore/include)
  set(MANYCORE_INSTALL_CMAKE manycore/lib/cmake/manycore)
else()
  set(MANYCORE_INSTALL_LIBRARY ${CMAKE_INSTALL_LIBDIR})
  set(MANYCORE_INSTALL_INCLUDE ${CMAKE_INSTALL_INCLUDEDIR})
  set(MANYCORE_INSTALL_CMAKE ${CMAKE_INSTALL_LIBDIR}/cmake/manycore)
endif()
