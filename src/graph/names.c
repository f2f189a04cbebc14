/* Scopes and unique names. */
#include "base/memory.h"
#include "graph/node.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static weft_name *find_slot(weft_name *table, size_t capacity, const char *text)
{
    size_t at = XXH3_64bits(text, strlen(text)) & (capacity - 1);
    while (table[at].text && strcmp(table[at].text, text) != 0)
        at = (at + 1) & (capacity - 1);
    return &table[at];
}

static bool make_room(weft_graph *graph)
{
    if (graph->names * 2 < graph->name_capacity)
        return true;
    size_t wider = graph->name_capacity ? graph->name_capacity * 2 : 64;
    weft_name *table = weft_allocate_array(graph->context, wider, sizeof(*table));
    if (!table)
        return false;
    for (size_t i = 0; i < graph->name_capacity; i++)
        if (graph->name[i].text)
            *find_slot(table, wider, graph->name[i].text) = graph->name[i];
    weft_release_array(graph->context, graph->name, graph->name_capacity, sizeof(*table));
    graph->name = table;
    graph->name_capacity = wider;
    return true;
}

void weft_names_release(weft_graph *graph)
{
    weft_release_array(graph->context, graph->name, graph->name_capacity, sizeof(*graph->name));
}

int32_t weft_name_find(const weft_graph *graph, const char *text)
{
    return graph->name_capacity ? find_slot(graph->name, graph->name_capacity, text)->node : 0;
}

/* The text of a name with its scope; the number is left out where it is 0. False if it is too long.
 */
static bool scoped(const weft_graph *graph, const char *name, int number, char *text, size_t size)
{
    int length = number ? snprintf(text, size, "%s%s_%d", graph->scope, name, number)
                        : snprintf(text, size, "%s%s", graph->scope, name);
    return length >= 0 && (size_t)length < size;
}

static const char *add_name(weft_graph *graph, const char *text, int32_t node)
{
    size_t bytes = strlen(text) + 1;
    char *copy = make_room(graph) ? weft_pool_allocate(&graph->pool, bytes) : NULL;
    if (!copy) {
        weft_graph_fail(graph, WEFT_ERROR_MEMORY, "out of memory for the name \"%s\"", text);
        return NULL;
    }
    memcpy(copy, text, bytes);
    *find_slot(graph->name, graph->name_capacity, copy) = (weft_name){copy, node, 1};
    graph->names++;
    return copy;
}

const char *weft_name_register(weft_graph *graph, const char *name, int32_t node)
{
    char text[512];
    if (!scoped(graph, name, 0, text, sizeof(text))) {
        weft_graph_fail(graph, WEFT_ERROR_ARGUMENT, "name too long: %.60s...", name);
        return NULL;
    }
    weft_name *taken =
        graph->name_capacity ? find_slot(graph->name, graph->name_capacity, text) : NULL;
    while (taken && taken->node) {
        if (!scoped(graph, name, taken->asked++, text, sizeof(text))) {
            weft_graph_fail(graph, WEFT_ERROR_ARGUMENT, "name too long: %.60s...", name);
            return NULL;
        }
        if (!weft_name_find(graph, text))
            break;
    }
    return add_name(graph, text, node);
}

uint64_t weft_name_key(const weft_graph *graph, const char *name)
{
    char text[512];
    if (!graph)
        return 0;
    if (!scoped(graph, name, 0, text, sizeof(text)) || !graph->name_capacity)
        return XXH3_64bits(text, strlen(text));
    uint64_t asked = (uint64_t)find_slot(graph->name, graph->name_capacity, text)->asked;
    return XXH3_64bits_withSeed(text, strlen(text), asked);
}

void weft_scope_push(weft_graph *graph, const char *name)
{
    if (!graph)
        return;
    size_t room = sizeof(graph->scope) - (size_t)graph->scope_length;
    size_t length = name ? strlen(name) : 0;
    if (length == 0 || length + 2 > room || graph->scope_depth == WEFT_MAX_SCOPES) {
        weft_graph_fail(graph, WEFT_ERROR_ARGUMENT, "scope \"%.60s\": %s", name ? name : "",
                        length ? "scopes nest too deeply" : "empty name");
        return;
    }
    graph->scope_start[graph->scope_depth++] = graph->scope_length;
    memcpy(graph->scope + graph->scope_length, name, length);
    memcpy(graph->scope + graph->scope_length + length, ".", 2);
    graph->scope_length += (int32_t)length + 1;
}

void weft_scope_pushf(weft_graph *graph, const char *format, ...)
{
    char name[sizeof(graph->scope)]; /* what is cut is too long for a scope, too */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof(name), format, arguments);
    va_end(arguments);
    weft_scope_push(graph, name);
}

void weft_scope_push_unique(weft_graph *graph, const char *name)
{
    const char *text = graph ? weft_name_register(graph, name ? name : "", WEFT_NAME_SCOPE) : NULL;
    if (text)
        weft_scope_push(graph, text + graph->scope_length);
}

const char *weft_scope_get(const weft_graph *graph)
{
    return graph ? graph->scope : "";
}

void weft_scope_pop(weft_graph *graph)
{
    if (!graph || graph->scope_depth == 0) {
        weft_graph_fail(graph, WEFT_ERROR_ARGUMENT, "scope popped that was never pushed");
        return;
    }
    graph->scope_length = graph->scope_start[--graph->scope_depth];
    graph->scope[graph->scope_length] = '\0';
}
