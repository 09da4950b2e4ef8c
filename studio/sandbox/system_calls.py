"""Which system calls the sandbox lets through, as a classic BPF program for the kernel's seccomp filter.

What is not in the table below is refused: debugging other processes, mounting, new namespaces, keys, kernel
modules, tracing, sockets (save pairs within a process), shared memory, memory files and asynchronous rings
are all absent. Refused calls fail with EPERM, so that Python raises PermissionError with the line that asked;
calls newer than the table fail with ENOSYS, which makes the C library use the older call it knows.

There are two programs. The keeper (`studio/sandbox/keeper.py`) may do what it needs to set up: mount its
scratch folder, give up its rights, start a guest. A guest adds a second one that takes these away, so the
code of people can start no process and no program at all.

The format: seccomp(2), Documentation/userspace-api/seccomp_filter.rst and linux/filter.h of the kernel.
"""

import struct
from collections.abc import Iterable

# name, number on x86_64 (asm/unistd_64.h), number on aarch64 (asm-generic/unistd.h); "-": that machine has
# none.
ALLOWED = """
    read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69
    pwritev 296 70, lseek 8 62, close 3 57, close_range 436 436, dup 32 23, dup2 33 -, dup3 292 24
    fcntl 72 25, flock 73 32, open 2 -, openat 257 56, creat 85 -, stat 4 -, lstat 6 -, fstat 5 80
    newfstatat 262 79, statx 332 291, access 21 -, faccessat 269 48, readlink 89 -, readlinkat 267 78
    getdents64 217 61, statfs 137 43, fstatfs 138 44, getcwd 79 17, chdir 80 49, fchdir 81 50, mkdir 83 -
    mkdirat 258 34, rmdir 84 -, unlink 87 -, unlinkat 263 35, rename 82 -, renameat 264 38
    renameat2 316 276, link 86 -, linkat 265 37, symlink 88 -, symlinkat 266 36, truncate 76 45
    ftruncate 77 46, fallocate 285 47, fsync 74 82, fdatasync 75 83, fadvise64 221 223, chmod 90 -
    fchmod 91 52, fchmodat 268 53, umask 95 166, utimensat 280 88, utime 132 -, utimes 235 -
    sendfile 40 71, copy_file_range 326 285, getxattr 191 8, lgetxattr 192 9, fgetxattr 193 10
    listxattr 194 11, llistxattr 195 12, flistxattr 196 13

    brk 12 214, mmap 9 222, munmap 11 215, mprotect 10 226, mremap 25 216, madvise 28 233, msync 26 227
    mincore 27 232

    poll 7 -, ppoll 271 73, select 23 -, pselect6 270 72, epoll_create 213 -, epoll_create1 291 20
    epoll_ctl 233 21, epoll_wait 232 -, epoll_pwait 281 22, eventfd 284 -, eventfd2 290 19, pipe 22 -
    pipe2 293 59, socketpair 53 199, sendto 44 206, recvfrom 45 207, sendmsg 46 211, recvmsg 47 212
    shutdown 48 210, getsockname 51 204, getpeername 52 205, getsockopt 55 209, setsockopt 54 208
    ioctl 16 29

    clone 56 220, futex 202 98, set_robust_list 273 99, get_robust_list 274 100, rseq 334 293
    set_tid_address 218 96, gettid 186 178, sched_yield 24 124, sched_getaffinity 204 123
    sched_getparam 143 121, sched_getscheduler 145 120, arch_prctl 158 -, exit 60 93, exit_group 231 94
    restart_syscall 219 128

    rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigpending 127 136
    rt_sigsuspend 130 133, rt_sigtimedwait 128 137, sigaltstack 131 132, kill 62 129, tkill 200 130
    tgkill 234 131, pause 34 -, alarm 37 -, setitimer 38 103, getitimer 36 102, wait4 61 260, waitid 247 95

    clock_gettime 228 113, clock_getres 229 114, clock_nanosleep 230 115, nanosleep 35 101
    gettimeofday 96 169, time 201 -, times 100 153, getrandom 318 278, timer_create 222 107
    timer_settime 223 110, timer_gettime 224 108, timer_getoverrun 225 109, timer_delete 226 111

    getpid 39 172, getppid 110 173, getpgid 121 155, getpgrp 111 -, getsid 124 156, getuid 102 174
    geteuid 107 175, getgid 104 176, getegid 108 177, getresuid 118 148, getresgid 120 150
    getgroups 115 158, capget 125 90, uname 63 160, sysinfo 99 179, getrusage 98 165, getcpu 309 168
    getpriority 140 141, getrlimit 97 163, setrlimit 160 164, prlimit64 302 261
"""
KEEPER_ONLY = """
    fork 57 -, vfork 58 -, execve 59 221, mount 165 40, prctl 157 167, seccomp 317 277, capset 126 91
    setuid 105 146, setgid 106 144, setresuid 117 147, setresgid 119 149, setgroups 116 159
"""

