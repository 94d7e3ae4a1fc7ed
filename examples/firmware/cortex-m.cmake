# SPDX-License-Identifier: Apache-2.0
# A toolchain file for Cortex-M cores, with arm-none-eabi-g++ and newlib-nano:
#
#     cmake -S examples/firmware -B build --toolchain cortex-m.cmake -DCORE=cortex-m7
#
#   CORE   cortex-m4 (the default), cortex-m7 or cortex-m55
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CORE cortex-m4 CACHE STRING "The core: cortex-m4, cortex-m7 or cortex-m55")
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES CORE)

set(fpu_cortex-m4 -mfpu=fpv4-sp-d16)
set(fpu_cortex-m7 -mfpu=fpv5-d16)
set(fpu_cortex-m55 "") # its own, with Helium
if(NOT DEFINED fpu_${CORE})
    message(FATAL_ERROR "cortex-m.cmake: CORE must be cortex-m4, cortex-m7 or cortex-m55, not ${CORE}")
endif()

find_program(CMAKE_C_COMPILER arm-none-eabi-gcc REQUIRED)
find_program(CMAKE_CXX_COMPILER arm-none-eabi-g++ REQUIRED)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY) # a program would need a linker script
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)

set(flags "-mcpu=${CORE} -mthumb -mfloat-abi=hard ${fpu_${CORE}} --specs=nano.specs")
set(CMAKE_C_FLAGS_INIT "${flags} -ffreestanding -ffunction-sections -fdata-sections")
set(CMAKE_CXX_FLAGS_INIT "${CMAKE_C_FLAGS_INIT} -fno-exceptions -fno-rtti -fno-threadsafe-statics")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,--gc-sections")
