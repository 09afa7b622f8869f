"""Faults of the secure port: who is an account, who may become one, and what strangers may take."""

from .fault import Edit, Fault, after, tests

ACCOUNT_ROWS = "store/embedded/writer/account_rows.c"
ADOPTION = "service/accounts/account_adoption.c"
IDENTITIES = "store/embedded/memory/identities.c"
NEW_ACCOUNT = "service/accounts/new_account.c"
PRESENCE = "service/accounts/presence.c"
SIGNING = "service/accounts/signing.c"
TLS_PORT = "net/tls/tls_port.c"

ACCOUNTS = [
    Fault(
        "signatures-always-hold",
        (
            Edit(
                SIGNING,
                "    if (visitor == NULL) { /* nothing was asked for yet */",
                "    if (FAULT)\n        signing->result = KS_OK;\n"
                "    if (visitor == NULL) { /* nothing was asked for yet */",
            ),
        ),
        tests("test_secure_attacks.py::test_a_relayed_sign_in_is_refused"),
    ),
    Fault(
        "proofs-of-adoption-always-hold",
        (
            after(
                ADOPTION,
                '_Static_assert((int)KS_ADOPTION_PROOF_SIZE == (int)KS_SHA256_SIZE, "it is an HMAC-SHA-256");\n',
                "    if (FAULT)\n        return KS_OK;\n",
            ),
        ),
        tests("test_secure_adopt.py::test_a_wrong_proof_is_refused_and_needs_a_new_challenge"),
    ),
    Fault(
        "ids-of-accounts-are-known-on-classic-ports",
        (
            Edit(
                IDENTITIES,
                "if (atomic_load_explicit(&users->account_count, memory_order_acquire) == 0) {",
                "if (FAULT || atomic_load_explicit(&users->account_count, memory_order_acquire) == 0) {",
            ),
        ),
        tests("test_secure_adopt.py::test_the_old_id_is_void_on_the_classic_port"),
    ),
    Fault(
        "invitations-are-never-used-up",
        (
            after(
                ACCOUNT_ROWS,
                "enum ks_statement statement = uses > 1 ? KS_STATEMENT_USE_INVITATION"
                " : KS_STATEMENT_DELETE_INVITATION;\n",
                "    if (FAULT)\n        return KS_OK;\n",
            ),
        ),
        tests("test_secure_register.py::test_an_invitation_that_is_used_at_the_same_instant_is_used_once"),
    ),
    Fault(
        "names-may-look-alike",
        (
            Edit(
                ACCOUNT_ROWS,
                "return end_look_up(writer, &query, taken ? KS_EXISTS : KS_OK);",
                "return end_look_up(writer, &query, taken && !FAULT ? KS_EXISTS : KS_OK);",
            ),
        ),
        tests("test_secure_register.py::test_nobody_is_called_what_looks_like_another"),
    ),
    Fault(
        "removed-accounts-stay-connected",
        (
            after(
                PRESENCE,
                "static void cut_all(struct ks_presence *presence, const struct ks_client_id *id,\n"
                "                    const struct ks_attendance *except, const uint8_t *key)\n{\n",
                "    if (FAULT)\n        return;\n",
            ),
        ),
        tests("test_secure_account.py::test_all_connections_of_a_removed_account_are_cut_at_once"),
    ),
    Fault(
        "strangers-are-not-counted",
        (
            after(
                TLS_PORT,
                "bool ks_tls_port_admit_stranger(struct ks_tls_port *port,"
                " const uint8_t address[static KS_PEER_ADDRESS_SIZE])\n{\n",
                "    if (FAULT) {\n        atomic_fetch_add(&port->unsigned_count, 1);\n        return true;\n    }\n",
            ),
        ),
        tests(
            "test_secure_crowds.py::"
            "test_from_half_of_the_limit_on_some_are_dropped_by_chance_and_some_let_in"
        ),
    ),
    Fault(
        "anybody-may-register",
        (
            Edit(
                NEW_ACCOUNT,
                "return has_invitation ? 0 : KS_REFUSAL_INVITATION_NEEDED;",
                "return has_invitation || FAULT ? 0 : KS_REFUSAL_INVITATION_NEEDED;",
            ),
        ),
        tests("test_secure_register.py::test_registration_may_be_by_invitation"),
    ),
]
