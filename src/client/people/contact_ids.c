/* contact_ids.c — see contact_ids.h and ks_contacts_name_of in contacts.h. */
#include "client/people/contact_ids.h"

#include "client/failure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 16 };

void ks_contact_ids_free(struct ks_contacts *contacts)
{
    free(contacts->ids.ids);
    contacts->ids = (struct ks_id_table){.ids = NULL};
}

static int compare_ids(const void *left, const void *right)
{
    const struct ks_known_id *a = left;
    const struct ks_known_id *b = right;
    return memcmp(a->id.bytes, b->id.bytes, sizeof a->id.bytes);
}

static void sort(struct ks_id_table *table)
{
    if (table->count > 1)
        qsort(table->ids, table->count, sizeof table->ids[0], compare_ids);
}

static bool add_id(struct ks_id_table *table, const struct ks_contact *contact)
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

static enum kesher_status add_file(const struct ks_contacts *contacts, const char *file_name,
                                   struct ks_id_table *table, struct kesher_error *error)
{
    struct ks_contact contact = {.has_id = false};
    struct ks_buffer text = ks_buffer_empty(KS_CONTACT_TEXT_LIMIT);
    enum kesher_status status = ks_home_files_read(contacts->directory, file_name, &text, NULL);
    bool sound = status == KESHER_OK && ks_contact_parse(text.bytes, text.size, &contact) == KS_OK;
    table->files++;
    bool added = !sound || !contact.has_id || add_id(table, &contact);
    ks_buffer_wipe(&text);
    ks_contact_wipe(&contact);
    return added && status != KESHER_NO_MEMORY ? KESHER_OK : ks_failure_no_memory(error);
}

static enum kesher_status read_directory(const struct ks_contacts *contacts, DIR *entries,
                                         struct ks_id_table *table, struct kesher_error *error)
{
    enum kesher_status status = KESHER_OK;
    while (status == KESHER_OK) {
        errno = 0;
        const struct dirent *entry =
            readdir(entries); /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        if (entry == NULL)
            return errno == 0 ? KESHER_OK
                              : ks_home_files_failure(contacts->directory, errno, "list", "the users", error);
        if (ks_contact_is_file_name(entry->d_name))
            status = add_file(contacts, entry->d_name, table, error);
    }
    return status;
}

enum kesher_status ks_contact_ids_refresh(struct ks_contacts *contacts, struct kesher_error *error)
{
    struct ks_id_table table = {.stamp = ks_contacts_stamp(contacts), .loaded = true};
    DIR *entries = NULL;
    if (contacts->ids.loaded && table.stamp == contacts->ids.stamp)
        return KESHER_OK;
    enum kesher_status status = ks_home_files_list(contacts->directory, &entries, error);
    if (status != KESHER_OK)
        return status;
    status = read_directory(contacts, entries, &table, error);
    closedir(entries);
    if (status != KESHER_OK) {
        free(table.ids);
        return status;
    }
    sort(&table);
    ks_contact_ids_free(contacts);
    contacts->ids = table;
    return KESHER_OK;
}

/* The entry of the contact with that name, or NULL. */
static struct ks_known_id *find_name(const struct ks_id_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->ids[i].name, name) == 0)
            return &table->ids[i];
    return NULL;
}

void ks_contact_ids_note(struct ks_contacts *contacts, const struct ks_contact *contact, bool is_new,
                         uint64_t before)
{
    struct ks_id_table *table = &contacts->ids;
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
    table->stamp = ks_contacts_stamp(contacts);
}

enum kesher_status ks_contacts_name_of(struct ks_contacts *contacts, const struct ks_client_id *id,
                                       char name[static KS_TEXT_FIELD_SIZE], struct kesher_error *error)
{
    struct ks_known_id wanted = {.id = *id};
    enum kesher_status status = ks_contact_ids_refresh(contacts, error);
    if (status != KESHER_OK)
        return status;
    const struct ks_id_table *table = &contacts->ids;
    const struct ks_known_id *found =
        table->count == 0 ? NULL : bsearch(&wanted, table->ids, table->count, sizeof wanted, compare_ids);
    if (found == NULL)
        return ks_failure(error, KESHER_NOT_FOUND, "no user with this id is known in this home");
    memcpy(name, found->name, KS_TEXT_FIELD_SIZE);
    return KESHER_OK;
}
