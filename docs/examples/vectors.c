/* Run golden vectors of float32 on loss(x, y): cc vectors.c loss.c -lm -o vectors && ./vectors bce_logits.float32.csv */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

float loss(float x, float y);

static int passes(double computed, double rounded, double ulp) {
    if (computed == rounded || (isnan(computed) && isnan(rounded))) return 1;
    if (!isfinite(computed) || !isfinite(rounded) || fabs(computed - rounded) > 4 * ulp) return 0;
    return rounded == 0 || (computed != 0 && (computed < 0) == (rounded < 0));
}

int main(int count, char **given) {
    char line[4096], *cell[5]; /* input, target, rounded, exact, ulp; empty cells are 0 */
    FILE *file = count > 1 ? fopen(given[1], "r") : NULL;
    if (!file || !fgets(line, sizeof line, file)) return 2;
    int wrong = 0;
    while (fgets(line, sizeof line, file)) {
        char *rest = line;
        for (int i = 0; i < 5; i++) cell[i] = strsep(&rest, ",");
        float computed = loss(strtof(cell[0], NULL), strtof(cell[1], NULL));
        if (passes(computed, strtod(cell[2], NULL), strtod(cell[4], NULL))) continue;
        printf("%s %s: %a, not %s\n", cell[0], cell[1], computed, cell[2]);
        wrong = 1;
    }
    return wrong;
}
