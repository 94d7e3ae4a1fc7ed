# SPDX-License-Identifier: Apache-2.0
# cmake -DPROGRAM= -DBOARD= -P board.cmake: runs a program on a board that QEMU emulates, and expects exit code 0.
cmake_policy(VERSION 3.25)
execute_process(COMMAND qemu-system-arm -M ${BOARD} -nographic -semihosting-config enable=on,target=native -kernel "${PROGRAM}"
                TIMEOUT 120 COMMAND_ERROR_IS_FATAL ANY)
