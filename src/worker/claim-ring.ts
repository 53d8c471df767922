/** What was claimed, from the event loop to its guard through shared memory: no message, so no wake-up of the guard's thread. */

/** Room for what the largest worker claims between two looks; who claims more sends messages. Untouched pages cost nothing. */
const ringBytes = 1024 * 1024;
const lengthBytes = 4;
/** In place of a length: what follows is at the beginning. */
const wraps = 0xffffffff;

const headAt = 0;
const tailAt = 1;

/** A ring of texts in Latin letters: one thread writes, one reads, and neither waits for the other. */
export class ClaimRing {
  readonly buffer: SharedArrayBuffer;
  /** Where the next text is written, and where the next is read; equal when there is none. */
  readonly #places: Int32Array;
  readonly #bytes: Buffer;

  constructor(buffer: SharedArrayBuffer | number = ringBytes) {
    this.buffer = typeof buffer === 'number' ? new SharedArrayBuffer(8 + buffer) : buffer;
    this.#places = new Int32Array(this.buffer, 0, 2);
    this.#bytes = Buffer.from(this.buffer, 8);
  }

  /** Adds a text, unless there is no room for it now. */
  write(text: string): boolean {
    const head = Atomics.load(this.#places, headAt);
    const at = this.#roomFor(head, lengthBytes + text.length);
    if (at === null) return false;
    // Whole before it can be seen.
    if (at !== head && head + lengthBytes <= this.#bytes.length) this.#bytes.writeUInt32LE(wraps, head);
    this.#bytes.writeUInt32LE(text.length, at);
    this.#bytes.write(text, at + lengthBytes, 'latin1');
    Atomics.store(this.#places, headAt, at + lengthBytes + text.length);
    return true;
  }

  /** Takes out all that is there, in the order in which it came. */
  read(): string[] {
    const texts: string[] = [];
    const head = Atomics.load(this.#places, headAt);
    let at = Atomics.load(this.#places, tailAt);
    while (at !== head) {
      const isLast = at + lengthBytes > this.#bytes.length;
      const length = isLast ? wraps : this.#bytes.readUInt32LE(at);
      if (length === wraps) {
        at = 0;
        continue;
      }
      const from = at + lengthBytes;
      texts.push(this.#bytes.toString('latin1', from, from + length));
      at = from + length;
    }
    Atomics.store(this.#places, tailAt, at);
    return texts;
  }

  /** Where so many bytes fit in one piece; a head that met the tail would look like an empty ring. */
  #roomFor(head: number, bytes: number): number | null {
    const tail = Atomics.load(this.#places, tailAt);
    if (head < tail) return head + bytes < tail ? head : null;
    if (head + bytes <= this.#bytes.length) return head;
    return bytes < tail ? 0 : null;
  }
}
