/* Copyright (c) The Coracle authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The view from inside a container: tries what a container must not be able to do, and what programs need, and
 * prints one line for each: a name, and "yes" or the errno. Every attempt is harmless where it is allowed: sizes
 * that cannot be, names that do not exist, the present value written again.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *name, long result)
{
    printf("%s %s\n", name, result >= 0 ? "yes" : strerrorname_np(errno));
    fflush(stdout);
}

static long opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    if (fd >= 0) close(fd);
    return fd;
}

/* Is there anything to read? A masked file is there, and empty. */
static long reads(const char *path)
{
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    long got = fd < 0 ? -1 : read(fd, &byte, 1);
    if (fd >= 0) close(fd);
    if (got == 0) { errno = ENODATA; return -1; }
    return got;
}

static long makes_node(const char *path, mode_t kind, unsigned major_number, unsigned minor_number)
{
    long result = mknod(path, kind | 0600, makedev(major_number, minor_number));
    if (result == 0) { result = opens(path, O_RDONLY); unlink(path); }
    return result;
}

/* An interface behind a node of the tun device; it ends with the descriptor. */
static long makes_tun(const char *node)
{
    struct ifreq wanted = { .ifr_flags = IFF_TUN | IFF_NO_PI };
    int fd = open(node, O_RDWR | O_CLOEXEC);
    long result = fd < 0 ? -1 : ioctl(fd, TUNSETIFF, &wanted);
    if (fd >= 0) { int error = errno; close(fd); errno = error; }
    return result;
}

/* In a child: whatever happens to its namespaces ends with it. */
static long in_child(long (*attempt)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) _exit(attempt() >= 0 ? 0 : errno);
    waitpid(child, &status, 0);
    if (!WIFEXITED(status)) { errno = EINTR; return -1; }
    errno = WEXITSTATUS(status);
    return errno ? -1 : 0;
}

static long new_user(void) { return unshare(CLONE_NEWUSER); }
static long new_mounts(void) { return unshare(CLONE_NEWNS); }
static long new_network(void) { return unshare(CLONE_NEWNET); }
static long cloned_user(void)
{
    long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    return child;
}
static long traced(void) { return ptrace(PTRACE_TRACEME, 0, 0, 0); }

#ifdef __x86_64__
/* The 32-bit door of a 64-bit kernel. Arguments have to lie below 4 GiB. */
static long in_32_bit(long number, long first, long second, long third)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second), "d"(third)
                     : "memory", "r8", "r9", "r10", "r11");
    if (result < 0) { errno = -result; return -1; }
    return result;
}
static long process_32(void) { return in_32_bit(20, 0, 0, 0); }
static unsigned *low_memory(int family)
{
    unsigned *words = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    words[0] = family; words[1] = SOCK_SEQPACKET; words[2] = 0;
    return words;
}
static long alg_socketcall_32(void) { return in_32_bit(102, 1, (long)low_memory(AF_ALG), 0); }
static long unix_socketcall_32(void) { return in_32_bit(102, 1, (long)low_memory(AF_UNIX), 0); }
static long alg_socket_32(void) { return in_32_bit(359, AF_ALG, SOCK_SEQPACKET, 0); }
static long unix_socket_32(void) { return in_32_bit(359, AF_UNIX, SOCK_STREAM, 0); }
static long keyctl_32(void) { return in_32_bit(288, 0, -3, 0); }
static long x32(void) { return syscall(0x40000000 + SYS_getpid); }
#endif

static void *nothing(void *argument) { return argument; }

static long starts_thread(void)
{
    pthread_t thread;
    int error = pthread_create(&thread, 0, nothing, 0);
    if (error) { errno = error; return -1; }
    return pthread_join(thread, 0);
}

