/* SPDX-License-Identifier: Apache-2.0
 *
 * name.c - canonical names and their hash, eight bytes at a time.
 *
 * Compiled into the agent and into the shim. So it has no libc, no writable data, and no loop that
 * a compiler would turn into a call.
 *
 * 1. Only text_len() reads past a NUL. It loads aligned words, or 16 aligned bytes, that hold at
 *    least one byte of the text: such a load stays in the text's page, and in its granule where
 *    memory is tagged.
 * 2. The hash is part of the contract, and PROTOCOL.md has test vectors. Words are little endian.
 */
#include "proto/name.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "name.c takes the first byte of a word for its lowest: port it before building here"
#endif

#define EACH(byte) (0x0101010101010101ull * (byte))
#define TOPS       EACH(0x80)

/* Two odd numbers that are unlike each other, each with about half of its bits set: the fraction of
 * the golden ratio, and a constant of the xxHash family. */

typedef uint64_t __attribute__((may_alias)) text_word;
struct text_word_anywhere {
    text_word w;
} __attribute__((packed, may_alias));

/* A-Z to a-z. It is right only if all bytes are below 0x80. */
static inline uint64_t word_lower(uint64_t w)
{
    uint64_t upper = (w + EACH(0x80 - 'A')) & ~(w + EACH(0x80 - 'Z' - 1)) & TOPS;

    return w | upper >> 2;
}

/* text_len() returns the length of the text. If it is above HOMING_NAME_MAX + 1, any number above
 * that may be returned. */
#ifdef __SSE2__
/* A bit for each byte that is 0. */
__attribute__((no_sanitize("address", "thread"))) static inline uint32_t
chunk_zeros(const __m128i *chunk)
{
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_load_si128(chunk), _mm_setzero_si128()));
}

__attribute__((no_sanitize("address", "thread"))) static uint32_t text_len(const char *text)
{
    const uint32_t skip = (uintptr_t)text & 15;
    const __m128i *from = (const __m128i *)(text - skip);
    uint32_t zeros = chunk_zeros(from) >> skip;

    if (zeros)
        return (uint32_t)__builtin_ctz(zeros);
    for (uint32_t at = 16 - skip; at <= HOMING_NAME_MAX + 8; at += 16)
        if ((zeros = chunk_zeros(++from)))
            return at + (uint32_t)__builtin_ctz(zeros);
    return UINT32_MAX;
}
#else
/* Not 0 if any byte is 0. Then its lowest bit set is in the first byte that is 0. */
static inline uint64_t word_zero(uint64_t w)
{
    return (w - EACH(1)) & ~w & TOPS;
}

__attribute__((no_sanitize("address", "thread"))) static uint32_t text_len(const char *text)
{
    const uint32_t skip = (uintptr_t)text & 7;
    const text_word *from = (const text_word *)(text - skip);
    uint64_t zero = word_zero(*from | ((1ull << skip * 8) - 1));

    for (uint32_t at = 0; at <= HOMING_NAME_MAX + 8; at += 8, zero = word_zero(*++from))
        if (zero)
            return at + (uint32_t)__builtin_ctzll(zero) / 8 - skip;
    return UINT32_MAX;
}
#endif

static inline uint64_t text_word_at(const char *text)
{
    return ((const struct text_word_anywhere *)text)->w;
}

/* The last word, zero-padded, of a text whose length is not a multiple of 8. It is made of the
 * upper bytes of the text's last 8 bytes, or of a shorter text byte by byte. */
static inline uint64_t text_tail(const char *text, uint32_t len)
{
    uint64_t w = 0;

    if (len >= 8)
        return text_word_at(text + len - 8) >> (8 - len % 8) * 8;
    while (len)
        w = w << 8 | (uint8_t)text[--len];
    return w;
}

/* Bytes beyond ASCII are refused, because word_lower() would change their neighbours. Nothing else
 * has to be: a view has only names that name_valid() accepts, and a text that is no host name
 * matches none of them. */
bool name_canonical(const char *text, struct name *ret_name)
{
    uint32_t len = text_len(text), i;
    uint64_t all = 0, h, w;

    if (len && len <= HOMING_NAME_MAX + 1 && text[len - 1] == '.')
        len--;
    if (len == 0 || len > HOMING_NAME_MAX)
        return false;
    h = name_hash_begin(len);
    for (i = 0; i < len / 8; i++) {
        all |= w = text_word_at(text + i * 8);
        h = name_hash_step(h, ret_name->words[i] = word_lower(w));
    }
    if (len % 8) {
        all |= w = text_tail(text, len);
        h = name_hash_step(h, ret_name->words[i] = word_lower(w));
    }
    ret_name->len = len;
    ret_name->hash = name_hash_end(h);
    return !(all & TOPS);
}
