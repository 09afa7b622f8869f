/* Unit tests of 3007, and of what an account is on the classic ports: nobody, until its owner wants it there.
 */
#include "unit/service/accounts/secure_fixture.h"

#include "crypto/rsa.h"
#include "wire/messages_codec.h"

/* ---- lists ---- */

struct list {
    uint8_t bytes[KS_SECURE_PAYLOAD_LIMIT];
    size_t size;
};

static void add(struct list *list, uint16_t key, const void *value, size_t size)
{
    assert_int_equal(ks_list_add(list->bytes, sizeof list->bytes, &list->size, key, value, size), KS_OK);
}

static void make_public_key(uint8_t public_key[static KS_PUBLIC_KEY_SIZE])
{
    struct ks_private_key *key = NULL;
    assert_int_equal(ks_private_key_generate(&key), KS_OK);
    assert_int_equal(ks_private_key_public(key, public_key), KS_OK);
    ks_private_key_free(key);
}

static struct list classic_on(const uint8_t *public_key)
{
    static const uint8_t on = 1;
    struct list list = {.size = 0};
    add(&list, 4711, "of a newer client", 17);
    add(&list, KS_ACCOUNT_ENTRY_CLASSIC, &on, 1);
    add(&list, KS_ACCOUNT_ENTRY_CLASSIC_KEY, public_key, KS_PUBLIC_KEY_SIZE);
    return list;
}

static struct list classic_off(void)
{
    static const uint8_t off = 0;
    struct list list = {.size = 0};
    add(&list, KS_ACCOUNT_ENTRY_CLASSIC, &off, 1);
    return list;
}

/* Switches it on, and reads the id. */
static struct ks_client_id switch_on(struct gate *gate, unsigned peer, const uint8_t *public_key)
{
    const struct list list = classic_on(public_key);
    const uint8_t *answer = NULL;
    size_t size = 0;
    size_t value_size = 0;
    struct ks_client_id id;
    ask(gate, peer, KS_REQUEST_MY_ACCOUNT, list.bytes, list.size);
    assert_int_equal(hear(gate, peer, &answer, &size), KS_RESPONSE_MY_ACCOUNT);
    assert_int_equal(number_of(answer, size, KS_ACCOUNT_ENTRY_CLASSIC), 1);
    const uint8_t *value = entry_of(answer, size, KS_ACCOUNT_ENTRY_CLASSIC_ID, &value_size);
    assert_non_null(value);
    assert_int_equal(value_size, sizeof id.bytes);
    memcpy(id.bytes, value, sizeof id.bytes);
    return id;
}

static void switch_off(struct gate *gate, unsigned peer)
{
    const struct list list = classic_off();
    const uint8_t *answer = NULL;
    size_t size = 0;
    size_t value_size = 0;
    ask(gate, peer, KS_REQUEST_MY_ACCOUNT, list.bytes, list.size);
    assert_int_equal(hear(gate, peer, &answer, &size), KS_RESPONSE_MY_ACCOUNT);
    assert_int_equal(number_of(answer, size, KS_ACCOUNT_ENTRY_CLASSIC), 0);
    assert_null(entry_of(answer, size, KS_ACCOUNT_ENTRY_CLASSIC_ID, &value_size));
}

static struct ks_client_id add_classic_user(struct gate *gate, const char *name)
{
    struct fake_user *user = &gate->store.users[gate->store.user_count++];
    memset(user->user.id.bytes, 0x40, sizeof user->user.id.bytes);
    user->user.id.bytes[0] = (uint8_t)gate->store.user_count;
    strcpy(user->user.name, name);
    user->user.has_public_key = true;
    memset(user->public_key, name[0], sizeof user->public_key);
    return user->user.id;
}

/* ---- what it uses ---- */

