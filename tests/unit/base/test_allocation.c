/* Walks the allocation failures of base and crypto: each scenario runs again and again, and in the n-th run
 * the n-th allocation fails, until a run needs fewer than n. Every failure must be told, and (by the
 * sanitizers) leak and break nothing. What OpenSSL allocates once per process is allocated before the first
 * walk.
 */
#include "unit/unit.h"

#include "unit/base/failing_memory.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/thread.h"
#include "crypto/alias.h"
#include "crypto/base64.h"
#include "crypto/content.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "crypto/rsa.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

typedef enum ks_result scenario(void);

static bool ours_says(enum ks_result result)
{
    return result == KS_NO_MEMORY;
}

/* OpenSSL does not always tell what it was that failed. */
static bool openssl_says(enum ks_result result)
{
    return result == KS_NO_MEMORY || result == KS_CRYPTO || result == KS_INVALID;
}

/* Returns how many allocations the scenario needs, after each of them has failed once and `says` took the
 * result.
 */
static size_t walk(scenario *run, bool (*says)(enum ks_result))
{
    assert_int_equal(run(), KS_OK); /* whatever is made once is made now */
    for (size_t nth = 1; nth < 100000; nth++) {
        failed = false;
        allocations_until_failure = nth;
        enum ks_result result = run();
        allocations_until_failure = 0;
        if (!failed) {
            assert_int_equal(result, KS_OK);
            return nth - 1;
        }
        /* A library may do without what it did not get. */
        if (result != KS_OK && !says(result))
            fail_msg("allocation %zu fails, and the result is: %s", nth, ks_result_text(result));
    }
    fail_msg("the scenario never comes to its end");
    return 0;
}

/* ---- base ---- */

static enum ks_result fill_a_buffer(void)
{
    struct ks_buffer buffer = ks_buffer_empty(0);
    enum ks_result result = KS_OK;
    size_t appended = 0;
    while (result == KS_OK && appended < 1000) {
        result = ks_buffer_append(&buffer, "abcdefgh", 8);
        appended += result == KS_OK ? 8 : 0;
    }
    assert_int_equal(buffer.size, appended); /* also after a failure */
    ks_buffer_free(&buffer);
    return result;
}

static void buffers_tell(void **state)
{
    (void)state;
    assert_int_equal(walk(fill_a_buffer, ours_says), 5); /* 64, 128, 256, 512, 1024 */
}

static enum ks_result read_a_file(void)
{
    struct ks_buffer buffer = ks_buffer_empty(0);
    enum ks_result result = ks_file_read(AT_FDCWD, "/proc/self/status", &buffer);
    ks_buffer_free(&buffer);
    return result;
}

static void files_tell(void **state)
{
    (void)state;
    assert_true(walk(read_a_file, ours_says) >= 1);
}

static enum ks_result start_a_thread(void)
{
    static const struct ks_thread_hooks no_hooks = {0};
    struct ks_thread *thread = NULL;
    enum ks_result result = ks_thread_start(&thread, "test", &no_hooks);
    ks_thread_stop(thread);
    return result;
}

static void threads_tell(void **state)
{
    (void)state;
    assert_true(walk(start_a_thread, ours_says) >= 1);
}

/* ---- crypto ---- */

static enum ks_result make_an_alias(void)
{
    static const uint8_t key[KS_ALIAS_KEY_SIZE] = {1};
    struct ks_alias_key *alias_key = NULL;
    enum ks_result result = ks_alias_key_new(key, &alias_key);
    ks_alias_key_free(alias_key);
    return result;
}

static enum ks_result write_and_read_base64(void)
{
    struct ks_buffer text = ks_buffer_empty(0);
    struct ks_buffer bytes = ks_buffer_empty(0);
    enum ks_result result = ks_base64_encode((const uint8_t *)"foobar", 6, &text);
    if (result == KS_OK)
        result = ks_base64_decode((const char *)text.bytes, text.size, &bytes);
    ks_buffer_wipe(&text);
    ks_buffer_wipe(&bytes);
    return result;
}

static enum ks_result encrypt_a_content(void)
{
    static const uint8_t key[16] = {1};
    struct ks_content_cipher *cipher = NULL;
    uint8_t output[32];
    size_t size = 0;
    enum ks_result result = ks_content_encryptor_new(key, &cipher);
    if (result == KS_OK)
        result = ks_content_encrypt_last(cipher, key, sizeof key, output, &size);
    ks_content_cipher_free(cipher);
    return result;
}

