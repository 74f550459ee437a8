# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The system calls of the default seccomp profile, by what they are for. Data only: `seccomp` makes the
filter.

Compiled from the kernel's system call tables (include/uapi/asm-generic/unistd.h, arch/*/entry/syscalls):
what programs need and a container cannot hurt its host with, compared with Docker's and Podman's published
profiles. crun and runc skip a name that their libseccomp does not know. What is in no list is answered with
ENOSYS, as by an older kernel, so that programs take their fallback.
"""

from __future__ import annotations

FILES = """
    open openat openat2 creat close close_range read readv pread64 preadv preadv2 write writev pwrite64
    pwritev pwritev2 lseek _llseek readahead fadvise64 fadvise64_64 fallocate truncate truncate64 ftruncate
    ftruncate64 copy_file_range sendfile sendfile64 splice tee sync syncfs fsync fdatasync sync_file_range
    cachestat access faccessat faccessat2 stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx
    statfs statfs64 fstatfs fstatfs64 readlink readlinkat link linkat symlink symlinkat unlink unlinkat
    rename renameat renameat2 mkdir mkdirat rmdir mknod mknodat chmod fchmod fchmodat fchmodat2 chown
    chown32 fchown fchown32 lchown lchown32 fchownat umask utime utimes utimensat utimensat_time64 futimesat
    getdents getdents64 readdir chdir fchdir getcwd getxattr lgetxattr fgetxattr getxattrat setxattr
    lsetxattr fsetxattr setxattrat listxattr llistxattr flistxattr listxattrat removexattr lremovexattr
    fremovexattr removexattrat file_getattr file_setattr name_to_handle_at flock fcntl fcntl64 dup dup2 dup3
    pipe pipe2 ioctl inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark
    memfd_create memfd_secret
"""

WAITING = """
    poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl
    epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4
    io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64
    futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue restart_syscall pause
"""

MEMORY = """
    brk mmap mmap2 mprotect mremap munmap msync madvise mincore mlock mlock2 mlockall munlock munlockall
    membarrier mseal map_shadow_stack remap_file_pages pkey_alloc pkey_free pkey_mprotect process_mrelease
"""

PROCESSES = """
    fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid getppid gettid getpgid setpgid
    getpgrp getsid setsid prctl set_tid_address set_robust_list get_robust_list set_thread_area
    get_thread_area rseq getcpu kill tkill tgkill pidfd_open pidfd_send_signal ptrace process_vm_readv
    process_vm_writev prlimit64 getrlimit ugetrlimit setrlimit getrusage getpriority setpriority ioprio_get
    ioprio_set sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam
    sched_setparam sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min
    sched_rr_get_interval sched_rr_get_interval_time64 times uname sysinfo getrandom seccomp
    landlock_create_ruleset landlock_add_rule landlock_restrict_self
"""

IDENTITY = """
    getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid
    getresgid32 getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid
    setregid32 setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups
    setgroups32 capget capset
"""

SIGNALS = """
    rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
    rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigaction signal sigpending sigprocmask sigreturn
    sigsuspend alarm getitimer setitimer
"""

TIME = """
    clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_adjtime clock_adjtime64
    clock_nanosleep clock_nanosleep_time64 nanosleep adjtimex gettimeofday time timer_create timer_delete
    timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd timerfd_create
    timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
"""

TALKING = """
    socketpair bind connect listen accept accept4 getsockname getpeername getsockopt setsockopt send recv
    sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg recvmmsg_time64 shutdown ipc msgget msgsnd msgrcv
    msgctl semget semop semctl semtimedop semtimedop_time64 shmget shmat shmdt shmctl mq_open mq_unlink
    mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64 mq_notify mq_getsetattr
"""

ALWAYS = (FILES, WAITING, MEMORY, PROCESSES, IDENTITY, SIGNALS, TIME, TALKING)

BY_MACHINE = {
    "x86_64": "arch_prctl modify_ldt uretprobe",
    "i686": "modify_ldt",
    "aarch64": "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
    "armv7l": "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
    "ppc64le": "sync_file_range2 swapcontext",
    "s390x": """
        s390_guarded_storage s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr s390_sthyi socketcall
    """,
    "riscv64": "riscv_flush_icache riscv_hwprobe",
}

BY_CAPABILITY = {
    "BPF": "bpf",
    "DAC_READ_SEARCH": "open_by_handle_at",
    "PERFMON": "perf_event_open",
    "SYS_ADMIN": """ bpf fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr
        move_mount open_tree open_tree_attr perf_event_open quotactl quotactl_fd setdomainname sethostname
        setns syslog umount umount2 unshare """,
    "SYS_BOOT": "reboot",
    "SYS_CHROOT": "chroot",
    "SYS_MODULE": "delete_module finit_module init_module",
    "SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "SYS_PACCT": "acct",
    "SYS_PTRACE": "kcmp pidfd_getfd process_madvise",
    "SYS_RAWIO": "ioperm iopl",
    "SYS_TIME": "clock_settime clock_settime64 settimeofday stime",
    "SYS_TTY_CONFIG": "vhangup",
    "SYSLOG": "syslog",
}
"""Allowed with any of the capabilities that name them; EPERM without."""

NEVER = """
    add_key keyctl request_key
    io_uring_enter io_uring_register io_uring_setup userfaultfd vmsplice
    kexec_file_load kexec_load pivot_root swapoff swapon migrate_pages move_pages
    _sysctl bdflush create_module get_kernel_syms nfsservctl query_module sysfs uselib ustat vm86 vm86old
"""
"""EPERM whatever the capabilities: keys are in no namespace, the next line is what exploits are made of,
the rest is the host's business or long gone. A profile of one's own, or `unconfined`, is the way to have
them."""