static void an_account_is_told_what_it_may_and_what_it_uses(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const uint8_t *list = NULL;
    size_t size = 0;
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "alice");
    struct fake_file *file = &gate->store.files[gate->store.file_count++];
    file->id = gate->store.users[0].user.id;
    assert_int_equal(ks_buffer_append(&file->content, "12345", 5), KS_OK);
    atomic_store(&gate->limits.user_files, 10);
    ask(gate, 0, KS_REQUEST_MY_ACCOUNT, NULL, 0);
    assert_int_equal(hear(gate, 0, &list, &size), KS_RESPONSE_MY_ACCOUNT);
    assert_int_equal(number_of(list, size, KS_ACCOUNT_ENTRY_FILES_LIMIT), 10);
    assert_int_equal(number_of(list, size, KS_ACCOUNT_ENTRY_FILES), 1);
    assert_int_equal(number_of(list, size, KS_ACCOUNT_ENTRY_BYTES), 5);
    assert_int_equal(number_of(list, size, KS_ACCOUNT_ENTRY_WAITING), 0);
    assert_int_equal(number_of(list, size, KS_ACCOUNT_ENTRY_WAITING_BYTES), 0);
    assert_int_equal(number_of(list, size, KS_ACCOUNT_ENTRY_PUTS), 0);
    assert_int_equal(number_of(list, size, KS_ACCOUNT_ENTRY_PUT_BYTES), 0);
    assert_int_equal(number_of(list, size, KS_ACCOUNT_ENTRY_CLASSIC), 0);
}

static void the_longest_name_fits_its_answers(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const uint8_t *list = NULL;
    size_t size = 0;
    size_t value_size = 0;
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    uint8_t next[KS_SERVER_FINGERPRINT_SIZE] = {1};
    make_public_key(public_key);
    make_account(gate, 0, &alice, "alice");
    memset(gate->store.users[0].user.name, 'a',
           KS_TEXT_FIELD_SIZE - 1); /* as that of an adopted one may be */
    ks_next_key_set(&gate->next_key, next);
    gate_open(gate, 0);
    sign_in(gate, 0, &alice);
    assert_told(gate, 0, KS_RESPONSE_SIGNED_IN);
    const struct list wish = classic_on(public_key);
    ask(gate, 0, KS_REQUEST_MY_ACCOUNT, wish.bytes, wish.size);
    assert_int_equal(hear(gate, 0, &list, &size), KS_RESPONSE_MY_ACCOUNT);
    assert_non_null(entry_of(list, size, KS_ACCOUNT_ENTRY_NAME, &value_size));
    assert_int_equal(value_size, KS_TEXT_FIELD_SIZE - 1);
    for (unsigned key = KS_ACCOUNT_ENTRY_PUBLIC_ID; key <= KS_ACCOUNT_ENTRY_CLASSIC_ID; key++)
        if (key != KS_ACCOUNT_ENTRY_CLASSIC_KEY)
            assert_non_null(entry_of(list, size, (uint16_t)key, &value_size));
}

static void lists_that_make_no_sense_change_nothing(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    uint8_t public_key[KS_PUBLIC_KEY_SIZE] = {1}; /* which is none */
    const uint8_t on = 1;
    const uint8_t two = 2;
    const uint64_t number = 1;
    struct list lists[6] = {{.size = 0}};
    add(&lists[0], KS_ACCOUNT_ENTRY_CLASSIC, &on, 1); /* without a key */
    add(&lists[1], KS_ACCOUNT_ENTRY_CLASSIC, &two, 1);
    add(&lists[2], KS_ACCOUNT_ENTRY_CLASSIC, &number, 8);
    add(&lists[3], KS_ACCOUNT_ENTRY_CLASSIC, &on, 1);
    add(&lists[3], KS_ACCOUNT_ENTRY_CLASSIC_KEY, public_key, sizeof public_key - 1);
    lists[4] = classic_on(public_key);
    lists[5].size = 3;
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "alice");
    for (size_t i = 0; i < KS_COUNT_OF(lists); i++) {
        ask(gate, 0, KS_REQUEST_MY_ACCOUNT, lists[i].bytes, lists[i].size);
        assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
    }
    assert_false(gate->store.users[0].user.has_classic_id);
}

static void a_key_that_occurs_twice_counts_with_its_last_value(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    const uint8_t off = 0;
    make_public_key(public_key);
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "alice");
    struct list list = classic_on(public_key);
    add(&list, KS_ACCOUNT_ENTRY_CLASSIC, &off, 1);
    ask(gate, 0, KS_REQUEST_MY_ACCOUNT, list.bytes, list.size);
    assert_told(gate, 0, KS_RESPONSE_MY_ACCOUNT);
    assert_false(gate->store.users[0].user.has_classic_id);
}

static void trouble_of_the_store_is_told(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct list off = classic_off();
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "alice");
    gate->store.next_failure = KS_NO_SPACE;
    ask(gate, 0, KS_REQUEST_MY_ACCOUNT, off.bytes, off.size);
    assert_refused(gate, 0, KS_REFUSAL_NO_SPACE);
    gate->store.next_failure = KS_IO;
    ask(gate, 0, KS_REQUEST_MY_ACCOUNT, NULL, 0);
    assert_refused(gate, 0, KS_REFUSAL_TROUBLE);
}

