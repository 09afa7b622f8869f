/* command_chat.c — see command_chat.h: the way into a group; what follows is chat_talk.h's. Main thread. */
#include "cli/chat/command_chat.h"

#include "base/text.h"
#include "cli/chat/chat_commands.h"
#include "cli/chat/chat_talk.h"
#include "cli/terminal/output.h"
#include "cli/terminal/progress.h"
#include "cli/terminal/terminal.h"
#include "crypto/secret.h"

#include <string.h>

enum { SHOWN_SIZE = 300 };

struct chat_entry {
    char address[KESHER_ADDRESS_SIZE];
    bool is_secure;
    struct kesher_account *account; /* owned; at a secure server */
    struct kesher_chat *chat;
    unsigned group;
    char name[KESHER_CHAT_INPUT_LIMIT + 1];
    char password[KESHER_CHAT_INPUT_LIMIT + 1];
    size_t password_size;
    bool asks; /* the password, and what is wrong, on the terminal */
};

/* ---- questions ---- */

static bool ask(const char *question, bool hidden, char *answer, size_t *size)
{
    if (ks_terminal_ask(question, hidden, answer, KESHER_CHAT_INPUT_LIMIT + 1, size))
        return true;
    ks_output_error("no answer on the terminal");
    return false;
}

static bool ask_password(struct chat_entry *entry, const char *question)
{
    do {
        if (!ask(question, true, entry->password, &entry->password_size))
            return false;
    } while (entry->password_size == 0);
    return true;
}

/* A new one, twice, since nobody sees it. */
static bool ask_new_password(struct chat_entry *entry)
{
    char again[KESHER_CHAT_INPUT_LIMIT + 1];
    size_t size = 0;
    for (;;) {
        bool answered =
            ask_password(entry, "Password for the group: ") && ask("The same again: ", true, again, &size);
        bool same = answered && size == entry->password_size && memcmp(again, entry->password, size) == 0;
        ks_secret_wipe(again, sizeof again);
        if (!answered || same)
            return answered;
        ks_output_error("the two passwords differ; try again");
    }
}

static bool ask_group(struct chat_entry *entry)
{
    char answer[KESHER_CHAT_INPUT_LIMIT + 1];
    size_t size = 0;
    do {
        if (!ask("Group ID: ", false, answer, &size))
            return false;
    } while (!ks_chat_commands_group(answer, size, &entry->group));
    return true;
}

/* ---- who and with what ---- */

static bool take_name(struct chat_entry *entry, const char *name)
{
    size_t size = strlen(name);
    if (size > KESHER_CHAT_INPUT_LIMIT) {
        ks_output_error("the name is too long; give a shorter one with --as");
        return false;
    }
    memcpy(entry->name, name, size + 1);
    return true;
}

/* The name of the account, as the home has it; that there is none is said when it is opened. */
static bool take_account_name(const struct ks_context *context, struct chat_entry *entry, bool *found)
{
    struct kesher_account_card card;
    *found = kesher_account_card(context->home, &card, NULL) == KESHER_OK && card.has_id;
    return !*found || take_name(entry, card.name);
}

/* The name of the home's account or identity; *found is false when there is none. */
static bool take_own_name(const struct ks_context *context, struct chat_entry *entry, bool *found)
{
    struct kesher_identity *identity = NULL;
    struct kesher_error error;
    if (entry->is_secure)
        return take_account_name(context, entry, found);
    *found = kesher_identity_exists(context->home);
    if (!*found)
        return true;
    if (kesher_identity_load(context->home, &identity, &error) != KESHER_OK) {
        ks_output_error("%s; or give a name with --as", error.sentence);
        return false;
    }
    bool taken = take_name(entry, kesher_identity_name(identity));
    kesher_identity_free(identity);
    return taken;
}

