/** The W3C trace context that a task carries from its enqueue to its runs. */

const pattern = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Whether a text is a `traceparent` of four parts. */
export function isTraceparent(text: string): boolean {
  return pattern.test(text);
}
