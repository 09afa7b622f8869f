/* account_facts.c — see account_facts.h. */
#include "client/transport/account_facts.h"

#include <string.h>

static bool take_exactly(const struct ks_list_entry *entry, void *bytes, size_t size)
{
    if (entry->size != size)
        return false;
    memcpy(bytes, entry->value, size);
    return true;
}

static bool take_name(const struct ks_list_entry *entry, char name[static KS_TEXT_FIELD_SIZE])
{
    if (entry->size == 0 || entry->size >= KS_TEXT_FIELD_SIZE || memchr(entry->value, '\0', entry->size))
        return false;
    memcpy(name, entry->value, entry->size);
    name[entry->size] = '\0';
    return true;
}

static bool take_number(const struct ks_list_entry *entry, struct ks_account_facts *facts)
{
    if (ks_list_number(entry, &facts->numbers[entry->key]) != KS_OK)
        return false;
    facts->known |= UINT32_C(1) << entry->key;
    return true;
}

static bool take_entry(const struct ks_list_entry *entry, struct ks_account_facts *facts)
{
    switch (entry->key) {
    case KS_ACCOUNT_ENTRY_PUBLIC_ID:
        facts->has_public_id = true;
        return take_exactly(entry, facts->public_id, sizeof facts->public_id);
    case KS_ACCOUNT_ENTRY_NAME:
        return take_name(entry, facts->name);
    case KS_ACCOUNT_ENTRY_NEXT_KEY:
        facts->has_next_key = true;
        return take_exactly(entry, facts->next_key, sizeof facts->next_key);
    case KS_ACCOUNT_ENTRY_CLASSIC_ID:
        facts->has_classic_id = true;
        return take_exactly(entry, facts->classic_id.bytes, sizeof facts->classic_id.bytes);
    case KS_ACCOUNT_ENTRY_PUTS:
    case KS_ACCOUNT_ENTRY_PUT_BYTES:
        return take_number(entry, facts);
    default:
        return entry->key < KS_ACCOUNT_ENTRY_MESSAGE_LIMIT || entry->key > KS_ACCOUNT_ENTRY_CLASSIC ||
               take_number(entry, facts);
    }
}

enum ks_result ks_account_facts_parse(const uint8_t *bytes, size_t size, struct ks_account_facts *facts)
{
    struct ks_list_entry entry;
    size_t offset = 0;
    enum ks_result result = KS_OK;
    *facts = (struct ks_account_facts){.known = 0};
    while ((result = ks_list_next(bytes, size, &offset, &entry)) == KS_OK)
        if (!take_entry(&entry, facts))
            return KS_INVALID;
    return result == KS_NOT_FOUND ? KS_OK : result;
}

uint64_t ks_account_facts_number(const struct ks_account_facts *facts, enum ks_account_entry_key key)
{
    return facts->numbers[key];
}
