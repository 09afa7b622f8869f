/* operator_show.c — see operator_show.h. */
#include "server/operator_show.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The names' width is that of the first so many users. */
enum { ROWS_LIMIT = 1000, SMALLEST_NAME_WIDTH = 4 };

struct ks_operator_show ks_operator_show_begin(enum ks_control_verb verb, bool json)
{
    return (struct ks_operator_show){.verb = verb, .json = json, .terminal = isatty(STDOUT_FILENO) != 0};
}

static const char *time_text(int64_t seconds, char text[static KS_CLOCK_SHOWN_SIZE])
{
    ks_clock_show(seconds, text);
    return text;
}

static const char *yes_or_no(bool flag)
{
    return flag ? "yes" : "no";
}

/* ---- the list of users ---- */

static void print_row(const struct ks_operator_show *show, const struct ks_control_user *user)
{
    char registered[KS_CLOCK_SHOWN_SIZE];
    char last_seen[KS_CLOCK_SHOWN_SIZE];
    time_text(user->registered, registered);
    time_text(user->last_seen, last_seen);
    if (show->terminal)
        printf("%-*s  %s  %s  %-3s  %8" PRIu64 "  %14" PRIu64 "  %8" PRIu64 "  %14" PRIu64 "\n",
               show->name_width, user->name, registered, last_seen, yes_or_no(user->has_key), user->files,
               user->file_bytes, user->messages, user->message_bytes);
    else
        printf("%s\t%s\t%s\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", user->name, registered,
               last_seen, yes_or_no(user->has_key), user->files, user->file_bytes, user->messages,
               user->message_bytes);
}

static void print_rows(struct ks_operator_show *show)
{
    bool is_first = show->name_width == 0;
    for (size_t i = 0; i < show->row_count; i++) {
        int width = (int)strlen(show->rows[i].name);
        if (width > show->name_width)
            show->name_width = width;
    }
    if (show->name_width < SMALLEST_NAME_WIDTH)
        show->name_width = SMALLEST_NAME_WIDTH;
    if (is_first)
        printf("%-*s  %-20s  %-20s  %-3s  %8s  %14s  %8s  %14s\n", show->name_width, "NAME", "REGISTERED",
               "LAST SEEN", "KEY", "FILES", "BYTES", "MESSAGES", "BYTES");
    for (size_t i = 0; i < show->row_count; i++)
        print_row(show, &show->rows[i]);
    show->row_count = 0;
}

static bool show_row(struct ks_operator_show *show, const struct ks_control_user *user)
{
    if (!show->terminal) {
        print_row(show, user);
        return true;
    }
    if (show->rows == NULL)
        show->rows = calloc(ROWS_LIMIT, sizeof *show->rows);
    if (show->rows == NULL)
        return false;
    show->rows[show->row_count++] = *user;
    if (show->row_count == ROWS_LIMIT)
        print_rows(show);
    return true;
}

/* ---- one user ---- */

static void print_member(const struct ks_operator_show *show, const char *name, const char *text)
{
    if (show->terminal)
        printf("%-16s  %s\n", name, text);
    else
        printf("%s\t%s\n", name, text);
}

static void print_number(const struct ks_operator_show *show, const char *name, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    print_member(show, name, text);
}

static void print_user(const struct ks_operator_show *show, const struct ks_control_user *user)
{
    char text[KS_CLOCK_SHOWN_SIZE];
    print_member(show, "name", user->name);
    print_member(show, "public id", user->public_id);
    print_member(show, "registered", time_text(user->registered, text));
    print_member(show, "last seen", time_text(user->last_seen, text));
    print_member(show, "account", user->is_account ? user->short_fingerprint : "no: a classic user");
    if (user->is_account)
        print_member(show, "classic ports", user->is_classic ? "on" : "off");
    print_member(show, "key fingerprint",
                 user->has_key ? user->key_fingerprint : "none: the user has no key");
    print_number(show, "files", user->files);
    print_number(show, "bytes of files", user->file_bytes);
    if (user->puts > 0) {
        print_number(show, "files coming", user->puts);
        print_number(show, "their bytes so far", user->put_bytes);
    }
    print_number(show, "messages", user->messages);
    print_number(show, "their bytes", user->message_bytes);
}

