/* own_files_fixture.h — what the tests of own files in the embedded engine share: files with their cksum,
 * lists, and reading, in one line each.
 */
#ifndef KS_TESTS_UNIT_STORE_OWN_FILES_FIXTURE_H
#define KS_TESTS_UNIT_STORE_OWN_FILES_FIXTURE_H

#include "unit/store/accounts_fixture.h"

#include "crypto/digest.h"
#include "store/embedded/vault/sweep.h"

enum { PAGE = 16, READ_LIMIT = 1024 * 1024 };

static inline struct ks_cksum sum_of(const void *bytes, size_t size)
{
    struct ks_cksum sum = ks_cksum_start();
    ks_cksum_add(&sum, bytes, size);
    return sum;
}

static inline uint32_t cksum_of(const char *text)
{
    const struct ks_cksum sum = sum_of(text, strlen(text));
    return ks_cksum_value(&sum);
}

/* ---- files ---- */

/* A complete upload; `bytes` are copied. */
static inline struct ks_stage *stage_bytes(struct house *house, const struct ks_client_id *id,
                                           const char *name, const uint8_t *bytes, size_t size)
{
    struct ks_stage *stage = NULL;
    uint8_t *copy = malloc(READ_LIMIT);
    assert_non_null(copy);
    assert_int_equal(open_stage(house, id, name, &stage), KS_OK);
    for (size_t done = 0, part = 0; done == 0 || done < size; done += part) {
        part = size - done < READ_LIMIT ? size - done : READ_LIMIT;
        memcpy(copy, bytes + done, part);
        struct ks_store_stage_write writing = {.request = fixture_request(&house->waiter),
                                               .stage = stage,
                                               .bytes = copy,
                                               .size = part,
                                               .last = done + part == size};
        ks_store_stage_write(house->store, &writing);
        assert_int_equal(fixture_wait(&house->waiter, &writing.request), KS_OK);
        if (size == 0)
            break;
    }
    free(copy);
    return stage;
}

static inline struct ks_store_confirm confirm_request(struct house *house, struct ks_stage *stage,
                                                      uint32_t cksum)
{
    return (struct ks_store_confirm){
        .request = fixture_request(&house->waiter), .stage = stage, .has_cksum = true, .cksum = cksum};
}

/* A verified file, whose cksum is known. */
static inline void keep_bytes(struct house *house, const struct ks_client_id *id, const char *name,
                              const uint8_t *bytes, size_t size)
{
    const struct ks_cksum sum = sum_of(bytes, size);
    struct ks_stage *stage = stage_bytes(house, id, name, bytes, size);
    struct ks_store_confirm request = confirm_request(house, stage, ks_cksum_value(&sum));
    ks_store_confirm(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
}

static inline void keep_text(struct house *house, const struct ks_client_id *id, const char *name,
                             const char *text)
{
    keep_bytes(house, id, name, (const uint8_t *)text, strlen(text));
}

/* Bytes that differ everywhere, for `free`. */
static inline uint8_t *many_bytes(size_t size)
{
    uint8_t *bytes = malloc(size);
    uint32_t value = 1;
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        value = value * 1664525U + 1013904223U;
        bytes[i] = (uint8_t)(value >> 24);
    }
    return bytes;
}

static inline const char *whole_path_of(const struct house *house, const struct ks_client_id *id,
                                        const char *name, char whole[static 512])
{
    char path[256];
    snprintf(whole, 512, "%s/%s", house->directory, path_of(id, name, path));
    return whole;
}

