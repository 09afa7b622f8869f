/* fuzz_chat_reader.c — what a chat server sends, cut into texts by the client.
 *
 * The first byte says how: its lowest bit is chunk mode, the next that one is a member already; the rest how
 * many bytes a read returns. Every text must lie in the reader, what a member hears in line mode must be the
 * same when it comes byte by byte, and nothing but line ends and a name's ": " may be lost.
 */
#include "client/chat/chat_reader.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { CHUNK_MODE = 1, MEMBER = 2, STEP_SHIFT = 2, LARGEST_INPUT = 8 * 1024 };

/* All that was heard. */
struct record {
    size_t size;
    size_t bytes_of_texts;
    uint8_t bytes[8 * LARGEST_INPUT];
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void note_bytes(struct record *record, const uint8_t *bytes, size_t size)
{
    require(size <= sizeof record->bytes - record->size);
    if (size > 0)
        memcpy(record->bytes + record->size, bytes, size);
    record->size += size;
    record->bytes_of_texts += size;
}

static void require_inside(const struct ks_chat_reader *reader, const uint8_t *bytes, size_t size)
{
    require(size == 0 || (bytes >= reader->bytes && bytes + size <= reader->bytes + reader->begin));
}

static void hear(struct ks_chat_reader *reader, struct record *record)
{
    struct ks_chat_said said;
    while (ks_chat_reader_next(reader, &said)) {
        uint8_t kind = (uint8_t)said.kind;
        require_inside(reader, said.name, said.name_size);
        require_inside(reader, said.text, said.size);
        require(!reader->member || !said.unfinished);
        note_bytes(record, &kind, 1);
        note_bytes(record, said.name, said.name_size);
        note_bytes(record, said.text, said.size);
        record->bytes_of_texts -= 1;
    }
}

static void listen(struct record *record, const uint8_t *bytes, size_t size, uint8_t how, size_t step)
{
    struct ks_chat_reader *reader = malloc(sizeof *reader);
    require(reader != NULL);
    record->size = 0;
    record->bytes_of_texts = 0;
    ks_chat_reader_init(reader, (how & CHUNK_MODE) != 0);
    reader->member = (how & MEMBER) != 0;
    while (size > 0) {
        size_t room = 0;
        uint8_t *place = ks_chat_reader_room(reader, &room);
        size_t taken = step < size ? step : size;
        require(room >= taken);
        memcpy(place, bytes, taken);
        ks_chat_reader_add(reader, taken);
        hear(reader, record);
        bytes += taken;
        size -= taken;
    }
    ks_chat_reader_end(reader);
    hear(reader, record);
    require(reader->begin == reader->end);
    free(reader);
}

static size_t count(const uint8_t *bytes, size_t size, uint8_t wanted)
{
    size_t found = 0;
    for (size_t i = 0; i < size; i++)
        found += bytes[i] == wanted ? 1 : 0;
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct record whole;
    static struct record pieces;
    if (size < 1 || size > LARGEST_INPUT)
        return 0;
    uint8_t how = bytes[0];
    bytes++;
    size--;
    listen(&whole, bytes, size, how, LARGEST_INPUT);
    listen(&pieces, bytes, size, how, 1U + (how >> STEP_SHIFT));
    /* A line end takes two bytes at most, and so does ": ". */
    size_t ends = count(bytes, size, '\n') + count(bytes, size, '\r') + count(bytes, size, ' ') +
                  count(bytes, size, ':');
    require(pieces.bytes_of_texts <= size && pieces.bytes_of_texts + ends >= size);
    if ((how & (CHUNK_MODE | MEMBER)) == MEMBER)
        require(pieces.size == whole.size && memcmp(pieces.bytes, whole.bytes, whole.size) == 0);
    return 0;
}
