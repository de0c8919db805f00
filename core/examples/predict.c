/* Labels for the lines of standard input: predict FOLDER < texts.txt
 * For a student of single texts, each of which has one label. */
#define _POSIX_C_SOURCE 200809L /* getline */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "potstill.h"

/* Logits as probabilities. */
static void softmax(float *logits, size_t n) {
  float largest = logits[0], sum = 0;
  for (size_t i = 1; i < n; ++i)
    if (logits[i] > largest) largest = logits[i];
  for (size_t i = 0; i < n; ++i) sum += logits[i] = expf(logits[i] - largest);
  for (size_t i = 0; i < n; ++i) logits[i] /= sum;
}

/* Reads a line without its end; 0 where there is none. */
static int read_line(char **line, size_t *room, potstill_text *text) {
  const ssize_t size = getline(line, room, stdin);
  if (size < 0) return 0;
  text->bytes = *line;
  text->size = (size_t)size - ((*line)[size - 1] == '\n');
  return 1;
}

int main(int count, char **arguments) {
  if (count != 2) {
    fprintf(stderr, "predict FOLDER < texts.txt\n");
    return 2;
  }
  char error[300];
  potstill_student *student = potstill_open(arguments[1], NULL, error, sizeof error);
  if (!student) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  size_t n_labels = 0;
  while (potstill_label(student, n_labels)) ++n_labels;
  float *logits = malloc(n_labels * sizeof *logits);
  char *line = NULL;
  size_t room = 0;
  potstill_text text;
  int status = logits ? 0 : 1;
  while (!status && read_line(&line, &room, &text)) {
    status = potstill_logits(student, &text, 1, 1, logits);
    if (status) break;
    softmax(logits, n_labels);
    size_t best = 0;
    for (size_t i = 1; i < n_labels; ++i)
      if (logits[i] > logits[best]) best = i;
    printf("%s\t%.4f\n", potstill_label(student, best), logits[best]);
  }
  if (status) fprintf(stderr, status == 2 ? "the student reads pairs of texts\n" : "not enough memory\n");
  free(line);
  free(logits);
  potstill_close(student);
  return status;
}
