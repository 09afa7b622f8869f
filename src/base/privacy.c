/* privacy.c — see privacy.h. */
#include "base/privacy.h"

#include <sys/prctl.h>

enum ks_result ks_privacy_hide_memory(void)
{
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? KS_OK : KS_IO;
}
