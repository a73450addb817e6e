/* SPDX-License-Identifier: Apache-2.0
 *
 * msg_print.c - see msg_print.h.
 *
 * What is printed may come from anywhere (a server's error text): nothing of it reaches a terminal
 * as a control character. Recursion is bounded by MSG_DEPTH_MAX.
 */
#include "config.h"

#include <inttypes.h>
#include <math.h>

#include "proto/msg_print.h"
#include "proto/utf8.h"

static void json_char(FILE *out, uint32_t code, const char *bytes, size_t size)
{
    char escape[UTF8_ESCAPE_SIZE];

    if (code == '"' || code == '\\')
        fprintf(out, "\\%c", (char)code);
    else if (utf8_is_control(code)) {
        utf8_escape(code, escape);
        fputs(escape, out);
    } else
        fwrite(bytes, 1, size, out);
}

static void json_str(FILE *out, const char *text, size_t len)
{
    fputc('"', out);
    while (len > 0) {
        uint32_t code;
        size_t size = utf8_next(text, len, &code);

        if (size == 0)
            fputs("\xef\xbf\xbd", out); /* U+FFFD */
        else
            json_char(out, code, text, size);
        size += size == 0;
        text += size;
        len -= size;
    }
    fputc('"', out);
}

static void json_bin(FILE *out, const struct msg_value *value)
{
    size_t len;
    const uint8_t *bytes = msg_bin(value, &len);

    fputc('"', out);
    for (size_t i = 0; i < len; i++)
        fprintf(out, "%02x", bytes[i]);
    fputc('"', out);
}

static void json_number(FILE *out, const struct msg_value *value)
{
    uint64_t u;
    int64_t i;
    double f;

    if (msg_uint(value, &u))
        fprintf(out, "%" PRIu64, u);
    else if (msg_int(value, &i))
        fprintf(out, "%" PRId64, i);
    else if (msg_float(value, &f) && isfinite(f))
        fprintf(out, "%.17g", f);
    else
        fputs("null", out);
}

static void json_array(FILE *out, const struct msg_value *array)
{
    fputc('[', out);
    for (uint32_t i = 0; i < msg_array_len(array); i++) {
        fputs(i ? "," : "", out);
        msg_print_json(out, msg_array_at(array, i));
    }
    fputc(']', out);
}

/* JSON has only strings for keys. Ours are; what else a peer sends is shown as its type. */
static void json_key(FILE *out, const struct msg_value *key)
{
    size_t len;
    const char *text = msg_str_len(key, &len);

    if (text)
        json_str(out, text, len);
    else
        fprintf(out, "\"(%s)\"", msg_type_name(msg_type(key)));
}

static void json_map(FILE *out, const struct msg_value *map)
{
    fputc('{', out);
    for (uint32_t i = 0; i < msg_map_len(map); i++) {
        fputs(i ? "," : "", out);
        json_key(out, msg_map_key(map, i));
        fputc(':', out);
        msg_print_json(out, msg_map_value(map, i));
    }
    fputc('}', out);
}

void msg_print_json(FILE *out, const struct msg_value *value)
{
    const char *text;
    size_t len;
    bool truth;

    switch (msg_type(value)) {
    case MSG_TYPE_UINT:
    case MSG_TYPE_INT:
    case MSG_TYPE_FLOAT:
        json_number(out, value);
        break;
    case MSG_TYPE_STR:
        text = msg_str_len(value, &len);
        json_str(out, text, len);
        break;
    case MSG_TYPE_BIN:
        json_bin(out, value);
        break;
    case MSG_TYPE_ARRAY:
        json_array(out, value);
        break;
    case MSG_TYPE_MAP:
        json_map(out, value);
        break;
    case MSG_TYPE_BOOL:
        fputs(msg_bool(value, &truth) && truth ? "true" : "false", out);
        break;
    case MSG_TYPE_NIL:
    case MSG_TYPE_COUNT:
        fputs("null", out);
        break;
    }
}

void msg_print_text(FILE *out, const struct msg_value *value)
{
    size_t len = 0;
    const char *text = msg_str_len(value, &len);

    while (len > 0) {
        uint32_t code;
        size_t size = utf8_next(text, len, &code);

        if (size == 0 || utf8_is_control(code))
            fputc('?', out);
        else
            fwrite(text, 1, size, out);
        size += size == 0;
        text += size;
        len -= size;
    }
}
