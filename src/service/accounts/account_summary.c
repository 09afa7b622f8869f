/* account_summary.c — see account_summary.h. */
#include "service/accounts/account_summary.h"

#include "service/accounts/accounts_environment.h"
#include "service/core/next_key.h"
#include "service/users/target.h"
#include "wire/accounts_codec.h"

#include <string.h>

enum {
    ENTRY = 2 * sizeof(uint16_t), /* of a list, without its value */
    IDS = 2 * (ENTRY + KS_CLIENT_ID_SIZE),
    NAME = ENTRY + KS_TEXT_FIELD_SIZE - 1,
    NEXT_KEY = ENTRY + KS_SERVER_FINGERPRINT_SIZE,
    NUMBERS = 10 * (ENTRY + (int)sizeof(uint64_t)),
    FLAG = ENTRY + 1,
};

_Static_assert((int)IDS + (int)NAME + (int)NEXT_KEY + (int)NUMBERS + (int)FLAG <=
                   (int)KS_ANSWER_PAYLOAD_LIMIT,
               "so that no entry is ever refused for want of room");

struct summary {
    uint8_t *list;
    size_t size;
};

static void add(struct summary *summary, enum ks_account_entry_key key, const void *value, size_t size)
{
    (void)ks_list_add(summary->list, KS_ANSWER_PAYLOAD_LIMIT, &summary->size, (uint16_t)key, value, size);
}

static void add_number(struct summary *summary, enum ks_account_entry_key key, uint64_t number)
{
    (void)ks_list_add_number(summary->list, KS_ANSWER_PAYLOAD_LIMIT, &summary->size, (uint16_t)key, number);
}

static void add_limits(struct summary *summary, const struct ks_service_environment *environment)
{
    const struct ks_store_limits *limits = environment->store_limits;
    add_number(summary, KS_ACCOUNT_ENTRY_MESSAGE_LIMIT, environment->settings.message_limit);
    add_number(summary, KS_ACCOUNT_ENTRY_FILES_LIMIT, limits != NULL ? atomic_load(&limits->user_files) : 0);
    add_number(summary, KS_ACCOUNT_ENTRY_BYTES_LIMIT, limits != NULL ? atomic_load(&limits->user_bytes) : 0);
}

static void add_classic(struct summary *summary, bool is_on)
{
    const uint8_t flag = is_on ? 1 : 0;
    add(summary, KS_ACCOUNT_ENTRY_CLASSIC, &flag, sizeof flag);
}

size_t ks_account_summary(const struct ks_exchange *exchange, const struct ks_account *account,
                          uint8_t list[static KS_ANSWER_PAYLOAD_LIMIT])
{
    struct summary summary = {.list = list};
    struct ks_next_key *next_key = exchange->port->accounts->next_key;
    uint8_t fingerprint[KS_SERVER_FINGERPRINT_SIZE];
    struct ks_client_id public_id;
    ks_target_alias(exchange->environment, &account->id, &public_id);
    add(&summary, KS_ACCOUNT_ENTRY_PUBLIC_ID, public_id.bytes, sizeof public_id.bytes);
    add(&summary, KS_ACCOUNT_ENTRY_NAME, account->name, strnlen(account->name, KS_TEXT_FIELD_SIZE - 1));
    if (next_key != NULL && ks_next_key_get(next_key, fingerprint))
        add(&summary, KS_ACCOUNT_ENTRY_NEXT_KEY, fingerprint, sizeof fingerprint);
    add_limits(&summary, exchange->environment);
    add_number(&summary, KS_ACCOUNT_ENTRY_REGISTERED,
               account->registered > 0 ? (uint64_t)account->registered : 0);
    add_classic(&summary, account->has_classic_id);
    return summary.size;
}

size_t ks_account_summary_of_use(const struct ks_user_details *details, const struct ks_client_id *classic_id,
                                 uint8_t list[static KS_ANSWER_PAYLOAD_LIMIT], size_t size)
{
    struct summary summary = {.list = list, .size = size};
    add_number(&summary, KS_ACCOUNT_ENTRY_FILES, details->files);
    add_number(&summary, KS_ACCOUNT_ENTRY_BYTES, details->file_bytes);
    add_number(&summary, KS_ACCOUNT_ENTRY_WAITING, details->messages);
    add_number(&summary, KS_ACCOUNT_ENTRY_WAITING_BYTES, details->message_bytes);
    add_number(&summary, KS_ACCOUNT_ENTRY_PUTS, details->puts);
    add_number(&summary, KS_ACCOUNT_ENTRY_PUT_BYTES, details->put_bytes);
    if (classic_id != NULL)
        add(&summary, KS_ACCOUNT_ENTRY_CLASSIC_ID, classic_id->bytes, sizeof classic_id->bytes);
    return summary.size;
}
