/* scrape.c — see scrape.h. */
#include "server/scrape.h"

#include "service/binary_port.h"
#include "service/drop/places.h"
#include "service/secure_port.h"
#include "wire/exposition.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void counter(struct ks_exposition *to, const char *name, const char *help, uint64_t value)
{
    ks_exposition_single(to, name, "counter", help, value);
}

static void gauge(struct ks_exposition *to, const char *name, const char *help, uint64_t value)
{
    ks_exposition_single(to, name, "gauge", help, value);
}

/* A sample with one label. */
static void labelled(struct ks_exposition *to, const char *name, const char *label, const char *value,
                     uint64_t number)
{
    const struct ks_label labels[KS_LABELS_LIMIT] = {{label, value}};
    ks_exposition_sample(to, name, labels, number);
}

/* ---- the network ---- */

static void put_refusals(struct ks_exposition *to, const struct ks_net_statistics *net)
{
    static const char *const reasons[KS_NET_REFUSALS] = {[KS_NET_REFUSED_FULL] = "full",
                                                         [KS_NET_REFUSED_ADDRESS] = "address",
                                                         [KS_NET_REFUSED_STRANGER] = "stranger",
                                                         [KS_NET_REFUSED_MEMORY] = "memory",
                                                         [KS_NET_REFUSED_SERVICE] = "service"};
    ks_exposition_family(to, "kesher_connections_refused_total", "counter",
                         "Connections that were closed as soon as they were accepted.");
    for (size_t i = 0; i < net->listener_count; i++)
        for (size_t reason = 0; reason < KS_NET_REFUSALS; reason++) {
            const struct ks_label labels[KS_LABELS_LIMIT] = {{"listener", net->listeners[i].name},
                                                             {"reason", reasons[reason]}};
            ks_exposition_sample(to, "kesher_connections_refused_total", labels,
                                 net->listeners[i].refused[reason]);
        }
}

static void put_connections(struct ks_exposition *to, const struct ks_net_statistics *net)
{
    ks_exposition_family(to, "kesher_connections", "gauge", "Connections that are open.");
    for (size_t i = 0; i < net->listener_count; i++)
        labelled(to, "kesher_connections", "listener", net->listeners[i].name, net->listeners[i].open);
    ks_exposition_family(to, "kesher_connections_accepted_total", "counter",
                         "Connections that were taken in.");
    for (size_t i = 0; i < net->listener_count; i++)
        labelled(to, "kesher_connections_accepted_total", "listener", net->listeners[i].name,
                 net->listeners[i].accepted);
    put_refusals(to, net);
    counter(to, "kesher_connections_evicted_total", "Idle connections that made room for new ones.",
            net->evicted);
    gauge(to, "kesher_connections_limit", "Connections that there may be.", net->connection_limit);
}

static void put_buffers(struct ks_exposition *to, const struct ks_net_statistics *net)
{
    const struct ks_net_budget_statistics *contents = &net->contents;
    const struct ks_net_budget_statistics *answers = &net->answers;
    gauge(to, "kesher_buffers_used_bytes", "Memory for data on its way, of all connections.",
          contents->used + answers->used);
    gauge(to, "kesher_buffers_limit_bytes", "Memory for data on its way that there may be.",
          contents->limit + answers->limit);
    gauge(to, "kesher_buffers_waiting", "Contents and answers that wait for such memory.",
          contents->waiting + answers->waiting);
    gauge(to, "kesher_answer_buffers_used_bytes", "Of that memory, what long answers hold.", answers->used);
    gauge(to, "kesher_answer_buffers_limit_bytes", "Of that memory, what long answers may hold.",
          answers->limit);
    gauge(to, "kesher_answer_buffers_waiting", "Of those who wait for it, answers.", answers->waiting);
    counter(to, "kesher_buffers_cut_total",
            "Contents and answers that were cut, the slowest ones, since others waited for their memory.",
            contents->cuts + answers->cuts);
}

static void put_net(struct ks_exposition *to, const struct ks_net_statistics *net)
{
    put_connections(to, net);
    gauge(to, "kesher_workers", "Threads that serve connections.", net->workers);
    counter(to, "kesher_received_bytes_total", "Bytes received on all connections.", net->received);
    counter(to, "kesher_sent_bytes_total", "Bytes sent on all connections.", net->sent);
    gauge(to, "kesher_pool_queue", "Pieces of work on the pool, waiting or under way: RSA, keys.",
          net->offloads);
    put_buffers(to, net);
    gauge(to, "kesher_output_bytes", "Memory of output that waits to be sent, roughly.", net->output);
    gauge(to, "kesher_output_limit_bytes", "Memory of output beyond which less work is taken.",
          net->output_limit);
}

