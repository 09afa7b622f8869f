/* port.c — see port.h. */
#include "server/port.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PORT_FILE_LIMIT = 256 };

/* A number from 1 to 65535 with nothing but blanks and line ends around it; 0 for anything else. */
static unsigned parse_port(const char *text, size_t size)
{
    unsigned port = 0;
    size_t i = 0;
    while (i < size && strchr(" \t\r\n", text[i]) != NULL)
        i++;
    for (; i < size && text[i] >= '0' && text[i] <= '9' && port <= 65535; i++)
        port = port * 10 + (unsigned)(text[i] - '0');
    for (; i < size; i++)
        if (text[i] == '\0' || strchr(" \t\r\n", text[i]) == NULL)
            return 0;
    return port <= 65535 ? port : 0;
}

static unsigned port_in_file(int directory_fd, const char *directory, const char *name,
                             const struct ks_log *log)
{
    struct ks_buffer text = ks_buffer_empty(PORT_FILE_LIMIT);
    enum ks_result result = ks_file_read(directory_fd, name, &text);
    unsigned port = result == KS_OK ? parse_port((const char *)text.bytes, text.size) : 0;
    ks_buffer_free(&text);
    if (result != KS_NOT_FOUND && port == 0)
        ks_log_warning(log, "%s/%s holds no port number", directory, name);
    return port;
}

static unsigned port_in_directory(const char *directory, const struct ks_log *log)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    unsigned port = port_in_file(fd, directory, "myport.info", log);
    if (port == 0)
        port = port_in_file(fd, directory, "port.info", log);
    close(fd);
    return port;
}

unsigned ks_port_find(const char *data_directory, const struct ks_log *log)
{
    unsigned port = port_in_directory(data_directory, log);
    if (port == 0)
        port = port_in_directory(".", log);
    if (port == 0) {
        ks_log_warning(log, "neither myport.info nor port.info names a port: using %d", KS_DEFAULT_PORT);
        port = KS_DEFAULT_PORT;
    }
    return port;
}
