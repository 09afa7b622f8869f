/* contact_ids.c — see contact_ids.h. */
#include "client/people/contact_ids.h"

#include "client/failure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 16 };

void ks_contact_ids_free(struct ks_contact_ids *table)
{
    free(table->ids);
    *table = (struct ks_contact_ids){.ids = NULL};
}

static int compare_ids(const void *left, const void *right)
{
    const struct ks_known_id *a = left;
    const struct ks_known_id *b = right;
    return memcmp(a->id.bytes, b->id.bytes, sizeof a->id.bytes);
}

static void sort(struct ks_contact_ids *table)
{
    if (table->count > 1)
        qsort(table->ids, table->count, sizeof table->ids[0], compare_ids);
}

static bool add_id(struct ks_contact_ids *table, const struct ks_contact *contact)
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity == 0 ? FIRST_CAPACITY : table->capacity * 2;
        struct ks_known_id *grown = reallocarray(table->ids, capacity, sizeof *grown);
        if (grown == NULL)
            return false;
        table->ids = grown;
        table->capacity = capacity;
    }
    struct ks_known_id *added = &table->ids[table->count++];
    added->id = contact->id;
    memcpy(added->name, contact->name, sizeof added->name);
    return true;
}

static enum kesher_status add_file(const struct kesher_home *directory, const char *file_name,
                                   struct ks_contact_ids *table, struct kesher_error *error)
{
    struct ks_contact contact = {.has_id = false};
    struct ks_buffer text = ks_buffer_empty(KS_CONTACT_TEXT_LIMIT);
    enum kesher_status status = ks_home_files_read(directory, file_name, &text, NULL);
    bool sound = status == KESHER_OK && ks_contact_parse(text.bytes, text.size, &contact) == KS_OK;
    table->files++;
    bool added = !sound || !contact.has_id || add_id(table, &contact);
    ks_buffer_wipe(&text);
    ks_contact_wipe(&contact);
    return added && status != KESHER_NO_MEMORY ? KESHER_OK : ks_failure_no_memory(error);
}

static enum kesher_status read_directory(const struct kesher_home *directory, DIR *entries,
                                         struct ks_contact_ids *table, struct kesher_error *error)
{
    enum kesher_status status = KESHER_OK;
    while (status == KESHER_OK) {
        errno = 0;
        const struct dirent *entry =
            readdir(entries); /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        if (entry == NULL)
            return errno == 0 ? KESHER_OK
                              : ks_home_files_failure(directory, errno, "list", "the users", error);
        if (ks_contact_is_file_name(entry->d_name))
            status = add_file(directory, entry->d_name, table, error);
    }
    return status;
}

enum kesher_status ks_contact_ids_refresh(struct ks_contact_ids *table, const struct kesher_home *directory,
                                          uint64_t stamp, struct kesher_error *error)
{
    struct ks_contact_ids fresh = {.stamp = stamp, .loaded = true};
    DIR *entries = NULL;
    if (table->loaded && table->stamp == stamp)
        return KESHER_OK;
    enum kesher_status status = ks_home_files_list(directory, &entries, error);
    if (status != KESHER_OK)
        return status;
    status = read_directory(directory, entries, &fresh, error);
    closedir(entries);
    if (status != KESHER_OK) {
        ks_contact_ids_free(&fresh);
        return status;
    }
    sort(&fresh);
    ks_contact_ids_free(table);
    *table = fresh;
    return KESHER_OK;
}

/* The entry of the contact with that name, or NULL. */
static struct ks_known_id *find_name(const struct ks_contact_ids *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->ids[i].name, name) == 0)
            return &table->ids[i];
    return NULL;
}

void ks_contact_ids_note(struct ks_contact_ids *table, const struct ks_contact *contact, bool is_new,
                         uint64_t before, uint64_t after)
{
    if (!table->loaded || table->stamp != before)
        return; /* it will be read again anyway */
    struct ks_known_id *found = is_new ? NULL : find_name(table, contact->name);
    if (found == NULL && contact->has_id && !add_id(table, contact))
        return; /* and so it will after this */
    if (found != NULL)
        found->id = contact->id;
    if (contact->has_id)
        sort(table);
    table->files += is_new ? 1 : 0;
    table->stamp = after;
}

const char *ks_contact_ids_name_of(const struct ks_contact_ids *table, const struct ks_client_id *id)
{
    const struct ks_known_id wanted = {.id = *id};
    const struct ks_known_id *found =
        table->count == 0 ? NULL : bsearch(&wanted, table->ids, table->count, sizeof wanted, compare_ids);
    return found == NULL ? NULL : found->name;
}