/* ---- on the classic ports ---- */

static void its_own_id_is_nobodys_on_the_classic_port(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    make_account(gate, 0, &alice, "alice");
    gate_open_classic(gate, 1);
    const struct sent list = request_by(&gate->store.users[0].user.id, KS_REQUEST_LIST_USERS, NULL, 0);
    send_it(gate, 1, &list);
    assert_told(gate, 1, KS_RESPONSE_ERROR);
}

static void switched_on_it_is_a_user_of_the_classic_port_under_another_id(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const uint8_t *payload = NULL;
    size_t size = 0;
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    uint8_t field[KS_TEXT_FIELD_SIZE];
    struct ks_client_id alias;
    const struct ks_client_id bob = add_classic_user(gate, "bob");
    make_public_key(public_key);
    assert_int_equal(ks_text_field_encode("alice", 5, field), KS_OK);
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "alice");
    const struct ks_client_id classic = switch_on(gate, 0, public_key);
    const struct ks_client_id own = gate->store.users[1].user.id;
    assert_memory_not_equal(&classic, &own, sizeof own);
    gate_open_classic(gate, 1);
    /* The answer has the id as it was sent. */
    const struct sent reconnect = request_by(&classic, KS_REQUEST_RECONNECT, field, sizeof field);
    send_it(gate, 1, &reconnect);
    assert_int_equal(hear(gate, 1, &payload, &size), KS_RESPONSE_RECONNECTED);
    assert_memory_equal(payload, classic.bytes, sizeof classic.bytes);
    /* Others see the account's alias, and find it there. */
    ks_alias_of_id(gate->alias_key, own.bytes, alias.bytes);
    const struct sent list = request_by(&bob, KS_REQUEST_LIST_USERS, NULL, 0);
    send_it(gate, 1, &list);
    assert_int_equal(hear(gate, 1, &payload, &size), KS_RESPONSE_USERS);
    assert_int_equal(size, KS_CLIENT_ID_SIZE + KS_TEXT_FIELD_SIZE);
    assert_memory_equal(payload, alias.bytes, sizeof alias.bytes);
    const struct sent key = request_by(&bob, KS_REQUEST_USER_KEY, alias.bytes, sizeof alias.bytes);
    send_it(gate, 1, &key);
    assert_int_equal(hear(gate, 1, &payload, &size), KS_RESPONSE_USER_KEY);
    assert_memory_equal(payload + KS_CLIENT_ID_SIZE, public_key, sizeof public_key);
    const struct sent by_classic_id =
        request_by(&bob, KS_REQUEST_USER_KEY, classic.bytes, sizeof classic.bytes);
    const struct sent by_own_id = request_by(&bob, KS_REQUEST_USER_KEY, own.bytes, sizeof own.bytes);
    send_it(gate, 1, &by_classic_id);
    assert_int_equal(hear(gate, 1, &payload, &size), KS_RESPONSE_USER_KEY);
    assert_memory_equal(payload, classic.bytes, sizeof classic.bytes);
    send_it(gate, 1, &by_own_id); /* which nobody outside is told */
    assert_told(gate, 1, KS_RESPONSE_ERROR);
    const struct ks_send_message_payload message = {.target = alias, .type = KS_MESSAGE_KEY_REQUEST};
    uint8_t fixed[KS_SEND_MESSAGE_FIXED_SIZE];
    ks_send_message_payload_encode(&message, fixed);
    const struct sent send = request_by(&bob, KS_REQUEST_SEND_MESSAGE, fixed, sizeof fixed);
    send_it(gate, 1, &send);
    assert_told(gate, 1, KS_RESPONSE_MESSAGE_STORED);
    assert_int_equal(fake_store_waiting(&gate->store, &own), 1);
    /* And it gets what waits for it. */
    const struct sent pull = request_by(&classic, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    send_it(gate, 1, &pull);
    assert_int_equal(hear(gate, 1, &payload, &size), KS_RESPONSE_WAITING_MESSAGES);
    assert_true(size > 0);
    gate_close(gate, 1);
}

