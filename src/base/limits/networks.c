/* networks.c — see networks.h. */
#include "base/limits/networks.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { MAPPED_BITS = 96, ADDRESS_BITS = 128, NETWORKS_LIMIT = 1024, WORD_SIZE = 64 };

static const uint8_t mapped_prefix[MAPPED_BITS / 8] = {[10] = 0xff, [11] = 0xff};

struct network {
    uint8_t address[KS_NETWORK_ADDRESS_SIZE];
    unsigned bits;
};

struct ks_networks {
    struct ks_networks *replaced;
    size_t count;
    struct network list[];
};

const unsigned ks_network_shares[KS_NETWORK_LEVELS] = {1, 4, 16};

struct ks_network_levels ks_networks_levels(const uint8_t address[static KS_NETWORK_ADDRESS_SIZE])
{
    static const uint8_t bits[KS_NETWORK_LEVELS] = {64, 56, 48};
    struct ks_network_levels levels = {.count = KS_NETWORK_LEVELS};
    if (memcmp(address, mapped_prefix, sizeof mapped_prefix) == 0) {
        levels.count = 1;
        memcpy(levels.keys[0], address, KS_NETWORK_ADDRESS_SIZE);
        return levels;
    }
    for (size_t i = 0; i < KS_NETWORK_LEVELS; i++) {
        memcpy(levels.keys[i], address, bits[i] / 8);
        levels.keys[i][KS_NETWORK_ADDRESS_SIZE - 1] = bits[i];
    }
    return levels;
}

/* ---- reading ---- */

static bool parse_bits(const char *text, unsigned largest, unsigned *bits)
{
    *bits = 0;
    if (*text == '\0' || strlen(text) > 3)
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        *bits = *bits * 10 + (unsigned)(*text - '0');
    }
    return *bits <= largest;
}

/* One word: an address, or an address and a number of bits. */
static bool parse_network(char *word, struct network *network)
{
    char *slash = strchr(word, '/');
    unsigned before = 0;
    if (slash != NULL)
        *slash = '\0';
    if (inet_pton(AF_INET, word, network->address + sizeof mapped_prefix) == 1) {
        memcpy(network->address, mapped_prefix, sizeof mapped_prefix);
        before = MAPPED_BITS;
    } else if (inet_pton(AF_INET6, word, network->address) != 1) {
        return false;
    }
    network->bits = ADDRESS_BITS;
    if (slash == NULL)
        return true;
    bool sound = parse_bits(slash + 1, ADDRESS_BITS - before, &network->bits);
    network->bits += before;
    return sound;
}

static enum ks_result add_word(struct ks_networks *networks, const char *start, size_t size)
{
    char word[WORD_SIZE];
    if (size >= sizeof word || networks->count == NETWORKS_LIMIT)
        return KS_INVALID;
    memcpy(word, start, size);
    word[size] = '\0';
    return parse_network(word, &networks->list[networks->count++]) ? KS_OK : KS_INVALID;
}

enum ks_result ks_networks_parse(const char *text, struct ks_networks **networks)
{
    static const char separators[] = ", \t";
    size_t room = strlen(text) / 2 + 1; /* no word is shorter than two characters, which is "::" */
    if (room > NETWORKS_LIMIT)
        room = NETWORKS_LIMIT;
    struct ks_networks *created = calloc(1, sizeof *created + room * sizeof created->list[0]);
    if (created == NULL)
        return KS_NO_MEMORY;
    enum ks_result result = KS_OK;
    const char *next = text + strspn(text, separators);
    if (strcmp(next, "none") == 0)
        next += strlen(next);
    while (*next != '\0' && result == KS_OK) {
        size_t size = strcspn(next, separators);
        result = created->count < room ? add_word(created, next, size) : KS_INVALID;
        next += size;
        next += strspn(next, separators);
    }
    if (result != KS_OK) {
        free(created);
        return result;
    }
    *networks = created;
    return KS_OK;
}

void ks_networks_free(struct ks_networks *networks)
{
    free(networks);
}

/* ---- asking ---- */

static bool is_in(const struct network *network, const uint8_t address[static KS_NETWORK_ADDRESS_SIZE])
{
    size_t whole = network->bits / 8;
    unsigned rest = network->bits % 8;
    if (memcmp(network->address, address, whole) != 0)
        return false;
    return rest == 0 || (network->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

bool ks_networks_contain(const struct ks_networks *networks,
                         const uint8_t address[static KS_NETWORK_ADDRESS_SIZE])
{
    for (size_t i = 0; i < networks->count; i++)
        if (is_in(&networks->list[i], address))
            return true;
    return false;
}

void ks_networks_replace(struct ks_networks_current *current, struct ks_networks *networks)
{
    networks->replaced = atomic_load(&current->newest);
    atomic_store_explicit(&current->newest, networks, memory_order_release);
}

bool ks_networks_current_contain(struct ks_networks_current *current,
                                 const uint8_t address[static KS_NETWORK_ADDRESS_SIZE])
{
    const struct ks_networks *networks = atomic_load_explicit(&current->newest, memory_order_acquire);
    return networks != NULL && ks_networks_contain(networks, address);
}

void ks_networks_clear(struct ks_networks_current *current)
{
    struct ks_networks *networks = atomic_exchange(&current->newest, NULL);
    while (networks != NULL) {
        struct ks_networks *replaced = networks->replaced;
        ks_networks_free(networks);
        networks = replaced;
    }
}
