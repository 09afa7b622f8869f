/* data_directory.h — where the data is when no option says so. Main thread, before there are others. */
#ifndef KS_SERVER_DATA_DIRECTORY_H
#define KS_SERVER_DATA_DIRECTORY_H

#include "server/server_options.h"

/* For a server: fills in options->data where nothing was given: $STATE_DIRECTORY, else ./kesher-data. */
void ks_data_directory_choose(struct ks_server_options *options);

/* What an installed server has: packaging/kesherd.service.in. */
struct ks_data_directory_installed {
    const char *configuration;
    const char *data; /* where the configuration names none */
};

extern const struct ks_data_directory_installed ks_data_directory_installed;

/* For a command: the same where there is data, else that of the installed server, whose configuration is read
 * unless options name another one. KS_OK; KS_NOT_FOUND when there is no data anywhere, KS_INVALID when the
 * configuration makes no sense, KS_IO when it cannot be read, with a line in options->reader.why. */
enum ks_result ks_data_directory_find(struct ks_server_options *options,
                                      const struct ks_data_directory_installed *installed);

#endif
