/* The words that every other header uses: status, error, dtype, shape, tensor. */
#ifndef WEFT_TYPES_H
#define WEFT_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WEFT_API __attribute__((visibility("default")))
#define WEFT_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define WEFT_API
#define WEFT_PRINTF(text, first)
#endif

/* Every status, with the words that weft_status_text() returns for it. */
#define WEFT_STATUS_TABLE(X)                                                                       \
    X(WEFT_OK, "success")                                                                          \
    X(WEFT_ERROR_ARGUMENT, "invalid argument")                                                     \
    X(WEFT_ERROR_SHAPE, "shapes do not fit")                                                       \
    X(WEFT_ERROR_DTYPE, "element types do not fit")                                                \
    X(WEFT_ERROR_GRAPH, "values of different graphs, or a graph already in error")                 \
    X(WEFT_ERROR_GRADIENT, "gradient not defined")                                                 \
    X(WEFT_ERROR_MEMORY, "out of memory")                                                          \
    X(WEFT_ERROR_NOT_FOUND, "no such name")                                                        \
    X(WEFT_ERROR_IO, "input or output failed")                                                     \
    X(WEFT_ERROR_FORMAT, "malformed data")                                                         \
    X(WEFT_ERROR_NUMERIC, "NaN or infinity")                                                       \
    X(WEFT_ERROR_UNSUPPORTED, "not supported by this build")                                       \
    X(WEFT_ERROR_INTERNAL, "internal check failed")

typedef enum weft_status {
#define WEFT_STATUS_ENUM(name, text) name,
    WEFT_STATUS_TABLE(WEFT_STATUS_ENUM)
#undef WEFT_STATUS_ENUM
} weft_status;

/* A few words for a status; never NULL. */
WEFT_API const char *weft_status_text(weft_status status);

/* What went wrong. Functions that can fail take a weft_error pointer, which may be NULL; on success
 * they leave it alone. The message is one line, without a newline at its end. */
typedef struct weft_error {
    weft_status status;
    char message[500];
} weft_error;

/* Writes status and message (printf style) where error is not NULL; returns status. */
WEFT_API weft_status weft_error_set(weft_error *error, weft_status status, const char *format, ...)
    WEFT_PRINTF(3, 4);

/* Element types. In a graph, floating-point values are WEFT_REAL: the program's own type, float32
 * or float64, chosen when compiling. A compiled program and a state know the two by name. */
typedef enum weft_dtype {
    WEFT_REAL = 0,
    WEFT_FLOAT32,
    WEFT_FLOAT64,
    WEFT_INT32,
    WEFT_UINT8
} weft_dtype;

/* Bytes of one element; 0 for WEFT_REAL, whose size is not known yet. */
WEFT_API size_t weft_dtype_bytes(weft_dtype dtype);
WEFT_API const char *weft_dtype_name(weft_dtype dtype);

enum { WEFT_MAX_RANK = 8 };

/* The open batch extent, as one writes it in a shape. In general the extent -k stands for k times
 * the batch, which compiling binds to a number; a positive extent is fixed. */
#define WEFT_BATCH (-1)

/* Extents of a dense array, outermost first. Images are N H W C, volumes N D H W C: channels last.
 */
typedef struct weft_shape {
    int rank;
    int64_t extent[WEFT_MAX_RANK];
} weft_shape;

/* weft_shape_of(N, H, W, C), in C++ weft_shape_of({N, H, W, C}): the shape with these extents. Of more than
 * WEFT_MAX_RANK it keeps the number only, and builders refuse it. */
#ifndef __cplusplus
#define weft_shape_of(...)                                                                         \
    (weft_shape_make((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                    \
                     (int64_t[]){__VA_ARGS__}))
#endif
WEFT_API weft_shape weft_shape_make(int rank, const int64_t *extent);

WEFT_API bool weft_shape_equal(weft_shape a, weft_shape b);

/* Elements of the shape, with the same sign convention as extents (-k: k times the batch); 1 for
 * rank 0; 0 where it does not fit in 63 bits, more than one extent is open, or rank is not in
 * 0..WEFT_MAX_RANK. */
WEFT_API int64_t weft_shape_elements(weft_shape shape);

/* Writes "[N,28,28,1]" into text, cut to size; returns text. */
WEFT_API char *weft_shape_text(weft_shape shape, char *text, size_t size);

/* An array of a running or compiled program. Strides count elements; the stride of the last
 * dimension is 1 (or that dimension's extent is 1). */
typedef struct weft_tensor {
    weft_dtype dtype; /* never WEFT_REAL */
    int rank;
    int64_t extent[WEFT_MAX_RANK]; /* all positive */
    int64_t stride[WEFT_MAX_RANK];
    void *data; /* NULL while compiling, unless the value is a constant */
} weft_tensor;

/* Elements of the tensor. */
WEFT_API int64_t weft_tensor_elements(const weft_tensor *tensor);
/* Bytes of these elements. */
WEFT_API size_t weft_tensor_bytes(const weft_tensor *tensor);
/* True where the elements lie one after the other, without gaps. */
WEFT_API bool weft_tensor_dense(const weft_tensor *tensor);
/* Offset, in elements, of the element with the given row-major index among extents: walks strides.
 */
WEFT_API int64_t weft_tensor_offset(const weft_tensor *tensor, int64_t index);

#ifdef __cplusplus
}

#include <initializer_list>

inline weft_shape weft_shape_of(std::initializer_list<int64_t> extents)
{
    return weft_shape_make(static_cast<int>(extents.size()), extents.begin());
}
#endif
#endif
