/* registering.c — see registering.h. */
#include "cli/commands/registering.h"

#include "cli/terminal/input.h"
#include "cli/terminal/output.h"
#include "cli/terminal/progress.h"
#include "cli/terminal/shown_name.h"

#include "base/text.h"
#include "crypto/secret.h"

#include <string.h>
#include <unistd.h>

bool ks_registering_secret(const char *given, const char *what, char *text, size_t capacity)
{
    struct ks_input input;
    char *line = NULL;
    size_t size = strlen(given);
    bool from_input = strcmp(given, "-") == 0;
    bool fits = !from_input && size < capacity;
    if (fits)
        memcpy(text, given, size + 1);
    if (from_input) {
        ks_input_init(&input, STDIN_FILENO, capacity);
        fits = ks_input_line(&input, &line, &size) == KS_INPUT_LINE;
        const char *trimmed = fits ? ks_input_trim(line, &size) : NULL;
        fits = fits && size > 0 && size < capacity;
        if (fits)
            memcpy(text, trimmed, size + 1);
        ks_secret_wipe(&input.piece, sizeof input.piece);
        if (input.line.bytes != NULL)
            ks_secret_wipe(input.line.bytes, input.line.capacity);
        ks_input_destroy(&input);
    }
    if (!fits)
        ks_output_usage("%s is not there, or too long to be one", what);
    return fits;
}

/* ---- what came of it ---- */

static void print_json(const struct ks_context *context, const struct kesher_account_card *card,
                       const struct kesher_trust *trust)
{
    char id[2 * KESHER_ACCOUNT_ID_SIZE + 1];
    ks_text_to_hex(card->id, sizeof card->id, id);
    (void)fputs("{\"name\": ", stdout);
    ks_output_json_string(stdout, card->name);
    (void)fputs(", \"server\": ", stdout);
    ks_output_json_string(stdout, trust->address);
    (void)fputs(", \"home\": ", stdout);
    ks_output_json_string(stdout, kesher_home_path(context->home));
    (void)printf(", \"id\": \"%s\", \"short_fingerprint\": \"%s\"}\n", id, card->short_fingerprint);
}

static enum ks_exit print_account(const struct ks_context *context)
{
    char shown[KS_SHOWN_NAME_SIZE];
    struct kesher_account_card card;
    struct kesher_trust trust;
    struct kesher_error error;
    enum kesher_status status = kesher_account_card(context->home, &card, &error);
    if (status == KESHER_OK)
        status = kesher_home_trust(context->home, &trust, &error);
    if (status != KESHER_OK) {
        ks_output_failure(&error);
        return KS_EXIT_FAILED;
    }
    if (context->options->json)
        print_json(context, &card, &trust);
    else
        (void)printf("registered %s at kesher://%s/\nshort fingerprint %s\n",
                     ks_output_name(card.name, shown), trust.address, card.short_fingerprint);
    return KS_EXIT_DONE;
}

enum ks_exit ks_registering_run(const struct ks_context *context, const struct ks_registering *registering)
{
    struct kesher_account *account = NULL;
    struct kesher_error error;
    struct kesher_options options = context->limits;
    const struct kesher_registration how = {.invitation = registering->invitation,
                                            .sealed = context->options->passphrase};
    options.observer.notice = ks_progress_notice;
    enum kesher_status status =
        registering->adopt
            ? kesher_account_adopt(context->home, registering->link, &how, &options, &account, &error)
            : kesher_account_register(context->home, registering->link, registering->name, &how, &options,
                                      &account, &error);
    kesher_account_close(account);
    if (status == KESHER_OK)
        return print_account(context);
    ks_output_failure(&error);
    return KS_EXIT_FAILED;
}
