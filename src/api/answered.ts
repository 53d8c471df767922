/** What is told of each request once it is answered, for metrics and logs. */

/** One request that was answered. Nothing in it is a secret: no path with its query, no header, no body. */
export interface Answered {
  /** Also in the answer, as `X-Request-Id`. */
  readonly requestId: string;
  readonly method: string;
  /** The pattern of the path, `/api/v1/tasks/:id`; `null` where there is none. */
  readonly route: string | null;
  readonly status: number;
  /** Until the head of the answer was ready: a stream goes on after it. */
  readonly ms: number;
  /** Who asked, where that is known. */
  readonly actor: string | null;
  /** Where it came from, as far as proxies that are believed tell. */
  readonly address: string | undefined;
}

/** Hears of each request. Must not throw. */
export type OnAnswered = (answered: Answered) => void;
