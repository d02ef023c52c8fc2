# strokes.awk - makes a gnuplot script of the results of daemon/strokes: a contact sheet with
# a panel a drawing.  Variables: n drawings; run, the folder with NAME.dat (target, network
# and arm, x y z each); up, the column of the coordinate that points up, and its middle in
# m; png.  Colours are those of snn/plot.h.
NR == 1 {
    left = n # empty places
    for (c = int(sqrt(n) + 0.999); c <= sqrt(2 * n) + 1; c++)
        if ((c - n % c) % c < left) {
            columns = c
            left = (c - n % c) % c
        }
    rows = int((n + columns - 1) / columns)
    side = n > 30 ? 170 : 240; top = 64; caption = 40
    width = columns * side; height = rows * (side + caption) + top
    print "set terminal pngcairo noenhanced size " width "," height \
        " background \"#ffffff\" font \"DejaVu Sans,9\""
    print "set output \"" png "\"; set multiplot; unset tics; unset key; set border 15 lc rgb \"#d8d8d8\""
    print "set xrange [-0.165:0.165]; set yrange [" middle - 0.165 ":" middle + 0.165 "]"
}
{
    column = (NR - 1) % columns; row = int((NR - 1) / columns)
    x = column * side; y = top + row * (side + caption)
    printf "set lmargin at screen %g; set rmargin at screen %g\n", (x + 8) / width, \
        (x + side - 8) / width
    printf "set tmargin at screen %g; set bmargin at screen %g\n", 1 - (y + caption - 4) / height, \
        1 - (y + caption + side - 20) / height
    name = $1; sub(/_[0-9]+_[0-9]+$/, "", name); gsub(/_/, " ", name)
    printf "set label 1 \"%s\" at screen %g,%g font \",9\" tc rgb \"#303030\"\n", name, \
        (x + 9) / width, 1 - (y + 9) / height
    printf "set label 2 \"%.0f\" at screen %g,%g font \",9\" tc rgb \"#0072B2\"\n", $7, \
        (x + 9) / width, 1 - (y + 25) / height
    printf "set label 3 \"%.0f\" at screen %g,%g font \",9\" tc rgb \"#D55E00\"\n", $8, \
        (x + 42) / width, 1 - (y + 25) / height
    printf "set label 4 \"%.1f s\" at screen %g,%g right font \",9\" tc rgb \"#808080\"\n", $2, \
        (x + side - 9) / width, 1 - (y + 25) / height
    file = run "/" $1 ".dat"
    printf "plot \"%s\" u (-$2):%d w l lw 6 lc rgb \"#c8c8c8\", \"\" u (-$5):%d w l lw 1.6 lc rgb \"#0072B2\", " \
        "\"\" u (-$8):%d w l lw 1.6 lc rgb \"#D55E00\"\n", file, up, up + 3, up + 6
}
END {
    print "unset label; unset border; set lmargin at screen 0; set rmargin at screen 1"
    printf "set tmargin at screen 1; set bmargin at screen %g; set xrange [0:%d]; set yrange [0:%d]\n", \
        1 - top / height, width, top
    printf "set label 11 \"%d drawings by people, each learned from one showing; tip RMSE in mm\" at 9,%d font \",12\"\n", n, top - 18
    print "set arrow 1 from 10,18 to 40,18 nohead lw 6 lc rgb \"#c8c8c8\"; set label 12 \"shown\" at 48,18"
    print "set arrow 2 from 110,18 to 140,18 nohead lw 2 lc rgb \"#0072B2\"; set label 13 \"learned\" at 148,18"
    print "set arrow 3 from 220,18 to 250,18 nohead lw 2 lc rgb \"#D55E00\"; set label 14 \"executed by the arm\" at 258,18"
    mm = 100 * (side - 16) / 330
    printf "set arrow 4 from %g,18 to %g,18 heads size 4,90 lw 1 lc rgb \"#303030\"; set label 15 \"100 mm\" at %g,18\n", \
        width - 70 - mm, width - 70, width - 62
    print "plot -1 w l; unset multiplot"
}