/* process.c — see process.h. */
#include "bench/load/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The CPU clock of another process counts in nanoseconds, where /proc/PID/stat counts in hundredths of a
 * second. */
static enum ks_result measure_cpu(pid_t pid, uint64_t *cpu_ns)
{
    clockid_t clock;
    struct timespec time;
    int error = clock_getcpuclockid(pid, &clock);
    if (error == ESRCH)
        return KS_NOT_FOUND;
    if (error == EPERM)
        return KS_REFUSED;
    if (error != 0) {
        errno = error;
        return KS_IO;
    }
    if (clock_gettime(clock, &time) != 0)
        return KS_NOT_FOUND; /* it has just ended */
    *cpu_ns = (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
    return KS_OK;
}

/* "Rss:    1234 kB" in bytes, where the row has that name; else 0. */
static uint64_t bytes_of(const char *line, const char *name)
{
    size_t size = strlen(name);
    return strncmp(line, name, size) == 0 ? strtoull(line + size, NULL, 10) * 1024 : 0;
}

static void read_row(const char *line, struct ks_process *process)
{
    process->resident_bytes += bytes_of(line, "Rss:");
    process->private_bytes += bytes_of(line, "Private_Clean:") + bytes_of(line, "Private_Dirty:");
}

static enum ks_result measure_memory(pid_t pid, struct ks_process *process)
{
    char name[64];
    char line[256];
    (void)snprintf(name, sizeof name, "/proc/%d/smaps_rollup", (int)pid);
    FILE *stream = fopen(name, "re");
    if (stream == NULL) {
        if (errno == ENOENT || errno == ESRCH)
            return KS_NOT_FOUND;
        return errno == EACCES || errno == EPERM ? KS_REFUSED : KS_IO;
    }
    while (fgets(line, sizeof line, stream) != NULL)
        read_row(line, process);
    bool failed = ferror(stream) != 0;
    (void)fclose(stream);
    return failed ? KS_NOT_FOUND : KS_OK; /* reading it fails only when the process has gone */
}

enum ks_result ks_process_measure(pid_t pid, struct ks_process *process)
{
    *process = (struct ks_process){0};
    enum ks_result result = measure_cpu(pid, &process->cpu_ns);
    if (result != KS_OK)
        return result;
    return measure_memory(pid, process);
}