static enum ks_result digest_something(void)
{
    uint8_t digest[KS_SHA256_SIZE];
    return ks_sha256("abc", 3, digest);
}

/* Whatever has failed, it can be finished again, and then is right. */
static enum ks_result digest_a_stream(void)
{
    static const uint8_t of_abc[] = {0xba, 0x78, 0x16, 0xbf};
    uint8_t digest[KS_SHA256_SIZE];
    struct ks_digest *stream = NULL;
    enum ks_result result = ks_digest_new(&stream);
    if (result != KS_OK)
        return result;
    result = ks_digest_finish(stream, digest);
    enum ks_result added = ks_digest_add(stream, "abc", 3);
    enum ks_result finished = ks_digest_finish(stream, digest);
    assert_true(finished != KS_OK || (added == KS_OK && memcmp(digest, of_abc, sizeof of_abc) == 0));
    ks_digest_free(stream);
    return result == KS_OK ? finished : result;
}

static void aliases_base64_contents_and_digests_tell(void **state)
{
    (void)state;
    assert_int_equal(walk(make_an_alias, ours_says), 1);
    assert_true(walk(write_and_read_base64, ours_says) >= 3);
    assert_true(walk(encrypt_a_content, openssl_says) >= 1);
    assert_true(walk(digest_something, openssl_says) >= 1);
    assert_true(walk(digest_a_stream, openssl_says) >= 4);
}

static struct ks_buffer private_der;
static uint8_t public_der[KS_RSA_PUBLIC_SIZE];
static uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];

static enum ks_result encrypt_for_a_public_key(void)
{
    struct ks_public_key *key = NULL;
    uint8_t fresh[KS_RSA_ENCRYPTED_SIZE];
    enum ks_result result = ks_public_key_parse(public_der, &key);
    if (result == KS_OK)
        result = ks_public_key_encrypt(key, public_der, 16, fresh);
    ks_public_key_free(key);
    return result;
}

static enum ks_result decrypt_with_a_private_key(void)
{
    struct ks_private_key *key = NULL;
    uint8_t plaintext[KS_RSA_PLAINTEXT_LIMIT];
    size_t size = 0;
    enum ks_result result = ks_private_key_parse(private_der.bytes, private_der.size, &key);
    if (result == KS_OK)
        result = ks_private_key_decrypt(key, encrypted, plaintext, &size);
    ks_private_key_free(key);
    return result;
}

static enum ks_result write_a_private_key(void)
{
    struct ks_private_key *key = NULL;
    struct ks_buffer der = ks_buffer_empty(0);
    uint8_t public_half[KS_RSA_PUBLIC_SIZE];
    enum ks_result result = ks_private_key_parse(private_der.bytes, private_der.size, &key);
    if (result == KS_OK)
        result = ks_private_key_encode(key, &der);
    if (result == KS_OK)
        result = ks_private_key_public(key, public_half);
    ks_private_key_free(key);
    ks_buffer_wipe(&der);
    return result;
}

static void keys_tell(void **state)
{
    (void)state;
    struct ks_private_key *key = NULL;
    struct ks_public_key *public_key = NULL;
    private_der = ks_buffer_empty(0);
    assert_int_equal(ks_private_key_generate(&key), KS_OK);
    assert_int_equal(ks_private_key_encode(key, &private_der), KS_OK);
    assert_int_equal(ks_private_key_public(key, public_der), KS_OK);
    assert_int_equal(ks_public_key_parse(public_der, &public_key), KS_OK);
    assert_int_equal(ks_public_key_encrypt(public_key, public_der, 16, encrypted), KS_OK);
    assert_true(walk(encrypt_for_a_public_key, openssl_says) > 10);
    assert_true(walk(decrypt_with_a_private_key, openssl_says) > 10);
    assert_true(walk(write_a_private_key, openssl_says) > 10);
    ks_public_key_free(public_key);
    ks_private_key_free(key);
    ks_buffer_wipe(&private_der);
}

int main(void)
{
    if (!failing_memory_for_openssl()) {
        fprintf(stderr, "OpenSSL has allocated already\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_tell), cmocka_unit_test(files_tell),
        cmocka_unit_test(threads_tell), cmocka_unit_test(aliases_base64_contents_and_digests_tell),
        cmocka_unit_test(keys_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
