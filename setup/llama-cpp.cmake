# Read by CMake right behind llama-cpp-python's project() command. llama-cpp-python asks for llama.cpp's
# `common` library by a forced cache variable and does not use it: a normal variable of the same name
# goes before, and spares 52 of 135 files.
set(LLAMA_BUILD_COMMON OFF)
