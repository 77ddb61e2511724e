/* Print the rows that loss fails: cc vectors.c loss.c -lm -o vectors && ./vectors < bce_logits.float32.csv */
#include <math.h>
#include <stdio.h>
float loss(float x, float y);

int main(void) {
    char line[4096];
    int rows = 0, wrong = 0;
    while (fgets(line, sizeof line, stdin)) {
        double x, y, rounded, ulp = 0; /* empty where rounded is not finite */
        if (sscanf(line, "%la,%la,%la,%*[^,],%la", &x, &y, &rounded, &ulp) < 3) continue; /* the headings */
        double computed = loss((float)x, (float)y);
        int near = isfinite(computed) && isfinite(rounded) && fabs(computed - rounded) <= 4 * ulp;
        int sign = rounded == 0 || (computed != 0 && (computed < 0) == (rounded < 0));
        rows++;
        if (computed == rounded || (isnan(computed) && isnan(rounded)) || (near && sign)) continue;
        wrong = printf("%a %a: %a, not %a\n", x, y, computed, rounded) > 0;
    }
    return rows ? wrong : 2;
}
