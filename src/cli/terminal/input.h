/* input.h — lines of any bytes from a descriptor, with a limit on their length. One owner, one thread. */
#ifndef KS_CLI_TERMINAL_INPUT_H
#define KS_CLI_TERMINAL_INPUT_H

#include "base/buffer.h"

#include <stddef.h>
#include <stdint.h>

enum {
    KS_INPUT_LINE_LIMIT = 16 * 1024 * 1024,
    KS_INPUT_PIECE_SIZE = 16 * 1024,
};

enum ks_input_result {
    KS_INPUT_LINE,
    KS_INPUT_TOO_LONG, /* a line over the limit, or for which there is no memory: it was skipped */
    KS_INPUT_END,      /* of the input; also when it cannot be read */
};

struct ks_input {
    int fd;
    size_t begin; /* of what was read and belongs to no line yet */
    size_t end;
    struct ks_buffer line;
    uint8_t piece[KS_INPUT_PIECE_SIZE];
};

/* `fd` stays the caller's; `limit` is KS_INPUT_LINE_LIMIT outside of tests. */
void ks_input_init(struct ks_input *input, int fd, size_t limit);
void ks_input_destroy(struct ks_input *input);

/* The next line, without its end (LF or CR LF), in *line and *size: the input's, until the next call, with a
 * NUL after it. Bytes after the last LF are a line. Blocks. */
enum ks_input_result ks_input_line(struct ks_input *input, char **line, size_t *size);

/* Takes the blanks, tabs and CRs around a line away. The result is inside of `line`, with a NUL after it. */
char *ks_input_trim(char *line, size_t *size);

#endif