static void put_secure_port(struct ks_exposition *to, const struct ks_tls_port *port,
                            struct ks_presence *presence)
{
    const struct ks_tls_counts *counts = ks_tls_port_counts(port);
    gauge(to, "kesher_strangers", "Connections to the secure port that have not signed in.",
          ks_tls_port_unsigned(port));
    gauge(to, "kesher_strangers_limit", "Such connections that there may be.", KS_TLS_UNSIGNED_LIMIT);
    gauge(to, "kesher_signed_in", "Connections to the secure port that have.", ks_presence_count(presence));
    gauge(to, "kesher_tls_handshaking", "TLS handshakes under way.", ks_tls_port_handshakes(port));
    gauge(to, "kesher_tls_handshaking_limit", "Such handshakes that there may be.", KS_TLS_HANDSHAKES_LIMIT);
    counter(to, "kesher_tls_handshakes_total", "TLS handshakes that came to a good end.",
            ks_counted(&counts->handshakes));
    ks_exposition_family(to, "kesher_strangers_ended_total", "counter",
                         "Connections to the secure port that ended before that.");
    labelled(to, "kesher_strangers_ended_total", "reason", "broken", ks_counted(&counts->broken));
    labelled(to, "kesher_strangers_ended_total", "reason", "no-tls", ks_counted(&counts->no_tls));
    labelled(to, "kesher_strangers_ended_total", "reason", "dropped", ks_counted(&counts->dropped));
    labelled(to, "kesher_strangers_ended_total", "reason", "late", ks_counted(&counts->late));
}

/* ---- the services ---- */

/* Those that there were: most pairs are impossible. */
static void put_requests_of(struct ks_exposition *to, const char *family, const struct ks_rules *rules,
                            const struct ks_tally *tally)
{
    for (size_t request = 0; request < rules->count; request++)
        for (size_t answer = 0; answer < KS_TALLY_ANSWERS; answer++) {
            const struct ks_label labels[KS_LABELS_LIMIT] = {{"request", rules->rules[request].label},
                                                             {"answer", ks_tally_answer_name(answer)}};
            uint64_t count = ks_tally_answers(tally, rules->first_place + request, answer);
            if (count > 0)
                ks_exposition_sample(to, family, labels, count);
        }
}

static void put_requests(struct ks_exposition *to, const struct ks_tally *tally)
{
    ks_exposition_family(to, "kesher_requests_total", "counter",
                         "Requests on the binary port by their code and the code of their answer.");
    put_requests_of(to, "kesher_requests_total", &ks_binary_port_rules, tally);
    ks_exposition_family(to, "kesher_secure_requests_total", "counter", "The same on the secure port.");
    put_requests_of(to, "kesher_secure_requests_total", &ks_secure_port_rules, tally);
    ks_exposition_family(to, "kesher_ask_requests_total", "counter", "Requests to ask.");
    for (unsigned request = 0; request < KS_TALLY_ASKED; request++) {
        enum ks_ask_request asked = (enum ks_ask_request)request;
        labelled(to, "kesher_ask_requests_total", "request", ks_tally_ask_name(asked),
                 ks_tally_asks(tally, asked));
    }
}

static void put_uploads(struct ks_exposition *to, const struct ks_service_environment *service,
                        const struct ks_tally *tally)
{
    gauge(to, "kesher_uploads", "Files that are arriving, or that wait for their confirmation.",
          ks_places_taken(service));
    gauge(to, "kesher_uploads_limit", "Such files that there may be.", service->settings.uploads);
    ks_exposition_family(to, "kesher_uploads_refused_total", "counter",
                         "Uploads and confirmations that were refused at a limit.");
    for (unsigned limit = 0; limit < KS_TALLY_LIMITS; limit++)
        labelled(to, "kesher_uploads_refused_total", "limit", ks_tally_limit_name((enum ks_tally_limit)limit),
                 ks_tally_refusals(tally, (enum ks_tally_limit)limit));
}

