/* put_one_fixture.h — puts of one file of some bytes, in one line. */
#ifndef KS_TESTS_UNIT_CLIENT_FILES_PUT_ONE_FIXTURE_H
#define KS_TESTS_UNIT_CLIENT_FILES_PUT_ONE_FIXTURE_H

#include "unit/client/files/put_server.h"

enum { SMALL = 5000, LARGE = 2 * 1024 * 1024 + 77 };

static inline enum kesher_status put(struct put_fixture *fixture, const char *name, bool replace,
                                     const uint8_t *bytes, size_t size, struct kesher_put_result *result,
                                     struct kesher_error *error)
{
    struct kesher_put one = {.fd = -1, .name = name, .replace = replace};
    return put_bytes(fixture, &one, bytes, size, result, error);
}

#endif