/* KS_EXIT_USAGE after saying that there is neither a name nor a terminal to ask for it. */
static enum ks_exit find_name(const struct ks_context *context, struct chat_entry *entry)
{
    size_t size = 0;
    bool found = false;
    const char *name = context->options->as;
    if (name == NULL && !take_own_name(context, entry, &found))
        return KS_EXIT_FAILED;
    if (found || (entry->is_secure && name == NULL)) /* who has no account is told so when it is opened */
        return KS_EXIT_DONE;
    if (name == NULL)
        name = ks_context_variable("USER");
    if (name == NULL && !ks_terminal_is_there()) {
        ks_output_usage("no name for the chat; give one with --as");
        return KS_EXIT_USAGE;
    }
    bool taken = name != NULL ? take_name(entry, name) : ask("Your name: ", false, entry->name, &size);
    return taken ? KS_EXIT_DONE : KS_EXIT_FAILED;
}

/* The same for the password. */
static enum ks_exit find_password(struct chat_entry *entry)
{
    const char *password = ks_context_variable("KESHER_CHAT_PASSWORD");
    entry->asks = password == NULL;
    if (entry->asks && !ks_terminal_is_there()) {
        ks_output_usage("no terminal to ask for the password; put it into KESHER_CHAT_PASSWORD");
        return KS_EXIT_USAGE;
    }
    if (entry->asks)
        return KS_EXIT_DONE;
    entry->password_size = strlen(password);
    if (entry->password_size > KESHER_CHAT_INPUT_LIMIT) {
        ks_output_usage("the password has more than %d bytes", (int)KESHER_CHAT_INPUT_LIMIT);
        return KS_EXIT_USAGE;
    }
    memcpy(entry->password, password, entry->password_size);
    return KS_EXIT_DONE;
}

/* ---- into the group ---- */

static bool create_group(struct chat_entry *entry)
{
    struct kesher_error error;
    if (entry->asks && !ask_new_password(entry))
        return false;
    if (kesher_chat_create(entry->chat, entry->name, entry->password, entry->password_size, &entry->group,
                           &error) != KESHER_OK) {
        ks_output_failure(&error);
        return false;
    }
    ks_output_notice("created group %u", entry->group);
    return true;
}

/* Asks for what was wrong. False when nobody can mend it. */
static bool ask_again(struct chat_entry *entry, const struct kesher_error *error)
{
    ks_output_failure(error);
    if (!entry->asks || (error->status != KESHER_NOT_FOUND && error->status != KESHER_REFUSED))
        return false;
    return error->status == KESHER_REFUSED || ask_group(entry);
}

static bool join_group(struct chat_entry *entry)
{
    struct kesher_error error;
    enum kesher_status status = KESHER_NOT_FOUND;
    do {
        if (status == KESHER_NOT_FOUND)
            status = kesher_chat_find(entry->chat, entry->name, entry->group, &error);
        if (status != KESHER_OK && status != KESHER_REFUSED)
            continue;
        if (entry->asks && !ask_password(entry, "Password: "))
            return false;
        status = kesher_chat_join(entry->chat, entry->password, entry->password_size, &error);
    } while (status != KESHER_OK && ask_again(entry, &error));
    if (status == KESHER_OK)
        ks_output_notice("joined group %u", entry->group);
    return status == KESHER_OK;
}

static enum ks_exit talk(const struct ks_context *context, struct kesher_chat *chat, const char *address,
                         const struct ks_chat_seat *seat)
{
    char shown[SHOWN_SIZE];
    const struct ks_chat_talk talk = {
        .chat = chat,
        .seat = seat,
        .address = ks_text_escape(address, strlen(address), shown, sizeof shown),
        .json = context->options->json,
    };
    return ks_chat_talk(&talk);
}

