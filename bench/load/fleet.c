/* fleet.c — see fleet.h. */
#include "bench/load/fleet.h"

#include "bench/load/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SPARE_DESCRIPTORS = 32 };

struct ks_fleet {
    struct ks_reactor *reactor;
    const struct ks_fleet_events *events;
    void *context;
    struct ks_route route; /* to the server; its source is the first */
    uint32_t sources;      /* 0: the next one after every KS_FLEET_LINKS_OF_A_SOURCE */
    uint32_t count;
    uint32_t at_a_time;
    uint32_t begun;      /* links 0..begun-1 were opened, or are being opened */
    uint32_t connecting; /* of them */
    uint32_t opened;
    bool refilling;
    struct ks_load_link links[];
};

static void ended(struct ks_load_link *link, int error);
static void refill(struct ks_fleet *fleet);

/* ---- addresses ---- */

static bool is_loopback(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *internet = (const struct sockaddr_in *)(const void *)address;
    return address->ss_family == AF_INET && ntohl(internet->sin_addr.s_addr) >> 24 == 127;
}

/* The first source, when there is more than the system's choice to it. */
static enum ks_result choose_source(const struct ks_fleet_plan *plan, struct ks_route *route, char *reason,
                                    size_t capacity)
{
    struct sockaddr_in *four = (struct sockaddr_in *)(void *)&route->source;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)&route->source;
    bool many = plan->sources > 1 || (plan->sources == 0 && plan->count > KS_FLEET_LINKS_OF_A_SOURCE);
    const char *text = plan->source != NULL ? plan->source : "127.0.0.1";
    if (plan->source == NULL && !many)
        return KS_OK;
    if (plan->source == NULL && !is_loopback(&route->target)) {
        (void)snprintf(reason, capacity,
                       "so many connections need several addresses: give --source and --sources");
        return KS_INVALID;
    }
    route->source.ss_family = route->target.ss_family;
    bool six_wanted = route->target.ss_family == AF_INET6;
    if (inet_pton(route->target.ss_family, text,
                  six_wanted ? (void *)&six->sin6_addr : (void *)&four->sin_addr) != 1) {
        (void)snprintf(reason, capacity, "'%s' is no address of the server's family", text);
        return KS_INVALID;
    }
    route->source_size = six_wanted ? sizeof *six : sizeof *four;
    return KS_OK;
}

/* Where link `index` comes from. */
static struct ks_route route_of(const struct ks_fleet *fleet, uint32_t index)
{
    struct ks_route route = fleet->route;
    uint32_t step = fleet->sources > 0 ? index % fleet->sources : index / KS_FLEET_LINKS_OF_A_SOURCE;
    if (route.source_size == 0)
        return route;
    if (route.source.ss_family == AF_INET) {
        struct sockaddr_in *four = (struct sockaddr_in *)(void *)&route.source;
        four->sin_addr.s_addr = htonl(ntohl(four->sin_addr.s_addr) + step);
        return route;
    }
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)&route.source;
    uint32_t low = 0;
    memcpy(&low, six->sin6_addr.s6_addr + 12, sizeof low);
    low = htonl(ntohl(low) + step);
    memcpy(six->sin6_addr.s6_addr + 12, &low, sizeof low);
    return route;
}

/* ---- opening ---- */

static uint32_t index_of(const struct ks_fleet *fleet, const struct ks_load_link *link)
{
    return (uint32_t)(link - fleet->links);
}

static void opened(struct ks_load_link *link)
{
    struct ks_fleet *fleet = link->owner;
    fleet->connecting--;
    fleet->opened++;
    fleet->events->opened(fleet->context, index_of(fleet, link), link);
    refill(fleet);
}

static size_t received(struct ks_load_link *link, const uint8_t *bytes, size_t size)
{
    struct ks_fleet *fleet = link->owner;
    return fleet->events->received(fleet->context, index_of(fleet, link), link, bytes, size);
}

static void drained(struct ks_load_link *link)
{
    struct ks_fleet *fleet = link->owner;
    if (fleet->events->drained != NULL)
        fleet->events->drained(fleet->context, index_of(fleet, link), link);
}