/* ---- groups ---- */

static void print_group(struct ks_operator_show *show, const struct ks_control_group *group)
{
    char since[KS_CLOCK_SHOWN_SIZE];
    const char *port = group->is_secure ? "secure" : "classic";
    time_text(group->since, since);
    if (!show->terminal) {
        printf("%" PRIu64 "\t%" PRIu64 "\t%s\t%" PRIu64 "\t%s\n", group->number, group->members, since,
               group->messages, port);
        return;
    }
    if (!show->begun)
        printf("%7s  %7s  %-20s  %10s  %s\n", "GROUP", "MEMBERS", "SINCE", "MESSAGES", "PORT");
    printf("%7" PRIu64 "  %7" PRIu64 "  %s  %10" PRIu64 "  %s\n", group->number, group->members, since,
           group->messages, port);
}

/* ---- checks ---- */

static void print_finding(const struct ks_operator_show *show, const struct ks_control_finding *finding)
{
    if (!show->terminal) {
        printf("%s\t%s\t%s\t%s\n", finding->is_wrong ? "wrong" : "note", finding->what, finding->meaning,
               finding->done);
        return;
    }
    printf("%s: %s\n  %s\n", finding->is_wrong ? "WRONG" : "note", finding->what, finding->meaning);
    if (finding->done[0] != '\0')
        printf("  %s\n", finding->done);
}

static void print_sums(const struct ks_operator_show *show, const struct ks_control_sums *sums)
{
    char verdict[64] = "all is sound";
    if (sums->wrong > 0)
        snprintf(verdict, sizeof verdict, "%" PRIu64 " %s wrong", sums->wrong,
                 sums->wrong == 1 ? "thing is" : "things are");
    if (show->terminal)
        printf("%" PRIu64 " files and %" PRIu64 " messages were looked at: %s\n", sums->files, sums->messages,
               verdict);
    else
        printf("sums\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", sums->files, sums->messages, sums->wrong);
}

/* False when the line is neither. */
static bool show_check(const struct ks_operator_show *show, const char *line, size_t size)
{
    struct ks_control_finding finding;
    struct ks_control_sums sums;
    if (ks_control_finding_parse(line, size, &finding) == KS_OK)
        print_finding(show, &finding);
    else if (ks_control_sums_parse(line, size, &sums) == KS_OK)
        print_sums(show, &sums);
    else
        return false;
    fflush(stdout); /* what fails is seen at the end */
    return true;
}

/* ---- lines ---- */

bool ks_operator_show_line(void *context, const char *line, size_t size)
{
    struct ks_operator_show *show = context;
    struct ks_control_user user;
    struct ks_control_group group;
    bool understood = true;
    if (show->json)
        return fwrite(line, 1, size, stdout) == size;
    if (show->verb == KS_CONTROL_CHECK || show->verb == KS_CONTROL_REPAIR) {
        understood = show_check(show, line, size);
    } else if (show->verb == KS_CONTROL_GROUPS) {
        understood = ks_control_group_parse(line, size, &group) == KS_OK;
        if (understood)
            print_group(show, &group);
    } else {
        understood = ks_control_user_parse(line, size, &user) == KS_OK;
        if (understood && show->verb == KS_CONTROL_USERS)
            understood = show_row(show, &user);
        else if (understood)
            print_user(show, &user);
    }
    show->begun = true;
    return understood && ferror(stdout) == 0;
}

bool ks_operator_show_end(struct ks_operator_show *show)
{
    if (show->row_count > 0)
        print_rows(show);
    free(show->rows);
    show->rows = NULL;
    return fflush(stdout) == 0 && ferror(stdout) == 0;
}