# AUDIT_ARCH_* of linux/audit.h, the first number that is newer than the table's, the column of the table
MACHINES = {"x86_64": (0xC000003E, 335, 1), "aarch64": (0xC00000B7, 294, 2)}

# Calls of which only some are let through, by one argument: CLONE_* of linux/sched.h, *IO* of asm-
# generic/ioctls.h.
NEW_NAMESPACES = 0x7E020080  # CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
THREAD = 0x00010000  # CLONE_THREAD
DESCRIPTOR_REQUESTS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # isatty, window size, FIO*
UNIX = 1  # AF_UNIX

LOAD, EQUALS, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000  # SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS
NOT_PERMITTED, NOT_IMPLEMENTED = 0x00050001, 0x00050026  # SECCOMP_RET_ERRNO with EPERM, ENOSYS
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data; both machines are little-endian

Step = tuple[int, int, int, int]  # code, jump if true, jump if false, constant: struct sock_filter


def assemble(machine: str, *, keeper: bool) -> bytes:
    """The filter for `machine` (a key of MACHINES): the keeper's, or the stricter one of a guest."""
    architecture, first_newer, column = MACHINES[machine]
    steps: list[Step] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUALS, 1, 0, architecture),
        (RETURN, 0, 0, KILL),  # for instance 32-bit calls, which count differently
        (LOAD, 0, 0, NUMBER),
    ]
    for name, number in _numbers(ALLOWED + KEEPER_ONLY if keeper else ALLOWED, column):
        answer = _answer(name, keeper)
        steps += [(EQUALS, 0, len(answer), number), *answer]
    steps += [(AT_LEAST, 0, 1, first_newer), (RETURN, 0, 0, NOT_IMPLEMENTED), (RETURN, 0, 0, NOT_PERMITTED)]
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


def _numbers(table: str, column: int) -> Iterable[tuple[str, int]]:
    for entry in table.replace("\n", ",").split(","):
        cells = entry.split()
        if cells and cells[column] != "-":
            yield cells[0], int(cells[column])


def _answer(name: str, keeper: bool) -> list[Step]:
    if name == "ioctl":
        return _only(1, DESCRIPTOR_REQUESTS)
    if name == "socketpair":
        return _only(0, (UNIX,))
    if name != "clone":
        return [(RETURN, 0, 0, ALLOW)]
    without_thread = ALLOW if keeper else NOT_PERMITTED
    return [
        _load_argument(0),
        (ANY_BIT, 0, 1, NEW_NAMESPACES),
        (RETURN, 0, 0, NOT_PERMITTED),
        (ANY_BIT, 0, 1, THREAD),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, without_thread),
    ]


def _only(argument: int, values: tuple[int, ...]) -> list[Step]:
    steps = [_load_argument(argument)]
    for value in values:
        steps += [(EQUALS, 0, 1, value), (RETURN, 0, 0, ALLOW)]
    return [*steps, (RETURN, 0, 0, NOT_PERMITTED)]


def _load_argument(index: int) -> Step:
    """Its lower 32 bits: the kernel looks at no more of the three that are tested here."""
    return (LOAD, 0, 0, ARGUMENTS + 8 * index)