static void put_own_files(struct ks_exposition *to, const struct ks_tally *tally)
{
    counter(to, "kesher_files_put_bytes_total", "Bytes of own files that came in over the secure port.",
            ks_tally_put_bytes(tally));
    counter(to, "kesher_files_got_bytes_total", "Bytes of own files that went out over it.",
            ks_tally_got_bytes(tally));
}

/* Of the groups of both ports. */
static struct ks_groups_statistics chat_statistics(const struct ks_scrape_sources *sources)
{
    struct ks_groups_statistics chat;
    struct ks_groups_statistics secure;
    ks_groups_statistics(sources->groups, &chat);
    if (sources->secure_groups == NULL)
        return chat;
    ks_groups_statistics(sources->secure_groups, &secure);
    chat.groups += secure.groups;
    chat.members += secure.members;
    chat.messages += secure.messages;
    chat.packets += secure.packets;
    chat.deliveries += secure.deliveries;
    chat.cut_off += secure.cut_off;
    chat.queued += secure.queued;
    return chat;
}

static void put_chat(struct ks_exposition *to, const struct ks_scrape_sources *sources)
{
    const struct ks_groups_statistics chat = chat_statistics(sources);
    gauge(to, "kesher_chat_groups", "Groups of the chat, on both ports.", chat.groups);
    gauge(to, "kesher_chat_members", "Members of all groups.", chat.members);
    counter(to, "kesher_chat_messages_total", "Lines that members have said.", chat.messages);
    counter(to, "kesher_chat_packets_total",
            "Packets that those lines, and what is told of members, went out in.", chat.packets);
    counter(to, "kesher_chat_deliveries_total", "Packets times the members that got them.", chat.deliveries);
    counter(to, "kesher_chat_cut_off_total", "Members that were cut off for not reading.", chat.cut_off);
    gauge(to, "kesher_chat_queued_bytes", "Output that waits for members with long queues.", chat.queued);
}

/* ---- the store ---- */

static void put_histogram(struct ks_exposition *to, const char *name, const char *help,
                          const struct ks_histogram *histogram, const uint64_t *bounds, unsigned digits)
{
    uint64_t counts[KS_HISTOGRAM_BOUNDS + 1];
    for (size_t i = 0; i <= KS_HISTOGRAM_BOUNDS; i++)
        counts[i] = ks_counted(&histogram->counts[i]);
    ks_exposition_family(to, name, "histogram", help);
    ks_exposition_histogram(to, name, bounds, counts, KS_HISTOGRAM_BOUNDS, ks_counted(&histogram->sum),
                            digits);
}

static void put_space(struct ks_exposition *to, const struct ks_embedded_statistics *statistics)
{
    if (statistics->free_bytes != UINT64_MAX)
        gauge(to, "kesher_disk_free_bytes", "Room on the data directory's file system.",
              statistics->free_bytes);
    gauge(to, "kesher_disk_reserved_bytes", "Room there that is to stay free.", statistics->free_limit);
    gauge(to, "kesher_disk_is_short", "1 while uploads and messages are refused to keep it free.",
          statistics->is_short);
}

static void put_store(struct ks_exposition *to, const struct ks_store *store)
{
    struct ks_embedded_statistics statistics;
    ks_embedded_statistics(store, &statistics);
    gauge(to, "kesher_users", "Users that are registered.", statistics.users);
    gauge(to, "kesher_files", "Verified files of all users.", statistics.files);
    gauge(to, "kesher_file_bytes", "Bytes of these files.", statistics.file_bytes);
    gauge(to, "kesher_puts", "Own files that are coming over the secure port, or broke off.",
          statistics.puts);
    gauge(to, "kesher_put_bytes", "What has come of these.", statistics.put_bytes);
    gauge(to, "kesher_files_without_sha256", "Files whose SHA-256 is still to be computed, about.",
          statistics.files_without_sha256);
    put_space(to, &statistics);
    gauge(to, "kesher_waiting_messages", "Messages that wait for their receivers.",
          statistics.waiting_messages);
    gauge(to, "kesher_waiting_bytes", "Bytes of the contents of waiting messages.", statistics.waiting_bytes);
    ks_exposition_family(to, "kesher_store_queue", "gauge", "Tasks that wait for threads of the store.");
    labelled(to, "kesher_store_queue", "thread", "writer", statistics.writer_queue);
    labelled(to, "kesher_store_queue", "thread", "reader", statistics.reader_queue);
    labelled(to, "kesher_store_queue", "thread", "pull", statistics.pull_queue);
    labelled(to, "kesher_store_queue", "thread", "files", statistics.files_queue);
    labelled(to, "kesher_store_queue", "thread", "vault", statistics.stage_queue);
    labelled(to, "kesher_store_queue", "thread", "confirm", statistics.confirm_queue);
    put_histogram(to, "kesher_commit_requests", "Requests that shared a commit.", statistics.commit_requests,
                  statistics.commit_request_bounds, 0);
    put_histogram(to, "kesher_commit_seconds", "How long commits took.", statistics.commit_microseconds,
                  statistics.commit_microsecond_bounds, 6);
    counter(to, "kesher_commits_failed_total", "Commits that failed, with all that shared them.",
            statistics.failed_commits);
}

