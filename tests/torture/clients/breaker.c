/* breaker.c — runs a program, and breaks it at one of its system calls: kills it behind that, or lets the
 * call fail, or lets it take one byte. The program is as it is; ptrace sees every call of it, whichever
 * library makes it, and the program cannot tell.
 *
 *   breaker LOG CALL ACTION PROGRAM [ARGUMENT...]
 *
 *   LOG     a new file, with a line for each call: its name, its first argument, its flags if it opens,
 *           its result; then how the program ended. It begins with the first prctl: before that are the
 *           loader and libraries
 *   CALL    "openat:17": the 17th openat, counted from that prctl on; "-": none
 *   ACTION  "kill": the program is killed behind the call
 *           "fail:28": the call does nothing and answers this errno
 *           "fail-on:28": so do all later ones of it
 *           "short": it is asked for one byte only (calls with a size in the third argument)
 *
 * The exit status is the program's; 128 and the signal's number when it died of one that was not ours. For
 * x86-64.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL(name) [SYS_##name] = #name

static const char *const names[512] = {
    CALL(accept),    CALL(access),      CALL(brk),          CALL(clock_nanosleep), CALL(close),
    CALL(connect),   CALL(dup),         CALL(exit_group),   CALL(faccessat),       CALL(faccessat2),
    CALL(fadvise64), CALL(fallocate),   CALL(fchmod),       CALL(fchmodat),        CALL(fcntl),
    CALL(fdatasync), CALL(flock),       CALL(fstat),        CALL(fstatfs),         CALL(fsync),
    CALL(ftruncate), CALL(futex),       CALL(getdents64),   CALL(getpeername),     CALL(getpid),
    CALL(getrandom), CALL(getsockname), CALL(getsockopt),   CALL(gettid),          CALL(ioctl),
    CALL(linkat),    CALL(lseek),       CALL(lstat),        CALL(madvise),         CALL(memfd_create),
    CALL(mkdir),     CALL(mkdirat),     CALL(mmap),         CALL(mprotect),        CALL(mremap),
    CALL(munmap),    CALL(newfstatat),  CALL(open),         CALL(openat),          CALL(poll),
    CALL(ppoll),     CALL(prctl),       CALL(pread64),      CALL(pwrite64),        CALL(read),
    CALL(readlink),  CALL(readlinkat),  CALL(recvfrom),     CALL(recvmsg),         CALL(rename),
    CALL(renameat),  CALL(renameat2),   CALL(rt_sigaction), CALL(rt_sigprocmask),  CALL(sendmmsg),
    CALL(sendmsg),   CALL(sendto),      CALL(setsockopt),   CALL(shutdown),        CALL(socket),
    CALL(stat),      CALL(statx),       CALL(syncfs),       CALL(uname),           CALL(unlink),
    CALL(unlinkat),  CALL(write),       CALL(writev),
};

enum { CALLS = sizeof names / sizeof names[0] };

enum action { ACTION_NONE, ACTION_KILL, ACTION_FAIL, ACTION_FAIL_ON, ACTION_SHORT };

struct breaker {
    FILE *log;
    pid_t program;
    const char *call; /* its name */
    unsigned long number;
    enum action action;
    long error;
    unsigned long counts[CALLS];
    bool is_counting;
};

static _Noreturn void give_up(const char *what)
{
    perror(what);
    exit(125);
}

static const char *name_of(unsigned long long number)
{
    static char unknown[32];
    if (number < CALLS && names[number] != NULL)
        return names[number];
    (void)snprintf(unknown, sizeof unknown, "call-%llu", number);
    return unknown;
}

static struct user_regs_struct registers_of(const struct breaker *breaker)
{
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, breaker->program, NULL, &registers) != 0)
        give_up("registers");
    return registers;
}

static void set_registers(const struct breaker *breaker, const struct user_regs_struct *registers)
{
    if (ptrace(PTRACE_SETREGS, breaker->program, NULL, registers) != 0)
        give_up("registers");
}

/* Whether this call is the one, or one behind it that is broken too. */
static bool is_chosen(struct breaker *breaker, unsigned long long number)
{
    if (number == SYS_prctl)
        breaker->is_counting = true;
    if (!breaker->is_counting || number >= CALLS)
        return false;
    unsigned long count = ++breaker->counts[number];
    if (breaker->action == ACTION_NONE || strcmp(name_of(number), breaker->call) != 0)
        return false;
    return count == breaker->number || (breaker->action == ACTION_FAIL_ON && count > breaker->number);
}

