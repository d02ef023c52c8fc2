/* connection.js - the page's one WebSocket: comes back by itself, matches replies to requests,
 * and notices within a second that nobody is there any more. */
const PING_AFTER_ms = 250;   /* of silence: armweb is asked something */
const LOST_AFTER_ms = 650;   /* of silence: the page says that it is blind */
const CLOSE_AFTER_ms = 5000; /* of silence: a new connection */
const WATCH_ms = 50;
const RETRY_ms = [250, 500, 1000, 2000];

export class Connection {
  #socket = null;
  #next = 1;
  #waiting = new Map();
  #heard = 0;
  #pinged = 0;
  #tries = 0;
  #isThere = false;

  /** heed(message): everything but replies; changed(isThere) */
  constructor(url, { heed, changed }) {
    this.url = url;
    this.heed = heed;
    this.changed = changed;
    setInterval(() => this.#watch(), WATCH_ms);
    this.#open();
  }

  #open() {
    const socket = new WebSocket(this.url, "armd");
    this.#socket = socket;
    this.#heard = performance.now();
    socket.onmessage = (event) => this.#take(JSON.parse(event.data));
    socket.onclose = () => socket === this.#socket && this.#closed();
  }

  #closed() {
    this.#socket = null;
    this.#say(false);
    for (const { done } of this.#waiting.values()) done(lost("the connection is lost"));
    this.#waiting.clear();
    setTimeout(() => this.#open(), RETRY_ms[Math.min(this.#tries++, RETRY_ms.length - 1)]);
  }

  #say(isThere) {
    if (isThere === this.#isThere) return;
    this.#isThere = isThere;
    this.changed(isThere);
  }

  #watch() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    const now = performance.now(), silent = now - this.#heard;
    if (silent > CLOSE_AFTER_ms) {
      const socket = this.#socket;
      this.#closed();
      socket.close();
    } else if (silent > PING_AFTER_ms && now - this.#pinged > PING_AFTER_ms) {
      this.#pinged = now;
      this.request("subscribe_info");
    }
    if (silent > LOST_AFTER_ms) this.#say(false);
  }

  #take(message) {
    this.#heard = performance.now();
    this.#tries = 0;
    this.#say(true);
    if (!message.reply) {
      this.heed(message);
      return;
    }
    this.#waiting.get(message.reply.id)?.done(message.reply);
    this.#waiting.delete(message.reply.id);
  }

  #send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** The reply of armd; never rejects: what goes wrong is a reply that is not ok. */
  request(cmd, fields = {}) {
    const id = this.#next++;
    return new Promise((done) => {
      if (this.#send({ request: { ...fields, id, cmd } })) this.#waiting.set(id, { done });
      else done(lost("there is no connection"));
    });
  }

  show(token, session) {
    return this.#send({ token, session });
  }
}

const lost = (message) => ({ ok: false, error: { code: "lost", message } });
