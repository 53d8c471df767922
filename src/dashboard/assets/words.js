// How times and numbers read, the same as the server writes them.

const whole = new Intl.NumberFormat('en-US');

/** 10332 → "10,332". */
export const count = (number) => whole.format(number);

/** "4.2 s", "3 m", "2 h": one unit, as in lists. */
export function span(ms) {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/** "3 m ago", "in 41 s". */
export function ago(ms) {
  if (Math.abs(ms) < 1_000) return 'now';
  return ms > 0 ? `${span(ms)} ago` : `in ${span(-ms)}`;
}

/** "4:12", "1:04:12". */
export function stopwatch(ms) {
  const seconds = Math.floor(Math.max(0, ms) / 1_000);
  const two = (number) => String(number).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  return hours === 0 ? `${minutes}:${two(seconds % 60)}` : `${hours}:${two(minutes)}:${two(seconds % 60)}`;
}

const ways = {
  ago,
  stopwatch,
  for: span,
  waits: (ms) => `waits ${span(ms)}`,
  in: (ms) => (ms >= 0 ? 'due' : `in ${span(-ms)}`),
};

/** Lets every `<time>` with a way of reading go on; `offset` is how far the store's clock is ahead of the browser's. */
export function tick(offset) {
  const now = Date.now() + offset;
  for (const time of document.querySelectorAll('time[data-tick]')) {
    const way = ways[time.dataset.tick];
    const text = way === undefined ? null : way(now - Date.parse(time.dateTime));
    if (text !== null && time.textContent !== text) time.textContent = text;
  }
}
