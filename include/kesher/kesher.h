/* kesher.h — libkesher, the client of a kesher server: include this one.
 *
 * The library is blocking and has no global state: everything hangs on the objects that a call returns.
 * Different objects may be used by different threads; one object by one thread at a time. Nothing is printed.
 * Every fallible call takes a `struct kesher_error *` (or NULL) and fills it when it fails.
 *
 *     struct kesher_home *home;
 *     struct kesher_drop *drop;
 *     struct kesher_error error;
 *     if (kesher_home_open("/home/me/.config/kesher", &home, &error) != KESHER_OK ||
 *         kesher_drop_open(home, "127.0.0.1:1357", NULL, &drop, &error) != KESHER_OK)
 *         fprintf(stderr, "%s\n", error.sentence);
 */
#ifndef KESHER_KESHER_H
#define KESHER_KESHER_H

#include <kesher/account.h>
#include <kesher/ask.h>
#include <kesher/chat.h>
#include <kesher/drop.h>
#include <kesher/error.h>
#include <kesher/files.h>
#include <kesher/home.h>
#include <kesher/identity.h>
#include <kesher/messages.h>
#include <kesher/options.h>
#include <kesher/passphrase.h>
#include <kesher/trust.h>

#endif
