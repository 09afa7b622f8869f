/* file_names.h — what a file is called on the other side: a path here and a name at the server. Pure. */
#ifndef KS_CLI_FILES_FILE_NAMES_H
#define KS_CLI_FILES_FILE_NAMES_H

#include <stddef.h>

/* What the names of all files in the directory `path` begin with at the server, without a slash: the last
 * part of the path. Nothing where that says no name: "/", and what ends in "." or "..". Points into `path`;
 * *size is its length. */
const char *ks_file_names_of_tree(const char *path, size_t *size);

/* What follows the last '/'. */
const char *ks_file_names_last_part(const char *path);

#endif
