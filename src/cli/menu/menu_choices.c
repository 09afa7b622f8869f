/* menu_choices.c — see menu.h: what the choices do. A question that got no answer ends its choice in silence,
 * the reason having been said or the input being over. */
#include "cli/menu/menu.h"

#include "base/text.h"
#include "cli/commands/showing.h"
#include "cli/commands/spool.h"

#include <string.h>
#include <unistd.h>

enum { SHOWN_NAME_SIZE = 4 * KESHER_NAME_SIZE };

/* ---- questions ---- */

/* Prints `question` and reads its answer as it was typed. */
static bool ask(struct ks_menu *menu, const char *question, char **line, size_t *size)
{
    (void)puts(question);
    return ks_menu_line(menu, line, size);
}

/* The name of another user: nobody has a name that cannot be one, so the server is not asked for that. */
static bool ask_user(struct ks_menu *menu, char name[KESHER_NAME_SIZE])
{
    char shown[SHOWN_NAME_SIZE];
    char *line = NULL;
    size_t size = 0;
    if (!ask(menu, "Enter the user name:", &line, &size))
        return false;
    line = ks_input_trim(line, &size);
    if (ks_text_is_user_name(line, size)) {
        memcpy(name, line, size + 1);
        return true;
    }
    (void)printf("there is no user %s\n",
                 size == 0 ? "without a name" : ks_text_escape(line, size, shown, sizeof shown));
    return false;
}

/* ---- outcomes ---- */

/* Why something about `user` (NULL: about nobody) failed. */
static void print_failure(const struct kesher_error *error, const char *user)
{
    char shown[SHOWN_NAME_SIZE];
    if (user != NULL)
        ks_text_escape(user, strlen(user), shown, sizeof shown);
    if (error->status == KESHER_REFUSED || error->status == KESHER_UNKNOWN)
        (void)puts("Server responded with an error");
    else if (error->status == KESHER_NOT_FOUND && user != NULL)
        (void)printf("there is no user %s\n", shown);
    else if (error->status == KESHER_NO_KEY && user != NULL)
        (void)printf("there is no symmetric key with %s: ask for one (151) or send yours (152)\n", shown);
    else
        (void)puts(error->sentence);
}

static void print_sent(enum kesher_status status, const struct kesher_error *error, const char *user)
{
    if (status == KESHER_OK)
        (void)puts("sent");
    else
        print_failure(error, user);
}

/* Somebody is waiting. */
static struct kesher_options limits_for_people(const struct ks_menu *menu)
{
    struct kesher_options options = menu->context->limits;
    options.reconnects = 1;
    options.retry_ms = 1;
    return options;
}

/* Makes sure that there is a messenger. False after saying why not. */
static bool is_ready(struct ks_menu *menu)
{
    struct kesher_error error;
    const struct kesher_messenger_settings settings = {.classic = true};
    const struct kesher_options options = limits_for_people(menu);
    if (menu->messenger != NULL)
        return true;
    enum kesher_status status = kesher_messenger_open(menu->context->home, menu->address, &settings, &options,
                                                      &menu->messenger, &error);
    if (status == KESHER_NOT_FOUND)
        (void)puts("register first");
    else if (status != KESHER_OK)
        print_failure(&error, NULL);
    return status == KESHER_OK;
}

/* ---- 110 ---- */

static void print_registered(const struct kesher_identity *identity, const char *how)
{
    char shown[SHOWN_NAME_SIZE];
    const char *name = kesher_identity_name(identity);
    (void)printf("%s %s\n", how, ks_text_escape(name, strlen(name), shown, sizeof shown));
}

static void print_old_identity(const struct ks_menu *menu)
{
    struct kesher_error error;
    struct kesher_identity *identity = NULL;
    if (kesher_identity_load(menu->context->home, &identity, &error) != KESHER_OK) {
        print_failure(&error, NULL);
        return;
    }
    print_registered(identity, "you are registered already as");
    kesher_identity_free(identity);
}

void ks_menu_register(struct ks_menu *menu)
{
    struct kesher_error error;
    struct kesher_identity *identity = NULL;
    char *line = NULL;
    size_t size = 0;
    if (kesher_identity_exists(menu->context->home)) {
        print_old_identity(menu);
        return;
    }
    if (!ask(menu, "Enter your user name:", &line, &size))
        return;
    line = ks_input_trim(line, &size);
    if (!ks_text_is_new_user_name(line, size)) {
        (void)puts("a user name has 1 to 254 printable ASCII characters, the first and the last no blank");
        return;
    }
    const struct kesher_options options = limits_for_people(menu);
    if (kesher_register_messages(menu->context->home, menu->address, line, &options, &identity, &error) !=
        KESHER_OK) {
        print_failure(&error, NULL);
        return;
    }
    print_registered(identity, "registered as");
    kesher_identity_free(identity);
}

