/* code.h - how a target trajectory is shown to the learning signal generator.
 *
 * Cartesian (Ortner et al. 2025, as in the authors' code): each tip coordinate c in m is
 * the 16-bit integer (c + 1) 32768, one neuron a bit, least significant first, x y z.
 * A coordinate of 1 m or more loses its 17th bit: the code wraps, and the published
 * network has learned with it (22.6 mm; 25.6 mm when coordinates are clamped instead).
 *
 * Velocity: `units` Gaussians a joint with centres evenly over [-range, range] rad/s see
 * the wanted joint velocity; the network then does not depend on the arm.
 */
#ifndef SNN_CODE_H
#define SNN_CODE_H

enum code_kind { CODE_CARTESIAN, CODE_VELOCITY };

struct code_params {
    enum code_kind kind;
    int joints;
    int units;         /* velocity code: neurons a joint */
    float range_rad_s; /* velocity code: outermost centre */
    float sd_rad_s;    /* velocity code: width of a unit */
};

int code_size(const struct code_params *p); /* input neurons */

/* x[code_size] for one step.  omega_rad_s[joints] or tip_m[3], whichever the code needs
 * (the other may be NULL). */
void code_encode(const struct code_params *p, const float *omega_rad_s,
                 const float *tip_m, float *x);

/* decoder[code_size * joints]: x times it gives back omega in the least-squares sense
 * over [-range, range].  Velocity code only.  Slow. */
void code_linear_decoder(const struct code_params *p, float *decoder);

#endif
