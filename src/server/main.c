/* main.c — kesherd: wires store, services and network together, serves, and takes them apart in the other
 * order.
 *
 * Everything here runs on the main thread. `struct server` owns what there is; nothing is global.
 */
#include "net/net.h"
#include "server/options.h"
#include "server/port.h"
#include "service/frames.h"
#include "service/staged.h"
#include "store/embedded.h"

#include <stdlib.h>
#include <string.h>

struct server {
    struct ks_options options;
    struct ks_log log;
    struct ks_store *store;
    struct ks_net *net;
    struct ks_service_environment environment;
};

static void choose_data_directory(struct ks_options *options)
{
    if (options->data[0] != '\0')
        return;
    const char *state = getenv("STATE_DIRECTORY"); // NOLINT(concurrency-mt-unsafe): no other thread yet
    snprintf(options->data, sizeof options->data, "%s",
             state != NULL && state[0] != '\0' ? state : "kesher-data");
}

static enum ks_result open_store(struct server *server)
{
    char why[512] = "";
    struct ks_embedded_options options = {.data_directory = server->options.data,
                                          .clock = ks_clock_system(),
                                          .random = ks_random_system(),
                                          .log = &server->log,
                                          .stage_lifetime = server->options.stage_lifetime};
    enum ks_result result = ks_embedded_open(&options, &server->store, why, sizeof why);
    if (result != KS_OK)
        ks_log_error(&server->log, "cannot open the data directory %s: %s", server->options.data, why);
    return result;
}

static enum ks_result prepare_services(struct server *server)
{
    struct ks_service_environment *environment = &server->environment;
    environment->store = server->store;
    environment->random = ks_random_system();
    environment->clock = ks_clock_system();
    environment->log = &server->log;
    environment->settings = ks_service_settings_default();
    environment->settings.header_timeout_ms = server->options.header_timeout * UINT64_C(1000);
    environment->settings.payload_timeout_ms = server->options.payload_timeout * UINT64_C(1000);
    environment->settings.crc_wrong_delay_ms = server->options.crc_wrong_delay_ms;
    environment->settings.stage_lifetime = server->options.stage_lifetime;
    return ks_staged_new(&environment->staged);
}

static enum ks_result open_net(struct server *server)
{
    struct ks_net_options options = {.workers = server->options.workers,
                                     .connection_limit = server->options.connections,
                                     .buffer_limit = (size_t)server->options.buffers * 1024 * 1024,
                                     .clock = ks_clock_system(),
                                     .log = &server->log};
    enum ks_result result = ks_net_open(&options, &server->net);
    if (result != KS_OK)
        ks_log_error(&server->log, "cannot start the worker threads: %s", ks_result_text(result));
    return result;
}

static enum ks_result listen_frames(struct server *server, char bound[KS_ADDRESS_TEXT_SIZE])
{
    char address[KS_OPTION_TEXT_SIZE];
    char why[512] = "";
    if (server->options.listen[0] != '\0')
        snprintf(address, sizeof address, "%s", server->options.listen);
    else
        snprintf(address, sizeof address, "127.0.0.1:%u", ks_port_find(server->options.data, &server->log));
    enum ks_result result =
        ks_net_listen(server->net, address, &ks_frames_events, &server->environment, bound, why, sizeof why);
    if (result != KS_OK)
        ks_log_error(&server->log, "%s", why);
    return result;
}

/* Opens every listener and says so in one line, which scripts wait for. */
static enum ks_result start_listening(struct server *server)
{
    char bound[KS_ADDRESS_TEXT_SIZE];
    if (strcmp(server->options.listen, "off") == 0) {
        ks_log_error(&server->log, "every listener is off: there is nothing to serve");
        return KS_INVALID;
    }
    enum ks_result result = listen_frames(server, bound);
    if (result == KS_OK)
        ks_log_notice(&server->log, "kesherd %s ready: drop and messages on %s, data in %s", KESHER_VERSION,
                      bound, server->options.data);
    return result;
}

static enum ks_result serve(struct server *server)
{
    enum ks_result result = open_store(server);
    if (result == KS_OK)
        result = prepare_services(server);
    if (result == KS_OK)
        result = open_net(server);
    if (result == KS_OK)
        result = start_listening(server);
    if (result == KS_OK)
        ks_net_run(server->net);
    /* The store answers to the loops, so it goes first; what it still holds of the staged files is its own.
     */
    if (server->store != NULL)
        ks_store_close(server->store);
    ks_net_close(server->net);
    ks_staged_free(server->environment.staged);
    if (result == KS_OK)
        ks_log_notice(&server->log, "stopped");
    return result;
}

int main(int argc, char **argv)
{
    static struct server server; /* large, and alone */
    switch (ks_options_read(&server.options, argc, argv)) {
    case KS_OPTIONS_DONE:
        return 0;
    case KS_OPTIONS_WRONG:
        return 2;
    case KS_OPTIONS_RUN:
        break;
    }
    server.log = ks_log_to_stderr(server.options.log_level);
    choose_data_directory(&server.options);
    return serve(&server) == KS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
