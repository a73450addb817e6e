/* SPDX-License-Identifier: Apache-2.0
 *
 * position.c - as conf/file/position.h says, on libyaml's events. The only file that includes
 * yaml.h.
 *
 * 1. No recursion: depth is bounded by CONF_POSITION_DEPTH, whatever the file holds.
 * 2. No aliases, so the tree is no larger than the file.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "agent/conf/file/position.h"

/* The deepest key (clusters[].members[].host) is at 5; deeper is a mistake anyway. */
#define CONF_POSITION_DEPTH 12
/* Keys of one mapping; the schema knows about 20. Bounds the search for duplicates. */
#define CONF_POSITION_KEYS  64
#define CONF_POSITION_CHUNK ((size_t)64 * 1024)

struct conf_chunk {
    struct conf_chunk *next;
    size_t used;
    size_t size;
    _Alignas(max_align_t) char bytes[];
};

struct conf_position {
    struct conf_chunk *chunks;
    struct conf_node *root;
};

struct conf_reader {
    yaml_parser_t parser;
    const char *bytes;
    size_t len;
    struct conf_errors *errors;
    struct conf_position *position;
    struct conf_node *stack[CONF_POSITION_DEPTH];
    unsigned depth;
    unsigned documents;
    const char *key; /* read, its value comes next */
    struct conf_at key_at;
};

static void *allocate(struct conf_position *position, size_t size)
{
    size = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
    struct conf_chunk *chunk = position->chunks;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = size > CONF_POSITION_CHUNK ? size : CONF_POSITION_CHUNK;
        chunk = malloc(sizeof(*chunk) + room);
        if (!chunk)
            return NULL;
        chunk->next = position->chunks;
        chunk->used = 0;
        chunk->size = room;
        position->chunks = chunk;
    }
    void *memory = chunk->bytes + chunk->used;
    chunk->used += size;
    return memory;
}

