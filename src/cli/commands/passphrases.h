/* passphrases.h — where the commands get passphrases and answers from: the file after --passphrase-file, else
 * the terminal of whoever runs them. Main thread.
 */
#ifndef KS_CLI_COMMANDS_PASSPHRASES_H
#define KS_CLI_COMMANDS_PASSPHRASES_H

#include "cli/commands/cli_options.h"

#include <kesher/options.h>

#include <stdbool.h>

/* For kesher_options.passphrase. `options` must outlive the calls. What is new is typed twice; a file is read
 * once and says both. Without a file and a terminal there is none. */
struct kesher_passphrase ks_passphrases(const struct ks_cli_options *options);

/* For kesher_options.questions: asks on the terminal, and takes yes and no only; NULL functions where there
 * is no terminal. */
struct kesher_questions ks_passphrases_questions(void);

/* Asks on the terminal, as above. False for a no, and where there is no terminal. */
bool ks_passphrases_confirm(const char *question);

#endif
