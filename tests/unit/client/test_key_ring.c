/* Unit tests of client/people/key_ring.h: which key encrypts, which are tried on what came, and which stay.
 */
#include "unit/client/key_ring_fixture.h"

static void received_key_only_decrypts(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.ours_count = 0};
    receive(&ring, 'a');
    assert_false(ring.has_sending || ring.share_again);
    receive(&ring, 'b');
    assert_false(ring.has_sending);
    assert_string_equal(letters_of(&ring), "ba");
}

static void received_key_does_not_replace_the_one_for_sending(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.ours_count = 0};
    share(&ring, 'm');
    receive(&ring, 'a');
    assert_true(ring.has_sending);
    assert_int_equal(ring.sending.bytes[0], 'm');
    assert_true(ks_key_ring_accept(&ring)); /* it concerns reading only */
    assert_int_equal(ring.sending.bytes[0], 'm');
}

static void key_not_seen_before_makes_ours_to_be_shared_again_and_a_known_one_does_not(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.ours_count = 0};
    struct ks_symmetric_key mine = key_of('m');
    receive(&ring, 'a');
    share(&ring, 'o');
    share(&ring, 'm');
    struct ks_key_ring before = ring;
    receive(&ring, 'a');
    receive(&ring, 'm');
    receive(&ring, 'o'); /* ours, by whatever way it comes back */
    assert_memory_equal(&ring, &before, sizeof ring);
    receive(&ring, 'b');
    assert_true(ring.share_again);
    ks_key_ring_use(&ring, &mine);
    assert_false(ring.share_again);
    assert_int_equal(ring.sending.bytes[0], 'm');
    assert_string_equal(letters_of(&ring), "bamo");
}

static void request_makes_ours_to_be_shared_again(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.ours_count = 0};
    assert_false(ks_key_ring_ask(&ring));
    assert_false(ring.share_again); /* there is none */
    share(&ring, 'm');
    assert_true(ks_key_ring_ask(&ring));
    assert_true(ring.share_again);
    assert_false(ks_key_ring_ask(&ring));
    assert_true(ring.share_again);
    share(&ring, 'n');
    assert_false(ring.share_again);
}

static void offered_key_only_decrypts_until_it_arrived(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.ours_count = 0};
    struct ks_symmetric_key mine = key_of('m');
    share(&ring, 'a');
    ks_key_ring_offer(&ring, &mine);
    assert_int_equal(ring.sending.bytes[0], 'a');
    assert_string_equal(letters_of(&ring), "am");
    ks_key_ring_use(&ring, &mine);
    assert_int_equal(ring.sending.bytes[0], 'm');
    assert_string_equal(letters_of(&ring), "ma");
}

static void withdrawn_key_is_forgotten(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.ours_count = 0};
    struct ks_symmetric_key mine = key_of('m');
    share(&ring, 'a');
    share(&ring, 'b');
    struct ks_key_ring before = ring;
    ks_key_ring_offer(&ring, &mine);
    ks_key_ring_withdraw(&ring, &mine);
    assert_memory_equal(&ring, &before, sizeof ring);
}

static void oldest_of_ours_are_forgotten(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.ours_count = 0};
    for (int letter = 1; letter <= KS_KEY_RING_OURS + 10; letter++)
        share(&ring, (char)letter);
    assert_int_equal(ring.ours_count, KS_KEY_RING_OURS);
    assert_int_equal(ring.sending.bytes[0], KS_KEY_RING_OURS + 10);
    assert_int_equal(ring.ours[KS_KEY_RING_OURS - 1].bytes[0], 10);
}

static void received_keys_push_out_none_of_ours(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.ours_count = 0};
    share(&ring, 'x');
    share(&ring, 'y');
    share(&ring, 'z');
    for (int i = 1; i <= 3 * KS_KEY_RING_RECEIVED; i++)
        receive(&ring, (char)(i < 'x' ? i : i + 3));
    assert_int_equal(ring.received_count, KS_KEY_RING_RECEIVED);
    assert_int_equal(ring.sending.bytes[0], 'z');
    assert_int_equal(ring.ours_count, 2);
    assert_string_equal(letters_of(&ring) + KS_KEY_RING_RECEIVED, "zyx");
}

