/* command_verify.c — `kesher verify`: what people compare of an account. Main thread. */
#include "cli/commands/context.h"
#include "cli/terminal/output.h"
#include "cli/terminal/shown_name.h"

static enum ks_exit show_own(const struct ks_context *context)
{
    char shown[KS_SHOWN_NAME_SIZE];
    struct kesher_account_card card;
    struct kesher_error error;
    if (!ks_context_secrets_are_kept(context))
        return KS_EXIT_FAILED;
    if (kesher_account_card(context->home, &card, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return KS_EXIT_FAILED;
    }
    if (context->options->json) {
        (void)fputs("{\"name\": ", stdout);
        ks_output_json_string(stdout, card.name);
        (void)printf(", \"short_fingerprint\": \"%s\"}\n", card.short_fingerprint);
        return KS_EXIT_DONE;
    }
    if (card.has_id)
        (void)puts(ks_output_name(card.name, shown));
    (void)printf("short fingerprint %s\n", card.short_fingerprint);
    return KS_EXIT_DONE;
}

enum ks_exit ks_command_verify(struct ks_context *context)
{
    if (context->options->operand_count == 0)
        return show_own(context);
    ks_output_failed(
        KESHER_INVALID,
        "keys of other accounts come over the secure port with the next release; until then compare "
        "by kesher verify, which shows your own");
    return KS_EXIT_FAILED;
}
