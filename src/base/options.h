/* options.h — what a program can be told, in one table: for its command line, its configuration file, --help,
 * and whatever describes it when it is built.
 *
 * Values are typed and go where the table says in the program's own structure, which holds the defaults
 * before anything is read. On a command line options stand anywhere, as "--name VALUE" or "--name=VALUE", a
 * flag as "--name", "-h" for "--help"; behind "--" there are only operands; the last of two counts. A flag
 * may have a letter, and stand as "-x"; letters stand alone. In a file a line is "name = value"; of two lines
 * with the same name the second is an error. A list adds up in both.
 *
 * What is wrong is said in one way: where (--name, or FILE:LINE: name), what stands there, and what to write.
 *
 * A table is constant; a reader belongs to one thread.
 */
#ifndef KS_BASE_OPTIONS_H
#define KS_BASE_OPTIONS_H

#include "base/buffer.h"
#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum ks_option_kind {
    KS_OPTION_FLAG,     /* bool; in a file "yes" or "no" */
    KS_OPTION_TEXT,     /* const char *, never empty; points into argv, or into the file's text */
    KS_OPTION_LIST,     /* char[]: what is given more than once, with ", " between */
    KS_OPTION_WORD,     /* an enum without negative values: which of `words` */
    KS_OPTION_COUNT,    /* unsigned or uint64_t */
    KS_OPTION_SIZE,     /* the same, in bytes: "512K", "64MiB", "1.5G", powers of 1024 */
    KS_OPTION_DURATION, /* the same, in milliseconds: "500ms", "90s", "10m", "2h", "7d" */
};

enum {
    KS_OPTION_WHY_SIZE = 1024,
    KS_OPTION_LIST_SIZE = 16384,        /* of the largest member for a list */
    KS_OPTION_VALUE_SIZE = 24,          /* of a number as ks_option_format writes it, with its NUL */
    KS_OPTION_FILE_LIMIT = 1024 * 1024, /* bytes of a configuration file */
    KS_OPTION_TABLE_LIMIT = 64,         /* options: a bit of `given` for each */
};

#define KS_OPTION_KIB    UINT64_C(1024)
#define KS_OPTION_MIB    (KS_OPTION_KIB * 1024)
#define KS_OPTION_SECOND UINT64_C(1000)

/* Offset and size of a member, for a row of a table. */
#define KS_OPTION_MEMBER(type, member) offsetof(type, member), sizeof(((type *)NULL)->member)

struct ks_option {
    const char *name;
    const char *value; /* what help calls it; NULL for a flag */
    enum ks_option_kind kind;
    unsigned uses; /* bits, whose meaning is the program's: which of its commands take it, and the like */
    size_t offset; /* of the member */
    size_t size;   /* of the member */
    const char *help;
    char letter;    /* of a flag, for "-x"; 0 for none */
    uint64_t unit;  /* what a bare number counts, in bytes or milliseconds; of a size or a duration */
    uint64_t least; /* of a number: bytes and milliseconds likewise */
    uint64_t most;
    const char *const *words; /* of a word, in the order of its enum; NULL behind the last */
    /* Of a text or a list, may be NULL: NULL when it makes sense, else what to write instead, as in "a name".
     * "" never makes sense. */
    const char *(*judge)(const char *text);
};

struct ks_option_table {
    const char *manual; /* what tells about them, as "program --help" */
    const struct ks_option *options;
    size_t count;
};

/* ---- reading ---- */

struct ks_option_reader {
    const struct ks_option_table *table;
    void *target;   /* the structure with the members */
    uint64_t given; /* on the command line; by place in the table */
    int argc;
    char **argv;
    int next; /* of argv */
    bool only_operands;
    char why[KS_OPTION_WHY_SIZE]; /* a line of what was wrong, for people */
};

/* Ready for argv[1]; argv outlives the target, and is not changed. */
struct ks_option_reader ks_option_reader_on(const struct ks_option_table *table, void *target, int argc,
                                            char **argv);

/* Takes options up to the next operand, which is *operand. False at the end, and where something is wrong:
 * then why is not empty. */
bool ks_option_next_operand(struct ks_option_reader *reader, const char **operand);

/* Reads a configuration file with those options that have one of the bits `uses`. What was given on the
 * command line is judged, and stays as it was given. `text`, empty before, receives the file; the target
 * points into it. KS_OK; KS_NOT_FOUND; KS_INVALID; KS_IO, with a line in why. */
enum ks_result ks_option_read_file(struct ks_option_reader *reader, const char *path, unsigned uses,
                                   struct ks_buffer *text);

/* Whether this one was given on the command line. */
bool ks_option_was_given(const struct ks_option_reader *reader, const void *member);

/* An option that was given and has none of the bits `uses`, or NULL. */
const struct ks_option *ks_option_unwelcome(const struct ks_option_reader *reader, unsigned uses);

/* ---- values ---- */

/* Reads `text` into the member. False when it does not fit; then the member is as it was. */
bool ks_option_set(const struct ks_option *option, const char *text, void *member);

/* What would fit in the place of `value`, to stand behind "write": "a number from 1 to 64". Cut to `size`. */
void ks_option_expect(const struct ks_option *option, const char *value, char *text, size_t size);

/* A number of the option as one would write it: "64M", "90s". */
void ks_option_format(const struct ks_option *option, uint64_t number,
                      char text[static KS_OPTION_VALUE_SIZE]);

/* The member's value as one would write it; NULL for a flag, and for a text that is not set. `text` holds it
 * where it is a number. */
const char *ks_option_show(const struct ks_option *option, const void *structure,
                           char text[static KS_OPTION_VALUE_SIZE]);

/* Whether two structures have the same there. */
bool ks_option_is_same(const struct ks_option *option, const void *left, const void *right);

/* ---- describing ---- */

/* A line of help for each option that has one of the bits `uses`, with its default where there is one in
 * `defaults`, a structure or NULL. */
void ks_option_print(FILE *stream, const struct ks_option_table *table, unsigned uses, const void *defaults);

/* The same for scripts/generate: lines of fields that are separated by tabs, `record` being the first:
 *
 *   record  name  value  kind  least  most  unit  default  words  letter  help
 *
 * kind is flag, text, list, word or number; what a kind has not is empty; words have blanks between them. */
void ks_option_describe(FILE *stream, const char *record, const struct ks_option_table *table, unsigned uses,
                        const void *defaults);

#endif
