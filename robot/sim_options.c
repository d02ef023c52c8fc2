/* sim_options.c - see sim_options.h. */
#include "robot/sim_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "robot/plant.h" /* PLANT_STEP_us */

static const char HELP[] =
    "armsim - a simulated arm: bus servos and MuJoCo physics on a pseudo-terminal\n"
    "\n"
    "  armsim --model FILE.xml --link PATH [options]\n"
    "\n"
    "  --model FILE.xml   the arm (MJCF): hinge joints in order, a site named \"tip\"\n"
    "  --link PATH        symlink to make to the pseudo-terminal; its folder is made "
    "too\n"
    "  --ids 1,2,...      ids of the servos of the first joints (default: 1.. for all);\n"
    "                     joints without a servo are rigid\n"
    "  --servo MODEL,...  one for all or one for each: xl330-m077, xl330-m288, xc330,\n"
    "                     xl430-w250, xm430-w210, xm430-w350, xm540-w270, sts3215\n"
    "                     (default: what the file names in its custom text \"servo\")\n"
    "  --firmware N,...   one for all servos or one for each (default: what each is\n"
    "                     delivered with); Feetech: 100 times major plus minor\n"
    "  --protocol NAME    dynamixel (protocol 2.0) or feetech (STS); the default is what "
    "the\n"
    "                     servos speak\n"
    "  --baud N           bits per second that the servos are set to (default 1000000); "
    "a\n"
    "                     host at another rate is not understood\n"
    "  --echo             the host hears itself, as with some half-duplex adapters\n"
    "  --crc-error X      Dynamixel: silent, a bad CRC is ignored (default), or reply\n"
    "  --after-silent X   devices of a group read behind one that does not answer: gap "
    "(they\n"
    "                     answer in their turn, the default) or silent\n"
    "  --lockstep         time stands still until a sync read asks for it: each SYNC "
    "READ\n"
    "                     or FAST SYNC READ runs one cycle and is answered after it\n"
    "  --cycle_us N       that cycle, a multiple of 500 (default 5000)\n"
    "  --seed N           of what faults draw (default 1)\n"
    "  --no-stand         let the arm fall at once; by default each joint is held until\n"
    "                     the torque of its servo is switched on for the first time\n"
    "  --log FILE.csv     state each simulated ms: t_s, packet_age_ms, q (rad), dq "
    "(rad/s),\n"
    "                     tau (N m) of each joint, how many servos the watchdog stopped\n"
    "  --control PATH     a Unix socket that takes, a line each: fault SPEC, clear "
    "[KIND[:ID]],\n"
    "                     unplug, plug, hand, status, quit; and answers each with a line "
    "of "
    "JSON\n"
    "  --fault SPEC       KIND[:ID][=VALUE][@T][+D], may be given several times; from T "
    "on\n"
    "                     for D simulated seconds (without: at once, until cleared):\n"
    "      drop[:ID]=P  corrupt[:ID]=P  duplicate[:ID]=P   each reply is lost, has a\n"
    "                     flipped bit, comes twice with probability P\n"
    "      delay[:ID]=MS  replies are late\n"
    "      silent:ID      hears and obeys but does not answer\n"
    "      wrong-id:ID=N  answers with another id\n"
    "      overload:ID    sees an overload and latches it\n"
    "      overheat:ID=C  is this hot\n"
    "      reboot:ID      starts again: no torque, time from 0; takes D\n"
    "      stall:ID       the joint is blocked\n"
    "      brownout=V     the supply sags to V\n"
    "      payload=KG     a mass at the tip\n"
    "      droop=RAD      sent positions, servos hold a load by being off their goal,\n"
    "                     by RAD at full drive, as real ones do\n"
    "      unplug         the port vanishes, the servos stay powered\n"
    "  --help, --version\n"
    "\n"
    "SIGUSR1 unplugs until SIGUSR2 plugs in again.  SIGTERM and SIGINT end it.\n"
    "Exit status: 0 ok, 64 usage, 66 model missing, 70 internal, 74 link, log or "
    "control\n"
    "socket, 78 model that is no arm.\n";

static int say(int status, const char *what, const char *why)
{
    fprintf(stderr, "armsim: %s: %s\n", what, why);
    return status;
}

static bool parse_long(const char *text, long lo, long hi, long *out)
{
    char *end;
    errno = 0;
    *out = strtol(text, &end, 10);
    return end != text && !*end && !errno && *out >= lo && *out <= hi;
}

static bool parse_ids(const char *text, struct sim_params *p)
{
    char copy[128];
    snprintf(copy, sizeof(copy), "%s", text);
    char *rest = copy;
    for (char *item; (item = strsep(&rest, ","));) {
        long id;
        if (p->n_ids == ARM_MAX_JOINTS || !parse_long(item, 0, 252, &id))
            return false;
        for (int k = 0; k < p->n_ids; k++)
            if (p->id[k] == id)
                return false;
        p->id[p->n_ids++] = (uint8_t)id;
    }
    return strlen(text) < sizeof(copy);
}

