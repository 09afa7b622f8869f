/* public_link.c — see public_link.h. */
#include "server/public_link.h"

#include "server/server_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* True for what a listener has that takes any address. */
static bool is_everywhere(const char *host)
{
    return host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* The address of the listener: as the server says, else as the options do. */
static enum ks_result listener_of(const struct ks_host_key_shown *shown, const char *option,
                                  struct ks_address *address, char why[static KS_HOST_KEY_WHY_SIZE])
{
    char text[KS_LISTENER_ADDRESS_SIZE];
    if (shown->address[0] != '\0' && ks_address_parse_listener(shown->address, address) == KS_OK)
        return KS_OK;
    ks_server_options_listener(option, text);
    if (ks_address_parse_listener(text, address) == KS_OK && strtoul(address->port, NULL, 10) != 0)
        return KS_OK;
    (void)snprintf(why, KS_HOST_KEY_WHY_SIZE,
                   "which port the secure one has is not known before the server was started: secure = %s",
                   option);
    return KS_INVALID;
}

/* What is said of a host that nobody has named. One of loopback tells itself that it is for this machine. */
static void doubt_host(const struct ks_address *listener, const char *chosen, struct ks_public_link *made)
{
    if (strcmp(chosen, listener->host) != 0)
        (void)snprintf(made->doubt, sizeof made->doubt,
                       "%.253s is what this machine calls itself: if others know it by another name, say it "
                       "with --host",
                       chosen);
}

/* A given one may bring its port. */
static enum ks_result take_given(const char *given, struct ks_address *address)
{
    struct ks_address parsed;
    char port[KS_ADDRESS_PORT_SIZE];
    memcpy(port, address->port, sizeof port);
    enum ks_result result = ks_address_parse_for(given, strlen(given), port, &parsed);
    if (result == KS_OK)
        *address = parsed;
    return result;
}

enum ks_result ks_public_link_make(const struct ks_host_key_shown *shown, const char *address,
                                   const char *host, const char *machine, struct ks_public_link *made,
                                   char why[static KS_HOST_KEY_WHY_SIZE])
{
    struct ks_address listener;
    const char *wrong = "it is too long";
    *made = (struct ks_public_link){.link = {.scheme = KS_LINK_KESHER}};
    enum ks_result result = listener_of(shown, address, &listener, why);
    if (result != KS_OK)
        return result;
    struct ks_address chosen = listener;
    if (host != NULL) {
        result = take_given(host, &chosen);
    } else {
        const char *found = shown->name[0] != '\0'                            ? shown->name
                            : is_everywhere(listener.host) && machine != NULL ? machine
                                                                              : listener.host;
        (void)snprintf(chosen.host, sizeof chosen.host, "%s", found);
        if (shown->name[0] == '\0')
            doubt_host(&listener, chosen.host, made);
    }
    if (result == KS_OK)
        result = ks_link_host_parse(chosen.host, strlen(chosen.host), made->link.host, &wrong);
    if (result != KS_OK) {
        (void)snprintf(why, KS_HOST_KEY_WHY_SIZE, "\"%.255s\" is no host for a link: %s; say one with --host",
                       chosen.host, wrong);
        return KS_INVALID;
    }
    made->link.port = (uint16_t)strtoul(chosen.port, NULL, 10);
    made->link.has_fingerprint = shown->is_self_signed;
    memcpy(made->link.fingerprint, shown->fingerprint, sizeof made->link.fingerprint);
    memcpy(made->fingerprint, shown->fingerprint, sizeof made->fingerprint);
    return KS_OK;
}
