# What `find_package(manycore)` finds: the headers, the engine and the target manycore::manycore.
include(CMakePackageConfigHelpers)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/manycore DESTINATION ${MANYCORE_INSTALL_INCLUDE})
# A wheel holds no symbolic links, so there the library has its one run-time name only.
if(SKBUILD)
  set(MANYCORE_NAMELINK NAMELINK_SKIP)
endif()
install(TARGETS manycore EXPORT manycore LIBRARY DESTINATION ${MANYCORE_INSTALL_LIBRARY} ${MANYCORE_NAMELINK})
install(EXPORT manycore NAMESPACE manycore:: FILE manycoreTargets.cmake DESTINATION ${MANYCORE_INSTALL_CMAKE})
file(WRITE ${PROJECT_BINARY_DIR}/manycoreConfig.cmake "include(\"\${CMAKE_CURRENT_LIST_DIR}/manycoreTargets.cmake\")\n")
write_basic_package_version_file(${PROJECT_BINARY_DIR}/manycoreConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/manycoreConfig.cmake ${PROJECT_BINARY_DIR}/manycoreConfigVersion.cmake
  DESTINATION ${MANYCORE_INSTALL_CMAKE})
