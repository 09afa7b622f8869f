/* listing.c — see listing.h. */
#include "service/users/listing.h"

#include "service/core/report.h"
#include "service/core/session.h"
#include "service/core/stream.h"
#include "service/users/pacing.h"
#include "service/users/target.h"
#include "wire/messages_codec.h"

#include <stdlib.h>
#include <string.h>

/* A page is filled with users and then coded in place: what goes over the wire is no longer. */
_Static_assert(KS_LISTED_USER_SIZE <= sizeof(struct ks_user), "coding moves nothing forward");
_Static_assert(_Alignof(struct ks_user) == 1, "so that users may stand anywhere in a page");

enum { USERS_PER_PAGE = 240 };

struct listing {
    struct ks_stream stream;
    const struct ks_service_environment *environment;
    struct ks_client_id asker;
    bool classic_only;
    struct ks_user_cursor cursor;
    bool is_paced;
    struct ks_pacing_terms terms; /* if it is */
    union {                       /* one at a time, in this order */
        struct ks_store_list_begin begin;
        struct ks_store_list_users users;
    } request;
};

static enum ks_result encode_users(const struct listing *listing, uint8_t *page, size_t count)
{
    enum ks_result result = KS_OK;
    for (size_t i = 0; i < count && result == KS_OK; i++) {
        struct ks_user user;
        struct ks_listed_user entry;
        memcpy(&user, page + i * sizeof user, sizeof user);
        ks_target_alias(listing->environment, &user.id, &entry.alias);
        entry.name = user.name;
        entry.name_size = strnlen(user.name, sizeof user.name);
        result = ks_listed_user_encode(&entry, page + i * KS_LISTED_USER_SIZE);
    }
    return result;
}

static void users_read(struct ks_store_request *request)
{
    struct listing *listing = KS_CONTAINER_OF(request, struct listing, request.users.request);
    size_t count = listing->request.users.count;
    enum ks_result result = request->result;
    listing->cursor = listing->request.users.cursor;
    if (result == KS_OK)
        result = encode_users(listing, listing->stream.page, count);
    ks_stream_page(&listing->stream, result, count * KS_LISTED_USER_SIZE);
}

static void listing_fill(struct ks_stream *stream)
{
    struct listing *listing = KS_CONTAINER_OF(stream, struct listing, stream);
    struct ks_store_list_users *request = &listing->request.users;
    memset(request, 0, sizeof *request);
    request->request.reply_to = &stream->exchange->loop->executor;
    request->request.done = users_read;
    request->except = listing->asker;
    request->classic_only = listing->classic_only;
    request->cursor = listing->cursor;
    request->users = (struct ks_user *)stream->page;
    request->limit = stream->page_size / sizeof(struct ks_user);
    ks_store_list_users(listing->environment->store, request);
}

/* Of what goes over the wire, at most. */
static uint64_t next_page(const struct ks_stream *stream)
{
    uint64_t size = stream->page_size / sizeof(struct ks_user) * KS_LISTED_USER_SIZE;
    return size < stream->left ? size : stream->left;
}

static uint64_t listing_take_turn(struct ks_stream *stream)
{
    const struct listing *listing = KS_CONTAINER_OF(stream, struct listing, stream);
    const struct ks_service_environment *environment = listing->environment;
    if (!listing->is_paced)
        return 0;
    return ks_pacing_turn(environment->pacing, &listing->terms, next_page(stream),
                          ks_clock_monotonic_ms(environment->clock));
}

static void listing_ended(struct ks_stream *stream)
{
    struct listing *listing = KS_CONTAINER_OF(stream, struct listing, stream);
    if (listing->is_paced && stream->has_turn)
        ks_pacing_give_back(listing->environment->pacing, &listing->terms, next_page(stream));
    free(listing);
}

static const struct ks_stream_source listing_source = {
    .fill = listing_fill, .take_turn = listing_take_turn, .ended = listing_ended};

static struct ks_pacing_terms terms_of(const struct ks_exchange *exchange)
{
    const struct ks_service_environment *environment = exchange->environment;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    struct ks_pacing_terms terms = {.id = exchange->header.client_id,
                                    .budget = environment->settings.list_budget,
                                    .rate = environment->settings.list_rate};
    ks_connection_peer_address(ks_session_connection(exchange->session), address);
    if (!ks_session_address_is_free(exchange->session))
        terms.networks = ks_networks_levels(address);
    return terms;
}

/* Beyond its budget a list is paced. */
static void judge_pace(struct listing *listing, uint64_t size)
{
    const struct ks_service_environment *environment = listing->environment;
    const struct ks_exchange *exchange = listing->stream.exchange;
    if (environment->pacing == NULL || exchange->session == NULL)
        return;
    listing->terms = terms_of(exchange);
    listing->is_paced = !ks_pacing_begin(environment->pacing, &listing->terms, size,
                                         ks_clock_monotonic_ms(environment->clock));
    if (listing->is_paced)
        ks_report(exchange, KS_LOG_INFO, "a list is slowed: too many in an hour (list-budget)");
}

static void listing_begun(struct ks_store_request *request)
{
    struct listing *listing = KS_CONTAINER_OF(request, struct listing, request.begin.request);
    struct ks_exchange *exchange = listing->stream.exchange;
    uint64_t count = listing->request.begin.count;
    if (request->result == KS_OK)
        ks_store_touch(listing->environment->store, &listing->asker);
    bool refused = request->result != KS_OK || count > UINT32_MAX / KS_LISTED_USER_SIZE;
    if (refused || count == 0) {
        free(listing);
        if (refused)
            ks_exchange_refuse(exchange);
        else
            ks_exchange_answer(exchange, KS_RESPONSE_USERS, NULL, 0);
        return;
    }
    listing->cursor = listing->request.begin.cursor;
    judge_pace(listing, count * KS_LISTED_USER_SIZE);
    size_t users = count < USERS_PER_PAGE ? (size_t)count : USERS_PER_PAGE;
    ks_stream_begin(&listing->stream, &listing_source, exchange, KS_RESPONSE_USERS,
                    (uint32_t)count * KS_LISTED_USER_SIZE, users * sizeof(struct ks_user));
}

void ks_listing_begin(struct ks_exchange *exchange, const uint8_t *fixed)
{
    (void)fixed;
    struct listing *listing = calloc(1, sizeof *listing);
    if (listing == NULL) {
        ks_exchange_refuse(exchange);
        return;
    }
    listing->stream.exchange = exchange;
    listing->environment = exchange->environment;
    listing->asker = exchange->header.client_id;
    listing->classic_only = exchange->port->access == NULL;
    struct ks_store_list_begin *request = &listing->request.begin;
    request->request.reply_to = &exchange->loop->executor;
    request->request.done = listing_begun;
    request->except = listing->asker;
    request->classic_only = listing->classic_only;
    ks_store_list_begin(listing->environment->store, request);
}
