/* server_options.c — see server_options.h. */
#include "server/server_options.h"

#include "base/address.h"
#include "base/limits/networks.h"
#include "base/text.h"
#include "service/ask/ask_service.h"
#include "service/core/environment.h"
#include "store/store_accounts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KIB    KS_OPTION_KIB
#define MIB    KS_OPTION_MIB
#define SECOND KS_OPTION_SECOND
#define DAY    (86400 * SECOND)

const struct ks_server_options ks_server_options_defaults = {
    .chat = "127.0.0.1:5555",
    .ask = "127.0.0.1:1729",
    .secure = "127.0.0.1:1358",
    .metrics = "off",
    .name = "kesher",
    .log_level = KS_LOG_INFO,
    .connections_per_address = 1000,
    .registration = KS_REGISTRATION_SETTING_UNSET,
    .unlimited_networks = "127.0.0.0/8, ::1",
    .proxy_networks = "none",
    .users = 1000000,
    .registrations_per_hour = 1000,
    .keys_per_hour = 36000,
    .groups = 1000,
    .group_members = 5000,
    .wrong_passwords = 10,
    .log_rate = 1000,
    .uploads_per_user = 256,
    .uploads = 20000,
    .waiting_messages = 1000000,
    .user_files = 100000,
    .buffers = 256 * MIB,
    .message_limit = 64 * MIB,
    .pull_limit = 256 * MIB,
    .member_queue = 4 * MIB,
    .chat_queues = 64 * MIB,
    .payload_rate = 100,
    .list_budget = 128 * MIB,
    .list_rate = 256 * KIB,
    .waiting_bytes = 4096 * MIB,
    .user_bytes = 10240 * MIB,
    .free_space = 64 * MIB,
    .header_timeout = 30 * SECOND,
    .sign_in_timeout = 30 * SECOND,
    .payload_timeout = 60 * SECOND,
    .stage_lifetime = 3600 * SECOND,
    .prompt_timeout = 600 * SECOND,
    .crc_wrong_delay = 2 * SECOND,
    .lease_lifetime = KS_LEASE_LIFETIME_MS,
    .settle_time = 5 * SECOND,
    .uses = 1,
    .days = 7,
};

/* ---- texts that make sense ---- */

static bool is_off(const char *option)
{
    return option != NULL && strcmp(option, "off") == 0;
}

void ks_server_options_listener(const char *option, char address[static KS_LISTENER_ADDRESS_SIZE])
{
    bool is_port = option[0] != '\0' && strspn(option, "0123456789") == strlen(option);
    (void)snprintf(address, KS_LISTENER_ADDRESS_SIZE, "%s%s", is_port ? "127.0.0.1:" : "", option);
}

static const char *judge_listener(const char *text)
{
    struct ks_address address;
    return is_off(text) || ks_address_parse_listener(text, &address) == KS_OK
               ? NULL
               : "ADDR:PORT, as in 127.0.0.1:1357, [::1]:1357 or :1357 for all interfaces, or off";
}

static const char *judge_port(const char *text)
{
    char address[KS_LISTENER_ADDRESS_SIZE];
    ks_server_options_listener(text, address);
    return judge_listener(address) == NULL
               ? NULL
               : "a port, or ADDR:PORT, as in 127.0.0.1:9100 or [::1]:9100, or off";
}

static const char *judge_networks(const char *text)
{
    struct ks_networks *networks = NULL;
    if (text[0] == '\0' || ks_networks_parse(text, &networks) != KS_OK)
        return "networks and addresses with commas between, as in 10.0.0.0/8, fd00::/8, or none";
    ks_networks_free(networks);
    return NULL;
}

/* What may stand in a link. */
static const char *judge_host(const char *text)
{
    static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";
    struct ks_address address;
    bool fits =
        strspn(text, harmless) == strlen(text) && ks_address_parse(text, strlen(text), &address) == KS_OK;
    return fits ? NULL
                : "a name or an address, perhaps with a port, as in chat.example.org or [2001:db8::1]:443";
}

