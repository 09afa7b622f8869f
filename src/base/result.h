/* result.h — what a fallible function answers.
 *
 * One enumeration for the whole code base. KS_OK is 0; everything else is a reason. A function that can
 * fail says in its header which of these it returns. Wire answer codes are chosen from them by the
 * services, sentences for people by the client and the log.
 */
#ifndef KS_BASE_RESULT_H
#define KS_BASE_RESULT_H

enum ks_result {
    KS_OK = 0,
    KS_MORE,      /* not an error: the input ends before the thing is complete, come back with more */
    KS_PENDING,   /* not an error: the answer comes later through the completion */
    KS_INVALID,   /* the input breaks a rule of its format */
    KS_TOO_LARGE, /* over a limit that is written down */
    KS_NOT_FOUND, /* nobody and nothing by that id or name */
    KS_EXISTS,    /* the name is taken */
    KS_REFUSED,   /* understood, and not allowed: another key, no key, a mismatch */
    KS_NO_MEMORY, /* an allocation failed */
    KS_NO_SPACE,  /* the disk or the quota is full */
    KS_IO,        /* the operating system said no; errno or the log has the details */
    KS_CRYPTO,    /* the crypto library said no */
    KS_CLOSED,    /* the other side, or this one, is shutting down */
};

/* The name of a result for log lines, such as "no space left". Never NULL, static storage. */
const char *ks_result_text(enum ks_result result);

/* The result that an errno value amounts to: KS_NO_SPACE for ENOSPC and EDQUOT, KS_NO_MEMORY for ENOMEM,
 * KS_NOT_FOUND for ENOENT, KS_EXISTS for EEXIST, else KS_IO. */
enum ks_result ks_result_from_errno(int error_number);

#endif