static const struct ks_load_link_events link_events = {opened, received, drained, ended};

static void ended(struct ks_load_link *link, int error)
{
    struct ks_fleet *fleet = link->owner;
    if (!link->announced && fleet->connecting > 0)
        fleet->connecting--;
    fleet->events->ended(fleet->context, index_of(fleet, link), link, error);
    refill(fleet);
}

static enum ks_result open_link(struct ks_fleet *fleet, uint32_t index)
{
    struct ks_route route = route_of(fleet, index);
    enum ks_result result = ks_load_link_open(&fleet->links[index], fleet->reactor, &route, &link_events);
    if (result == KS_OK)
        fleet->connecting++;
    return result;
}

static void refill(struct ks_fleet *fleet)
{
    if (fleet->refilling)
        return;
    fleet->refilling = true;
    while (fleet->begun < fleet->count && fleet->connecting < fleet->at_a_time) {
        uint32_t index = fleet->begun++;
        if (open_link(fleet, index) != KS_OK)
            fleet->events->ended(fleet->context, index, &fleet->links[index], errno);
    }
    fleet->refilling = false;
}

/* Files may be open up to the hard limit; root may raise that, too. */
static bool raise_descriptor_limit(uint64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    if (limit.rlim_cur >= wanted)
        return true;
    struct rlimit more = {.rlim_cur = wanted, .rlim_max = limit.rlim_max > wanted ? limit.rlim_max : wanted};
    return setrlimit(RLIMIT_NOFILE, &more) == 0;
}

enum ks_result ks_fleet_open(struct ks_reactor *reactor, const char *server, const struct ks_fleet_plan *plan,
                             const struct ks_fleet_events *events, void *context, struct ks_fleet **fleet,
                             char *reason, size_t reason_capacity)
{
    struct ks_route route = {0};
    enum ks_result result =
        ks_resolve_address(server, &route.target, &route.target_size, reason, reason_capacity);
    if (result == KS_OK)
        result = choose_source(plan, &route, reason, reason_capacity);
    if (result != KS_OK)
        return result;
    if (plan->count > KS_FLEET_LINKS_LIMIT ||
        !raise_descriptor_limit((uint64_t)plan->count + SPARE_DESCRIPTORS)) {
        (void)snprintf(reason, reason_capacity,
                       "%u connections are more than this system lets us open: see ulimit -Hn", plan->count);
        return KS_TOO_LARGE;
    }
    struct ks_fleet *made = calloc(1, sizeof *made + plan->count * sizeof made->links[0]);
    if (made == NULL) {
        (void)snprintf(reason, reason_capacity, "no memory for %u connections", plan->count);
        return KS_NO_MEMORY;
    }
    made->reactor = reactor;
    made->events = events;
    made->context = context;
    made->route = route;
    made->route.tls = plan->tls;
    made->route.record_limit = plan->record_limit;
    made->sources = plan->sources;
    made->count = plan->count;
    made->at_a_time = plan->at_a_time > 0 ? plan->at_a_time : KS_FLEET_CONNECTING_LIMIT;
    for (uint32_t i = 0; i < plan->count; i++)
        made->links[i].owner = made;
    *fleet = made; /* before the first event, which may ask for it */
    refill(made);
    return KS_OK;
}

struct ks_load_link *ks_fleet_link(struct ks_fleet *fleet, uint32_t index)
{
    return &fleet->links[index];
}

enum ks_result ks_fleet_reopen(struct ks_fleet *fleet, uint32_t index)
{
    struct ks_load_link *link = &fleet->links[index];
    if (link->open && !link->announced && fleet->connecting > 0)
        fleet->connecting--;
    ks_load_link_close(link);
    return open_link(fleet, index);
}

uint32_t ks_fleet_opened(const struct ks_fleet *fleet)
{
    return fleet->opened;
}

void ks_fleet_free(struct ks_fleet *fleet)
{
    if (fleet == NULL)
        return;
    for (uint32_t i = 0; i < fleet->count; i++)
        ks_load_link_reset(&fleet->links[i]);
    free(fleet);
}
