/* pieces.h — bytes of the vectors, which stand in hex. */
#ifndef KS_TESTS_UNIT_WIRE_PIECES_H
#define KS_TESTS_UNIT_WIRE_PIECES_H

#include "unit/unit.h"

#include "base/text.h"
#include "wire/accounts_codec.h"

enum { BYTES_LIMIT = 2048 };

struct piece {
    uint8_t bytes[BYTES_LIMIT];
    size_t size;
};

static inline struct piece from_hex(const char *hex)
{
    struct piece piece = {.size = strlen(hex) / 2};
    assert_true(piece.size <= sizeof piece.bytes);
    assert_true(ks_text_from_hex(hex, strlen(hex), piece.bytes, piece.size));
    return piece;
}

static inline void assert_piece(const struct piece *piece, const char *hex)
{
    struct piece wanted = from_hex(hex);
    assert_int_equal(piece->size, wanted.size);
    assert_memory_equal(piece->bytes, wanted.bytes, wanted.size);
}

static inline struct ks_wire_text text_of(const struct piece *piece)
{
    return (struct ks_wire_text){.bytes = (const char *)piece->bytes, .size = (uint16_t)piece->size};
}

#endif
