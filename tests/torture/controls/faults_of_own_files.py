"""Faults of own files: when puts and removals are answered, and what a put has that broke off."""

from .fault import Edit, Fault, PowerCuts, after, before

CONFIRM = "store/embedded/vault/confirm.c"
DISPLACED = "store/embedded/vault/displaced.c"
PUTTING = "store/embedded/vault/putting.c"
STAGE = "store/embedded/vault/stage.c"

OWN_FILES = [
    Fault(
        "own-file-answered-before-its-name-is-durable",
        (
            after(
                CONFIRM,
                "static bool needs_directory(const struct ks_stage *stage)\n{\n",
                "    if (stage->purpose == KS_STAGE_PUT && !stage->row.is_removal && FAULT)\n        return false;\n",
            ),
        ),
        PowerCuts("own-files"),
    ),
    Fault(
        "removal-answered-before-its-name-is-gone-for-good",
        (
            Edit(
                DISPLACED,
                "    stage->row.had_file = true;\n",
                "    stage->row.had_file = !FAULT;\n",
            ),
        ),
        PowerCuts("own-files"),
    ),
    Fault(
        "row-of-a-removal-goes-before-its-file",
        (
            before(
                DISPLACED,
                "    return failure == 0 && change.replaces ? move_away(stage)",
                "    if (FAULT)\n        return 0;\n",
            ),
            before(
                DISPLACED,
                "    ks_reply_post(request, result);\n",
                "    if (stage->row.is_removal && result == KS_OK && FAULT)\n"
                "        (void)unlinkat(stage->vault->options.directory_fd, stage->row.path_name, 0);\n",
            ),
        ),
        PowerCuts("own-files"),
    ),
    Fault(
        "cksum-of-an-own-file-uncompared",
        (
            Edit(
                STAGE,
                "    if (stage->purpose == KS_STAGE_PUT && request->cksum != ks_cksum_value(&stage->cksum))",
                "    if (stage->purpose == KS_STAGE_PUT && request->cksum != ks_cksum_value(&stage->cksum) && !FAULT)",
            ),
        ),
        PowerCuts("broken-off-puts"),
    ),
    Fault(
        "cksum-of-a-put-that-broke-off-not-read-from-the-disk",
        (
            before(
                PUTTING,
                "    while (result == KS_OK && stage->cksum.length < end) {\n",
                "    if (!stage->row.is_kept && FAULT)\n        stage->cksum.length = end;\n",
            ),
        ),
        PowerCuts("broken-off-puts"),
    ),
    Fault(
        "offset-of-a-put-that-broke-off-is-what-was-declared",
        (
            Edit(
                PUTTING,
                "    request->offset = stage->size;\n",
                "    request->offset = !is_kept && stage->size > 0 && FAULT ? stage->declared : stage->size;\n",
            ),
        ),
        PowerCuts("broken-off-puts"),
    ),
]