bool ks_server_options_is_name(const char *name, size_t most)
{
    size_t size = strlen(name);
    if (size == 0 || size > most || strspn(name, " ") == size)
        return false;
    for (size_t i = 0; i < size;) {
        const uint8_t *character = (const uint8_t *)name + i;
        size_t length = ks_text_utf8_length(character, size - i);
        if (length == 0 || !ks_text_is_harmless(character, length))
            return false;
        i += length;
    }
    return true;
}

static const char *judge_user_name(const char *text)
{
    return ks_server_options_is_name(text, KS_ACCOUNT_NAME_LIMIT)
               ? NULL
               : "a name of 1 to 64 bytes of printable characters";
}

/* What ask would cut, or a terminal obey. */
static const char *judge_name(const char *text)
{
    size_t size = strlen(text);
    char shown[4 * KS_ASK_SERVICE_STATUS_SIZE + 8];
    ks_text_escape(text, size, shown, sizeof shown);
    return size > 0 && size <= KS_ASK_SERVICE_STATUS_SIZE && strcmp(text, shown) == 0
               ? NULL
               : "a name of at most 512 bytes, without control characters and backslashes";
}

/* ---- the table ---- */

static const char *const log_levels[] = {"error", "warning", "notice", "info", "debug", NULL};
static const char *const public_ids[] = {"alias", "plain", NULL};
/* Behind them is KS_REGISTRATION_SETTING_UNSET, which no word sets. */
static const char *const registrations[] = {"open", "invited", "closed", NULL};
static const char *const stats[] = {"plain", "full", NULL};

enum { FIXED = KS_SERVER_OPTIONS_SETTING, RELOADS = KS_SERVER_OPTIONS_SETTING | KS_SERVER_OPTIONS_RELOADS };

#define MEMBER(name) KS_OPTION_MEMBER(struct ks_server_options, name)

