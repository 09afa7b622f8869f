/* list.c — see <kesher/files.h>. A page is taken file by file, so that a page of any size needs no memory;
 * and a connection that is lost in the middle of one goes on behind the last name that came. */
#include "client/files/files_internal.h"

#include "client/failure.h"

#include <string.h>

struct file_listing {
    struct ks_files_request request;
    const char *prefix;
    size_t prefix_size;
    bool (*each)(void *context, const struct kesher_file *file);
    void *context;
    char after[KESHER_FILE_NAME_SIZE]; /* the last name that came; "" for none */
    bool is_over;
};

/* ---- one file ---- */

static void fill(const struct ks_file_facts *facts, const struct ks_wire_text *name, struct kesher_file *file)
{
    memset(file, 0, sizeof *file);
    memcpy(file->name, name->bytes, name->size);
    file->size = facts->size;
    file->time_ns = facts->time;
    file->has_cksum = facts->has_cksum;
    file->cksum = facts->cksum;
    file->has_sha256 = facts->has_sha256;
    memcpy(file->sha256, facts->sha256, sizeof file->sha256);
}

/* Whether a name may follow what came. */
static bool is_next(const struct file_listing *listing, const struct ks_wire_text *name)
{
    size_t size = strlen(listing->after);
    size_t common = size < name->size ? size : name->size;
    int order = common > 0 ? memcmp(name->bytes, listing->after, common) : 0;
    return order > 0 || (order == 0 && name->size > size);
}

/* Takes the next file of a page of which *left bytes are still to come. `entry` has room for one. */
static enum kesher_status take_entry(struct ks_client_session *session, uint8_t *entry, uint32_t *left,
                                     struct ks_file_facts *facts, struct ks_wire_text *name,
                                     struct kesher_error *error)
{
    static const char nonsense[] = "a list that makes no sense: a file in it";
    const uint32_t fixed = KS_FILE_FACTS_SIZE + 2;
    size_t offset = 0;
    if (*left < fixed)
        return ks_files_fail_answer(session, error, nonsense);
    enum kesher_status status = ks_channel_receive(session->channel, entry, fixed, error);
    if (status != KESHER_OK)
        return status;
    uint32_t name_size = ks_load_u16(entry + KS_FILE_FACTS_SIZE);
    if (name_size > KS_FILE_NAME_LIMIT || name_size > *left - fixed)
        return ks_files_fail_answer(session, error, nonsense);
    status = ks_channel_receive(session->channel, entry + fixed, name_size, error);
    if (status != KESHER_OK)
        return status;
    *left -= fixed + name_size;
    if (ks_file_entry_next(entry, fixed + name_size, &offset, facts, name) != KS_OK ||
        !ks_file_name_is_valid(name->bytes, name->size))
        return ks_files_fail_answer(session, error, nonsense);
    return KESHER_OK;
}

/* True when the caller is to be told of the file. Behind the last name with the prefix there is none. */
static bool is_wanted(struct file_listing *listing, const struct kesher_file *file)
{
    int order = strncmp(file->name, listing->prefix, listing->prefix_size);
    listing->is_over = order > 0;
    return order == 0;
}

static enum kesher_status take_file(struct ks_client_session *session, struct file_listing *listing,
                                    uint32_t *left, struct kesher_error *error)
{
    uint8_t entry[KS_FILE_ENTRY_LIMIT];
    struct ks_file_facts facts;
    struct ks_wire_text name = {.size = 0};
    struct kesher_file file;
    enum kesher_status status = take_entry(session, entry, left, &facts, &name, error);
    if (status != KESHER_OK)
        return status;
    if (!is_next(listing, &name))
        return ks_files_fail_answer(session, error, "a list that is in no order");
    fill(&facts, &name, &file);
    memcpy(listing->after, file.name, sizeof listing->after);
    listing->request.progressed = true;
    if (is_wanted(listing, &file) && !listing->each(listing->context, &file))
        listing->is_over = true;
    return KESHER_OK;
}

/* ---- pages ---- */

/* Where the first page begins: behind this name the first ones come that have the prefix, and hardly any
 * before them. It is the last one there can be with a lower byte in the place of the prefix's last. */
static void begin(struct file_listing *listing)
{
    uint8_t *after = (uint8_t *)listing->after;
    size_t last = listing->prefix_size - 1;
    memset(after, 0xff, KS_FILE_NAME_LIMIT);
    memcpy(after, listing->prefix, listing->prefix_size);
    after[KS_FILE_NAME_LIMIT] = '\0';
    while (after[last] > ' ') {
        after[last]--;
        if (ks_file_name_is_valid(listing->after, KS_FILE_NAME_LIMIT))
            return;
    }
    after[0] = '\0';
}

/* What is left of a page that nobody wants. */
static enum kesher_status drop_rest(struct ks_client_session *session, uint32_t left,
                                    struct kesher_error *error)
{
    if (left <= KS_SKIP_LIMIT)
        return ks_channel_skip(session->channel, left, error);
    ks_client_session_disconnect(session);
    return KESHER_OK;
}

static enum kesher_status take_page(struct ks_client_session *session, struct file_listing *listing,
                                    struct kesher_error *error)
{
    uint8_t more = 0;
    uint32_t left = 0;
    enum kesher_status status =
        ks_files_take_header(session, &listing->request, KS_RESPONSE_FILES, &left, error);
    if (status != KESHER_OK)
        return status;
    if (left < sizeof more)
        return ks_files_fail_answer(session, error, "a list that makes no sense: it is empty");
    status = ks_channel_receive(session->channel, &more, sizeof more, error);
    left -= (uint32_t)sizeof more;
    if (status == KESHER_OK && (more > 1 || (more == 1 && left == 0)))
        return ks_files_fail_answer(session, error, "a list that goes on without a file");
    while (status == KESHER_OK && left > 0 && !listing->is_over)
        status = take_file(session, listing, &left, error);
    listing->is_over |= status == KESHER_OK && more == 0;
    return status == KESHER_OK ? drop_rest(session, left, error) : status;
}

static enum kesher_status take_all(struct ks_client_session *session, void *context,
                                   struct kesher_error *error)
{
    struct file_listing *listing = context;
    enum kesher_status status = KESHER_OK;
    while (status == KESHER_OK && !listing->is_over) {
        status = ks_files_send_name(session, KS_REQUEST_LIST_FILES, listing->after, error);
        if (status == KESHER_OK)
            status = take_page(session, listing, error);
    }
    return status;
}

enum kesher_status kesher_files_list(struct kesher_files *files, const char *prefix,
                                     bool (*each)(void *context, const struct kesher_file *file),
                                     void *context, struct kesher_error *error)
{
    struct file_listing listing = {.request = ks_files_request("list the files", NULL),
                                   .prefix = prefix != NULL ? prefix : "",
                                   .each = each,
                                   .context = context};
    listing.prefix_size = strlen(listing.prefix);
    if (listing.prefix_size > KS_FILE_NAME_LIMIT)
        return KESHER_OK; /* nothing has a name like that */
    if (listing.prefix_size > 0)
        begin(&listing);
    return ks_files_run(files, &listing.request, take_all, &listing, error);
}
