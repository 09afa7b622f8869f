/* rules.c — see rules.h. */
#include "service/core/rules.h"

#include "service/core/tally.h"
#include "wire/messages_codec.h"

static const struct ks_rule rules[] = {
    {.code = KS_REQUEST_SEND_FILE,
     .name = "a file",
     .version = KS_VERSION_DROP,
     .error = KS_RESPONSE_DROP_ERROR,
     .fixed_size = KS_SEND_FILE_FIXED_SIZE,
     .smallest_payload = KS_SEND_FILE_FIXED_SIZE,
     .largest_payload = UINT32_MAX,
     .overlap = KS_OVERLAP_UPLOAD,
     .begin = ks_upload_begin},
    {.code = KS_REQUEST_CRC_OK,
     .name = "the cksum is right",
     .version = KS_VERSION_DROP,
     .error = KS_RESPONSE_DROP_ERROR,
     .fixed_size = KS_NAME_PAYLOAD_SIZE,
     .smallest_payload = KS_NAME_PAYLOAD_SIZE,
     .largest_payload = KS_NAME_PAYLOAD_SIZE,
     .overlap = KS_OVERLAP_CONFIRM,
     .begin = ks_drop_crc_ok},
    {.code = KS_REQUEST_CRC_WRONG,
     .name = "the cksum is wrong",
     .version = KS_VERSION_DROP,
     .error = KS_RESPONSE_DROP_ERROR,
     .fixed_size = KS_NAME_PAYLOAD_SIZE,
     .smallest_payload = KS_NAME_PAYLOAD_SIZE,
     .largest_payload = KS_NAME_PAYLOAD_SIZE,
     .begin = ks_drop_crc_wrong},
    {.code = KS_REQUEST_CRC_GIVE_UP,
     .name = "gives up",
     .version = KS_VERSION_DROP,
     .error = KS_RESPONSE_DROP_ERROR,
     .fixed_size = KS_NAME_PAYLOAD_SIZE,
     .smallest_payload = KS_NAME_PAYLOAD_SIZE,
     .largest_payload = KS_NAME_PAYLOAD_SIZE,
     .begin = ks_drop_give_up},
    {.code = KS_REQUEST_REGISTER_DROP,
     .name = "a registration",
     .version = KS_VERSION_DROP,
     .error = KS_RESPONSE_REGISTRATION_FAILED,
     .fixed_size = KS_NAME_PAYLOAD_SIZE,
     .smallest_payload = KS_NAME_PAYLOAD_SIZE,
     .largest_payload = KS_NAME_PAYLOAD_SIZE,
     .begin = ks_identity_register_drop},
    {.code = KS_REQUEST_PUBLIC_KEY,
     .name = "a public key",
     .version = KS_VERSION_DROP,
     .error = KS_RESPONSE_DROP_ERROR,
     .fixed_size = KS_NAME_AND_KEY_PAYLOAD_SIZE,
     .smallest_payload = KS_NAME_AND_KEY_PAYLOAD_SIZE,
     .largest_payload = KS_NAME_AND_KEY_PAYLOAD_SIZE,
     .begin = ks_identity_public_key},
    {.code = KS_REQUEST_RECONNECT,
     .name = "a key again",
     .version = KS_VERSION_DROP,
     .error = KS_RESPONSE_DROP_ERROR,
     .fixed_size = KS_NAME_PAYLOAD_SIZE,
     .smallest_payload = KS_NAME_PAYLOAD_SIZE,
     .largest_payload = KS_NAME_PAYLOAD_SIZE,
     .begin = ks_identity_reconnect},
    {.code = KS_REQUEST_REGISTER_MESSAGES,
     .name = "a registration with a key",
     .version = KS_VERSION_MESSAGES,
     .error = KS_RESPONSE_ERROR,
     .fixed_size = KS_NAME_AND_KEY_PAYLOAD_SIZE,
     .smallest_payload = KS_NAME_AND_KEY_PAYLOAD_SIZE,
     .largest_payload = KS_NAME_AND_KEY_PAYLOAD_SIZE,
     .begin = ks_identity_register_messages},
    {.code = KS_REQUEST_LIST_USERS,
     .name = "the list of users",
     .version = KS_VERSION_MESSAGES,
     .error = KS_RESPONSE_ERROR,
     .begin = ks_listing_begin},
    {.code = KS_REQUEST_USER_KEY,
     .name = "a user's public key",
     .version = KS_VERSION_MESSAGES,
     .error = KS_RESPONSE_ERROR,
     .fixed_size = KS_TARGET_PAYLOAD_SIZE,
     .smallest_payload = KS_TARGET_PAYLOAD_SIZE,
     .largest_payload = KS_TARGET_PAYLOAD_SIZE,
     .begin = ks_target_user_key},
    {.code = KS_REQUEST_SEND_MESSAGE,
     .name = "a message",
     .version = KS_VERSION_MESSAGES,
     .error = KS_RESPONSE_ERROR,
     .fixed_size = KS_SEND_MESSAGE_FIXED_SIZE,
     .smallest_payload = KS_SEND_MESSAGE_FIXED_SIZE,
     .largest_payload = UINT32_MAX, /* the limit is a setting */
     .overlap = KS_OVERLAP_SEND,
     .begin = ks_sending_begin},
    {.code = KS_REQUEST_WAITING_MESSAGES,
     .name = "the waiting messages",
     .version = KS_VERSION_MESSAGES,
     .error = KS_RESPONSE_ERROR,
     .begin = ks_pulls_begin},
};

const struct ks_rule *ks_rules_find(uint16_t code)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].code == code)
            return &rules[i];
    return NULL;
}

static void begin_unknown(struct ks_exchange *exchange, const uint8_t *fixed)
{
    (void)fixed;
    ks_exchange_refuse(exchange);
}

const struct ks_rule ks_rules_unknown = {.name = "unknown",
                                         .version = KS_VERSION_MESSAGES,
                                         .error = KS_RESPONSE_ERROR,
                                         .largest_payload = UINT32_MAX,
                                         .begin = begin_unknown};

enum { RULES = sizeof rules / sizeof rules[0] };
_Static_assert((int)RULES < (int)KS_TALLY_REQUESTS,
               "every rule, and the unknown ones, have a place to be counted");

size_t ks_rules_index(const struct ks_rule *rule)
{
    return rule == &ks_rules_unknown ? RULES : (size_t)(rule - rules);
}

const char *ks_rules_name(size_t index)
{
    static const char *const names[] = {"1028", "1029", "1030", "1031", "1025", "1026", "1027",
                                        "600",  "601",  "602",  "603",  "604",  "other"};
    _Static_assert(sizeof names / sizeof names[0] == RULES + 1, "in the order of the rules");
    return index <= RULES ? names[index] : NULL;
}