/* Which server it is, and of which kind. False after printing why not. */
static bool find_server(const struct ks_context *context, struct chat_entry *entry)
{
    const char *given = context->options->server;
    struct kesher_error error;
    bool belongs = false;
    if (kesher_home_is_secure(context->home, &belongs, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return false;
    }
    bool is_classic = given != NULL && !ks_context_is_secure(given) && !belongs;
    if (!is_classic && !ks_context_any_server(context, false, entry->address))
        return false;
    entry->is_secure = !is_classic && ks_context_is_secure(entry->address);
    return entry->is_secure || ks_context_service(context, KESHER_CHAT_PORT, entry->address);
}

static enum kesher_status open_at_account(const struct ks_context *context, struct chat_entry *entry,
                                          const struct kesher_options *options, struct kesher_error *error)
{
    enum kesher_status status =
        kesher_account_open(context->home, entry->address, options, &entry->account, error);
    return status == KESHER_OK ? kesher_chat_open_account(entry->account, options, &entry->chat, error)
                               : status;
}

/* Opens the chat. False after printing why not. */
static bool open_chat(const struct ks_context *context, struct chat_entry *entry)
{
    struct kesher_error error;
    struct kesher_options options = context->limits;
    options.observer.notice = ks_progress_notice;
    if (entry->is_secure && !ks_context_secrets_are_kept(context))
        return false;
    enum kesher_status status = entry->is_secure
                                    ? open_at_account(context, entry, &options, &error)
                                    : kesher_chat_open(entry->address, &options, &entry->chat, &error);
    if (status != KESHER_OK)
        ks_output_failure(&error);
    return status == KESHER_OK;
}

static enum ks_exit enter(const struct ks_context *context, struct chat_entry *entry,
                          bool (*way_in)(struct chat_entry *entry))
{
    enum ks_exit status = find_password(entry);
    if (status == KS_EXIT_DONE && !find_server(context, entry))
        status = KS_EXIT_FAILED;
    if (status == KS_EXIT_DONE)
        status = find_name(context, entry);
    if (status != KS_EXIT_DONE)
        return status;
    if (!open_chat(context, entry))
        return KS_EXIT_FAILED;
    if (!way_in(entry)) {
        kesher_chat_close(entry->chat);
        return KS_EXIT_FAILED;
    }
    const struct ks_chat_seat seat = {
        .address = entry->address,
        .account = entry->account,
        .limits = &context->limits,
        .group = entry->group,
        .name = entry->name,
        .password = entry->password,
        .password_size = entry->password_size,
    };
    return talk(context, entry->chat, entry->address, &seat);
}

static enum ks_exit pass_menu_through(const struct ks_context *context, struct chat_entry *entry)
{
    if (!find_server(context, entry) || !open_chat(context, entry))
        return KS_EXIT_FAILED;
    return talk(context, entry->chat, entry->address, NULL);
}

static enum ks_exit usage_error(const char *reason)
{
    ks_output_usage("%s; see kesher chat --help", reason);
    return KS_EXIT_USAGE;
}

enum ks_exit ks_command_chat(struct ks_context *context)
{
    const struct ks_cli_options *options = context->options;
    struct chat_entry entry = {.chat = NULL};
    enum ks_exit status = KS_EXIT_USAGE;
    bool creates = options->operand_count == 1 && strcmp(options->operands[0], "create") == 0;
    bool joins = options->operand_count == 2 && strcmp(options->operands[0], "join") == 0;
    if (options->operand_count == 0 && options->as != NULL)
        return usage_error("the server's menu asks for the name itself: --as is for create and join");
    if (options->operand_count > 0 && !creates && !joins)
        return usage_error("'chat' takes 'create', or 'join' and the ID of a group, or nothing");
    if (joins && !ks_chat_commands_group(options->operands[1], strlen(options->operands[1]), &entry.group))
        return usage_error("the ID of a group is a number, such as 3");
    if (options->operand_count == 0)
        status = pass_menu_through(context, &entry);
    else
        status = enter(context, &entry, creates ? create_group : join_group);
    kesher_account_close(entry.account);
    ks_secret_wipe(entry.password, sizeof entry.password);
    return status;
}