static const struct ks_option rows[] = {
    {"data", "DIR", KS_OPTION_TEXT, FIXED | KS_SERVER_OPTIONS_OPERATOR, MEMBER(data),
     .help = "where everything is kept (default: $STATE_DIRECTORY, else ./kesher-data; operators look at the "
             "installed server's, too)"},
    {"listen", "ADDR:PORT", KS_OPTION_TEXT, FIXED, MEMBER(listen),
     .help = "file drop and messages, or off (default: 127.0.0.1 and the port in myport.info, else 1357)",
     .judge = judge_listener},
    {"chat", "ADDR:PORT", KS_OPTION_TEXT, FIXED, MEMBER(chat), .help = "group chat, or off",
     .judge = judge_listener},
    {"ask", "ADDR:PORT", KS_OPTION_TEXT, FIXED, MEMBER(ask), .help = "ask, or off", .judge = judge_listener},
    {"secure", "ADDR:PORT", KS_OPTION_TEXT, FIXED, MEMBER(secure),
     .help = "the secure port, TLS, for accounts, or off; only a port means 127.0.0.1", .judge = judge_port},
    {"certificate", "FILE", KS_OPTION_TEXT, RELOADS, MEMBER(certificate),
     .help = "PEM, of the secure port (default: $CREDENTIALS_DIRECTORY/certificate if there, else one that "
             "kesherd makes itself)"},
    {"private-key", "FILE", KS_OPTION_TEXT, RELOADS, MEMBER(private_key),
     .help = "PEM, its key (default: $CREDENTIALS_DIRECTORY/private-key if there, else tls/key.pem in the "
             "data directory)"},
    {"proxy-networks", "LIST", KS_OPTION_LIST, RELOADS, MEMBER(proxy_networks),
     .help = "whose connections to the secure port begin with a header of PROXY v2, or none",
     .judge = judge_networks},
    {"registration", "HOW", KS_OPTION_WORD, RELOADS, MEMBER(registration),
     .help = "open, invited or closed, on all ports (default: open on classic ports, and on the secure one "
             "while it listens on loopback only; else invited there)",
     .words = registrations},
    {"users", "N", KS_OPTION_COUNT, RELOADS, MEMBER(users), .help = "that may be registered; 0: no limit",
     .least = 0, .most = 1000000000},
    {"metrics", "ADDR:PORT", KS_OPTION_TEXT, FIXED, MEMBER(metrics),
     .help = "metrics and health for monitors; only a port means 127.0.0.1", .judge = judge_port},
    {"name", "NAME", KS_OPTION_TEXT, FIXED, MEMBER(name), .help = "what ask tells as the server's name",
     .judge = judge_name},
    {"stat", "HOW", KS_OPTION_WORD, RELOADS, MEMBER(stat),
     .help = "what ask tells strangers: plain, or full with the numbers of users and groups", .words = stats},
    {"workers", "N", KS_OPTION_COUNT, FIXED, MEMBER(workers),
     .help = "threads for connections; 0: one fewer than cores", .least = 0, .most = 64},
    {"log-level", "LEVEL", KS_OPTION_WORD, RELOADS, MEMBER(log_level),
     .help = "error, warning, notice, info or debug", .words = log_levels},
    {"connections", "N", KS_OPTION_COUNT, RELOADS, MEMBER(connections),
     .help = "at a time; at the limit the longest-idle one makes room; 0: 20000, or what the system allows",
     .least = 0, .most = 1000000},
    {"buffers", "SIZE", KS_OPTION_SIZE, FIXED, MEMBER(buffers),
     .help = "memory for data on its way, of all connections together", .unit = MIB, .least = 0,
     .most = 1048576 * MIB},
    {"header-timeout", "TIME", KS_OPTION_DURATION, RELOADS, MEMBER(header_timeout),
     .help = "for a request's header, from its first byte on", .unit = SECOND, .least = SECOND, .most = DAY},
    {"sign-in-timeout", "TIME", KS_OPTION_DURATION, RELOADS, MEMBER(sign_in_timeout),
     .help = "to sign in or register on the secure port", .unit = SECOND, .least = SECOND, .most = DAY},
    {"payload-timeout", "TIME", KS_OPTION_DURATION, RELOADS, MEMBER(payload_timeout),
     .help = "of silence inside a payload", .unit = SECOND, .least = SECOND, .most = DAY},
    {"stage-lifetime", "TIME", KS_OPTION_DURATION, FIXED, MEMBER(stage_lifetime),
     .help = "that an uploaded file waits for its confirmation", .unit = SECOND, .least = SECOND,
     .most = 365 * DAY},
    {"message-limit", "SIZE", KS_OPTION_SIZE, RELOADS, MEMBER(message_limit),
     .help = "of a message's content", .unit = 1, .least = 1, .most = KS_MESSAGE_LIMIT_LARGEST},
    {"pull-limit", "SIZE", KS_OPTION_SIZE, RELOADS, MEMBER(pull_limit),
     .help = "of waiting messages in one answer, unless the first alone is larger", .unit = 1, .least = 1,
     .most = KS_MESSAGE_LIMIT_LARGEST},
    {"lease-lifetime-ms", "TIME", KS_OPTION_DURATION, FIXED, MEMBER(lease_lifetime),
     .help = "without an acknowledgement, then messages on their way may go to another connection", .unit = 1,
     .least = 1, .most = DAY},
    {"settle-time-ms", "TIME", KS_OPTION_DURATION, FIXED, MEMBER(settle_time),
     .help = "after their acknowledgement, then messages are deleted without an end of input", .unit = 1,
     .least = 1, .most = DAY},
    {"groups", "N", KS_OPTION_COUNT, RELOADS, MEMBER(groups), .help = "groups of the chat", .least = 1,
     .most = 1000000},
    {"group-members", "N", KS_OPTION_COUNT, RELOADS, MEMBER(group_members), .help = "members of one group",
     .least = 1, .most = 1000000},
    {"member-queue", "SIZE", KS_OPTION_SIZE, RELOADS, MEMBER(member_queue),
     .help = "that wait for a member who does not read; then it is cut off", .unit = KIB, .least = 64 * KIB,
     .most = 1048576 * KIB},
    {"chat-queues", "SIZE", KS_OPTION_SIZE, RELOADS, MEMBER(chat_queues),
     .help = "the same of all members together; then each may have 256 KiB", .unit = MIB, .least = MIB,
     .most = 1048576 * MIB},
    {"wrong-passwords", "N", KS_OPTION_COUNT, RELOADS, MEMBER(wrong_passwords),
     .help = "of groups on one connection; the last one ends it", .least = 1, .most = 1000000},
    {"prompt-timeout", "TIME", KS_OPTION_DURATION, RELOADS, MEMBER(prompt_timeout),
     .help = "of silence at a prompt of the chat; nobody is hurried at its menu", .unit = SECOND,
     .least = SECOND, .most = DAY},
    {"log-rate", "LINES", KS_OPTION_COUNT, RELOADS, MEMBER(log_rate),
     .help = "a second; the rest is counted; 0: no limit", .least = 0, .most = 1000000},
    {"connections-per-address", "N", KS_OPTION_COUNT, RELOADS, MEMBER(connections_per_address),
     .help = "at a time; an IPv6 address counts by its /64; 0: no limit", .least = 0, .most = 1000000},
    {"unlimited-networks", "LIST", KS_OPTION_LIST, RELOADS, MEMBER(unlimited_networks),
     .help = "to whose addresses no limit per address applies, as in \"10.0.0.0/8, fd00::/8\", or none",
     .judge = judge_networks},
    {"registrations-per-hour", "N", KS_OPTION_COUNT, RELOADS, MEMBER(registrations_per_hour),
     .help = "of new users, from one address; 0: no limit", .least = 0, .most = 1000000000},
    {"keys-per-hour", "N", KS_OPTION_COUNT, RELOADS, MEMBER(keys_per_hour),
     .help = "of requests that cost us RSA, from one address; 0: no limit", .least = 0, .most = 1000000000},
    {"payload-rate", "SIZE", KS_OPTION_SIZE, RELOADS, MEMBER(payload_rate),
     .help = "a second, at least, inside a payload; 0: no limit", .unit = 1, .least = 0, .most = 1000000000},
    {"uploads-per-user", "N", KS_OPTION_COUNT, RELOADS, MEMBER(uploads_per_user),
     .help = "that arrive or wait for their confirmation", .least = 1, .most = 1000000},
    {"uploads", "N", KS_OPTION_COUNT, RELOADS, MEMBER(uploads), .help = "the same of all users together",
     .least = 1, .most = 10000000},
    {"list-budget", "SIZE", KS_OPTION_SIZE, RELOADS, MEMBER(list_budget),
     .help = "of lists of users, for one user in an hour, at any speed; 0: no limit", .unit = MIB, .least = 0,
     .most = 1048576 * MIB},
    {"list-rate", "SIZE", KS_OPTION_SIZE, RELOADS, MEMBER(list_rate),
     .help = "a second, of lists beyond that", .unit = KIB, .least = KIB, .most = 1048576 * KIB},
    {"waiting-messages", "N", KS_OPTION_COUNT, RELOADS, MEMBER(waiting_messages),
     .help = "that wait for one receiver; 0: no limit", .least = 0, .most = 1000000000},
    {"waiting-bytes", "SIZE", KS_OPTION_SIZE, RELOADS, MEMBER(waiting_bytes),
     .help = "of their contents; 0: no limit", .unit = MIB, .least = 0, .most = 1073741824 * MIB},
    {"user-files", "N", KS_OPTION_COUNT, RELOADS, MEMBER(user_files),
     .help = "that one user keeps; 0: no limit", .least = 0, .most = 1000000000},
    {"user-bytes", "SIZE", KS_OPTION_SIZE, RELOADS, MEMBER(user_bytes), .help = "of these; 0: no limit",
     .unit = MIB, .least = 0, .most = 1073741824 * MIB},
    {"free-space", "SIZE", KS_OPTION_SIZE, RELOADS, MEMBER(free_space),
     .help = "that are left to others on the data directory's disk", .unit = MIB, .least = 0,
     .most = 1073741824 * MIB},
    {"public-ids", "HOW", KS_OPTION_WORD, FIXED, MEMBER(public_ids),
     .help = "what others see of a user: alias, or plain for the secret id itself, which is insecure",
     .words = public_ids},
    {"crc-wrong-delay-ms", "TIME", KS_OPTION_DURATION, RELOADS, MEMBER(crc_wrong_delay),
     .help = "of silence before a request 1030 is answered", .unit = 1, .least = 1, .most = DAY},
    {"config", "FILE", KS_OPTION_TEXT, KS_SERVER_OPTIONS_SPECIAL | KS_SERVER_OPTIONS_OPERATOR, MEMBER(config),
     .help = "read settings from FILE; the command line wins"},
    {"check-config", NULL, KS_OPTION_FLAG, KS_SERVER_OPTIONS_SPECIAL, MEMBER(check_config),
     .help = "only tell whether the options and FILE make sense"},
    {"json", NULL, KS_OPTION_FLAG, KS_SERVER_OPTIONS_OPERATOR, MEMBER(json),
     .help = "a JSON object to a line"},
    {"yes", NULL, KS_OPTION_FLAG, KS_SERVER_OPTIONS_REMOVE, MEMBER(yes),
     .help = "user remove: do not ask first; needed where stdin is no terminal"},
    {"repair", NULL, KS_OPTION_FLAG, KS_SERVER_OPTIONS_CHECK, MEMBER(repair),
     .help = "check: put aside what is damaged, so that the rest is served; deletes nothing"},
    {"host", "NAME", KS_OPTION_TEXT, KS_SERVER_OPTIONS_LINK, MEMBER(host),
     .help = "address, invite: what others reach this server by (default: the certificate's name, else the "
             "secure port's address, else this machine's name)",
     .judge = judge_host},
    {"curl", NULL, KS_OPTION_FLAG, KS_SERVER_OPTIONS_ADDRESS, MEMBER(curl),
     .help = "address: what curl takes instead of a link"},
    {"uses", "N", KS_OPTION_COUNT, KS_SERVER_OPTIONS_INVITE, MEMBER(uses),
     .help = "invite: how many may register with it", .least = 1, .most = KS_INVITATION_USES_LIMIT},
    {"days", "N", KS_OPTION_COUNT, KS_SERVER_OPTIONS_INVITE, MEMBER(days),
     .help = "invite: how long it holds; 0: for ever", .least = 0, .most = 36500},
    {"for", "NAME", KS_OPTION_TEXT, KS_SERVER_OPTIONS_INVITE, MEMBER(for_name),
     .help = "invite: for this name alone, also where an account has it, whose key is then void",
     .judge = judge_user_name},
    {"version", NULL, KS_OPTION_FLAG, KS_SERVER_OPTIONS_SPECIAL | KS_SERVER_OPTIONS_OPERATOR, MEMBER(version),
     .help = "print the version"},
    {"help", NULL, KS_OPTION_FLAG, KS_SERVER_OPTIONS_SPECIAL | KS_SERVER_OPTIONS_OPERATOR, MEMBER(help),
     .help = "print this"},
};