void conf_position_free(struct conf_position *position)
{
    if (!position)
        return;
    for (struct conf_chunk *chunk = position->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(position);
}

const struct conf_node *conf_position_root(const struct conf_position *position)
{
    return position->root;
}

const struct conf_node *conf_position_find(const struct conf_node *node, const char *key)
{
    if (!node || node->kind != CONF_NODE_MAPPING)
        return NULL;
    for (const struct conf_node *child = node->first; child; child = child->next)
        if (strcmp(child->key, key) == 0)
            return child;
    return NULL;
}

struct conf_at conf_position_at(const struct conf_node *node, const char *key)
{
    const struct conf_node *child = conf_position_find(node, key);
    return child ? child->at : node->at;
}

static struct conf_at at_mark(yaml_mark_t mark)
{
    return (struct conf_at){.line = (uint32_t)mark.line + 1, .column = (uint32_t)mark.column + 1};
}

/* libyaml tells only the offset of bytes that it cannot read. */
static struct conf_at at_offset(const struct conf_reader *reader, size_t offset)
{
    struct conf_at at = {1, 1};
    for (size_t i = 0; i < offset && i < reader->len; i++) {
        if (reader->bytes[i] == '\n')
            at = (struct conf_at){at.line + 1, 1};
        else
            at.column += ((unsigned char)reader->bytes[i] & 0xc0) != 0x80;
    }
    return at;
}

static int explain(struct conf_reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return -ENOMEM;
    if (parser->error == YAML_READER_ERROR)
        conf_errors_add(reader->errors, at_offset(reader, parser->problem_offset),
                        "not text: %s; save the file as UTF-8", parser->problem);
    else
        conf_errors_add(
            reader->errors, at_mark(parser->problem_mark),
            "not YAML: %s%s%s; check indentation (no tabs), quotes and brackets up to here",
            parser->context ? parser->context : "", parser->context ? ", " : "", parser->problem);
    return -EINVAL;
}

static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static bool is_null(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (*text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

/* 0 where the text was folded or escaped, so that nothing inside it can be located. */
static uint32_t column_of_text(const yaml_event_t *event)
{
    unsigned quotes = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? 0 : 1;
    size_t width = width_of((const char *)event->data.scalar.value);
    if (event->start_mark.line != event->end_mark.line ||
        event->end_mark.column - event->start_mark.column != width + 2 * quotes)
        return 0;
    return (uint32_t)event->start_mark.column + 1 + quotes;
}

static const char *text_of(struct conf_reader *reader, const yaml_event_t *event)
{
    size_t len = event->data.scalar.length;
    char *text = allocate(reader->position, len + 1);
    if (!text)
        return NULL;
    memcpy(text, event->data.scalar.value, len);
    text[len] = '\0';
    if (memchr(text, '\0', len))
        conf_errors_add(reader->errors, at_mark(event->start_mark),
                        "a NUL inside a value; remove \\0");
    return text;
}

static int take_key(struct conf_reader *reader, const yaml_event_t *event)
{
    struct conf_node *mapping = reader->stack[reader->depth - 1];
    struct conf_at at = at_mark(event->start_mark);
    if (event->type != YAML_SCALAR_EVENT) {
        conf_errors_add(reader->errors, at,
                        "a key is one word; quote values that begin with [ or {");
        return -EINVAL;
    }
    reader->key = text_of(reader, event);
    reader->key_at = at;
    if (!reader->key)
        return -ENOMEM;
    unsigned count = 0;
    for (const struct conf_node *node = mapping->first; node; node = node->next, count++)
        if (strcmp(node->key, reader->key) == 0)
            conf_errors_add(reader->errors, at,
                            "key '%.100s' is already at %s:%u:%u; keep one of them", reader->key,
                            reader->errors->file, node->key_at.line, node->key_at.column);
    if (count < CONF_POSITION_KEYS)
        return 0;
    conf_errors_add(reader->errors, at,
                    "more than %d keys here; none of homing's mappings has so many",
                    CONF_POSITION_KEYS);
    return -EINVAL;
}

static void link_node(struct conf_reader *reader, struct conf_node *node)
{
    struct conf_node *parent = reader->depth != 0 ? reader->stack[reader->depth - 1] : NULL;
    if (!parent)
        reader->position->root = node;
    else if (!parent->first)
        parent->first = parent->last = node;
    else
        parent->last = parent->last->next = node;
}

static int add_node(struct conf_reader *reader, const yaml_event_t *event, enum conf_node_kind kind)
{
    struct conf_node *parent = reader->depth != 0 ? reader->stack[reader->depth - 1] : NULL;
    if (parent && parent->kind == CONF_NODE_MAPPING && !reader->key)
        return take_key(reader, event);
    struct conf_node *node = allocate(reader->position, sizeof(*node));
    if (!node)
        return -ENOMEM;
    *node = (struct conf_node){.kind = kind, .at = at_mark(event->start_mark)};
    node->key = reader->key;
    node->key_at = reader->key_at;
    reader->key = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        node->null = is_null(event);
        node->text_column = column_of_text(event);
        node->text = text_of(reader, event);
        if (!node->text)
            return -ENOMEM;
    }
    link_node(reader, node);
    if (kind == CONF_NODE_SCALAR)
        return 0;
    if (reader->depth == CONF_POSITION_DEPTH) {
        conf_errors_add(reader->errors, node->at,
                        "nested deeper than any key of homing's; check brackets and indentation");
        return -EINVAL;
    }
    reader->stack[reader->depth++] = node;
    return 0;
}

static int refuse(struct conf_reader *reader, const yaml_event_t *event, const char *text)
{
    conf_errors_add(reader->errors, at_mark(event->start_mark), "%s", text);
    return -EINVAL;
}

static int take_document(struct conf_reader *reader, const yaml_event_t *event)
{
    if (reader->documents++ == 0)
        return 0;
    return refuse(reader, event, "a second document; keep one, and remove this '---'");
}

static const unsigned char *tag_of(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return event->data.scalar.tag;
    return event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.tag
                                                    : event->data.mapping_start.tag;
}

static const unsigned char *anchor_of(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return event->data.scalar.anchor;
    return event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.anchor
                                                    : event->data.mapping_start.anchor;
}

static int take_value(struct conf_reader *reader, const yaml_event_t *event,
                      enum conf_node_kind kind)
{
    if (tag_of(event))
        return refuse(reader, event, "a tag (!); remove it, values need no types");
    if (anchor_of(event))
        return refuse(reader, event, "an anchor (&); write the value out, or use agent.defaults");
    return add_node(reader, event, kind);
}

static int take_event(struct conf_reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return take_document(reader, event);
    case YAML_SCALAR_EVENT:
        return take_value(reader, event, CONF_NODE_SCALAR);
    case YAML_SEQUENCE_START_EVENT:
        return take_value(reader, event, CONF_NODE_SEQUENCE);
    case YAML_MAPPING_START_EVENT:
        return take_value(reader, event, CONF_NODE_MAPPING);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        reader->depth--;
        return 0;
    case YAML_ALIAS_EVENT:
        return refuse(reader, event, "an alias (*); write the value out, or use agent.defaults");
    default:
        return 0;
    }
}

static int parse_all(struct conf_reader *reader)
{
    for (bool more = true; more;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&reader->parser, &event))
            return explain(reader);
        more = event.type != YAML_STREAM_END_EVENT;
        int rv = take_event(reader, &event);
        yaml_event_delete(&event);
        if (rv != 0)
            return rv;
    }
    if (reader->position->root && !reader->position->root->null)
        return 0;
    conf_errors_add(reader->errors, (struct conf_at){1, 1},
                    "the file is empty; an agent without clusters is written 'clusters: []'");
    return -EINVAL;
}

int conf_position_read(const char *bytes, size_t len, struct conf_errors *errors,
                       struct conf_position **ret_position)
{
    struct conf_reader reader = {.bytes = bytes, .len = len, .errors = errors};
    const char *nul = memchr(bytes, '\0', len);
    if (nul) {
        conf_errors_add(errors, at_offset(&reader, (size_t)(nul - bytes)),
                        "not text: a NUL byte; save the file as UTF-8");
        return -EINVAL;
    }
    reader.position = calloc(1, sizeof(*reader.position));
    if (!reader.position)
        return -ENOMEM;
    int rv = -ENOMEM;
    if (yaml_parser_initialize(&reader.parser)) {
        yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&reader.parser, (const unsigned char *)bytes, len);
        rv = parse_all(&reader);
        yaml_parser_delete(&reader.parser);
    }
    if (rv == 0)
        *ret_position = reader.position;
    else
        conf_position_free(reader.position);
    return rv;
}
