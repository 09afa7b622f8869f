/* contacts.c — see contacts.h. */
#include "client/people/contacts.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/text.h"
#include "client/failure.h"
#include "client/people/kept_rings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOCK_WAIT_MS = 30 * 1000 };

/* What programs left that died. Unless somebody is writing one just now. */
static void sweep(struct ks_contacts *contacts)
{
    if (ks_home_lock_take(&contacts->lock, 0, "changing what is known of a user", NULL) != KESHER_OK)
        return;
    ks_home_files_sweep(contacts->directory, 0);
    ks_home_lock_release(&contacts->lock);
}

enum kesher_status ks_contacts_open(struct ks_contacts *contacts, const struct kesher_home *home,
                                    bool keep_keys, struct kesher_error *error)
{
    *contacts = (struct ks_contacts){.lock = KS_HOME_LOCK_NONE, .keep_keys = keep_keys};
    enum kesher_status status = ks_home_files_directory(home, "contacts", &contacts->directory, error);
    if (status == KESHER_OK)
        status = ks_home_lock_open(&contacts->lock, contacts->directory, "lock", error);
    if (status == KESHER_OK)
        sweep(contacts);
    else
        ks_contacts_close(contacts);
    return status;
}

void ks_contacts_close(struct ks_contacts *contacts)
{
    if (contacts->directory == NULL)
        return;
    ks_home_lock_close(&contacts->lock);
    kesher_home_close(contacts->directory);
    ks_kept_rings_free(contacts->rings);
    ks_contact_ids_free(&contacts->ids);
    *contacts = (struct ks_contacts){.lock = KS_HOME_LOCK_NONE};
}

/* ---- one file ---- */

static enum kesher_status file_name_of(const char *name, char file_name[static KS_CONTACT_FILE_NAME_SIZE],
                                       struct kesher_error *error)
{
    if (!ks_text_is_user_name(name, strlen(name)))
        return ks_failure(
            error, KESHER_INVALID,
            "this is no user name; it needs 1 to 254 printable ASCII characters, not all blank");
    if (ks_contact_file_name(name, file_name) != KS_OK)
        return ks_failure(error, KESHER_CRYPTO, "cannot compute the digest of a name");
    return KESHER_OK;
}

static enum kesher_status fail_broken(const struct ks_contacts *contacts, const char *file_name,
                                      struct kesher_error *error)
{
    char shown[300];
    const char *path = contacts->directory->path;
    ks_text_escape(path, strlen(path), shown, sizeof shown);
    return ks_failure(error, KESHER_INVALID,
                      "%s in '%s' is broken; restore it from a copy, or remove it to forget this user's keys",
                      file_name, shown);
}

/* The contact as its file has it. */
static enum kesher_status read_file(const struct ks_contacts *contacts, const char *name,
                                    struct ks_contact *contact, struct kesher_error *error)
{
    char file_name[KS_CONTACT_FILE_NAME_SIZE];
    struct ks_buffer text = ks_buffer_empty(KS_CONTACT_TEXT_LIMIT);
    memset(contact, 0, sizeof *contact);
    enum kesher_status status = file_name_of(name, file_name, error);
    if (status == KESHER_OK)
        status = ks_home_files_read(contacts->directory, file_name, &text, error);
    if (status == KESHER_OK &&
        (ks_contact_parse(text.bytes, text.size, contact) != KS_OK || strcmp(contact->name, name) != 0))
        status = fail_broken(contacts, file_name, error);
    ks_buffer_wipe(&text);
    return status;
}

static enum kesher_status write_file(const struct ks_contacts *contacts, const struct ks_contact *contact,
                                     struct kesher_error *error)
{
    char file_name[KS_CONTACT_FILE_NAME_SIZE];
    struct ks_buffer text = ks_buffer_empty(KS_CONTACT_TEXT_LIMIT);
    enum kesher_status status = file_name_of(contact->name, file_name, error);
    enum ks_result result = ks_contact_format(contact, &text);
    if (status == KESHER_OK && result != KS_OK)
        status = ks_failure_from_result(error, result, "cannot remember this user");
    if (status == KESHER_OK)
        status = ks_home_files_write(contacts->directory, file_name, &text, error);
    ks_buffer_wipe(&text);
    return status;
}

enum kesher_status ks_contacts_load(const struct ks_contacts *contacts, const char *name,
                                    struct ks_contact *contact, struct kesher_error *error)
{
    enum kesher_status status = read_file(contacts, name, contact, error);
    if (status == KESHER_NOT_FOUND) /* so the name is one */
        memcpy(contact->name, name, strlen(name) + 1);
    if (status != KESHER_OK || contacts->keep_keys)
        return status;
    ks_key_ring_wipe(&contact->ring);
    ks_kept_rings_get(contacts->rings, contact);
    return KESHER_OK;
}

/* ---- changes ---- */

uint64_t ks_contacts_stamp(const struct ks_contacts *contacts)
{
    uint8_t count[8] = {0};
    ssize_t got = pread(contacts->lock.fd, count, sizeof count, 0);
    uint64_t changes =
        got == (ssize_t)sizeof count ? ks_load_u32(count) | (uint64_t)ks_load_u32(count + 4) << 32 : 0;
    return changes + contacts->memory_changes;
}

/* Lets the others know. That it fails costs them a look that they do not take; the next change makes up for
 * it. */
static void count_change(struct ks_contacts *contacts)
{
    uint64_t changes = ks_contacts_stamp(contacts) - contacts->memory_changes + 1;
    uint8_t count[8];
    ks_store_u32(count, (uint32_t)changes);
    ks_store_u32(count + 4, (uint32_t)(changes >> 32));
    if (ks_file_write_all_at(contacts->lock.fd, count, sizeof count, 0) != KS_OK)
        contacts->memory_changes++;
}

