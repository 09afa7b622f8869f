/* describe.c — kesher-bench-describe: prints the tables of modes and options for what is made from them when
 * kesher is built. The records are those of cli/describe.c; a mode is a command.
 */
#include "bench/load/settings.h"

int main(void)
{
    ks_option_describe(stdout, "option", &ks_settings_table, ~0U, NULL);
    for (unsigned mode = 0; mode < KS_BENCH_MODES; mode++) {
        (void)printf("command\t%s\t\t%s\n", ks_settings_mode_name(mode), ks_settings_mode_help(mode));
        if (ks_settings_mode_protocols(mode) != NULL)
            (void)printf("detail\tIt speaks the protocols %s.\n", ks_settings_mode_protocols(mode));
        for (size_t i = 0; i < ks_settings_table.count; i++)
            if ((ks_settings_table.options[i].uses & (1U << mode)) != 0)
                (void)printf("takes\t%s\n", ks_settings_table.options[i].name);
    }
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : 1;
}
