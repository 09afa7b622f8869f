/* trust.c — see trust.h. */
#include "client/home/trust.h"

#include "base/text.h"
#include "client/failure.h"
#include "client/home/home_lock.h"
#include "client/home/home_modes.h"
#include "client/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char file_name[] = "server.trust";
static const char lock_name[] = "server.lock";
static const char first_line[] = "kesher trust 1";

enum { LOCK_WAIT_MS = 30 * 1000 };

/* ---- reading ---- */

/* The value of a line "word value" whose word is `word`, which ends with the blank. NULL for another line. */
static const char *value_of(const char *line, size_t *size, const char *word)
{
    size_t word_size = strlen(word);
    if (*size <= word_size || memcmp(line, word, word_size) != 0)
        return NULL;
    *size -= word_size;
    return line + word_size;
}

static bool take_server(struct ks_trust *trust, const char *value, size_t size)
{
    return trust->server.host[0] == '\0' &&
           ks_address_parse_for(value, size, KS_TRUST_DEFAULT_PORT, &trust->server) == KS_OK;
}

static bool take_key(struct ks_trust *trust, const char *value, size_t size)
{
    bool taken = trust->mode == KS_TRUST_NONE && ks_tls_fingerprint_parse(value, size, trust->key) == KS_OK;
    trust->mode = taken ? KS_TRUST_KEY : trust->mode;
    return taken;
}

/* The name stands there for people; another than the server's is none that we would ask authorities about. */
static bool take_ca(struct ks_trust *trust, const char *value, size_t size)
{
    bool taken = trust->mode == KS_TRUST_NONE && size == strlen(trust->server.host) &&
                 memcmp(value, trust->server.host, size) == 0;
    trust->mode = taken ? KS_TRUST_CA : trust->mode;
    return taken;
}

static bool take_next(struct ks_trust *trust, const char *value, size_t size)
{
    bool taken = trust->mode == KS_TRUST_KEY && !trust->has_next &&
                 ks_tls_fingerprint_parse(value, size, trust->next) == KS_OK;
    trust->has_next = trust->has_next || taken;
    return taken;
}

static bool take_line(void *context, const char *line, size_t size)
{
    struct ks_trust *trust = context;
    static const struct {
        const char *word;
        bool (*take)(struct ks_trust *trust, const char *value, size_t size);
    } words[] = {{"server ", take_server}, {"key ", take_key}, {"ca ", take_ca}, {"next ", take_next}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t value_size = size;
        const char *value = value_of(line, &value_size, words[i].word);
        if (value != NULL)
            return words[i].take(trust, value, value_size);
    }
    return false;
}

enum ks_result ks_trust_parse(const uint8_t *bytes, size_t size, struct ks_trust *trust)
{
    memset(trust, 0, sizeof *trust);
    bool is_sound = ks_lines_take_all(bytes, size, first_line, take_line, trust) &&
                    trust->mode != KS_TRUST_NONE && trust->server.host[0] != '\0';
    return is_sound ? KS_OK : KS_INVALID;
}

enum kesher_status ks_trust_load(const struct kesher_home *home, struct ks_trust *trust,
                                 struct kesher_error *error)
{
    struct ks_buffer text = ks_buffer_empty(KS_TRUST_TEXT_LIMIT);
    memset(trust, 0, sizeof *trust);
    if (!ks_home_files_exists(home, file_name))
        return KESHER_OK;
    enum kesher_status status = ks_home_modes_check_own(home, file_name, error);
    if (status == KESHER_OK)
        status = ks_home_files_read(home, file_name, &text, error);
    if (status == KESHER_OK && ks_trust_parse(text.bytes, text.size, trust) != KS_OK)
        status = ks_home_files_fail_content(
            home, file_name,
            "the server's address and its key or name; restore it from a copy, or forget how the server is "
            "trusted (kesher server --forget)",
            error);
    ks_buffer_free(&text);
    if (status != KESHER_OK)
        memset(trust, 0, sizeof *trust);
    return status;
}

/* ---- writing ---- */

static enum ks_result put_line(struct ks_buffer *text, const char *word, const char *value)
{
    enum ks_result result = ks_buffer_append(text, word, strlen(word));
    if (result == KS_OK)
        result = ks_buffer_append(text, value, strlen(value));
    return result == KS_OK ? ks_buffer_append(text, "\n", 1) : result;
}

static enum ks_result put_fingerprint(struct ks_buffer *text, const char *word,
                                      const uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE])
{
    char shown[KS_TLS_FINGERPRINT_TEXT_SIZE];
    ks_tls_fingerprint_text(fingerprint, shown);
    return put_line(text, word, shown);
}

