/* fuzz_frame.c — both headers and every payload of the drop and message services, as codecs.
 *
 * The property: whatever parses, encodes to the bytes it came from (text fields up to their NUL, what follows
 * being padding), and nothing is read beyond `size`. A broken one ends in a trap.
 */
#include "wire/drop_codec.h"
#include "wire/messages_codec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void headers(const uint8_t *bytes, size_t size)
{
    struct ks_request_header request;
    enum ks_result result = ks_request_header_parse(bytes, size, &request);
    require((result == KS_OK) == (size >= KS_REQUEST_HEADER_SIZE));
    if (result == KS_OK) {
        uint8_t again[KS_REQUEST_HEADER_SIZE];
        ks_request_header_encode(&request, again);
        require(memcmp(again, bytes, sizeof again) == 0);
    }
    struct ks_response_header response;
    result = ks_response_header_parse(bytes, size, &response);
    require((result == KS_OK) == (size >= KS_RESPONSE_HEADER_SIZE));
    if (result == KS_OK) {
        uint8_t again[KS_RESPONSE_HEADER_SIZE];
        ks_response_header_encode(&response, again);
        require(memcmp(again, bytes, sizeof again) == 0);
    }
}

/* The text of a parsed field lies in `field`, ends at a NUL, and comes back from an encoded field. */
static void text_comes_back(const uint8_t *field, const char *text, size_t text_size)
{
    uint8_t again[KS_TEXT_FIELD_SIZE];
    require(text == (const char *)field && text_size < KS_TEXT_FIELD_SIZE && strlen(text) == text_size);
    require(ks_text_field_encode(text, text_size, again) == KS_OK);
    require(memcmp(again, field, text_size + 1) == 0);
    for (size_t i = text_size; i < sizeof again; i++)
        require(again[i] == 0);
}

static void requests(const uint8_t *bytes, size_t size)
{
    struct ks_name_payload name;
    if (ks_name_payload_parse(bytes, size, &name) == KS_OK)
        text_comes_back(bytes, name.name, name.name_size);
    struct ks_name_and_key_payload key;
    if (ks_name_and_key_payload_parse(bytes, size, &key) == KS_OK) {
        uint8_t again[KS_NAME_AND_KEY_PAYLOAD_SIZE];
        text_comes_back(bytes, key.name, key.name_size);
        require(ks_name_and_key_payload_encode(key.name, key.name_size, key.public_key, again) == KS_OK);
        require(memcmp(again + KS_TEXT_FIELD_SIZE, bytes + KS_TEXT_FIELD_SIZE, KS_PUBLIC_KEY_SIZE) == 0);
    }
    struct ks_send_file_payload file;
    if (ks_send_file_payload_parse(bytes, size, &file) == KS_OK) {
        uint8_t again[KS_SEND_FILE_FIXED_SIZE];
        text_comes_back(bytes + 4, file.name, file.name_size);
        require(ks_send_file_payload_encode(file.content_size, file.name, file.name_size, again) == KS_OK);
        require(memcmp(again, bytes, 4 + file.name_size + 1) == 0);
    }
}

static void content_sizes(const uint8_t *bytes, size_t size)
{
    struct ks_request_header header; /* any place where two 32-bit numbers are to be had */
    struct ks_send_file_payload file;
    if (ks_request_header_parse(bytes, size, &header) != KS_OK ||
        ks_send_file_payload_parse(bytes, size, &file) == KS_MORE)
        return;
    uint64_t follows = 0;
    if (ks_send_file_content_follows(header.payload_size, file.content_size, &follows) == KS_OK) {
        require(follows == file.content_size && follows <= KS_CONTENT_SIZE_LIMIT);
        require(header.payload_size == KS_SEND_FILE_FIXED_SIZE ||
                header.payload_size == KS_SEND_FILE_FIXED_SIZE + follows);
    }
}

static void answers(const uint8_t *bytes, size_t size)
{
    struct ks_client_id client_id;
    require((ks_client_id_answer_parse(bytes, size, &client_id) == KS_OK) ==
            (size == KS_CLIENT_ID_ANSWER_SIZE));
    struct ks_key_answer key;
    if (ks_key_answer_parse(bytes, size, &key) == KS_OK) {
        uint8_t again[KS_KEY_ANSWER_SIZE];
        ks_key_answer_encode(&key, again);
        require(size == sizeof again && memcmp(again, bytes, size) == 0);
    }
    struct ks_file_answer file;
    if (ks_file_answer_parse(bytes, size, &file) == KS_OK) {
        uint8_t again[KS_FILE_ANSWER_SIZE];
        ks_file_answer_encode(&file, again);
        require(size == sizeof again && memcmp(again, bytes, size) == 0);
    }
}

/* The parts that more may follow. */
static void message_entries(const uint8_t *bytes, size_t size)
{
    uint8_t again[KS_LISTED_USER_SIZE];
    struct ks_listed_user user;
    if (ks_listed_user_parse(bytes, size, &user) == KS_OK) {
        text_comes_back(bytes + KS_CLIENT_ID_SIZE, user.name, user.name_size);
        require(ks_listed_user_encode(&user, again) == KS_OK);
        require(memcmp(again, bytes, KS_CLIENT_ID_SIZE + user.name_size + 1) == 0);
    }
    struct ks_send_message_payload payload;
    enum ks_result result = ks_send_message_payload_parse(bytes, size, &payload);
    require((result == KS_OK) == (size >= KS_SEND_MESSAGE_FIXED_SIZE));
    if (result == KS_OK) {
        ks_send_message_payload_encode(&payload, again);
        require(memcmp(again, bytes, KS_SEND_MESSAGE_FIXED_SIZE) == 0);
    }
    struct ks_waiting_message waiting;
    result = ks_waiting_message_parse(bytes, size, &waiting);
    require((result == KS_OK) == (size >= KS_WAITING_MESSAGE_FIXED_SIZE));
    if (result == KS_OK) {
        ks_waiting_message_encode(&waiting, again);
        require(memcmp(again, bytes, KS_WAITING_MESSAGE_FIXED_SIZE) == 0);
    }
}

static void message_answers(const uint8_t *bytes, size_t size)
{
    struct ks_user_key_answer key;
    if (ks_user_key_answer_parse(bytes, size, &key) == KS_OK) {
        uint8_t again[KS_USER_KEY_ANSWER_SIZE];
        ks_user_key_answer_encode(&key, again);
        require(size == sizeof again && memcmp(again, bytes, size) == 0);
    }
    struct ks_message_stored_answer stored;
    if (ks_message_stored_answer_parse(bytes, size, &stored) == KS_OK) {
        uint8_t again[KS_MESSAGE_STORED_ANSWER_SIZE];
        ks_message_stored_answer_encode(&stored, again);
        require(size == sizeof again && memcmp(again, bytes, size) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    headers(bytes, size);
    requests(bytes, size);
    content_sizes(bytes, size);
    answers(bytes, size);
    message_entries(bytes, size);
    message_answers(bytes, size);
    return 0;
}
