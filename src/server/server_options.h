/* server_options.h — what the operator can set, for the server and for operators' commands: one table
 * (base/options.h) for the command line, the configuration file, --help, and what is made from it at build
 * time.
 *
 * Every setting is `--name VALUE` on the command line and `name = value` in the file; the command line wins.
 * Main thread: before anything is started, and again when a SIGHUP comes.
 */
#ifndef KS_SERVER_SERVER_OPTIONS_H
#define KS_SERVER_SERVER_OPTIONS_H

#include "base/log.h"
#include "base/options.h"
#include "base/result.h"

#include <stdint.h>

enum { KS_SERVER_OPTIONS_OPERANDS_LIMIT = 4, KS_LISTENER_ADDRESS_SIZE = 300 };

/* What takes an option, and where it may stand: bits of ks_option.uses. */
enum ks_server_options_use {
    KS_SERVER_OPTIONS_SETTING = 1u << 0,  /* the server, and its configuration file */
    KS_SERVER_OPTIONS_SPECIAL = 1u << 1,  /* the server, on its command line alone */
    KS_SERVER_OPTIONS_OPERATOR = 1u << 2, /* every command for operators */
    KS_SERVER_OPTIONS_REMOVE = 1u << 3,   /* user remove */
    KS_SERVER_OPTIONS_CHECK = 1u << 4,    /* check */
    KS_SERVER_OPTIONS_RELOADS = 1u << 5,  /* nobody, but a SIGHUP changes it; the others need a new start */
    KS_SERVER_OPTIONS_LINK = 1u << 6,     /* address, invite */
    KS_SERVER_OPTIONS_ADDRESS = 1u << 7,  /* address */
    KS_SERVER_OPTIONS_INVITE = 1u << 8,   /* invite */
    /* Every command for operators, whatever it takes. */
    KS_SERVER_OPTIONS_COMMANDS = KS_SERVER_OPTIONS_OPERATOR | KS_SERVER_OPTIONS_REMOVE |
                                 KS_SERVER_OPTIONS_CHECK | KS_SERVER_OPTIONS_LINK |
                                 KS_SERVER_OPTIONS_ADDRESS | KS_SERVER_OPTIONS_INVITE,
};

/* Who may register, as it was set. */
enum ks_registration_setting {
    KS_REGISTRATION_SETTING_OPEN,
    KS_REGISTRATION_SETTING_INVITED,
    KS_REGISTRATION_SETTING_CLOSED,
    KS_REGISTRATION_SETTING_UNSET, /* behind the words of the option: a state of its own */
};

/* What that means for the ports: never KS_REGISTRATION_SETTING_UNSET. */
struct ks_server_admission {
    enum ks_registration_setting classic;
    enum ks_registration_setting secure;
};

enum ks_public_ids {
    KS_PUBLIC_IDS_ALIAS, /* users see an alias of each other's id */
    KS_PUBLIC_IDS_PLAIN, /* users see each other's ids, which are their only proof of identity: insecure */
};

enum ks_stat {
    KS_STAT_PLAIN, /* version, uptime, connections */
    KS_STAT_FULL,  /* users and groups as well */
};

