/* armtrain_mpi.h - `mpirun -n K armtrain train`: processes share every batch.
 *
 * For the program alone.  Where mpirun did not start it, nothing of MPI is called.
 */
#ifndef SNN_ARMTRAIN_MPI_H
#define SNN_ARMTRAIN_MPI_H

#include "snn/grad.h"

/* Once, before all else; only the first process keeps its standard output. */
void armtrain_mpi_start(void);

/* This process among the others; size 0 when it is alone. */
struct grad_share armtrain_mpi_share(void);

/* Last of all; returns the exit status.  With a failure mpirun ends the other processes. */
int armtrain_mpi_end(int status);

#endif
