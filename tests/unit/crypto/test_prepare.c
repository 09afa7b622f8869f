/* Unit tests of prepare.h: OpenSSL without memory at its first use, in processes that have not used it yet.
 */
#include "unit/unit.h"

#include "base/text.h"
#include "crypto/base64.h"
#include "crypto/prepare.h"
#include "crypto/rsa.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vectors.h"

static unsigned long asked;              /* allocations of OpenSSL so far */
static unsigned long denied = ULONG_MAX; /* the first of them that gets nothing */
static bool for_good;                    /* and all behind it */

static bool is_denied(void)
{
    unsigned long number = asked++;
    return number == denied || (for_good && number > denied);
}

static void *scarce_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return is_denied() ? NULL : malloc(size);
}

static void *scarce_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return is_denied() ? NULL : realloc(memory, size);
}

static void scarce_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

static bool encrypts(void)
{
    uint8_t der[KS_RSA_PUBLIC_SIZE];
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
    struct ks_public_key *key = NULL;
    const char *hex = vector_keys[0].public_hex;
    if (!ks_text_from_hex(hex, strlen(hex), der, sizeof der) || ks_public_key_parse(der, &key) != KS_OK)
        return false;
    enum ks_result result = ks_public_key_encrypt(key, (const uint8_t *)"key", 3, encrypted);
    ks_public_key_free(key);
    return result == KS_OK;
}

enum { WORKS, REFUSES, WRONG, DEAD };

/* Which of them `course` comes to in a process of its own. What it counted is in *allocations. */
static int outcome_of(int (*course)(void), unsigned long *allocations)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool scarce = CRYPTO_set_mem_functions(scarce_malloc, scarce_realloc, scarce_free) == 1;
        int outcome = scarce ? course() : WRONG;
        _exit(write(ends[1], &asked, sizeof asked) == (ssize_t)sizeof asked ? outcome : WRONG);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    close(ends[1]);
    bool told = read(ends[0], allocations, sizeof *allocations) == (ssize_t)sizeof *allocations;
    close(ends[0]);
    return told && WIFEXITED(status) ? WEXITSTATUS(status) : DEAD;
}

static int prepare_then_encrypt(void)
{
    if (ks_crypto_prepare() != KS_OK)
        return REFUSES;
    denied = ULONG_MAX;
    return encrypts() ? WORKS : WRONG;
}

/* Steps that hit each of OpenSSL's stages without trying its ten thousand allocations one by one. */
static void prepare_without_memory(bool stays_so)
{
    enum { STEP = 31 };
    unsigned long all = 0;
    unsigned long unused = 0;
    denied = ULONG_MAX;
    assert_int_equal(outcome_of(prepare_then_encrypt, &all), WORKS);
    unsigned outcomes[DEAD + 1] = {0};
    for_good = stays_so;
    for (denied = 0; denied < all; denied += STEP)
        outcomes[outcome_of(prepare_then_encrypt, &unused)]++;
    for_good = false;
    assert_int_equal(outcomes[DEAD], 0);
    assert_int_equal(outcomes[WRONG], 0);
    assert_true(outcomes[REFUSES] > 0);
}

static void one_allocation_that_fails_is_borne_or_refused(void **state)
{
    (void)state;
    prepare_without_memory(false);
}

static void no_memory_at_all_is_refused(void **state)
{
    (void)state;
    prepare_without_memory(true);
}

static int each_exchange_stands_alone(void)
{
    if (ks_crypto_prepare() != KS_OK || !encrypts())
        return WRONG;
    unsigned long before = asked;
    if (!encrypts())
        return WRONG;
    unsigned long one = asked - before;
    for (unsigned long number = 0; number < one; number++) {
        denied = asked + number;
        (void)encrypts(); /* some are tried again by OpenSSL, and succeed */
        denied = ULONG_MAX;
        if (!encrypts())
            return WRONG;
    }
    return one > 0 ? WORKS : WRONG;
}

static void an_allocation_that_fails_later_costs_its_own_exchange_alone(void **state)
{
    (void)state;
    unsigned long unused = 0;
    denied = ULONG_MAX;
    assert_int_equal(outcome_of(each_exchange_stands_alone, &unused), WORKS);
}

/* What decrypting a sound key, or reading one, comes to. */
static enum ks_result decrypt(const struct ks_private_key *key)
{
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
    uint8_t plaintext[KS_RSA_PLAINTEXT_LIMIT];
    size_t size = 0;
    const char *hex = vector_oaep[0].cipher_hex;
    if (!ks_text_from_hex(hex, strlen(hex), encrypted, sizeof encrypted))
        return KS_INVALID;
    return ks_private_key_decrypt(key, encrypted, plaintext, &size);
}

static enum ks_result read_public(const struct ks_private_key *unused)
{
    (void)unused;
    uint8_t der[KS_RSA_PUBLIC_SIZE];
    struct ks_public_key *key = NULL;
    const char *hex = vector_keys[0].public_hex;
    if (!ks_text_from_hex(hex, strlen(hex), der, sizeof der))
        return KS_INVALID;
    enum ks_result result = ks_public_key_parse(der, &key);
    if (result == KS_OK)
        ks_public_key_free(key);
    return result;
}

static int without_each_allocation(enum ks_result (*course)(const struct ks_private_key *key))
{
    struct ks_private_key *key = NULL;
    struct ks_buffer der = ks_buffer_empty(0);
    const char *text = vector_keys[vector_oaep[0].key].private_base64;
    if (ks_base64_decode(text, strlen(text), &der) != KS_OK ||
        ks_private_key_parse(der.bytes, der.size, &key) != KS_OK)
        return WRONG;
    bool refused = false;
    bool reached = true;
    for (unsigned long number = 0; reached; number++) {
        denied = asked + number;
        enum ks_result result = course(key);
        if (result == KS_INVALID)
            return WRONG;
        refused = refused || result != KS_OK;
        reached = asked > denied;
    }
    denied = ULONG_MAX;
    bool works = refused && course(key) == KS_OK;
    ks_private_key_free(key);
    ks_buffer_wipe(&der);
    return works ? WORKS : WRONG;
}

static int decrypt_without_memory(void)
{
    return without_each_allocation(decrypt);
}

static int read_without_memory(void)
{
    return without_each_allocation(read_public);
}

static void what_cannot_be_decrypted_for_lack_of_memory_is_not_called_invalid(void **state)
{
    (void)state;
    unsigned long unused = 0;
    denied = ULONG_MAX;
    assert_int_equal(outcome_of(decrypt_without_memory, &unused), WORKS);
}

static void public_key_that_cannot_be_read_for_lack_of_memory_is_not_called_invalid(void **state)
{
    (void)state;
    unsigned long unused = 0;
    denied = ULONG_MAX;
    assert_int_equal(outcome_of(read_without_memory, &unused), WORKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_allocation_that_fails_is_borne_or_refused),
        cmocka_unit_test(no_memory_at_all_is_refused),
        cmocka_unit_test(an_allocation_that_fails_later_costs_its_own_exchange_alone),
        cmocka_unit_test(what_cannot_be_decrypted_for_lack_of_memory_is_not_called_invalid),
        cmocka_unit_test(public_key_that_cannot_be_read_for_lack_of_memory_is_not_called_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
