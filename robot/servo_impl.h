/* servo_impl.h - what servo.c (table) and servo_control.c (loops) share. */
#ifndef ROBOT_SERVO_IMPL_H
#define ROBOT_SERVO_IMPL_H

#include "robot/servo.h"

/* A register by the address of its first byte. */
int32_t servo_get(const struct servo *s, int addr);
void servo_set(struct servo *s, int addr, int32_t value);

/* Writes the state of the last step into the present-... registers. */
void servo_refresh(struct servo *s);

#endif
