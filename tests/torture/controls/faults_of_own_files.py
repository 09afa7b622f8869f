"""Faults of own files: when puts and removals are answered, and what a put has that broke off."""

from .fault import Edit, Fault, PowerCuts, after, before

CONFIRM = "store/embedded/vault/confirm.c"
PUTTING = "store/embedded/vault/putting.c"
REMOVING = "store/embedded/vault/removing.c"
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
                REMOVING,
                "    stage->row.had_file = failure == 0;\n    stage->holds",
                "    stage->row.had_file = failure == 0 && !FAULT;\n    stage->holds",
            ),
        ),
        PowerCuts("own-files"),
    ),
    Fault(
        "row-of-a-removal-goes-before-its-file",
        (
            after(
                REMOVING,
                "    if (!stage->row.had_file)\n        return 0;\n",
                "    if (FAULT)\n        return 0;\n",
            ),
            before(
                REMOVING,
                "    ks_reply_post(stage->request, result);\n",
                "    if (result == KS_OK && FAULT)\n"
                "        (void)unlinkat(vault->options.directory_fd, stage->row.path_name, 0);\n",
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
