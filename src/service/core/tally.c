/* tally.c — see tally.h. */
#include "service/core/tally.h"

enum { OTHERS = 8, FIRST_SECURE = 10 };

static const uint16_t secure_codes[] = {
    KS_RESPONSE_NONCE,        KS_RESPONSE_SIGNED_IN,       KS_RESPONSE_ADOPTION_CHALLENGE,
    KS_RESPONSE_MY_ACCOUNT,   KS_RESPONSE_ACCOUNT_REMOVED, KS_RESPONSE_TALK,
    KS_RESPONSE_REFUSED,      KS_RESPONSE_FILES,           KS_RESPONSE_FILE,
    KS_RESPONSE_FILE_REMOVED, KS_RESPONSE_PUT_OPEN,        KS_RESPONSE_PUT_PIECE,
    KS_RESPONSE_PUT_END,      KS_RESPONSE_FILE_DIGEST};

enum { SECURE_CODES = sizeof secure_codes / sizeof secure_codes[0] };
_Static_assert(FIRST_SECURE + SECURE_CODES == KS_TALLY_ANSWERS, "every answer has a place");

size_t ks_tally_place_of(uint16_t code)
{
    for (size_t i = 0; i < SECURE_CODES; i++)
        if (secure_codes[i] == code)
            return FIRST_SECURE + i;
    return code == 0 ? OTHERS + 1 : OTHERS;
}

uint64_t ks_tally_answers(const struct ks_tally *tally, size_t request, size_t answer)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < KS_LOOPS_LIMIT; i++)
        sum += ks_counted(&tally->shards[i].answers[request][answer]);
    return sum;
}

uint64_t ks_tally_asks(const struct ks_tally *tally, enum ks_ask_request request)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < KS_LOOPS_LIMIT; i++)
        sum += ks_counted(&tally->shards[i].asked[request]);
    return sum;
}

uint64_t ks_tally_refusals(const struct ks_tally *tally, enum ks_tally_limit limit)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < KS_LOOPS_LIMIT; i++)
        sum += ks_counted(&tally->shards[i].refused[limit]);
    return sum;
}

uint64_t ks_tally_put_bytes(const struct ks_tally *tally)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < KS_LOOPS_LIMIT; i++)
        sum += ks_counted(&tally->shards[i].put_bytes);
    return sum;
}

uint64_t ks_tally_got_bytes(const struct ks_tally *tally)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < KS_LOOPS_LIMIT; i++)
        sum += ks_counted(&tally->shards[i].got_bytes);
    return sum;
}

enum ks_tally_limit ks_tally_limit_of(enum ks_store_limit limit)
{
    switch (limit) {
    case KS_STORE_LIMIT_USER_FILES:
        return KS_TALLY_USER_FILES;
    case KS_STORE_LIMIT_USER_BYTES:
        return KS_TALLY_USER_BYTES;
    case KS_STORE_LIMIT_USER_PUTS:
        return KS_TALLY_UPLOADS_PER_USER;
    case KS_STORE_LIMIT_PUTS:
        return KS_TALLY_UPLOADS;
    case KS_STORE_LIMIT_FREE_SPACE:
        return KS_TALLY_FREE_SPACE;
    case KS_STORE_LIMIT_NONE:
    case KS_STORE_LIMIT_WAITING_MESSAGES:
    case KS_STORE_LIMIT_WAITING_BYTES:
    case KS_STORE_LIMIT_SHARE_OF_MESSAGES:
    case KS_STORE_LIMIT_SHARE_OF_BYTES:
        break;
    }
    return KS_TALLY_LIMITS;
}

const char *ks_tally_answer_name(size_t answer)
{
    static const char *const names[KS_TALLY_ANSWERS] = {
        "2100", "2101", "2102", "2103", "2104", "2105", "2106", "2107", "9000", "none", "4000", "4001",
        "4003", "4007", "4008", "4030", "4999", "4010", "4011", "4012", "4013", "4014", "4015", "4016"};
    return names[answer];
}

const char *ks_tally_ask_name(enum ks_ask_request request)
{
    static const char *const names[KS_TALLY_ASKED] = {
        [KS_ASK_TIME] = "TIME", [KS_ASK_NAME] = "NAME", [KS_ASK_RAND] = "RAND",
        [KS_ASK_STAT] = "STAT", [KS_ASK_EXIT] = "EXIT", [KS_ASK_UNKNOWN] = "other"};
    return names[request];
}

const char *ks_tally_limit_name(enum ks_tally_limit limit)
{
    static const char *const names[KS_TALLY_LIMITS] = {[KS_TALLY_USER_FILES] = "user-files",
                                                       [KS_TALLY_USER_BYTES] = "user-bytes",
                                                       [KS_TALLY_FREE_SPACE] = "free-space",
                                                       [KS_TALLY_UPLOADS_PER_USER] = "uploads-per-user",
                                                       [KS_TALLY_UPLOADS] = "uploads"};
    return names[limit];
}
