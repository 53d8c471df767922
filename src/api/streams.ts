/** Which requests are read as streams of lines: their senders may take their time, and those of all others may not. */

const streams = new WeakSet<Request>();

/** Notes of a request that it is read line by line, on behalf of a caller who may send it. */
export function noteStream(request: Request): void {
  streams.add(request);
}

/** Whether it is: what a request says of itself counts for nothing. */
export function isStream(request: Request): boolean {
  return streams.has(request);
}