static void switched_off_or_on_again_the_id_of_before_is_void(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    const struct ks_client_id bob = add_classic_user(gate, "bob");
    struct ks_client_id alias;
    make_public_key(public_key);
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "alice");
    ks_alias_of_id(gate->alias_key, gate->store.users[1].user.id.bytes, alias.bytes);
    const struct ks_client_id first = switch_on(gate, 0, public_key);
    const struct ks_client_id second = switch_on(gate, 0, public_key);
    assert_memory_not_equal(&first, &second, sizeof first);
    gate_open_classic(gate, 1);
    const struct sent by_first = request_by(&first, KS_REQUEST_LIST_USERS, NULL, 0);
    const struct sent by_second = request_by(&second, KS_REQUEST_LIST_USERS, NULL, 0);
    const struct sent key = request_by(&bob, KS_REQUEST_USER_KEY, alias.bytes, sizeof alias.bytes);
    send_it(gate, 1, &by_first);
    assert_told(gate, 1, KS_RESPONSE_ERROR);
    send_it(gate, 1, &by_second);
    assert_told(gate, 1, KS_RESPONSE_USERS);
    send_it(gate, 1, &key);
    assert_told(gate, 1, KS_RESPONSE_USER_KEY);
    switch_off(gate, 0);
    send_it(gate, 1, &by_second);
    assert_told(gate, 1, KS_RESPONSE_ERROR);
    send_it(gate, 1, &key);
    assert_told(gate, 1, KS_RESPONSE_ERROR);
}

/* With public-ids = plain, too: that of an account is told to nobody. */
static void the_id_of_an_account_is_in_no_list_of_plain_ids(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const uint8_t *payload = NULL;
    size_t size = 0;
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    struct ks_client_id alias;
    const struct ks_client_id bob = add_classic_user(gate, "bob");
    const struct ks_client_id carol = add_classic_user(gate, "carol");
    gate->environment.settings.plain_public_ids = true;
    make_public_key(public_key);
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "alice");
    switch_on(gate, 0, public_key);
    ks_alias_of_id(gate->alias_key, gate->store.users[2].user.id.bytes, alias.bytes);
    gate_open_classic(gate, 1);
    const struct sent list = request_by(&bob, KS_REQUEST_LIST_USERS, NULL, 0);
    send_it(gate, 1, &list);
    assert_int_equal(hear(gate, 1, &payload, &size), KS_RESPONSE_USERS);
    assert_int_equal(size, 2 * (KS_CLIENT_ID_SIZE + KS_TEXT_FIELD_SIZE));
    assert_memory_equal(payload, carol.bytes, sizeof carol.bytes);
    assert_memory_equal(payload + KS_CLIENT_ID_SIZE + KS_TEXT_FIELD_SIZE, alias.bytes, sizeof alias.bytes);
    const struct sent key = request_by(&bob, KS_REQUEST_USER_KEY, alias.bytes, sizeof alias.bytes);
    send_it(gate, 1, &key);
    assert_told(gate, 1, KS_RESPONSE_USER_KEY);
}

/* ---- connections that go ---- */

static struct sent prepare_settings(struct gate *gate)
{
    static uint8_t seed;
    char name[16];
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    seed++;
    make_public_key(public_key);
    const struct person person = person_of(seed);
    snprintf(name, sizeof name, "person%u", (unsigned)seed);
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &person, name);
    const struct list list = classic_on(public_key);
    return request(KS_REQUEST_MY_ACCOUNT, list.bytes, list.size);
}

static void judge_nothing(struct gate *gate)
{
    (void)gate;
}

static void a_connection_may_go_at_every_step_of_a_change(void **state)
{
    gate_cut_at_every_step(*state, prepare_settings, judge_nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(an_account_is_told_what_it_may_and_what_it_uses),
        GATE_TEST(the_longest_name_fits_its_answers),
        GATE_TEST(lists_that_make_no_sense_change_nothing),
        GATE_TEST(a_key_that_occurs_twice_counts_with_its_last_value),
        GATE_TEST(trouble_of_the_store_is_told),
        GATE_TEST(its_own_id_is_nobodys_on_the_classic_port),
        GATE_TEST(switched_on_it_is_a_user_of_the_classic_port_under_another_id),
        GATE_TEST(switched_off_or_on_again_the_id_of_before_is_void),
        GATE_TEST(the_id_of_an_account_is_in_no_list_of_plain_ids),
        GATE_TEST(a_connection_may_go_at_every_step_of_a_change),
    };
    return cmocka_run_group_tests_name("account_settings", tests, NULL, NULL);
}