static bool parse_servos(const char *text, struct sim_params *p)
{
    char copy[256];
    snprintf(copy, sizeof(copy), "%s", text);
    char *rest = copy;
    p->n_models = 0;
    for (char *item; (item = strsep(&rest, ","));) {
        const struct servo_model *m = servo_model_find(item);
        if (!m || p->n_models == ARM_MAX_JOINTS ||
            (p->n_models && m->protocol != p->servo[0]->protocol))
            return false;
        p->servo[p->n_models++] = m;
    }
    return strlen(text) < sizeof(copy);
}

static bool parse_firmware(const char *text, struct sim_params *p)
{
    char copy[128];
    snprintf(copy, sizeof(copy), "%s", text);
    char *rest = copy;
    p->n_firmware = 0;
    for (char *item; (item = strsep(&rest, ","));) {
        long value;
        if (p->n_firmware == ARM_MAX_JOINTS || !parse_long(item, 1, 9999, &value))
            return false;
        p->firmware[p->n_firmware++] = (int)value;
    }
    return strlen(text) < sizeof(copy);
}

static bool parse_fault(const char *text, struct sim_options *o)
{
    struct sim_params *p = &o->sim;
    char err[512] = "32 faults are the most";
    if (p->n_faults == SIM_MAX_FAULTS ||
        !sim_fault_parse(text, &p->fault[p->n_faults], err, sizeof(err)))
        return say(false, "--fault", err);
    p->n_faults++;
    return true;
}

static bool parse_option(int letter, const char *text, struct sim_options *o)
{
    long value = 0;
    switch (letter) {
    case 'm':
        o->sim.model = text;
        return true;
    case 'l':
        o->link = text;
        return true;
    case 'o':
        o->log = text;
        return true;
    case 'i':
        return parse_ids(text, &o->sim);
    case 'S':
        return parse_servos(text, &o->sim);
    case 'F':
        return parse_firmware(text, &o->sim);
    case 'E':
        o->sim.does_report_crc = !strcmp(text, "reply");
        return o->sim.does_report_crc || !strcmp(text, "silent");
    case 'R':
        o->sim.is_rest_silent = !strcmp(text, "silent");
        return o->sim.is_rest_silent || !strcmp(text, "gap");
    case 'C':
        o->control = text;
        return true;
    case 'b':
        o->sim.baud_Bd = parse_long(text, 1200, 10000000, &value) ? (int)value : 0;
        return value;
    case 'c':
        o->sim.cycle_us =
            parse_long(text, PLANT_STEP_us, 1000000, &value) ? (int)value : 0;
        return value && value % PLANT_STEP_us == 0;
    case 's':
        o->sim.seed = parse_long(text, 0, INT64_MAX, &value) ? (uint64_t)value : 0;
        return value || !strcmp(text, "0");
    default: /* protocol */
        o->sim.has_protocol = true;
        o->sim.protocol = strcmp(text, "feetech") ? SERVO_DYNAMIXEL : SERVO_FEETECH;
        return !strcmp(text, "dynamixel") || !strcmp(text, "feetech");
    }
}

int sim_options_parse(int argc, char **argv, struct sim_options *o)
{
    static const struct option names[] = {
        {"model", required_argument, NULL, 'm'},
        {"link", required_argument, NULL, 'l'},
        {"protocol", required_argument, NULL, 'p'},
        {"ids", required_argument, NULL, 'i'},
        {"baud", required_argument, NULL, 'b'},
        {"lockstep", no_argument, NULL, 'L'},
        {"cycle_us", required_argument, NULL, 'c'},
        {"seed", required_argument, NULL, 's'},
        {"no-stand", no_argument, NULL, 'n'},
        {"servo", required_argument, NULL, 'S'},
        {"firmware", required_argument, NULL, 'F'},
        {"echo", no_argument, NULL, 'e'},
        {"crc-error", required_argument, NULL, 'E'},
        {"after-silent", required_argument, NULL, 'R'},
        {"control", required_argument, NULL, 'C'},
        {"fault", required_argument, NULL, 'f'},
        {"log", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    int letter, index = 0;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, ":", names, &index)) != -1) {
        if (letter == 'h')
            return fputs(HELP, stdout), EX_OK;
        if (letter == 'v')
            return puts("armsim " ARMD_VERSION), EX_OK;
        if (letter == '?')
            return say(EX_USAGE, argv[optind - 1], "unknown option; see --help");
        if (letter == ':')
            return say(EX_USAGE, argv[optind - 1], "needs a value; see --help");
        if (letter == 'L')
            o->sim.is_lockstep = true;
        else if (letter == 'e')
            o->sim.has_echo = true;
        else if (letter == 'n')
            o->sim.has_stand = false;
        else if (letter == 'f' && !parse_fault(optarg, o))
            return EX_USAGE;
        else if (letter != 'f' && !parse_option(letter, optarg, o)) {
            fprintf(stderr, "armsim: --%s: '%s' is not allowed; see --help\n",
                    names[index].name, optarg);
            return EX_USAGE;
        }
    }
    if (optind < argc)
        return say(EX_USAGE, argv[optind], "unexpected argument; see --help");
    if (!o->sim.model || !o->link)
        return say(EX_USAGE, o->sim.model ? "--link" : "--model",
                   "is missing; see --help");
    if (o->sim.n_models && o->sim.has_protocol &&
        o->sim.servo[0]->protocol != o->sim.protocol)
        return say(EX_USAGE, "--servo", "does not speak what --protocol says");
    return -1;
}
