#include "graph/wisdom.h"

#include "base/memory.h"
#include "kernels/cpu.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

static uint64_t hash_machine(void)
{
    char text[1024], model[512];
    snprintf(text, sizeof(text), "%s\n%s\n%lld\n%s", weft_version(), weft_instruction_set(),
             (long long)weft_cpu_l2(), weft_cpu_model(model, sizeof(model)));
    return XXH3_64bits(text, strlen(text));
}

weft_wisdom *weft_wisdom_create(weft_context *context)
{
    weft_wisdom *wisdom = weft_allocate(context, sizeof(*wisdom));
    if (!wisdom)
        return NULL;
    wisdom->context = context;
    wisdom->machine = hash_machine();
    wisdom->seconds = 0.005;
    pthread_mutex_init(&wisdom->lock, NULL); /* never fails with default attributes */
    return wisdom;
}

void weft_wisdom_destroy(weft_wisdom *wisdom)
{
    if (!wisdom)
        return;
    pthread_mutex_destroy(&wisdom->lock);
    weft_release_array(wisdom->context, wisdom->entry, wisdom->capacity, sizeof(*wisdom->entry));
    weft_release(wisdom->context, wisdom, sizeof(*wisdom));
}

int weft_wisdom_count(weft_wisdom *wisdom)
{
    pthread_mutex_lock(&wisdom->lock);
    size_t count = wisdom->count;
    pthread_mutex_unlock(&wisdom->lock);
    return (int)count;
}

/* Where the key is, or would be; there is a free place. */
static weft_wisdom_entry *place_of(weft_wisdom_entry *entry, size_t capacity, uint64_t key)
{
    size_t at = key & (capacity - 1);
    while (entry[at].algorithm && entry[at].key != key)
        at = (at + 1) & (capacity - 1);
    return &entry[at];
}

const weft_wisdom_entry *weft_wisdom_find(const weft_wisdom *wisdom, uint64_t key)
{
    if (!wisdom->count)
        return NULL;
    const weft_wisdom_entry *entry = place_of(wisdom->entry, wisdom->capacity, key);
    return entry->algorithm ? entry : NULL;
}

bool weft_wisdom_reserve(weft_wisdom *wisdom, size_t more)
{
    size_t capacity = wisdom->capacity ? wisdom->capacity : 64;
    while (capacity / 2 < wisdom->count + more)
        capacity *= 2;
    if (capacity == wisdom->capacity)
        return true;
    weft_wisdom_entry *entry = weft_allocate_array(wisdom->context, capacity, sizeof(*entry));
    if (!entry)
        return false;
    for (size_t i = 0; i < wisdom->capacity; i++)
        if (wisdom->entry[i].algorithm)
            *place_of(entry, capacity, wisdom->entry[i].key) = wisdom->entry[i];
    weft_release_array(wisdom->context, wisdom->entry, wisdom->capacity, sizeof(*entry));
    wisdom->entry = entry;
    wisdom->capacity = capacity;
    return true;
}

void weft_wisdom_add(weft_wisdom *wisdom, weft_wisdom_entry entry)
{
    weft_wisdom_entry *place = place_of(wisdom->entry, wisdom->capacity, entry.key);
    if (place->algorithm)
        return;
    *place = entry;
    wisdom->count++;
}
