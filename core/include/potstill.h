/* Potstill's students in C: raw text to logits, without Python.
 *
 * A student's folder has config.json, tokenizer.json, plan.json, or in 8-bit integers plan.int8.json, and the weights
 * that the plan names. `potstill export` writes them. docs/embed.md has an example.
 *
 * Every function may be called by several threads at once, but potstill_close: it is the last call of a student. */
#ifndef POTSTILL_H
#define POTSTILL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__wasm__) || defined(_WIN32) || !defined(__GNUC__)
#define POTSTILL_API
#else
#define POTSTILL_API __attribute__((visibility("default")))
#endif

typedef struct potstill_student potstill_student;

/* Where a text begins and how many bytes of UTF-8 it has, without a 0 at its end. Bytes that are no UTF-8 are read as
 * U+FFFD. */
typedef struct {
  const char *bytes;
  size_t size;
} potstill_text;

/* Opens a student.
 *   folder      its folder; not NULL
 *   precision   "fp32" or "int8"; NULL: int8 where there is one
 *   error       gets one line that says what is wrong, cut to error_size bytes with the 0 at its end; empty where
 *               nothing is; may be NULL
 * Returns NULL where it is damaged or missing. Else potstill_close frees it. */
POTSTILL_API potstill_student *potstill_open(const char *folder, const char *precision, char *error, size_t error_size);

/* The same from the contents of its four files, which may be freed afterwards, except for the weights: they are read
 * until potstill_close, and must begin at a multiple of 8 bytes. */
POTSTILL_API potstill_student *potstill_open_memory(potstill_text config, potstill_text tokenizer, potstill_text plan,
                                                    potstill_text weights, char *error, size_t error_size);

/* The name of a label in UTF-8, in the order of the logits, which lives as long as the student; NULL from the number of
 * labels on: so they are counted. */
POTSTILL_API const char *potstill_label(const potstill_student *student, size_t index);

/* Logits of texts: n_rows rows of one number a label. Softmax, or a sigmoid for each label, makes probabilities of them.
 *
 *   texts        n_rows * texts_a_row: of a student of pairs the first text of each pair, then its second
 *   texts_a_row  1, or for a student of pairs 2
 *
 * Returns 0. Else `logits` are not to be used: 1 where the texts need more memory than there is, or one has more than
 * 256 MB; 2 where the student reads another number of texts a row. Nothing is allocated where earlier texts were as long
 * and as many. */
POTSTILL_API int potstill_logits(const potstill_student *student, const potstill_text *texts, size_t n_rows,
                                 int texts_a_row, float *logits);

/* Frees a student; NULL is allowed. */
POTSTILL_API void potstill_close(potstill_student *student);

#ifdef __cplusplus
}
#endif
#endif
