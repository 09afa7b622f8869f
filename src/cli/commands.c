/* commands.c — see commands.h. */
#include "cli/commands.h"

#include "cli/chat/command_chat.h"
#include "cli/files/files_session.h"
#include "cli/menu/command_menu.h"

#include <stdint.h>
#include <string.h>

enum {
    IDENTITY = KS_CLI_OPTIONS_ANY | KS_CLI_OPTIONS_SERVER | KS_CLI_OPTIONS_IDENTITY,
    MESSAGES = IDENTITY | KS_CLI_OPTIONS_DATA,
    ACCOUNT = MESSAGES | KS_CLI_OPTIONS_ACCOUNT,
    FILES = ACCOUNT | KS_CLI_OPTIONS_QUIET,
};

static const struct ks_command commands[] = {
    {"register", "NAME", "register NAME with the server and keep the identity in the home",
     "A new home registers at a secure server: its key is made and written to the home before the server\n"
     "hears of the name, and the same command again is safe. Who the server is is judged first: by the\n"
     "FINGERPRINT of a link, by what the home knows of it (see kesher server), by an authority that vouches\n"
     "for it, or by you, when you are asked. --adopt, with a link, makes a classic identity an account, "
     "which\n"
     "keeps its name, files and messages; its classic id is void then.\n"
     "\n"
     "With ADDR:PORT it is a classic server, for networks that one trusts. The address is remembered in\n"
     "server.info: a home belongs to one server, and no other one is told its id. Where the server has lost\n"
     "its data, --again makes the home known there again, as NAME: with the same key pair, while the old\n"
     "files are kept as me.info.old.1 and so on. Nothing falls back from a secure server to a classic one.\n",
     ACCOUNT | KS_CLI_OPTIONS_REGISTER | KS_CLI_OPTIONS_NEW_KEY, 1, 1, ks_command_register},
    {"join", "LINK NAME", "register NAME at the server of a link, with the invitation in it",
     "A link with an invitation is a secret: while the command runs, everybody on this machine can see it "
     "in\n"
     "the list of processes, and the shell may keep it in its history. With - for LINK it is the first line "
     "of\n"
     "the standard input, which nobody sees.\n",
     ACCOUNT | KS_CLI_OPTIONS_NEW_KEY, 2, 2, ks_command_join},
    {"server", "", "show the home's server, and how it is trusted",
     "A secure server is trusted by its key, and by no other, or by any certificate for its name that the\n"
     "system's authorities vouch for; how never changes by itself. Where it is not the same server any "
     "more,\n"
     "everything is refused, until --forget makes the next contact the first one again. Ask the server's\n"
     "operator before, by another way than this server: kesherd address prints the fingerprint.\n",
     KS_CLI_OPTIONS_ANY | KS_CLI_OPTIONS_SERVER | KS_CLI_OPTIONS_IDENTITY | KS_CLI_OPTIONS_DATA |
         KS_CLI_OPTIONS_TRUST,
     0, 0, ks_command_server},
    {"account", "[WHAT]", "show the home's account at its secure server, or change it",
     "Without WHAT: name, public id, short fingerprint, what it keeps there, limits.\n"
     "'classic on' lets the classic ports know the account, with an id and a key pair of their own, which\n"
     "are in the home then, for classic clients; 'classic off' ends that, and the id is void.\n"
     "'passphrase' puts the home's keys under a new passphrase, 'passphrase off' takes it away.\n"
     "'remove' removes the account, with all its files and messages, from the server.\n",
     ACCOUNT | KS_CLI_OPTIONS_FINAL, 0, 2, ks_command_account},
    {"verify", "[USER]", "show what people compare of an account's key",
     "The short fingerprint stands for the key of your account. Read it to others, by another way than the\n"
     "server: who sees the same writes to you. Those of other accounts come with the next release.\n",
     KS_CLI_OPTIONS_ANY | KS_CLI_OPTIONS_SERVER | KS_CLI_OPTIONS_DATA, 0, 1, ks_command_verify},
    {"put", "FILE…", "send files, encrypted and verified",
     "FILE may be - for the standard input; then --as gives the name. Two files of one name are refused\n"
     "before anything is sent. Files that cannot be read are reported and left out; when the server or the\n"
     "connection fails for good, the files after that are named and not sent.\n"
     "\n"
     "At a secure server a file that was broken off goes on where it was with the same command again, and\n"
     "what the server keeps already is not sent again. A file of that name that is there is left as it is,\n"
     "unless --replace is given. 'put -r photos' sends the files below that directory as photos/2026/a.jpg\n"
     "and so on, wherever it lies; 'put -r .' as 2026/a.jpg, and --as gives another name in the place of "
     "the\n"
     "directory's. Symbolic links and what is no regular file are left out of directories, and said.\n"
     "\n"
     "A classic server keeps what follows the last / or \\ of a name, and one file under each: 'replaced' "
     "is\n"
     "said of a file that this home has put before.\n",
     FILES | KS_CLI_OPTIONS_UPLOAD | KS_CLI_OPTIONS_NAMES | KS_CLI_OPTIONS_TREES | KS_CLI_OPTIONS_REPLACE |
         KS_CLI_OPTIONS_SECURE_UPLOAD,
     1, SIZE_MAX, ks_command_put},
    {"files", "[PATTERN…]", "list the files that a secure server keeps for you",
     "Size, time and name of each, in the order of the names. PATTERN is a name, or has *, ? and [abc] in "
     "it,\n"
     "which stand for no /; put it in quotes, or the shell takes it for files here. It also means all that\n"
     "is below a directory of that name.\n",
     ACCOUNT, 0, SIZE_MAX, ks_command_files},
    {"get", "NAME…", "fetch files from a secure server",
     "NAME may be a pattern, as with files. A file is saved under the last part of its name; with -r all\n"
     "files below NAME are fetched, and directories are made as their names have them. A file that is there\n"
     "is left as it is, unless --replace is given. What was broken off is in a partial file, NAME.part,\n"
     "and goes on there with the same command again. 'get - NAME…' writes the contents to the standard\n"
     "output, one after another.\n",
     FILES | KS_CLI_OPTIONS_NAMES | KS_CLI_OPTIONS_TREES | KS_CLI_OPTIONS_REPLACE | KS_CLI_OPTIONS_SAVE, 1,
     SIZE_MAX, ks_command_get},
    {"rm", "NAME…", "remove files from a secure server, for good",
     "NAME may be a pattern, as with files; with -r all files below NAME are removed, too. Nobody is "
     "asked.\n",
     FILES | KS_CLI_OPTIONS_TREES, 1, SIZE_MAX, ks_command_rm},
    {"transfer", "", "do what the home's transfer.info says: register if need be, send its file",
     "transfer.info has three lines: address:port of the server, user name, path of the file. A relative "
     "path is\n"
     "looked for in the working directory, then in the home. Where server.info has another address, that\n"
     "one counts, and it is said; with --moved the one of transfer.info does.\n",
     MESSAGES | KS_CLI_OPTIONS_UPLOAD | KS_CLI_OPTIONS_QUIET, 0, 0, ks_command_transfer},
    {"users", "", "list the other users of the server", "", ACCOUNT, 0, 0, ks_command_users},
    {"key", "[USER]", "show the public key of USER, and remember it; or your own",
     "Without USER the fingerprint of your own key is shown, to be compared; that does not connect.\n"
     "The key of each user is remembered from first sight. When the server later shows another one, nothing\n"
     "is sent to that user any more: either the user has a new key, or somebody sits in between. Ask USER\n"
     "for the fingerprint, by another way than this server. If the new key is right, --forget makes room\n"
     "for it.\n"
     "Texts and files under a symmetric key that was only received are marked by inbox, since nothing "
     "proves\n"
     "who made it: whoever has USER's id could have, and the server. --accept-key ends that for the newest "
     "of\n"
     "them, once USER has told you of it. What you send never depends on it: that is encrypted under a key "
     "of\n"
     "your own. --accept-key and --forget do not connect.\n",
     ACCOUNT | KS_CLI_OPTIONS_KEYS, 0, 1, ks_command_key},
    {"request-key", "USER", "ask USER for a symmetric key", "", MESSAGES, 1, 1, ks_command_request_key},
    {"share-key", "USER", "send USER a new symmetric key and use it from now on", "", MESSAGES, 1, 1,
     ks_command_share_key},
    {"send", "USER [TEXT]", "send a text or a file to USER, encrypted end to end",
     "Without TEXT and --file the text is the standard input, of any size:\n"
     "\n"
     "  echo 'Lunch at one?' | kesher send bob\n"
     "\n"
     "While the command runs, everybody on this machine can see TEXT in the list of processes, and the "
     "shell\n"
     "may keep it in its history; nobody sees the standard input. The text is encrypted under a symmetric\n"
     "key of your own, which is made and sent first where USER has none yet, and sent again when USER may\n"
     "have lost it.\n",
     MESSAGES | KS_CLI_OPTIONS_FILE, 1, 2, ks_command_send},
    {"inbox", "", "receive the messages that wait, and print them",
     "Messages are kept in the home until they were printed. Texts are printed with control bytes made\n"
     "visible, and with > before lines that look like those around them; files are saved under new names "
     "and\n"
     "printed as paths. The time is when this home received a message; nobody tells when it was sent. What\n"
     "cannot be decrypted is kept, and printed again once its key has come; --discard gives that up. A file\n"
     "that cannot be saved is kept, and saved by the next inbox that can. What came under a key that was "
     "not\n"
     "accepted has a line above it: see kesher key --help.\n",
     MESSAGES | KS_CLI_OPTIONS_INBOX | KS_CLI_OPTIONS_SAVE, 0, 0, ks_command_inbox},
    {"menu", "", "the console of the course: a menu of numbers",
     "It reads lines from the standard input. Symmetric keys live as long as the menu, and the newest, "
     "whoever\n"
     "made it, encrypts what is sent. Files are saved in $TMPDIR, else /tmp; everything else is kept in the\n"
     "home.\n",
     IDENTITY, 0, 0, ks_command_menu},
    {"chat", "[create|join ID]", "talk in a group that has a password",
     "On a terminal there is a line to type in; /help lists its commands, Ctrl-D leaves. In a pipe each "
     "line\n"
     "of the standard input is a message, and its end leaves the group. Without create and join the "
     "server's\n"
     "own menu is passed through. The password is asked for on the terminal, or taken from\n"
     "$KESHER_CHAT_PASSWORD. At a secure server, where one has an account, the way there is encrypted, "
     "names\n"
     "are one's own, who joins is told, and /who alone in a line is answered. Without --server at a classic\n"
     "one: the host of the usual server, port 5555; there nothing is encrypted.\n",
     KS_CLI_OPTIONS_ANY | KS_CLI_OPTIONS_SERVER | KS_CLI_OPTIONS_DATA | KS_CLI_OPTIONS_NAMES |
         KS_CLI_OPTIONS_ACCOUNT,
     0, 2, ks_command_chat},
    {"ask", "[REQUEST…]", "ask the server: TIME, NAME, RAND, STAT",
     "Without requests they are read from the standard input, one per line, until EXIT. Without --server: "
     "the\n"
     "host of the usual server, port 1729.\n",
     KS_CLI_OPTIONS_ANY | KS_CLI_OPTIONS_SERVER | KS_CLI_OPTIONS_DATA, 0, SIZE_MAX, ks_command_ask},
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

const struct ks_command *ks_commands_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

size_t ks_commands_count(void)
{
    return COMMAND_COUNT;
}

const struct ks_command *ks_commands_at(size_t index)
{
    return &commands[index];
}
