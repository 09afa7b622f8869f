/* preload.h — what libraries for LD_PRELOAD have in common. */
#ifndef KS_TESTS_TORTURE_PRELOAD_H
#define KS_TESTS_TORTURE_PRELOAD_H

#include <fcntl.h>
#include <stdarg.h>
#include <sys/types.h>

/* Our function of another name is what the program finds under this one. */
#define INSTEAD_OF(name) __asm__(name) __attribute__((visibility("default")))

/* All names of open and openat, led to int open_at(int directory, const char *path, int flags, mode_t mode).
 */
#define INSTEAD_OF_OPENS(open_at)                                                                            \
    INSTEAD_OF_OPEN(open_at, our_open, "open")                                                               \
    INSTEAD_OF_OPEN(open_at, our_open64, "open64")                                                           \
    INSTEAD_OF_OPEN(open_at, our_open_2, "__open_2")                                                         \
    INSTEAD_OF_OPEN(open_at, our_open64_2, "__open64_2")                                                     \
    INSTEAD_OF_OPENAT(open_at, our_openat, "openat")                                                         \
    INSTEAD_OF_OPENAT(open_at, our_openat64, "openat64")                                                     \
    INSTEAD_OF_OPENAT(open_at, our_openat_2, "__openat_2")                                                   \
    INSTEAD_OF_OPENAT(open_at, our_openat64_2, "__openat64_2")

#define INSTEAD_OF_OPEN(open_at, function, name)                                                             \
    int function(const char *path, int flags, ...) INSTEAD_OF(name);                                         \
    int function(const char *path, int flags, ...)                                                           \
    {                                                                                                        \
        va_list arguments;                                                                                   \
        va_start(arguments, flags);                                                                          \
        mode_t mode = preload_mode_of(flags, arguments);                                                     \
        va_end(arguments);                                                                                   \
        return open_at(AT_FDCWD, path, flags, mode);                                                         \
    }

#define INSTEAD_OF_OPENAT(open_at, function, name)                                                           \
    int function(int directory, const char *path, int flags, ...) INSTEAD_OF(name);                          \
    int function(int directory, const char *path, int flags, ...)                                            \
    {                                                                                                        \
        va_list arguments;                                                                                   \
        va_start(arguments, flags);                                                                          \
        mode_t mode = preload_mode_of(flags, arguments);                                                     \
        va_end(arguments);                                                                                   \
        return open_at(directory, path, flags, mode);                                                        \
    }

/* The mode among the arguments behind the flags of an open, which is there only for a new file. */
static inline mode_t preload_mode_of(int flags, va_list arguments)
{
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? (mode_t)va_arg(arguments, int) : 0;
}

#endif