/* ---- 120, 130 ---- */

static bool print_user(void *context, const struct kesher_user *user)
{
    char shown[SHOWN_NAME_SIZE];
    (void)context;
    (void)puts(ks_text_escape(user->name, strlen(user->name), shown, sizeof shown));
    return ferror(stdout) == 0;
}

void ks_menu_users(struct ks_menu *menu)
{
    struct kesher_error error;
    if (is_ready(menu) && kesher_messenger_users(menu->messenger, print_user, NULL, &error) != KESHER_OK)
        print_failure(&error, NULL);
}

void ks_menu_key(struct ks_menu *menu)
{
    struct kesher_error error;
    struct kesher_user_key key;
    char user[KESHER_NAME_SIZE];
    if (!is_ready(menu) || !ask_user(menu, user))
        return;
    if (kesher_messenger_key(menu->messenger, user, &key, &error) == KESHER_OK)
        (void)printf("key fingerprint %s\n", key.fingerprint);
    else
        print_failure(&error, user);
}

/* ---- 140 ---- */

void ks_menu_inbox(struct ks_menu *menu)
{
    struct kesher_error error;
    if (!is_ready(menu))
        return;
    const struct ks_showing showing = {.messenger = menu->messenger, .course = true};
    enum ks_showing_end end = ks_showing_all(&showing, &error);
    if (end == KS_SHOWING_FAILED)
        print_failure(&error, NULL);
    menu->failed |= end == KS_SHOWING_CLOSED;
    menu->over |= menu->failed;
}

/* ---- 150 to 153 ---- */

/* Finds out before anything is typed whether it could be sent. Who shares a key with us is known, so only for
 * others the server is asked. False after saying why not. */
static bool can_send_to(struct ks_menu *menu, const char *user)
{
    struct kesher_error error;
    struct kesher_user_key key;
    enum kesher_key_state state = KESHER_KEY_NONE;
    enum kesher_status status = kesher_messenger_key_state(menu->messenger, user, &state, &error);
    if (status == KESHER_OK && state != KESHER_KEY_NONE)
        return true;
    if (status == KESHER_OK)
        status = kesher_messenger_key(menu->messenger, user, &key, &error);
    if (status == KESHER_OK)
        error.status = KESHER_NO_KEY;
    print_failure(&error, user);
    return false;
}

static void send_content(struct ks_menu *menu, const char *user, enum kesher_message_type type, int fd,
                         uint64_t size)
{
    struct kesher_error error;
    enum kesher_status status =
        kesher_messenger_send(menu->messenger, user, type, fd, size, false, NULL, &error);
    print_sent(status, &error, user);
}

void ks_menu_text(struct ks_menu *menu)
{
    struct kesher_error error;
    char user[KESHER_NAME_SIZE];
    char *line = NULL;
    size_t size = 0;
    if (!is_ready(menu) || !ask_user(menu, user) || !can_send_to(menu, user) ||
        !ask(menu, "Enter your message:", &line, &size))
        return;
    int fd = ks_spool_bytes(line, size, &error);
    if (fd < 0) {
        print_failure(&error, NULL);
        return;
    }
    send_content(menu, user, KESHER_MESSAGE_TEXT, fd, size);
    close(fd);
}

void ks_menu_file(struct ks_menu *menu)
{
    struct kesher_error error;
    char user[KESHER_NAME_SIZE];
    char *path = NULL;
    size_t size = 0;
    uint64_t content_size = 0;
    if (!is_ready(menu) || !ask_user(menu, user) || !ask(menu, "Enter the path of the file:", &path, &size))
        return;
    path = ks_input_trim(path, &size);
    int fd = strlen(path) == size ? ks_spool_open(path, false, &content_size, &error) : -1;
    if (fd < 0) {
        (void)puts("file not found");
        return;
    }
    if (can_send_to(menu, user))
        send_content(menu, user, KESHER_MESSAGE_FILE, fd, content_size);
    close(fd);
}

void ks_menu_request_key(struct ks_menu *menu)
{
    struct kesher_error error;
    char user[KESHER_NAME_SIZE];
    if (is_ready(menu) && ask_user(menu, user))
        print_sent(kesher_messenger_request_key(menu->messenger, user, &error), &error, user);
}

void ks_menu_share_key(struct ks_menu *menu)
{
    struct kesher_error error;
    char user[KESHER_NAME_SIZE];
    if (is_ready(menu) && ask_user(menu, user))
        print_sent(kesher_messenger_share_key(menu->messenger, user, &error), &error, user);
}
