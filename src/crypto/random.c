/* random.c — see random.h. */
#include "crypto/random.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <sys/random.h>

static enum ks_result system_fill(const struct ks_random *random, void *bytes, size_t size)
{
    (void)random;
    uint8_t *rest = bytes;
    if (size > INT_MAX) /* nobody needs so much: a size that went wrong */
        return KS_CRYPTO;
    while (size > 0) {
        ssize_t filled = getrandom(rest, size, 0);
        if (filled < 0 && errno == EINTR)
            continue;
        if (filled <= 0)
            return KS_CRYPTO;
        rest += filled;
        size -= (size_t)filled;
    }
    return KS_OK;
}

const struct ks_random *ks_random_system(void)
{
    static const struct ks_random system = {.fill = system_fill};
    return &system;
}