static bool is_same_on_disk(const struct ks_contact *left, const struct ks_contact *right)
{
    return left->has_id == right->has_id && memcmp(&left->id, &right->id, sizeof left->id) == 0 &&
           left->has_public_key == right->has_public_key &&
           memcmp(left->public_key, right->public_key, sizeof left->public_key) == 0;
}

/* Without keep_keys: the keys into memory, the rest to the disk beside the keys that are there. */
static enum kesher_status save_apart(struct ks_contacts *contacts, struct ks_contact *contact, bool exists,
                                     struct kesher_error *error)
{
    struct ks_contact on_disk;
    enum kesher_status status =
        exists ? read_file(contacts, contact->name, &on_disk, error) : KESHER_NOT_FOUND;
    if (!exists)
        memset(&on_disk, 0, sizeof on_disk);
    if (status == KESHER_OK || !exists)
        status = ks_kept_rings_put(&contacts->rings, contact, error);
    if (status == KESHER_OK && (!exists || !is_same_on_disk(contact, &on_disk))) {
        struct ks_key_ring in_memory = contact->ring;
        contact->ring = on_disk.ring;
        status = write_file(contacts, contact, error);
        contact->ring = in_memory;
        ks_key_ring_wipe(&in_memory);
    }
    ks_contact_wipe(&on_disk);
    contacts->memory_changes++;
    return status;
}

static enum kesher_status save(struct ks_contacts *contacts, struct ks_contact *contact, bool exists,
                               struct kesher_error *error)
{
    uint64_t before = ks_contacts_stamp(contacts);
    if (!exists && contacts->ids.files >= KS_CONTACTS_LIMIT)
        return ks_failure(error, KESHER_INVALID,
                          "this home knows %d users, and that is its limit; forget some of them",
                          KS_CONTACTS_LIMIT);
    enum kesher_status status = contacts->keep_keys ? write_file(contacts, contact, error)
                                                    : save_apart(contacts, contact, exists, error);
    if (status == KESHER_OK) {
        count_change(contacts);
        ks_contact_ids_note(&contacts->ids, contact, !exists, before, ks_contacts_stamp(contacts));
    }
    return status;
}

static enum kesher_status refresh_ids(struct ks_contacts *contacts, struct kesher_error *error)
{
    return ks_contact_ids_refresh(&contacts->ids, contacts->directory, ks_contacts_stamp(contacts), error);
}

enum kesher_status ks_contacts_change(struct ks_contacts *contacts, const char *name,
                                      enum kesher_status (*change)(struct ks_contact *contact, void *context,
                                                                   struct kesher_error *error),
                                      void *context, struct kesher_error *error)
{
    struct ks_contact contact = {.has_id = false};
    enum kesher_status status =
        ks_home_lock_take(&contacts->lock, LOCK_WAIT_MS, "changing what is known of a user", error);
    if (status != KESHER_OK)
        return status;
    status = ks_contacts_load(contacts, name, &contact, error);
    bool exists = status != KESHER_NOT_FOUND;
    if (!exists) {
        ks_kept_rings_drop(&contacts->rings, name); /* forgotten by another program */
        status = refresh_ids(contacts, error);      /* how many there are */
    }
    if (status == KESHER_OK)
        status = change(&contact, context, error);
    if (status == KESHER_OK)
        status = save(contacts, &contact, exists, error);
    ks_home_lock_release(&contacts->lock);
    ks_contact_wipe(&contact);
    return status;
}

static enum kesher_status remove_file(struct ks_contacts *contacts, const char *file_name,
                                      struct kesher_error *error)
{
    int directory_fd = contacts->directory->directory_fd;
    if (unlinkat(directory_fd, file_name, 0) != 0 || fsync(directory_fd) != 0)
        return ks_home_files_failure(contacts->directory, errno, "remove", file_name, error);
    count_change(contacts);
    return KESHER_OK;
}

enum kesher_status ks_contacts_forget(struct ks_contacts *contacts, const char *name,
                                      struct kesher_error *error)
{
    char file_name[KS_CONTACT_FILE_NAME_SIZE];
    enum kesher_status status = file_name_of(name, file_name, error);
    if (status == KESHER_OK)
        status = ks_home_lock_take(&contacts->lock, LOCK_WAIT_MS, "changing what is known of a user", error);
    if (status != KESHER_OK)
        return status;
    ks_kept_rings_drop(&contacts->rings, name);
    if (!ks_home_files_exists(contacts->directory, file_name)) {
        char shown[300];
        status = ks_failure(error, KESHER_NOT_FOUND, "nothing is known of a user '%s' in this home",
                            ks_text_escape(name, strlen(name), shown, sizeof shown));
    } else {
        status = remove_file(contacts, file_name, error);
    }
    ks_home_lock_release(&contacts->lock);
    return status;
}

enum kesher_status ks_contacts_name_of(struct ks_contacts *contacts, const struct ks_client_id *id,
                                       char name[static KS_TEXT_FIELD_SIZE], struct kesher_error *error)
{
    enum kesher_status status = refresh_ids(contacts, error);
    if (status != KESHER_OK)
        return status;
    const char *found = ks_contact_ids_name_of(&contacts->ids, id);
    if (found == NULL)
        return ks_failure(error, KESHER_NOT_FOUND, "no user with this id is known in this home");
    memcpy(name, found, KS_TEXT_FIELD_SIZE);
    return KESHER_OK;
}
