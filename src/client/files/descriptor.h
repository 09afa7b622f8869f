/* descriptor.h — bytes to a descriptor of the caller's, which may be a pipe. Any thread. */
#ifndef KS_CLIENT_FILES_DESCRIPTOR_H
#define KS_CLIENT_FILES_DESCRIPTOR_H

#include <kesher/error.h>

#include <stddef.h>
#include <stdint.h>

/* Writes all of it, waiting where the descriptor does not; a pipe that nobody reads any more raises no
 * signal. KESHER_OK; KESHER_FILE. `shown` is what is written, for the sentence. */
enum kesher_status ks_descriptor_write(int fd, const uint8_t *bytes, size_t size, const char *shown,
                                       struct kesher_error *error);

#endif
