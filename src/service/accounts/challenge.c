/* challenge.c — see challenge.h. */
#include "service/accounts/challenge.h"

#include "crypto/secret.h"

#include <stdlib.h>

void ks_challenge_free(struct ks_challenge *challenge)
{
    if (challenge == NULL)
        return;
    ks_secret_wipe(challenge, sizeof *challenge);
    free(challenge);
}
