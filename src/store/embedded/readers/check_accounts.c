/* check_accounts.c — check.h: what the tables of accounts, invitations and removed names say of each other,
 * and of users. Their rows come and go in one commit, and each statement sees one moment: so nothing is in
 * motion. Nobody is named: an id is for nobody to be told.
 */
#include "store/embedded/readers/check_internal.h"

/* What must not be there: a number of it. */
struct account_rule {
    const char *text;
    const char *what;
    const char *meaning;
};

static const struct account_rule rules[] = {
    {"SELECT count(*) FROM accounts AS a WHERE NOT EXISTS (SELECT 1 FROM clients AS c WHERE c.ID=a.ID)",
     "without a user: accounts",
     "whoever has the key of one is told that there is no such account; an invitation for its name makes it "
     "anew"},
    {"SELECT count(*) FROM accounts WHERE ClassicID IN (SELECT ID FROM clients)"
     " OR ClassicID IN (SELECT ID FROM retired)",
     "the same as the id of somebody: classic ids of accounts",
     "whoever shows one on a classic port is taken for that user; its owner should switch it off and on "
     "again"},
    {"SELECT count(*) FROM accounts AS a JOIN clients AS c ON c.ID=a.ID WHERE a.Skeleton IS NOT c.Skeleton",
     "with another skeleton than their users: accounts",
     "others can register names that are too like theirs"},
    {"SELECT count(*) FROM clients WHERE Skeleton IS NULL", "without a skeleton: users",
     "accounts can register names that are too like theirs"},
    {"SELECT count(*) FROM retired WHERE ID IN (SELECT ID FROM clients)",
     "those of users that are there: ids of removed accounts",
     "an invitation for the name of one that was removed cannot bring it back"},
    {"SELECT count(*) FROM retired AS r WHERE EXISTS (SELECT 1 FROM clients AS c WHERE c.Name=r.Name)",
     "those of users that are there: names of removed accounts",
     "somebody has the name of an account that was removed, which should be nobody's"},
    {"SELECT count(*) FROM invitations WHERE Uses > 100000", "with more uses than there can be: invitations",
     "whoever has one is told that the server is in trouble"},
};

enum { RULES = sizeof rules / sizeof rules[0] };

static enum ks_result judge(struct ks_check *check, struct ks_store_check *request,
                            const struct account_rule *rule)
{
    int64_t count = 0;
    enum ks_result result = ks_database_read_integer(check->database, rule->text, &count);
    if (result == KS_OK && count > 0)
        ks_check_tell(request, true, rule->meaning, "", "%s: %lld", rule->what, (long long)count);
    return result;
}

/* A database that cannot be read as far as that was told by the phases before. */
enum ks_result ks_check_accounts(struct ks_check *check, struct ks_store_check *request)
{
    while (request->cursor.after < RULES) {
        if (ks_check_must_pause(check, request))
            return KS_MORE;
        enum ks_result result = judge(check, request, &rules[request->cursor.after++]);
        if (result != KS_OK && result != KS_IO)
            return result;
    }
    return KS_OK;
}