/* Texts point into argv, into `text`, or are constants. */
struct ks_server_options {
    const char *data; /* NULL: see server/data_directory.h */
    const char
        *listen; /* an address or "off", as the next four; NULL: 127.0.0.1 and the port of server/port.h */
    const char *chat;
    const char *ask;
    const char *secure; /* a port alone is one of 127.0.0.1, as of the next one */
    const char *metrics;
    const char *certificate; /* paths of PEM files, both or none; NULL: server/host_key.h */
    const char *private_key;
    const char *name; /* what ask tells as NAME */
    enum ks_log_level log_level;
    enum ks_stat stat;
    enum ks_public_ids public_ids;
    enum ks_registration_setting registration;
    unsigned workers;     /* 0: one fewer than cores */
    unsigned connections; /* 0: what the system allows, at most 20000 */
    unsigned connections_per_address;
    char unlimited_networks[KS_OPTION_LIST_SIZE];
    char proxy_networks[KS_OPTION_LIST_SIZE];
    unsigned users;                  /* that may be registered; 0: no limit */
    unsigned registrations_per_hour; /* from one address */
    unsigned keys_per_hour;
    unsigned groups;
    unsigned group_members;
    unsigned wrong_passwords;
    unsigned log_rate; /* lines a second; 0: no limit */
    unsigned uploads_per_user;
    unsigned uploads;
    unsigned waiting_messages; /* of one receiver; 0, here and where nothing else is said: no limit */
    unsigned user_files;
    uint64_t buffers; /* bytes, as all sizes; 0: 256 MiB */
    uint64_t message_limit;
    uint64_t pull_limit;
    uint64_t member_queue;
    uint64_t chat_queues;
    uint64_t payload_rate; /* a second */
    uint64_t list_budget;  /* an hour, of one user */
    uint64_t list_rate;    /* a second */
    uint64_t waiting_bytes;
    uint64_t user_bytes;
    uint64_t free_space;
    uint64_t header_timeout; /* milliseconds, as all times but `days` */
    uint64_t sign_in_timeout;
    uint64_t payload_timeout;
    uint64_t stage_lifetime;
    uint64_t prompt_timeout;
    uint64_t crc_wrong_delay;
    uint64_t lease_lifetime;
    uint64_t settle_time;
    const char *config; /* NULL: no file */
    bool check_config;
    bool help;
    bool version;
    bool json; /* of commands for operators, as what follows */
    bool yes;
    bool repair;
    bool curl;
    const char *host;                                       /* in links; NULL: see server/public_link.h */
    unsigned uses;                                          /* of an invitation */
    unsigned days;                                          /* that it holds; 0: for ever */
    const char *for_name;                                   /* for whom alone; NULL: for anybody */
    const char *operands[KS_SERVER_OPTIONS_OPERANDS_LIMIT]; /* a command for operators; none: serve */
    size_t operand_count;                                   /* what is more than the limit is left out */
    struct ks_option_reader reader;                         /* what was given, and why it is wrong */
    struct ks_buffer text;                                  /* of the configuration file */
};

extern const struct ks_option_table ks_server_options_table;
extern const struct ks_server_options ks_server_options_defaults;

/* Fills *options with defaults, then the command line, then the file that it names. False when something is
 * wrong, with a line in reader.why. Whether a command takes the options, and ks_server_options_judge, are for
 * the caller to ask. In any case for ks_server_options_free. Main thread. */
bool ks_server_options_read(struct ks_server_options *options, int argc, char **argv);
void ks_server_options_free(struct ks_server_options *options);

/* What is wrong with options that are sound each by itself, for a server, as a line; NULL when nothing is.
 * All that a start would find without a socket or the data. */
const char *ks_server_options_judge(struct ks_server_options *options);

/* Who may register where, with the options `registration` and `secure`. Unset, the classic ports are open as
 * ever, the secure one only as long as it listens on loopback alone: else it is by invitation. Set, it holds
 * for all ports. */
struct ks_server_admission ks_server_options_admission(enum ks_registration_setting setting,
                                                       const char *secure);

/* What could be somebody's name, classic or of an account: 1 to `most` bytes of UTF-8 that do nothing but be
 * seen (ks_text_is_harmless), not all blank. Whether it may be one is the server's to say. */
bool ks_server_options_is_name(const char *name, size_t most);

/* "open", "invited" or "closed". Static. */
const char *ks_server_options_registration_word(enum ks_registration_setting setting);

/* Whether an address of ks_server_options_listener is one that only this machine reaches; a name is not,
 * but for "localhost". */
bool ks_server_options_is_loopback(const char *address);

/* The address of a listener's option, with a host in front of a port alone. */
void ks_server_options_listener(const char *option, char address[static KS_LISTENER_ADDRESS_SIZE]);

/* The name of the first option that is not the same in both though only a new start changes it, or NULL. */
const char *ks_server_options_first_change(const struct ks_server_options *left,
                                           const struct ks_server_options *right);

#endif
