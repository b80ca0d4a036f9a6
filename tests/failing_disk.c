/* A disk that fails at the Nth write, for `LD_PRELOAD` (see helpers_disk.py).
 *
 * DISK_UNDER   files under this folder are on that disk
 * DISK_FAILS   the number of the first write that fails; every later one does too
 * DISK_ONCE    set: later ones work again
 * DISK_ERRNO   with this number (28: no space left; 5: input/output error)
 * DISK_TOLD    a file elsewhere; gets the name of each call and its file, to count and to choose from
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(type, name, ...)                                  \
    static type (*real)(__VA_ARGS__);                          \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

static long calls;

static int number(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text && *text ? atoi(text) : otherwise;
}

/* Whether this write fails; `path` is where it goes. */
static int fails(const char *call, const char *path) {
    static int told = -2;
    const char *under = getenv("DISK_UNDER");
    size_t length = under ? strlen(under) : 0;
    if (length == 0 || strncmp(path, under, length) != 0) return 0;
    if (path[length] != '/' && path[length] != 0) return 0;
    long at = __sync_add_and_fetch(&calls, 1);
    if (told == -2) {
        const char *file = getenv("DISK_TOLD");
        told = file && *file ? open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    }
    if (told >= 0) dprintf(told, "%s %s\n", call, path + length);
    int first = number("DISK_FAILS", 0);
    if (first == 0 || at < first || (getenv("DISK_ONCE") && at > first)) return 0;
    errno = number("DISK_ERRNO", ENOSPC);
    return 1;
}

static int fails_at(const char *call, int fd) {
    char name[64], path[PATH_MAX];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return fails(call, path);
}

static int fails_in(const char *call, const char *path) {
    char folder[PATH_MAX], full[PATH_MAX * 2];
    if (path[0] == '/') return fails(call, path);
    if (!getcwd(folder, sizeof folder)) return 0;
    snprintf(full, sizeof full, "%s/%s", folder, path);
    return fails(call, full);
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t);
    return fails_at("write", fd) ? -1 : real(fd, data, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    return fails_at("write", fd) ? -1 : real(fd, parts, count);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    return fails_at("write", fd) ? -1 : real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    return fails_at("write", fd) ? -1 : real(fd, data, size, at);
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags) {
    REAL(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned);
    return fails_at("write", out) ? -1 : real(in, from, out, to, size, flags);
}

int fsync(int fd) {
    REAL(int, fsync, int);
    return fails_at("sync", fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
    REAL(int, fdatasync, int);
    return fails_at("sync", fd) ? -1 : real(fd);
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, mkdir, const char *, mode_t);
    struct stat found;
    return stat(path, &found) != 0 && fails_in("mkdir", path) ? -1 : real(path, mode);
}

int link(const char *from, const char *to) {
    REAL(int, link, const char *, const char *);
    return fails_in("link", to) ? -1 : real(from, to);
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    return fails_in("rename", to) ? -1 : real(from, to);
}

/* A file that is made needs room in its folder. */
#define OPENER(name)                                                        \
    int name(const char *path, int flags, ...) {                            \
        REAL(int, name, const char *, int, ...);                            \
        va_list more;                                                       \
        struct stat found;                                                  \
        va_start(more, flags);                                              \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more);                                                       \
        if (flags & O_CREAT && stat(path, &found) != 0 && fails_in("create", path)) return -1; \
        return real(path, flags, mode);                                     \
    }
OPENER(open)
OPENER(open64)
