/* store.js - what the page knows, in one object.  Data flows one way: messages change the
 * store, views are called once a frame with what has changed, and views change nothing but
 * their own part of the page. */
export class Store {
  #views = [];
  #dirty = new Set();
  #isAwaited = false;

  constructor(state) {
    this.state = state;
  }

  set(patch) {
    Object.assign(this.state, patch);
    Object.keys(patch).forEach((key) => this.#dirty.add(key));
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    requestAnimationFrame(() => this.#show());
  }

  /** view(state), in the next frame after one of the keys was set */
  on(keys, view) {
    this.#views.push({ keys, view });
  }

  #show() {
    const dirty = this.#dirty;
    this.#dirty = new Set();
    this.#isAwaited = false;
    for (const { keys, view } of this.#views)
      if (keys.some((key) => dirty.has(key))) view(this.state);
  }
}
