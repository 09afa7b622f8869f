/* failing_memory.h — memory that runs out when a test wants it to. Our own calls of malloc, calloc and
 * realloc come here by the linker's --wrap (meson.build names all three), those of SQLite and the C library
 * do not; OpenSSL's do after failing_memory_for_openssl. Included once in a test program.
 */
#ifndef KS_TESTS_UNIT_BASE_FAILING_MEMORY_H
#define KS_TESTS_UNIT_BASE_FAILING_MEMORY_H

#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *bytes, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *bytes, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

static _Atomic bool no_memory; /* of any thread */
/* Of the thread that sets it; the threads that a scenario starts never fail. */
static _Thread_local size_t allocations_until_failure; /* 0: none fails */
static _Thread_local bool failed;                      /* one did */

static bool fails_now(void)
{
    if (atomic_load(&no_memory))
        return true;
    if (allocations_until_failure == 0 || --allocations_until_failure > 0)
        return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *bytes, size_t size)
{
    return fails_now() ? NULL : __real_realloc(bytes, size);
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size == 0 || fails_now() ? NULL : __real_malloc(size);
}

static void *openssl_realloc(void *bytes, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size == 0) {
        free(bytes);
        return NULL;
    }
    return fails_now() ? NULL : __real_realloc(bytes, size);
}

static void openssl_free(void *bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    free(bytes);
}

/* Before OpenSSL allocates anything. False when it is too late. */
static inline bool failing_memory_for_openssl(void)
{
    return CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1;
}

#endif
