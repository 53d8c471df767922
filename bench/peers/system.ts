/** What the bench wants of each system: the same work, each by its own fastest calls that its documentation names. */

/** The body of every task: 130 bytes of JSON. */
export interface Input {
  readonly to: string;
  readonly n: number;
  readonly s: string;
}

export interface System {
  /** How many tasks one call of `enqueueMany` takes, and how many such calls it likes in flight. */
  readonly bulk: { readonly batch: number; readonly lanes: number };
  /** Whether a worker is told of a new task. Who only polls has no pick-up to compare. */
  readonly isTold: boolean;
  /** Connects to an empty store, and prepares it. */
  open(url: string): Promise<void>;
  /** Starts what runs beside clients and workers, in a process of its own. Ended by `close`. */
  serve?(url: string): Promise<void>;
  enqueueMany(inputs: readonly Input[]): Promise<unknown>;
  enqueue(input: Input): Promise<unknown>;
  /** What was recorded elsewhere may go: called before memory is measured. */
  trim?(): Promise<void>;
  /** Time of the processor that what records elsewhere has used so far, µs. */
  recorderUs?(): Promise<number | null>;
  /** Starts one worker whose handler calls `onTask`. It is stopped by `stop`, and has settled so many tasks when `settled` resolves. */
  work(onTask: () => void): Promise<{ settled(count: number): Promise<void>; stop(): Promise<unknown> }>;
  close(): Promise<unknown>;
}
