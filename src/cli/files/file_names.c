/* file_names.c — see file_names.h. */
#include "cli/files/file_names.h"

#include <string.h>

const char *ks_file_names_of_tree(const char *path, size_t *size)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    *size = end - begin;
    if ((*size == 1 && path[begin] == '.') || (*size == 2 && memcmp(path + begin, "..", 2) == 0))
        *size = 0;
    return path + begin;
}

const char *ks_file_names_last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}