enum ks_result ks_trust_format(const struct ks_trust *trust, struct ks_buffer *text)
{
    char address[KESHER_ADDRESS_SIZE];
    if (trust->mode == KS_TRUST_NONE)
        return KS_INVALID;
    ks_address_format(&trust->server, address, sizeof address);
    enum ks_result result = put_line(text, first_line, "");
    if (result == KS_OK)
        result = put_line(text, "server ", address);
    if (result == KS_OK)
        result = trust->mode == KS_TRUST_CA ? put_line(text, "ca ", trust->server.host)
                                            : put_fingerprint(text, "key ", trust->key);
    if (result == KS_OK && trust->mode == KS_TRUST_KEY && trust->has_next)
        result = put_fingerprint(text, "next ", trust->next);
    return result == KS_OK ? put_line(text, "end", "") : result;
}

/* ---- changes ---- */

static enum kesher_status lock_file(const struct kesher_home *home, struct ks_home_lock *lock,
                                    struct kesher_error *error)
{
    *lock = KS_HOME_LOCK_NONE;
    enum kesher_status status = ks_home_lock_open(lock, home, lock_name, error);
    if (status == KESHER_OK)
        status = ks_home_lock_take(lock, LOCK_WAIT_MS, "changing how the server is trusted", error);
    if (status != KESHER_OK)
        ks_home_lock_close(lock);
    return status;
}

static bool is_same(const struct ks_trust *one, const struct ks_trust *other)
{
    return one->mode == other->mode && ks_address_is_same(&one->server, &other->server) &&
           memcmp(one->key, other->key, sizeof one->key) == 0 && one->has_next == other->has_next &&
           memcmp(one->next, other->next, sizeof one->next) == 0;
}

static enum kesher_status write_file(const struct kesher_home *home, const struct ks_trust *trust,
                                     struct kesher_error *error)
{
    struct ks_buffer text = ks_buffer_empty(KS_TRUST_TEXT_LIMIT);
    enum ks_result result = ks_trust_format(trust, &text);
    enum kesher_status status =
        result == KS_OK ? ks_home_files_write(home, file_name, &text, error)
                        : ks_failure_from_result(error, result, "cannot write how the server is trusted");
    ks_buffer_free(&text);
    return status;
}

enum kesher_status ks_trust_save(const struct kesher_home *home, const struct ks_trust *before,
                                 const struct ks_trust *after, struct kesher_error *error)
{
    struct ks_home_lock lock;
    struct ks_trust now;
    enum kesher_status status = lock_file(home, &lock, error);
    if (status != KESHER_OK)
        return status;
    status = ks_trust_load(home, &now, error);
    if (status == KESHER_OK && !is_same(&now, after))
        status = is_same(&now, before)
                     ? write_file(home, after, error)
                     : ks_failure(error, KESHER_INVALID,
                                  "another program has changed meanwhile how this home trusts its server; "
                                  "try again");
    ks_home_lock_close(&lock);
    return status;
}

static enum kesher_status remove_file(const struct kesher_home *home, struct kesher_error *error)
{
    if (!ks_home_files_exists(home, file_name))
        return ks_failure(error, KESHER_NOT_FOUND, "this home trusts no secure server yet");
    if (unlinkat(home->directory_fd, file_name, 0) != 0 || fsync(home->directory_fd) != 0)
        return ks_home_files_failure(home, errno, "remove", file_name, error);
    return KESHER_OK;
}

enum kesher_status ks_trust_forget(const struct kesher_home *home, struct kesher_error *error)
{
    struct ks_home_lock lock;
    if (!ks_home_files_exists(home, file_name))
        return remove_file(home, error); /* which says so */
    enum kesher_status status = lock_file(home, &lock, error);
    if (status != KESHER_OK)
        return status;
    status = remove_file(home, error);
    ks_home_lock_close(&lock);
    return status;
}

bool ks_trust_note_next(struct ks_trust *trust, const uint8_t *next)
{
    const struct ks_trust before = *trust;
    if (trust->mode != KS_TRUST_KEY)
        return false;
    trust->has_next = next != NULL && memcmp(next, trust->key, sizeof trust->key) != 0;
    memset(trust->next, 0, sizeof trust->next);
    if (trust->has_next)
        memcpy(trust->next, next, sizeof trust->next);
    return before.has_next != trust->has_next || memcmp(before.next, trust->next, sizeof trust->next) != 0;
}