static long writes_same(const char *path)
{
    char value[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    long got = fd < 0 ? -1 : read(fd, value, sizeof value);
    if (fd >= 0) close(fd);
    if (got < 0) return got;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return fd;
    got = write(fd, value, got);
    close(fd);
    return got;
}

static void forbidden(void)
{
    struct timespec impossible = {0, 2000000000};
    struct file_handle handle = {0, 0};
    int pipes[2] = {-1, -1};
    if (pipe(pipes)) exit(3);

    say("af_alg", socket(AF_ALG, SOCK_SEQPACKET, 0));
    say("af_alg_high_bits", syscall(SYS_socket, 0x100000000UL + AF_ALG, SOCK_SEQPACKET, 0));
    say("af_vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
    say("af_packet", socket(AF_PACKET, SOCK_RAW, 0));
    say("raw_socket", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    say("audit_socket", socket(AF_NETLINK, SOCK_RAW, 9));
    say("keyctl", syscall(SYS_keyctl, 0, -3, 0));
    say("add_key", syscall(SYS_add_key, "user", "coracle", "x", 1, -1));
    say("request_key", syscall(SYS_request_key, "user", "coracle", 0, 0));
    say("unshare_user", in_child(new_user));
    say("unshare_mount", in_child(new_mounts));
    say("unshare_network", in_child(new_network));
    say("clone_user", in_child(cloned_user));
    say("clone3", syscall(SYS_clone3, 0, 0));
    say("setns", setns(0, CLONE_NEWUTS));
    say("mount", mount("none", "/tmp", "tmpfs", 0, ""));
    say("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
    say("umount", umount2("/proc/keys", MNT_DETACH));
    say("pivot_root", syscall(SYS_pivot_root, "/none", "/none"));
    say("bpf", syscall(SYS_bpf, 0, 0, 0));
    say("perf_event_open", syscall(SYS_perf_event_open, 0, 0, -1, -1, 0));
    say("userfaultfd", syscall(SYS_userfaultfd, 0));
    say("io_uring_setup", syscall(SYS_io_uring_setup, 0, 0));
    say("open_by_handle_at", open_by_handle_at(AT_FDCWD, &handle, O_RDONLY));
    say("init_module", syscall(SYS_init_module, 0, 0, 0));
    say("finit_module", syscall(SYS_finit_module, -1, 0, 0));
    say("delete_module", syscall(SYS_delete_module, "no-such-module", 0));
    say("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, ~0UL));
    say("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
    say("swapon", syscall(SYS_swapon, "/none", 0));
    say("quotactl", syscall(SYS_quotactl, 0, 0, 0, 0));
    say("acct", syscall(SYS_acct, "/none"));
    say("syslog", syscall(SYS_syslog, 10, 0, 0));
    say("sethostname", syscall(SYS_sethostname, "", -1));
    say("clock_settime", clock_settime(CLOCK_REALTIME, &impossible));
    say("settimeofday", syscall(SYS_settimeofday, 0, 0));
    say("personality_no_randomize", personality(ADDR_NO_RANDOMIZE));
    say("vmsplice", syscall(SYS_vmsplice, -1, 0, 0, 0));
    say("fanotify_init", syscall(SYS_fanotify_init, 0, 0));
    say("move_pages", syscall(SYS_move_pages, 0, 0, 0, 0, 0, 0));
    say("mbind", syscall(SYS_mbind, 0, 0, 0, 0, 0, 0));
    say("process_madvise", syscall(SYS_process_madvise, -1, 0, 0, 0, 0));
    say("pidfd_getfd", syscall(SYS_pidfd_getfd, -1, 0, 0));
#ifdef __x86_64__
    say("iopl", syscall(SYS_iopl, 3));
    say("ioperm", syscall(SYS_ioperm, 0, 1, 0));
    say("socketcall_32_alg", in_child(alg_socketcall_32));
    say("socketcall_32", in_child(unix_socketcall_32));
    say("socket_32_alg", in_child(alg_socket_32));
    say("keyctl_32", in_child(keyctl_32));
    say("x32", in_child(x32));
#endif
    say("mknod_disk", makes_node("/tmp/disk", S_IFBLK, 254, 0));
    say("mknod_mem", makes_node("/tmp/mem", S_IFCHR, 1, 1));
    say("open_fuse_node", opens("/nodes/fuse", O_RDWR));
    say("open_disk_node", opens("/nodes/disk", O_RDONLY));
    say("open_tun_node", opens("/nodes/tun", O_RDWR));
    say("make_tun", makes_tun("/nodes/tun"));
    say("read_kcore", reads("/proc/kcore"));
    say("read_keys", reads("/proc/keys"));
    say("read_interrupts", reads("/proc/interrupts"));
    say("read_timer_list", reads("/proc/timer_list"));
    say("read_sched_debug", reads("/proc/sched_debug"));
    say("write_core_pattern", opens("/proc/sys/kernel/core_pattern", O_WRONLY));
    say("write_sysrq", opens("/proc/sysrq-trigger", O_WRONLY));
    say("write_sysctl", writes_same("/proc/sys/kernel/threads-max"));
    say("write_sys", opens("/sys/kernel/mm/ksm/run", O_WRONLY));
    say("write_uevent_helper", opens("/sys/kernel/uevent_helper", O_WRONLY));
    say("write_cgroup", opens(access("/sys/fs/cgroup/cgroup.procs", F_OK) ? "/sys/fs/cgroup/devices/devices.allow"
                                                                            : "/sys/fs/cgroup/cgroup.procs", O_WRONLY));
    say("chown_root", chown("/proc/sys", 1, 1));
}

static void needed(void)
{
    char buffer[16];

    say("threads", starts_thread());
    say("af_unix", socket(AF_UNIX, SOCK_STREAM, 0));
    say("af_inet", socket(AF_INET, SOCK_STREAM, 0));
    say("af_inet6", socket(AF_INET6, SOCK_DGRAM, 0));
    say("af_netlink", socket(AF_NETLINK, SOCK_RAW, 0));
    say("ping_socket", socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
    say("epoll", epoll_create1(0));
    say("inotify", inotify_init1(0));
    say("timerfd", timerfd_create(CLOCK_MONOTONIC, 0));
    say("memfd", memfd_create("coracle", 0));
    say("getrandom", syscall(SYS_getrandom, buffer, sizeof buffer, 0));
    say("personality", personality(0xffffffff));
    say("ptrace_child", in_child(traced));
    say("io_setup", syscall(SYS_io_setup, 1, &(long){0}));
    say("chroot", chroot("/"));
    say("setuid", in_child((long (*)(void))setsid));
    say("bind_low_port", bind(socket(AF_INET, SOCK_STREAM, 0),
                              (struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(81)},
                              sizeof(struct sockaddr_in)));
    say("write_null", opens("/dev/null", O_WRONLY));
    say("open_ptmx", opens("/dev/ptmx", O_RDWR | O_NOCTTY));
    say("open_full", opens("/dev/full", O_WRONLY));
#ifdef __x86_64__
    say("modify_ldt", syscall(SYS_modify_ldt, 0, 0, 0));
    say("getpid_32", in_child(process_32));
    say("socket_32", in_child(unix_socket_32));
#endif
}

int main(int count, char **arguments)
{
    if (count > 1 && !strcmp(arguments[1], "needed")) needed();
    else forbidden();
    return 0;
}
