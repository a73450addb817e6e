/* SPDX-License-Identifier: Apache-2.0
 *
 * next.c - finds the real functions: dlsym(RTLD_NEXT), or a walk through the loaded objects.
 *
 * The walk reads only what the dynamic loader itself relies on: the dynamic section of each object,
 * its hash tables, symbols and versions. It takes functions that are defined, in their default
 * version, in objects that come after this one in load order.
 */
#include <stdbool.h>

#include "shim/libc/libc.h"
#include "shim/libc/next.h"

_Atomic(void *) next_cache[NEXT_COUNT];

const char next_names[NEXT_COUNT][20] = {
    [NEXT_GETADDRINFO] = "getaddrinfo",
    [NEXT_FREEADDRINFO] = "freeaddrinfo",
    [NEXT_GETHOSTBYNAME] = "gethostbyname",
    [NEXT_GETHOSTBYNAME2] = "gethostbyname2",
    [NEXT_GETHOSTBYNAME_R] = "gethostbyname_r",
    [NEXT_GETHOSTBYNAME2_R] = "gethostbyname2_r",
    [NEXT_CONNECT] = "connect",
};

void *next_find(enum next_id id)
{
    struct libc_kept kept = libc_keep_errno();
    void *found = next_dlsym(next_names[id]);

    if (!found)
        found = next_walk(next_names[id]);
    if (found)
        atomic_store_explicit(&next_cache[id], found, memory_order_relaxed);
    libc_restore_errno(kept);
    return found;
}

void *next_dlsym(const char *name)
{
    /* Not a tail call: dlsym() searches behind the object that its caller's address is in. */
    void *found = dlsym ? dlsym((void *)-1L /* RTLD_NEXT */, name) : NULL;

    __asm__ volatile("" : "+r"(found));
    return found;
}

/* One object's symbols. */
struct next_object {
    uintptr_t base;
    const ElfW(Sym) * symbols;
    const char *strings;
    const uint32_t *gnu_hash;
    const uint32_t *sysv_hash;
    const ElfW(Half) * versions;
};

struct next_search {
    const char *name;
    bool behind_us;
    void *found;
};

static bool next_same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* glibc's loader has relocated these pointers in most objects, and musl's in none. */
static const void *next_pointer(const struct next_object *object, ElfW(Addr) value)
{
    return (const void *)(value < object->base ? object->base + value : value);
}

static bool next_open(const struct dl_phdr_info *info, struct next_object *ret)
{
    const ElfW(Dyn) *dynamic = NULL;

    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            dynamic = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    *ret = (struct next_object){.base = info->dlpi_addr};
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
        const void *pointer = next_pointer(ret, dynamic->d_un.d_ptr);

        if (dynamic->d_tag == DT_SYMTAB)
            ret->symbols = pointer;
        else if (dynamic->d_tag == DT_STRTAB)
            ret->strings = pointer;
        else if (dynamic->d_tag == DT_GNU_HASH)
            ret->gnu_hash = pointer;
        else if (dynamic->d_tag == DT_HASH)
            ret->sysv_hash = pointer;
        else if (dynamic->d_tag == DT_VERSYM)
            ret->versions = pointer;
    }
    return ret->symbols && ret->strings;
}

static void *next_take(const struct next_object *object, uint32_t index, const char *name)
{
    const ElfW(Sym) *symbol = &object->symbols[index];
    unsigned char binding = symbol->st_info >> 4;

    if (symbol->st_shndx == SHN_UNDEF || (symbol->st_info & 0xf) != STT_FUNC)
        return NULL;
    if (binding != STB_GLOBAL && binding != STB_WEAK)
        return NULL;
    if (object->versions && (object->versions[index] & 0x8000)) /* not the default version */
        return NULL;
    if (!next_same(object->strings + symbol->st_name, name))
        return NULL;
    return (void *)(object->base + symbol->st_value);
}

static void *next_in_gnu_hash(const struct next_object *object, const char *name)
{
    const uint32_t *table = object->gnu_hash;
    const uint32_t *buckets = table + 4 + table[2] * (sizeof(ElfW(Addr)) / 4);
    const uint32_t *chain = buckets + table[0];
    uint32_t hash = 5381;
    void *found = NULL;

    for (const char *c = name; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    if (table[0] == 0 || buckets[hash % table[0]] < table[1]) /* an empty bucket */
        return NULL;
    for (uint32_t i = buckets[hash % table[0]]; !found; i++) {
        if ((chain[i - table[1]] | 1) == (hash | 1))
            found = next_take(object, i, name);
        if (chain[i - table[1]] & 1)
            break;
    }
    return found;
}

static void *next_in_sysv_hash(const struct next_object *object, const char *name)
{
    const uint32_t *buckets = object->sysv_hash + 2;
    const uint32_t *chain = buckets + object->sysv_hash[0];
    uint32_t hash = 0;
    void *found = NULL;

    for (const char *c = name; *c; c++) {
        hash = (hash << 4) + (unsigned char)*c;
        hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
    }
    if (object->sysv_hash[0] == 0)
        return NULL;
    for (uint32_t i = buckets[hash % object->sysv_hash[0]]; i && !found; i = chain[i])
        found = next_take(object, i, name);
    return found;
}

static void *next_in(const struct next_object *object, const char *name)
{
    if (object->gnu_hash)
        return next_in_gnu_hash(object, name);
    return object->sysv_hash ? next_in_sysv_hash(object, name) : NULL;
}

static bool next_is_us(const struct dl_phdr_info *info)
{
    uintptr_t here = (uintptr_t)&next_cache;

    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

        if (segment->p_type == PT_LOAD &&
            here - (info->dlpi_addr + segment->p_vaddr) < segment->p_memsz)
            return true;
    }
    return false;
}

static int next_visit(struct dl_phdr_info *info, size_t size, void *data)
{
    struct next_search *search = data;
    struct next_object object;

    (void)size;
    if (!search->behind_us) {
        search->behind_us = next_is_us(info);
        return 0;
    }
    if (!next_open(info, &object))
        return 0;
    search->found = next_in(&object, search->name);
    return search->found ? 1 : 0;
}

void *next_walk(const char *name)
{
    struct next_search search = {.name = name};

    if (dl_iterate_phdr)
        dl_iterate_phdr(next_visit, &search);
    return search.found;
}

void *next_in_image(const ElfW(Ehdr) * image, const char *name)
{
    struct dl_phdr_info info = {.dlpi_addr = (ElfW(Addr))image,
                                .dlpi_phdr = (const void *)((uintptr_t)image + image->e_phoff),
                                .dlpi_phnum = image->e_phnum};
    struct next_object object;

    return next_open(&info, &object) ? next_in(&object, name) : NULL;
}
