# cmake -DCMAKE_TOOLCHAIN_FILE=this
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER "@PLACE@/bin/ukl-cc")
set(CMAKE_CXX_COMPILER "@PLACE@/bin/ukl-c++")
set(CMAKE_AR "@PLACE@/bin/ukl-ar" CACHE FILEPATH "" FORCE)
set(CMAKE_RANLIB "@PLACE@/bin/ukl-ranlib" CACHE FILEPATH "" FORCE)
set(CMAKE_NM "@PLACE@/bin/ukl-nm" CACHE FILEPATH "" FORCE)
set(CMAKE_STRIP "@PLACE@/bin/ukl-strip" CACHE FILEPATH "" FORCE)
set(PKG_CONFIG_EXECUTABLE "@PLACE@/bin/ukl-pkg-config" CACHE FILEPATH "" FORCE)

# Headers and libraries of ours only, programs of this machine only.
set(CMAKE_FIND_ROOT_PATH "@ROOTS@")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# Nothing is loaded at run time into a kernel.
set(BUILD_SHARED_LIBS OFF CACHE BOOL "")
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
# What is built also runs here, as an ordinary static program.
set(CMAKE_CROSSCOMPILING_EMULATOR env)