const struct ks_option_table ks_server_options_table = {
    .manual = "kesherd --help", .options = rows, .count = sizeof rows / sizeof rows[0]};

_Static_assert(sizeof rows / sizeof rows[0] <= KS_OPTION_TABLE_LIMIT, "a reader has a bit for every option");

/* ---- reading ---- */

bool ks_server_options_read(struct ks_server_options *options, int argc, char **argv)
{
    const char *operand = NULL;
    *options = ks_server_options_defaults;
    options->reader = ks_option_reader_on(&ks_server_options_table, options, argc, argv);
    while (ks_option_next_operand(&options->reader, &operand))
        if (options->operand_count < KS_SERVER_OPTIONS_OPERANDS_LIMIT)
            options->operands[options->operand_count++] = operand;
    if (options->reader.why[0] != '\0')
        return false;
    if (options->config == NULL || options->help || options->version)
        return true;
    return ks_option_read_file(&options->reader, options->config, KS_SERVER_OPTIONS_SETTING,
                               &options->text) == KS_OK;
}

void ks_server_options_free(struct ks_server_options *options)
{
    ks_buffer_free(&options->text);
}

/* ---- judging all of them ---- */

/* Whether a socket for `host` keeps others from binding `other`, at the same port. */
static bool covers(const char *host, const char *other)
{
    return host[0] == '\0' || strcmp(host, "::") == 0 || strcmp(host, other) == 0 ||
           (strcmp(host, "0.0.0.0") == 0 && strchr(other, ':') == NULL);
}

