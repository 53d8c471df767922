/** The steps of one run: what the task remembers from earlier runs, and what this one asks the store to remember. */

import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import { encodeJson, formatBytes, utf8Length } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import type { Checkpoint, Task } from '../core/task.ts';

/** A step that has run and waits for the store to say that it is kept. */
interface Pending {
  readonly checkpoint: Checkpoint;
  readonly resolve: () => void;
  readonly reject: (error: TaskFlowError) => void;
}

/** Made on the first step of a run: most handlers have none. */
export class Steps {
  readonly #taskName: string;
  readonly #onNews: () => void;
  /** By name, what earlier runs left. */
  readonly #known: ReadonlyMap<string, string | null>;
  /** Names this run has used: of steps that run, and of those whose value it has. */
  readonly #taken = new Set<string>();
  #count: number;
  #bytes = 0;
  #unsent: Pending[] = [];
  readonly #sent = new Map<string, Pending>();

  /** `onNews` is called when something should be sent at once. */
  constructor(task: Pick<Task, 'name' | 'checkpoints'>, onNews: () => void) {
    this.#taskName = task.name;
    this.#onNews = onNews;
    this.#known = new Map(task.checkpoints.map(({ name, value }) => [name, value]));
    this.#count = this.#known.size;
    for (const checkpoint of task.checkpoints) this.#bytes += bytesOf(checkpoint);
  }

  /** The promise of `ctx.step`. `assertHeld` throws when the run no longer speaks for its task. */
  async run(name: string, fn: () => unknown, assertHeld: () => void): Promise<unknown> {
    this.#take(name);
    const known = this.#known.get(name);
    if (known !== undefined) return decoded(known);
    try {
      this.#count += 1;
      const output = await fn();
      assertHeld();
      const checkpoint = this.#checkpoint(name, output);
      await this.keep(checkpoint);
      return decoded(checkpoint.value);
    } catch (error) {
      // Nothing of it is kept, so the same step may be tried again in the same run.
      this.#taken.delete(name);
      this.#count -= 1;
      throw error;
    }
  }

  /** Resolves when the store has it; throws STEP_TOO_LARGE. */
  keep(checkpoint: Checkpoint): Promise<void> {
    const bytes = this.#bytes + bytesOf(checkpoint);
    if (bytes > limits.stepsBytesMax)
      throw taskFlowError('STEP_TOO_LARGE', {
        what: `What the steps of ${this.#taskName} keep`,
        max: formatBytes(limits.stepsBytesMax),
      });
    this.#bytes = bytes;
    return new Promise((resolve, reject) => {
      this.#unsent.push({ checkpoint, resolve, reject });
      this.#onNews();
    });
  }

  get hasUnsent(): boolean {
    return this.#unsent.length > 0;
  }

  /** What to send now; it counts as sent. With any bytes left at least one, of more no more than `bytesMax`. */
  send(bytesMax: number): readonly Checkpoint[] {
    if (bytesMax <= 0) return [];
    let bytes = 0;
    let count = 0;
    for (const { checkpoint } of this.#unsent) {
      bytes += bytesOf(checkpoint);
      if (count > 0 && bytes > bytesMax) break;
      count += 1;
    }
    const sent = this.#unsent.splice(0, count);
    for (const pending of sent) this.#sent.set(pending.checkpoint.name, pending);
    return sent.map(({ checkpoint }) => checkpoint);
  }

  /** The store has them: their handlers go on. */
  kept(checkpoints: readonly Checkpoint[]): void {
    for (const { name } of checkpoints) {
      this.#sent.get(name)?.resolve();
      this.#sent.delete(name);
    }
  }

  /** They may not have arrived: they are sent again, which is harmless when they have. */
  restore(checkpoints: readonly Checkpoint[]): void {
    const again = checkpoints.flatMap(({ name }) => this.#sent.get(name) ?? []);
    for (const { checkpoint } of again) this.#sent.delete(checkpoint.name);
    this.#unsent = [...again, ...this.#unsent];
  }

  /** Nobody will keep them any more. */
  refuse(error: TaskFlowError): void {
    for (const { reject } of [...this.#sent.values(), ...this.#unsent]) reject(error);
    this.#sent.clear();
    this.#unsent = [];
  }

  #take(name: string): void {
    if (typeof name !== 'string' || name === '' || name.length > limits.nameMax)
      throw taskFlowError('INVALID_OPTION', {
        what: 'The name of a step',
        problem: `it must be a text of 1 to ${limits.nameMax} characters`,
      });
    if (this.#taken.has(name)) throw taskFlowError('STEP_NAME_TAKEN', { name });
    if (!this.#known.has(name) && this.#count >= limits.stepsMax)
      throw taskFlowError('STEP_TOO_LARGE', {
        what: `The number of steps of ${this.#taskName}`,
        max: limits.stepsMax,
      });
    this.#taken.add(name);
  }

  #checkpoint(name: string, output: unknown): Checkpoint {
    if (output === undefined) return { name, value: null };
    const what = `The step "${name}" of ${this.#taskName}`;
    const { stepBytesMax: bytesMax, jsonDepthMax: depthMax } = limits;
    return { name, value: encodeJson(output, { what, bytesMax, depthMax, tooLarge: 'STEP_TOO_LARGE' }) };
  }
}

/** What a checkpoint adds to a call of the store. */
export const bytesOf = ({ name, value }: Checkpoint): number =>
  utf8Length(name) + (value === null ? 0 : utf8Length(value));

/** As the next run will read it, so that no run sees a Date where another sees text. */
function decoded(kept: string | null): unknown {
  return kept === null ? undefined : JSON.parse(kept);
}
