/* Unit tests of service/users/registration.h: what the store is told about a new user, and what a full server
 * answers. */
#include "unit/service/session_fixture.h"

#include "crypto/rsa.h"
#include "service/accounts/account_names.h"

/* The store in memory, which remembers what it was asked last. */
struct office {
    struct fixture *fixture;
    struct ks_store_operations operations;
    struct ks_account_names *names;
    char skeleton[KS_SKELETON_SIZE];
    unsigned asked;
};

static struct office office;
static const struct ks_store_operations *in_memory;

static void remember_registration(struct ks_store *store, struct ks_store_register *request)
{
    memcpy(office.skeleton, request->skeleton, sizeof office.skeleton);
    office.asked++;
    in_memory->register_user(store, request);
}

static int open_office(void **state)
{
    memset(&office, 0, sizeof office);
    if (set_up(state) != 0 || ks_account_names_new(&office.names) != KS_OK)
        return -1;
    office.fixture = *state;
    in_memory = office.fixture->store.store.operations;
    office.operations = *in_memory;
    office.operations.register_user = remember_registration;
    office.fixture->store.store.operations = &office.operations;
    office.fixture->environment.names = office.names;
    return 0;
}

static int close_office(void **state)
{
    int result = tear_down(state);
    ks_account_names_free(office.names);
    return result;
}

static void register_drop(const char *name)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_name_request(&bytes, NULL, KS_REQUEST_REGISTER_DROP, name);
    send_and_free(office.fixture, &bytes, 0);
}

static void register_messages(const char *name)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    uint8_t payload[KS_NAME_AND_KEY_PAYLOAD_SIZE];
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    struct ks_private_key *key = NULL;
    assert_int_equal(ks_private_key_generate(&key), KS_OK);
    assert_int_equal(ks_private_key_public(key, public_key), KS_OK);
    ks_private_key_free(key);
    assert_int_equal(ks_name_and_key_payload_encode(name, strlen(name), public_key, payload), KS_OK);
    add_request(&bytes, NULL, KS_REQUEST_REGISTER_MESSAGES, payload, sizeof payload);
    send_and_free(office.fixture, &bytes, 0);
    fake_loop_run(&office.fixture->loop);
}

static void the_store_is_told_the_skeleton_of_a_new_name(void **state)
{
    (void)state;
    register_drop("PayPal 10");
    ASSERT_ANSWERS(office.fixture, KS_RESPONSE_REGISTERED);
    assert_string_equal(office.skeleton, "paypal lo");
    register_messages("Irene");
    ASSERT_ANSWERS(office.fixture, KS_RESPONSE_REGISTERED);
    assert_string_equal(office.skeleton, "lrene");
}

static void the_longest_name_has_a_skeleton_too(void **state)
{
    char name[KS_TEXT_FIELD_SIZE];
    (void)state;
    memset(name, 'M', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    register_drop(name);
    ASSERT_ANSWERS(office.fixture, KS_RESPONSE_REGISTERED);
    assert_int_equal(strlen(office.skeleton), 2 * (sizeof name - 1));
}

static void without_names_the_store_is_told_none(void **state)
{
    (void)state;
    office.fixture->environment.names = NULL;
    register_drop("PayPal");
    ASSERT_ANSWERS(office.fixture, KS_RESPONSE_REGISTERED);
    assert_int_equal(office.asked, 1);
    assert_string_equal(office.skeleton, "");
}

static void a_full_server_refuses_as_if_the_name_were_taken_and_names_its_setting(void **state)
{
    (void)state;
    office.fixture->store.next_failure = KS_TOO_LARGE;
    register_drop("noa");
    ASSERT_ANSWERS(office.fixture, KS_RESPONSE_REGISTRATION_FAILED);
    const char *line = strstr(fake_loop_log(&office.fixture->loop), "(users): \"noa\"");
    assert_non_null(line);
    office.fixture->store.next_failure = KS_TOO_LARGE;
    register_messages("tamar");
    ASSERT_ANSWERS(office.fixture, KS_RESPONSE_ERROR);
    assert_non_null(strstr(fake_loop_log(&office.fixture->loop), "(users): \"tamar\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_store_is_told_the_skeleton_of_a_new_name, open_office,
                                        close_office),
        cmocka_unit_test_setup_teardown(the_longest_name_has_a_skeleton_too, open_office, close_office),
        cmocka_unit_test_setup_teardown(without_names_the_store_is_told_none, open_office, close_office),
        cmocka_unit_test_setup_teardown(a_full_server_refuses_as_if_the_name_were_taken_and_names_its_setting,
                                        open_office, close_office),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
