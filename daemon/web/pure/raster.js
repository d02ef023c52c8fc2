/* raster.js - which neuron fired at which tick, the last `columns` ticks.  Pure: a ring of
 * columns; the newest is always the last one, and gaps in the ticks are gaps in time. */
export class Raster {
  constructor(neurons, columns) {
    this.neurons = neurons;
    this.columns = columns;
    this.clear();
  }

  clear() {
    this.fired = Array.from({ length: this.columns }, () => null); /* by tick modulo columns */
    this.last = -1;
    this.total = 0;
  }

  /** one message of topic spikes; older ticks than the newest begin a new run */
  add({ tick, ids }) {
    if (tick <= this.last || tick - this.last > this.columns) this.clear();
    for (let t = Math.max(this.last + 1, 0); this.last >= 0 && t < tick; t++)
      this.fired[t % this.columns] = null;
    this.fired[tick % this.columns] = ids;
    this.last = tick;
    this.total += ids.length;
  }

  /** calls visit(column, neuron) for every spike; column 0 is the oldest */
  each(visit) {
    for (let column = 0; column < this.columns && this.last >= 0; column++) {
      const tick = this.last - (this.columns - 1 - column);
      if (tick < 0) continue;
      for (const id of this.fired[tick % this.columns] ?? [])
        if (id < this.neurons) visit(column, id);
    }
  }

  /** mean rate of a neuron in Hz over the ticks that are known; 0 without any */
  rate_Hz(tick_ms) {
    const known = this.fired.filter((ids) => ids !== null);
    const spikes = known.reduce((sum, ids) => sum + ids.length, 0);
    return known.length ? (1000 * spikes) / (known.length * this.neurons * tick_ms) : 0;
  }
}
