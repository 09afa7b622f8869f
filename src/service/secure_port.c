/* secure_port.c — see secure_port.h. */
#include "service/secure_port.h"

#include "service/accounts/account_adoption.h"
#include "service/accounts/account_removal.h"
#include "service/accounts/account_settings.h"
#include "service/accounts/account_sign_in.h"
#include "service/accounts/new_account.h"
#include "service/binary_port.h"
#include "service/chat/talk.h"
#include "service/core/tally.h"
#include "service/users/listing.h"
#include "service/users/target.h"
#include "wire/accounts_codec.h"
#include "wire/messages_codec.h"

enum {
    TEXT = sizeof(uint16_t), /* an empty one */
    REGISTER_SMALLEST = KS_SIGN_IN_SIZE + 2 * TEXT,
    ADOPT_SMALLEST = KS_SIGN_IN_SIZE + KS_CLIENT_ID_SIZE + TEXT,
};

static const struct ks_rule rules[] = {
    {.code = KS_REQUEST_SIGN_IN,
     .name = "a sign-in",
     .label = "3001",
     .version = KS_VERSION_SECURE,
     .error = KS_RESPONSE_REFUSED,
     .reason = KS_REFUSAL_TROUBLE,
     .fixed_size = KS_SIGN_IN_SIZE,
     .smallest_payload = KS_SIGN_IN_SIZE,
     .largest_payload = KS_SIGN_IN_SIZE,
     .begin = ks_account_sign_in},
    {.code = KS_REQUEST_REGISTER_ACCOUNT,
     .name = "the registration of an account",
     .label = "3002",
     .version = KS_VERSION_SECURE,
     .error = KS_RESPONSE_REFUSED,
     .reason = KS_REFUSAL_TROUBLE,
     .is_collected = true,
     .smallest_payload = REGISTER_SMALLEST,
     .largest_payload = KS_SECURE_PAYLOAD_LIMIT,
     .begin = ks_new_account_register},
    {.code = KS_REQUEST_ADOPT,
     .name = "an adoption",
     .label = "3003",
     .version = KS_VERSION_SECURE,
     .error = KS_RESPONSE_REFUSED,
     .reason = KS_REFUSAL_TROUBLE,
     .is_collected = true,
     .smallest_payload = ADOPT_SMALLEST,
     .largest_payload = KS_SECURE_PAYLOAD_LIMIT,
     .begin = ks_account_adopt},
    {.code = KS_REQUEST_ADOPTION_PROOF,
     .name = "the proof of an adoption",
     .label = "3004",
     .version = KS_VERSION_SECURE,
     .error = KS_RESPONSE_REFUSED,
     .reason = KS_REFUSAL_TROUBLE,
     .fixed_size = KS_ADOPTION_PROOF_SIZE,
     .smallest_payload = KS_ADOPTION_PROOF_SIZE,
     .largest_payload = KS_ADOPTION_PROOF_SIZE,
     .begin = ks_account_adoption_proof},
    {.code = KS_REQUEST_NONCE,
     .name = "a nonce",
     .label = "3000",
     .version = KS_VERSION_SECURE,
     .error = KS_RESPONSE_REFUSED,
     .reason = KS_REFUSAL_TROUBLE,
     .begin = ks_account_nonce},
    {.code = KS_REQUEST_MY_ACCOUNT,
     .name = "the account's settings",
     .label = "3007",
     .version = KS_VERSION_SECURE,
     .error = KS_RESPONSE_REFUSED,
     .reason = KS_REFUSAL_TROUBLE,
     .is_collected = true,
     .largest_payload = KS_SECURE_PAYLOAD_LIMIT,
     .begin = ks_account_settings_begin},
    {.code = KS_REQUEST_REMOVE_ACCOUNT,
     .name = "the removal of the account",
     .label = "3008",
     .version = KS_VERSION_SECURE,
     .error = KS_RESPONSE_REFUSED,
     .reason = KS_REFUSAL_TROUBLE,
     .fixed_size = KS_SIGNATURE_SIZE,
     .smallest_payload = KS_SIGNATURE_SIZE,
     .largest_payload = KS_SIGNATURE_SIZE,
     .begin = ks_account_remove},
    {.code = KS_REQUEST_TALK,
     .name = "to talk",
     .label = "3030",
     .version = KS_VERSION_SECURE,
     .error = KS_RESPONSE_REFUSED,
     .reason = KS_REFUSAL_TROUBLE,
     .begin = ks_talk_begin},
    {.code = KS_REQUEST_LIST_USERS,
     .name = "the list of users",
     .label = "601",
     .version = KS_VERSION_SECURE,
     .error = KS_RESPONSE_REFUSED,
     .reason = KS_REFUSAL_TROUBLE,
     .begin = ks_listing_begin},
    {.code = KS_REQUEST_USER_KEY,
     .name = "a user's public key",
     .label = "602",
     .version = KS_VERSION_SECURE,
     .error = KS_RESPONSE_REFUSED,
     .reason = KS_REFUSAL_NO_IDENTITY,
     .fixed_size = KS_TARGET_PAYLOAD_SIZE,
     .smallest_payload = KS_TARGET_PAYLOAD_SIZE,
     .largest_payload = KS_TARGET_PAYLOAD_SIZE,
     .begin = ks_target_user_key},
    {.name = "an unknown request",
     .label = "other",
     .version = KS_VERSION_SECURE,
     .error = KS_RESPONSE_REFUSED,
     .reason = KS_REFUSAL_UNKNOWN_REQUEST},
};

enum { RULES = sizeof rules / sizeof rules[0] };
_Static_assert((int)KS_BINARY_PORT_RULES + (int)RULES <= (int)KS_TALLY_REQUESTS,
               "every rule of both ports has a place to be counted");

const struct ks_rules ks_secure_port_rules = {.rules = rules,
                                              .count = RULES,
                                              .first_place = KS_BINARY_PORT_RULES,
                                              .most_collected = KS_SECURE_PAYLOAD_LIMIT};
