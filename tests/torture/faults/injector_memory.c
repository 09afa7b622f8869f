/* injector_memory.c — allocations: see injector.c. What the C library allocates for a program (strdup,
 * getline) comes here, too. All blocks are the C library's own, whoever frees them. */
#include "injector.h"

#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>

/* NOLINTBEGIN(bugprone-reserved-identifier): the C library's own names */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *bytes, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *bytes);
/* NOLINTEND(bugprone-reserved-identifier) */

void *injected_malloc(size_t size) INSTEAD_OF("malloc");
void *injected_calloc(size_t number, size_t size) INSTEAD_OF("calloc");
void *injected_realloc(void *bytes, size_t size) INSTEAD_OF("realloc");
void *injected_memalign(size_t alignment, size_t size) INSTEAD_OF("memalign");
void *injected_aligned_alloc(size_t alignment, size_t size) INSTEAD_OF("aligned_alloc");
int injected_posix_memalign(void **bytes, size_t alignment, size_t size) INSTEAD_OF("posix_memalign");
void injected_free(void *bytes) INSTEAD_OF("free");

/* ---- who asks ---- */

enum { MODULES = 8 };

static struct {
    const char *part_of_name;
    enum injector_kind kind;
    uintptr_t begin;
    uintptr_t end;
} modules[MODULES] = {
    {.part_of_name = "/libsqlite3.", .kind = INJECTOR_MEMORY_SQLITE},
    {.part_of_name = "/libcrypto.", .kind = INJECTOR_MEMORY_OPENSSL},
    {.part_of_name = "/libuv.", .kind = INJECTOR_MEMORY_LIBUV},
    {.part_of_name = "", .kind = INJECTOR_MEMORY_OURS}, /* the program has no name */
};

static int find_module(struct dl_phdr_info *module, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    for (size_t i = 0; i < MODULES && modules[i].part_of_name != NULL; i++) {
        const char *part = modules[i].part_of_name;
        if (part[0] == '\0' ? module->dlpi_name[0] != '\0' : strstr(module->dlpi_name, part) == NULL)
            continue;
        for (size_t header = 0; header < module->dlpi_phnum; header++) {
            const ElfW(Phdr) *loaded = &module->dlpi_phdr[header];
            if (loaded->p_type != PT_LOAD || (loaded->p_flags & PF_X) == 0)
                continue;
            modules[i].begin = module->dlpi_addr + loaded->p_vaddr;
            modules[i].end = modules[i].begin + loaded->p_memsz;
        }
        return 0;
    }
    return 0;
}

__attribute__((constructor)) static void find_modules(void)
{
    dl_iterate_phdr(find_module, NULL);
}

enum injector_kind injector_asker(const void *caller)
{
    for (size_t i = 0; i < MODULES && modules[i].part_of_name != NULL; i++)
        if ((uintptr_t)caller >= modules[i].begin && (uintptr_t)caller < modules[i].end)
            return modules[i].kind;
    return INJECTOR_MEMORY_OTHER;
}

/* ---- judgement and counts ---- */

/* What judging a call allocates is no call. */
static _Thread_local bool is_judging __attribute__((tls_model("initial-exec")));

static bool is_refused(size_t size, const void *caller)
{
    struct injector_map *map = injector_current();
    if (map == NULL || is_judging || size < map->least_size)
        return false;
    is_judging = true;
    struct injector_verdict verdict = injector_judge(injector_asker(caller));
    is_judging = false;
    if (verdict.error == 0)
        return false;
    errno = ENOMEM;
    return true;
}

static void count(const void *bytes, int sign)
{
    struct injector_map *map = injector_current();
    if (map == NULL || bytes == NULL)
        return;
    atomic_fetch_add_explicit(&map->blocks, sign, memory_order_relaxed);
    atomic_fetch_add_explicit(&map->bytes, sign * (int64_t)malloc_usable_size((void *)bytes),
                              memory_order_relaxed);
}

static void *counted(void *bytes)
{
    count(bytes, 1);
    return bytes;
}

/* ---- calls ---- */

void *injected_malloc(size_t size)
{
    return is_refused(size, __builtin_return_address(0)) ? NULL : counted(__libc_malloc(size));
}

void *injected_calloc(size_t number, size_t size)
{
    size_t whole = 0;
    if (__builtin_mul_overflow(number, size, &whole))
        whole = SIZE_MAX;
    return is_refused(whole, __builtin_return_address(0)) ? NULL : counted(__libc_calloc(number, size));
}

void *injected_realloc(void *bytes, size_t size)
{
    if (size > 0 && is_refused(size, __builtin_return_address(0)))
        return NULL;
    count(bytes, -1);
    void *other = __libc_realloc(bytes, size);
    count(other != NULL || size == 0 ? other : bytes, 1);
    return other;
}

static void *align(size_t alignment, size_t size, const void *caller)
{
    return is_refused(size, caller) ? NULL : counted(__libc_memalign(alignment, size));
}

void *injected_memalign(size_t alignment, size_t size)
{
    return align(alignment, size, __builtin_return_address(0));
}

void *injected_aligned_alloc(size_t alignment, size_t size)
{
    return align(alignment, size, __builtin_return_address(0));
}

int injected_posix_memalign(void **bytes, size_t alignment, size_t size)
{
    void *found = align(alignment, size, __builtin_return_address(0));
    if (found == NULL)
        return ENOMEM;
    *bytes = found;
    return 0;
}

void injected_free(void *bytes)
{
    count(bytes, -1);
    __libc_free(bytes);
}