/* Changes a file's bytes and not its times, as a disk does. */
static inline void rot(struct house *house, const struct ks_client_id *id, const char *name, const char *text)
{
    char path[512];
    struct stat status;
    int fd = open(whole_path_of(house, id, name, path), O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(ftruncate(fd, (off_t)strlen(text)), 0);
    assert_int_equal(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
    assert_int_equal(futimens(fd, (struct timespec[]){status.st_atim, status.st_mtim}), 0);
    close(fd);
}

/* ---- lists ---- */

struct file_page {
    struct ks_kept_file files[PAGE];
    size_t count;
    bool more;
};

static inline enum ks_result list_files(struct house *house, const struct ks_client_id *id, const char *after,
                                        size_t limit, struct file_page *page)
{
    struct ks_store_list_files request = {.request = fixture_request(&house->waiter), .id = *id};
    request.files = page->files;
    request.limit = limit;
    snprintf(request.after, sizeof request.after, "%s", after);
    ks_store_list_files(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    page->count = request.count;
    page->more = request.more;
    return result;
}

/* What is listed of that file. */
static inline struct ks_file_facts facts_of(struct house *house, const struct ks_client_id *id,
                                            const char *name)
{
    struct file_page page = {.more = true};
    char after[KS_TEXT_FIELD_SIZE] = "";
    while (page.more) {
        assert_int_equal(list_files(house, id, after, PAGE, &page), KS_OK);
        for (size_t i = 0; i < page.count; i++)
            if (strcmp(page.files[i].name, name) == 0)
                return page.files[i].facts;
        if (page.count > 0)
            strcpy(after, page.files[page.count - 1].name);
    }
    fail_msg("%s is not listed", name);
    return (struct ks_file_facts){0};
}

/* Names with spaces between them, and "…" when there are others. */
static inline void assert_listed(struct house *house, const struct ks_client_id *id, const char *after,
                                 size_t limit, const char *expected)
{
    struct file_page page;
    char names[1024] = "";
    assert_int_equal(list_files(house, id, after, limit, &page), KS_OK);
    for (size_t i = 0; i < page.count; i++) {
        strcat(names, i > 0 ? " " : "");
        strcat(names, page.files[i].name);
    }
    strcat(names, page.more ? " …" : "");
    assert_string_equal(names, expected);
}

/* ---- reading ---- */

static inline struct ks_store_file_open open_request(struct house *house, const struct ks_client_id *id,
                                                     const char *name, uint64_t prefix)
{
    struct ks_store_file_open request = {
        .request = fixture_request(&house->waiter), .id = *id, .prefix = prefix};
    snprintf(request.name, sizeof request.name, "%s", name);
    return request;
}

static inline enum ks_result open_prefix(struct house *house, const struct ks_client_id *id, const char *name,
                                         uint64_t prefix, struct ks_store_file_open *request)
{
    *request = open_request(house, id, name, prefix);
    ks_store_file_open(house->store, request);
    return fixture_wait(&house->waiter, &request->request);
}

static inline enum ks_result open_file(struct house *house, const struct ks_client_id *id, const char *name,
                                       struct ks_stored_file **file)
{
    struct ks_store_file_open request;
    enum ks_result result = open_prefix(house, id, name, 0, &request);
    *file = request.file;
    return result;
}

static inline enum ks_result read_file_at(struct house *house, struct ks_stored_file *file, uint64_t offset,
                                          uint8_t *bytes, size_t capacity, size_t *size, struct ks_cksum *sum)
{
    struct ks_store_file_read request = {.request = fixture_request(&house->waiter),
                                         .file = file,
                                         .offset = offset,
                                         .bytes = bytes,
                                         .capacity = capacity,
                                         .sum = *sum};
    ks_store_file_read(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    *size = request.size;
    *sum = request.sum;
    return result;
}

/* All of an open file, which is short. */
static inline void assert_reads(struct house *house, struct ks_stored_file *file, const char *expected)
{
    uint8_t bytes[256];
    size_t size = 0;
    struct ks_cksum sum = ks_cksum_start();
    assert_int_equal(read_file_at(house, file, 0, bytes, sizeof bytes, &size, &sum), KS_OK);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(bytes, expected, size);
    assert_int_equal(ks_cksum_value(&sum), cksum_of(expected));
}

static inline void assert_file_reads(struct house *house, const struct ks_client_id *id, const char *name,
                                     const char *expected)
{
    struct ks_stored_file *file = NULL;
    assert_int_equal(open_file(house, id, name, &file), KS_OK);
    assert_reads(house, file, expected);
    ks_store_file_close(house->store, file);
}

static inline struct ks_store_remove_file removal_request(struct house *house, const struct ks_client_id *id,
                                                          const char *name)
{
    struct ks_store_remove_file request = {.request = fixture_request(&house->waiter), .id = *id};
    snprintf(request.name, sizeof request.name, "%s", name);
    return request;
}

/* The closing has been done. */
static inline void closings_settle(struct house *house)
{
    struct ks_engine *engine = ks_engine_of(house->store);
    for (unsigned i = 0; i < KS_STORED_FILES_THREADS; i++)
        ks_thread_reach(engine->stored_files.threads[i].thread);
    ks_thread_reach(engine->reaper);
}

#endif