/* Whether only one of two listeners can be opened. */
static bool clash(const char *one, const char *other)
{
    struct ks_address first;
    struct ks_address second;
    char text[KS_LISTENER_ADDRESS_SIZE];
    if (one == NULL || other == NULL || is_off(one) || is_off(other))
        return false;
    ks_server_options_listener(one, text);
    ks_address_parse_listener(text, &first);
    ks_server_options_listener(other, text);
    ks_address_parse_listener(text, &second);
    unsigned long port = strtoul(first.port, NULL, 10);
    return port != 0 && port == strtoul(second.port, NULL, 10) &&
           (covers(first.host, second.host) || covers(second.host, first.host));
}

/* Two listeners that cannot be open at once, or nothing to serve. */
static const char *judge_listeners(struct ks_server_options *options)
{
    const char *const names[] = {"listen", "chat", "ask", "secure", "metrics"};
    const char *const values[] = {options->listen, options->chat, options->ask, options->secure,
                                  options->metrics};
    enum { LISTENERS = sizeof names / sizeof names[0] };
    size_t off = 0;
    for (size_t i = 0; i < LISTENERS; i++)
        off += is_off(values[i]) ? 1 : 0;
    if (off == LISTENERS)
        return "listen, chat, ask, secure and metrics are all off: there is nothing to serve; give one an "
               "address";
    for (size_t i = 0; i < LISTENERS; i++) {
        for (size_t other = 0; other < i; other++) {
            if (!clash(values[i], values[other]))
                continue;
            (void)snprintf(options->reader.why, sizeof options->reader.why,
                           "%s = %s and %s = %s have the same port; give one another port, or off",
                           names[other], values[other], names[i], values[i]);
            return options->reader.why;
        }
    }
    return NULL;
}

