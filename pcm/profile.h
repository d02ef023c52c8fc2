/* profile.h - what a PCM device does: range, programming noise, drift, read noise.
 *
 * A profile is a const table of laws fitted to measured devices.  r is a conductance
 * relative to the range of the device, g / g_max, in [0, 1] (a little above is fine).
 * Sources: aihwkit PCMLikeNoiseModel (1M-device array; Joshi et al. 2020, Nandakumar et
 * al. 2019) and HermesNoiseModel (14 nm HERMES chip), repository IBM/aihwkit 4545f11;
 * nandakumar: the 90 nm devices of pcm/pulse.h, where the source stands.  Every profile
 * says what a programming pulse does to its devices: its own law where one is published
 * (aihwkit, nandakumar), Nandakumar's scaled to the range for HERMES, equal steps if quiet.
 */
#ifndef PCM_PROFILE_H
#define PCM_PROFILE_H

enum pcm_law_kind {
    PCM_LAW_LN,     /* a + b ln r */
    PCM_LAW_POWER,  /* a r^b */
    PCM_LAW_INVERSE /* a + b / r */
};

/* A number as a function of r: below r_break one of the kinds, clamped to [low, high];
 * from r_break on the polynomial poly[0] + poly[1] r + ... */
struct pcm_law {
    enum pcm_law_kind kind;
    float a, b, low, high;
    float r_break;
    float poly[4];
};

struct pcm_pulse_model; /* pcm/pulse.h */

struct pcm_profile {
    const char *name;
    float g_max_uS; /* range of a device (or of the devices of one polarity) */
    float t0_s;     /* drift is measured from the first read, t0 after programming */
    float t_read_s; /* length of a read, sets the band of the read noise */
    float prog_sigma_uS[4]; /* sd of the programming residual, coefficients of r^0..r^3 */
    struct pcm_law nu_mean; /* drift exponent: mean over devices before |.| ... */
    struct pcm_law nu_sd;   /* ... and spread between them */
    struct pcm_law read_q;  /* Q of S_G / G^2 = Q^2 / f */
    const struct pcm_pulse_model *pulse; /* of devices with a range of its full_uS */
};

extern const struct pcm_profile pcm_profile_aihwkit;
extern const struct pcm_profile pcm_profile_hermes_1dev;
extern const struct pcm_profile pcm_profile_hermes_2dev;
extern const struct pcm_profile pcm_profile_quiet; /* no noise, no drift, 25 uS */
/* Range 8 uS (Nandakumar et al. 2020), nu 0.04 of every device, t0 38.6 s, read noise of
 * sd 0.03 G + 0.13 uS at t0, taken for 1/f.  No residual of programming is published: it is
 * what pcm_pulse_write leaves at a tolerance of 0.5 uS, 0.33 to 0.43 uS by simulation. */
extern const struct pcm_profile pcm_profile_nandakumar;

/* By name (aihwkit, hermes-1dev, hermes-2dev, quiet, nandakumar), or NULL; the i-th one. */
const struct pcm_profile *pcm_profile_find(const char *name);
const struct pcm_profile *pcm_profile_at(int i);

/* out[i] = law(r[i]); out may be r.  Same bits for any n. */
void pcm_law_eval(const struct pcm_law *law, const float *r, float *out, int n);

/* The laws of p at one r. */
float pcm_profile_nu_mean(const struct pcm_profile *p, float r);
float pcm_profile_nu_sd(const struct pcm_profile *p, float r);
float pcm_profile_read_q(const struct pcm_profile *p, float r);

/* sd in uS of the residual after programming to r, never negative. */
float pcm_profile_prog_sigma_uS(const struct pcm_profile *p, float r);

/* Relative sd of one read t_since_s after the first read (which is t0 after programming):
 * Q sqrt(ln((t + t_read) / (2 t_read))), t = t_since + t0; 1/f noise integrated from
 * 1 / (t + t_read) to the Nyquist frequency of a read. */
float pcm_profile_read_sigma_rel(const struct pcm_profile *p, float r, double t_since_s);

#endif