/* ---- the process ---- */

/* What a small file of /proc says; "" when it cannot be read. */
static void read_proc(const char *path, char *text, size_t capacity)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = fd >= 0 ? read(fd, text, capacity - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[count > 0 ? count : 0] = '\0';
}

/* Pages: all of it, and what is resident. */
static void read_memory(uint64_t *size, uint64_t *resident)
{
    char text[128];
    char *next = text;
    read_proc("/proc/self/statm", text, sizeof text);
    *size = strtoull(text, &next, 10);
    *resident = strtoull(next, NULL, 10);
}

/* Since Linux 6.2 the directory's size tells. Before, all places of the table are asked: to list the
 * directory takes several times as long. */
static uint64_t count_descriptors(void)
{
    static const char label[] = "FDSize:";
    struct stat status;
    char text[4096];
    uint64_t count = 0;
    if (stat("/proc/self/fd", &status) == 0 && status.st_size > 0)
        return (uint64_t)status.st_size;
    read_proc("/proc/self/status", text, sizeof text);
    const char *size_text = strstr(text, label);
    uint64_t size = size_text != NULL ? strtoull(size_text + sizeof label - 1, NULL, 10) : 0;
    for (uint64_t fd = 0; fd < size && fd < INT_MAX; fd++)
        count += fcntl((int)fd, F_GETFD) >= 0;
    return count;
}

static void put_process(struct ks_exposition *to, int64_t started)
{
    struct timespec cpu = {.tv_sec = 0};
    struct rlimit descriptors = {.rlim_cur = 0};
    uint64_t pages = 0;
    uint64_t resident = 0;
    uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    getrlimit(RLIMIT_NOFILE, &descriptors);
    read_memory(&pages, &resident);
    ks_exposition_family(to, "process_cpu_seconds_total", "counter",
                         "Time on processors, of user and system.");
    ks_exposition_fraction(to, "process_cpu_seconds_total",
                           (uint64_t)cpu.tv_sec * 1000000U + (uint64_t)cpu.tv_nsec / 1000U, 6);
    gauge(to, "process_resident_memory_bytes", "Memory that is resident.", resident * page_size);
    gauge(to, "process_virtual_memory_bytes", "Memory that is mapped.", pages * page_size);
    gauge(to, "process_open_fds", "File descriptors that are open.", count_descriptors());
    gauge(to, "process_max_fds", "File descriptors that there may be.", descriptors.rlim_cur);
    /* A clock that is not set yet may stand before 1970. */
    gauge(to, "process_start_time_seconds", "When the process started, since 1970.",
          started > 0 ? (uint64_t)started : 0);
}

static void put_build(struct ks_exposition *to)
{
    ks_exposition_family(to, "kesher_build_info", "gauge", "Which kesherd this is; always 1.");
    labelled(to, "kesher_build_info", "version", KESHER_VERSION, 1);
}

size_t ks_scrape_render(void *context, char *text, size_t capacity)
{
    const struct ks_scrape_sources *sources = context;
    struct ks_exposition to = {.text = text, .capacity = capacity};
    struct ks_net_statistics net;
    ks_net_statistics(sources->net, &net);
    put_build(&to);
    put_net(&to, &net);
    if (sources->secure_port != NULL)
        put_secure_port(&to, sources->secure_port, sources->presence);
    put_requests(&to, sources->tally);
    put_uploads(&to, sources->service, sources->tally);
    put_own_files(&to, sources->tally);
    put_chat(&to, sources);
    put_store(&to, sources->store);
    counter(&to, "kesher_log_lines_suppressed_total", "Lines that were not logged, for there were too many.",
            atomic_load(&sources->log_rate->suppressed_in_all) + net.quiet);
    put_process(&to, sources->started);
    return to.failed ? 0 : to.size;
}
