/* server_limits.c — limits of parts, from the options: see server_internal.h. Main thread. */
#include "server/server_internal.h"

void ks_server_set_store_limits(struct ks_server *server, const struct ks_server_options *options)
{
    struct ks_store_limits *limits = &server->store_limits;
    atomic_store(&limits->users, options->users);
    atomic_store(&limits->waiting_messages, options->waiting_messages);
    atomic_store(&limits->waiting_bytes, options->waiting_bytes);
    atomic_store(&limits->user_files, options->user_files);
    atomic_store(&limits->user_bytes, options->user_bytes);
    atomic_store(&limits->user_puts, options->uploads_per_user);
    atomic_store(&limits->puts, options->uploads);
    atomic_store(&limits->free_space, options->free_space);
}

struct ks_groups_limits ks_server_groups_limits(const struct ks_server_options *options)
{
    return (struct ks_groups_limits){.groups = options->groups,
                                     .members = options->group_members,
                                     .member_queue = options->member_queue,
                                     .queues = options->chat_queues};
}
