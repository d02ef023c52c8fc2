/* plot.h - PNG and PDF pictures through gnuplot, which is started without a shell.
 *
 * A plot collects gnuplot commands and data; plot_close draws it.  Lines come in the
 * colours of Okabe and Ito (2008), which colour-blind readers can tell apart:
 * 1 blue, 2 vermilion, 3 green, 4 orange, 5 purple, 6 sky blue, 7 black, 8 yellow.
 * Every call is slow.
 */
#ifndef SNN_PLOT_H
#define SNN_PLOT_H

#include <stddef.h>

struct plot;

/* A path that ends in .pdf becomes a PDF page of 96 px to the inch.  NULL with a sentence in
 * err: the path cannot be used, or out of memory. */
struct plot *plot_open(const char *path, int width_px, int height_px, char *err,
                       size_t err_len);

/* One gnuplot command.  Text from outside goes through plot_quote first. */
void plot_cmd(struct plot *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A data block "$name" for `plot $name using 1:2`: x is (rows, cols), row-major.  A number
 * that is not finite leaves a gap in its line. */
void plot_data(struct plot *p, const char *name, const double *x, int rows, int cols);

/* The text as a gnuplot string, quotes included, in out; cut to fit.  Returns out. */
const char *plot_quote(const char *text, char *out, size_t out_len);

/* Draws, and frees the plot (NULL is fine).  0, or -errno with a sentence in err: ENOENT
 * when gnuplot is not installed, EIO when it fails; the sentence is then gnuplot's own. */
int plot_close(struct plot *p, char *err, size_t err_len);

#endif
