/** What the event loop and its guard share as memory, for a loop that does not turn can send no message. */

import { monotonicMs } from '../core/time.ts';

/** Handlers that began lately, remembered by the ids of their tasks. */
const begunMax = 256;
const idBytes = 26;
/** After the id: the definition in two bytes, the epoch in four. */
const entryBytes = idBytes + 6;
const headerInts = 4;

const turnsAt = 0;
const begunAt = 1;
const debuggedAt = 2;
const answeredAt = 3;

/** A run that began: which one of its task, and the index of its definition. */
export interface BegunRun {
  readonly taskId: string;
  readonly epoch: number;
  readonly definition: number;
}

/**
 * The memory in one buffer: how often the loop turned, how many handlers of each definition are in flight, who began last,
 * and when the guard last renewed the leases. Written on each side without a lock: the one who reads looks again soon.
 */
export class SharedFacts {
  readonly buffer: SharedArrayBuffer;
  readonly #renewed: BigInt64Array;
  readonly #ints: Int32Array;
  readonly #begun: Buffer;

  constructor(definitions: number, buffer?: SharedArrayBuffer) {
    const ints = headerInts + definitions;
    this.buffer = buffer ?? new SharedArrayBuffer(8 + ints * 4 + begunMax * entryBytes);
    this.#renewed = new BigInt64Array(this.buffer, 0, 1);
    this.#ints = new Int32Array(this.buffer, 8, ints);
    this.#begun = Buffer.from(this.buffer, 8 + ints * 4);
  }

  /** The loop has turned. */
  turn(isDebugged: boolean): void {
    Atomics.add(this.#ints, turnsAt, 1);
    Atomics.store(this.#ints, debuggedAt, isDebugged ? 1 : 0);
  }

  get turns(): number {
    return Atomics.load(this.#ints, turnsAt);
  }

  /** Whether somebody may have stopped the loop at a breakpoint. */
  get isDebugged(): boolean {
    return Atomics.load(this.#ints, debuggedAt) === 1;
  }

  /** A handler of this definition is about to begin. Done for every task: nobody else writes here, so nothing is atomic. */
  begin(definition: number, taskId: string, epoch: number): void {
    const count = this.#ints[begunAt] ?? 0;
    const entry = (count % begunMax) * entryBytes;
    this.#begun.write(taskId, entry, idBytes, 'latin1');
    this.#begun[entry + idBytes] = definition & 0xff;
    this.#begun[entry + idBytes + 1] = definition >> 8;
    this.#begun.writeUInt32LE(epoch >>> 0, entry + idBytes + 2);
    this.#ints[begunAt] = (count + 1) & 0x3fffffff;
    this.#count(definition, 1);
  }

  end(definition: number): void {
    this.#count(definition, -1);
  }

  #count(definition: number, delta: number): void {
    const at = headerInts + definition;
    this.#ints[at] = (this.#ints[at] ?? 0) + delta;
  }

  /** Indexes of the definitions with handlers in flight. */
  inFlight(): number[] {
    const found: number[] = [];
    for (let index = headerInts; index < this.#ints.length; index++)
      if (Atomics.load(this.#ints, index) > 0) found.push(index - headerInts);
    return found;
  }

  /** The runs whose handlers began last, `begunMax` of them. */
  begun(): BegunRun[] {
    const begun: BegunRun[] = [];
    const count = Math.min(Atomics.load(this.#ints, begunAt), begunMax);
    for (let entry = 0; entry < count * entryBytes; entry += entryBytes) {
      const taskId = this.#begun.toString('latin1', entry, entry + idBytes);
      const [low = 0, high = 0] = this.#begun.subarray(entry + idBytes, entry + entryBytes);
      const epoch = this.#begun.readUInt32LE(entry + idBytes + 2);
      begun.push({ taskId, epoch, definition: low + (high << 8) });
    }
    return begun;
  }

  /** The guard has answered the question with this id. */
  answer(id: number): void {
    Atomics.store(this.#ints, answeredAt, id);
  }

  get answered(): number {
    return Atomics.load(this.#ints, answeredAt);
  }

  /** The guard has renewed the leases with a call that was sent so long ago. */
  renew(sentAgoMs: number): void {
    Atomics.store(this.#renewed, 0, BigInt(Math.floor(monotonicMs() - sentAgoMs)));
  }

  /** How long ago the last renewal was sent; `Infinity` before the first. */
  get renewedAgoMs(): number {
    const at = Atomics.load(this.#renewed, 0);
    return at === 0n ? Infinity : monotonicMs() - Number(at);
  }
}