static void resume_to_next_stop(const struct breaker *breaker, int deliver)
{
    if (ptrace(PTRACE_SYSCALL, breaker->program, NULL, (long)deliver) != 0 && errno != ESRCH)
        give_up("going on");
}

/* Until the next stop at a call. False when the program has ended: *status. */
static bool wait_for_call(const struct breaker *breaker, int *status)
{
    int deliver = 0;
    for (;;) {
        resume_to_next_stop(breaker, deliver);
        if (waitpid(breaker->program, status, 0) != breaker->program)
            give_up("waiting");
        if (WIFEXITED(*status) || WIFSIGNALED(*status))
            return false;
        if (WSTOPSIG(*status) == (SIGTRAP | 0x80))
            return true;
        deliver = WSTOPSIG(*status) == SIGTRAP ? 0 : WSTOPSIG(*status);
    }
}

static void enter(const struct breaker *breaker, const struct user_regs_struct *call, long long result)
{
    if (breaker->is_counting)
        fprintf(breaker->log, "%s %lld %lld %lld\n", name_of(call->orig_rax), (long long)call->rdi,
                call->orig_rax == SYS_openat ? (long long)call->rdx : 0LL, result);
}

/* One call, from its begin to its end. False when the program has ended. */
static bool follow_call(struct breaker *breaker, int *status)
{
    if (!wait_for_call(breaker, status))
        return false;
    const struct user_regs_struct call = registers_of(breaker);
    struct user_regs_struct changed = call;
    bool breaks = is_chosen(breaker, call.orig_rax);
    bool fails = breaks && (breaker->action == ACTION_FAIL || breaker->action == ACTION_FAIL_ON);
    bool is_break = call.orig_rax == SYS_brk; /* which says no by answering where the break is */
    if (fails && is_break)
        changed.rdi = 0;
    else if (fails)
        changed.orig_rax = (unsigned long long)-1;
    if (breaks && breaker->action == ACTION_SHORT && changed.rdx > 1)
        changed.rdx = 1;
    if (breaks)
        set_registers(breaker, &changed);
    if (!wait_for_call(breaker, status)) {
        enter(breaker, &call, 0); /* the last one, which does not return */
        return false;
    }
    struct user_regs_struct after = registers_of(breaker);
    after.rdi = call.rdi; /* a call leaves its arguments as they are */
    after.rdx = call.rdx;
    if (fails && !is_break)
        after.rax = (unsigned long long)-breaker->error;
    if (breaks)
        set_registers(breaker, &after);
    enter(breaker, &call, (long long)after.rax);
    if (breaks && breaker->action == ACTION_KILL)
        kill(breaker->program, SIGKILL);
    return true;
}

static void choose(struct breaker *breaker, char *call, const char *action)
{
    char *colon = strchr(call, ':');
    const char *error = strchr(action, ':');
    if (colon == NULL)
        return;
    *colon = '\0';
    breaker->call = call;
    breaker->number = strtoul(colon + 1, NULL, 10);
    breaker->error = error != NULL ? strtol(error + 1, NULL, 10) : EIO;
    if (strcmp(action, "kill") == 0)
        breaker->action = ACTION_KILL;
    else if (strcmp(action, "short") == 0)
        breaker->action = ACTION_SHORT;
    else
        breaker->action = strncmp(action, "fail-on", 7) == 0 ? ACTION_FAIL_ON : ACTION_FAIL;
}

static void begin(struct breaker *breaker, char **program)
{
    int status = 0;
    breaker->program = fork();
    if (breaker->program == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
            execv(program[0], program);
        _exit(125);
    }
    if (breaker->program < 0 || waitpid(breaker->program, &status, 0) != breaker->program ||
        !WIFSTOPPED(status))
        give_up("beginning");
    if (ptrace(PTRACE_SETOPTIONS, breaker->program, NULL,
               (long)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) != 0)
        give_up("options");
}

int main(int count, char **arguments)
{
    static struct breaker breaker;
    int status = 0;
    if (count < 5)
        return 125;
    breaker.log = fopen(arguments[1], "we");
    if (breaker.log == NULL)
        give_up(arguments[1]);
    choose(&breaker, arguments[2], arguments[3]);
    begin(&breaker, arguments + 4);
    while (follow_call(&breaker, &status))
        continue;
    fprintf(breaker.log, WIFSIGNALED(status) ? "died %d\n" : "ended %d\n",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    if (fclose(breaker.log) != 0)
        give_up(arguments[1]);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