/* Whoever sends keys in the name of another pushes out neither what was accepted nor what is in use. */
static void received_keys_push_out_those_of_less_standing_first(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.ours_count = 0};
    receive(&ring, 'a');
    assert_true(ks_key_ring_accept(&ring));
    receive(&ring, 't');
    assert_true(show(&ring, 't'));
    for (int i = 0; i < KS_KEY_RING_RECEIVED - 1; i++)
        receive(&ring, (char)(128 + i));
    assert_int_equal(ring.received_count, KS_KEY_RING_RECEIVED);
    assert_int_equal(standing_of(&ring, 'a'), KS_KEY_STANDING_ACCEPTED);
    assert_int_equal(standing_of(&ring, 't'), KS_KEY_STANDING_TOLD);
    assert_null(strchr(letters_of(&ring), 128)); /* the oldest of the new ones went */
    for (int i = 1; i < KS_KEY_RING_RECEIVED - 1; i++)
        (void)show(&ring, (char)(128 + i));
    receive(&ring, 'n');
    assert_null(strchr(letters_of(&ring), 't'));
    assert_non_null(strchr(letters_of(&ring), 'n'));
    assert_non_null(strchr(letters_of(&ring), 'a'));
}

static void newest_key_that_was_not_accepted_is_accepted(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.ours_count = 0};
    assert_false(ks_key_ring_accept(&ring));
    share(&ring, 'm');
    assert_false(ks_key_ring_accept(&ring));
    receive(&ring, 'a');
    receive(&ring, 'b');
    assert_true(ks_key_ring_accept(&ring));
    assert_int_equal(standing_of(&ring, 'b'), KS_KEY_STANDING_ACCEPTED);
    assert_int_equal(standing_of(&ring, 'a'), KS_KEY_STANDING_NEW);
    assert_true(ks_key_ring_accept(&ring));
    assert_int_equal(standing_of(&ring, 'a'), KS_KEY_STANDING_ACCEPTED);
    assert_false(ks_key_ring_accept(&ring));
    assert_int_equal(standing_of(&ring, 'm'), KS_KEY_STANDING_OURS);
}

static void first_text_under_a_received_key_is_told_of_once(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.ours_count = 0};
    receive(&ring, 'a');
    receive(&ring, 'b');
    assert_true(ks_key_ring_accept(&ring));
    assert_int_equal(standing_of(&ring, 'a'), KS_KEY_STANDING_NEW);
    assert_true(show(&ring, 'a'));
    assert_int_equal(standing_of(&ring, 'a'), KS_KEY_STANDING_TOLD);
    assert_false(show(&ring, 'a'));
    assert_false(show(&ring, 'b'));
    assert_int_equal(standing_of(&ring, 'b'), KS_KEY_STANDING_ACCEPTED);
    assert_false(show(&ring, 'x')); /* pushed out meanwhile */
}

static void keys_like_the_last_that_fitted_are_tried_first(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.ours_count = 0};
    share(&ring, 'm');
    share(&ring, 'n');
    receive(&ring, 'a');
    receive(&ring, 'b');
    assert_string_equal(letters_of(&ring), "banm");
    assert_true(show(&ring, 'm'));
    assert_string_equal(letters_of(&ring), "nmba");
    assert_false(show(&ring, 'n'));
    assert_true(show(&ring, 'a'));
    assert_string_equal(letters_of(&ring), "banm");
}

static void retired_keys_decrypt_still(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.ours_count = 0};
    share(&ring, 'm');
    receive(&ring, 'a');
    ks_key_ring_retire(&ring);
    assert_false(ring.has_sending || ring.share_again);
    assert_string_equal(letters_of(&ring), "am");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(received_key_only_decrypts),
        cmocka_unit_test(received_key_does_not_replace_the_one_for_sending),
        cmocka_unit_test(key_not_seen_before_makes_ours_to_be_shared_again_and_a_known_one_does_not),
        cmocka_unit_test(request_makes_ours_to_be_shared_again),
        cmocka_unit_test(offered_key_only_decrypts_until_it_arrived),
        cmocka_unit_test(withdrawn_key_is_forgotten),
        cmocka_unit_test(oldest_of_ours_are_forgotten),
        cmocka_unit_test(received_keys_push_out_none_of_ours),
        cmocka_unit_test(received_keys_push_out_those_of_less_standing_first),
        cmocka_unit_test(newest_key_that_was_not_accepted_is_accepted),
        cmocka_unit_test(first_text_under_a_received_key_is_told_of_once),
        cmocka_unit_test(keys_like_the_last_that_fitted_are_tried_first),
        cmocka_unit_test(retired_keys_decrypt_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