const char *ks_server_options_judge(struct ks_server_options *options)
{
    const char *why = judge_listeners(options);
    if (why != NULL)
        return why;
    if ((options->certificate == NULL) != (options->private_key == NULL))
        return "certificate and private-key go together: give both, or none";
    return NULL;
}

/* ---- who may register ---- */

bool ks_server_options_is_loopback(const char *address)
{
    struct ks_address parsed;
    struct in_addr ipv4;
    struct in6_addr ipv6;
    if (ks_address_parse_listener(address, &parsed) != KS_OK)
        return false;
    if (strcasecmp(parsed.host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, parsed.host, &ipv4) == 1)
        return ntohl(ipv4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, parsed.host, &ipv6) == 1 && IN6_IS_ADDR_LOOPBACK(&ipv6);
}

struct ks_server_admission ks_server_options_admission(enum ks_registration_setting setting,
                                                       const char *secure)
{
    char address[KS_LISTENER_ADDRESS_SIZE];
    if (setting != KS_REGISTRATION_SETTING_UNSET)
        return (struct ks_server_admission){.classic = setting, .secure = setting};
    ks_server_options_listener(secure, address);
    bool is_open = is_off(secure) || ks_server_options_is_loopback(address);
    return (struct ks_server_admission){.classic = KS_REGISTRATION_SETTING_OPEN,
                                        .secure = is_open ? KS_REGISTRATION_SETTING_OPEN
                                                          : KS_REGISTRATION_SETTING_INVITED};
}

const char *ks_server_options_registration_word(enum ks_registration_setting setting)
{
    return registrations[setting];
}

const char *ks_server_options_first_change(const struct ks_server_options *left,
                                           const struct ks_server_options *right)
{
    for (size_t i = 0; i < ks_server_options_table.count; i++)
        if ((rows[i].uses & RELOADS) == KS_SERVER_OPTIONS_SETTING &&
            !ks_option_is_same(&rows[i], left, right))
            return rows[i].name;
    return NULL;
}
