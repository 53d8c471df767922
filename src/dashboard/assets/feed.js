// Where a page hears that something changed: from the live events, and by asking itself where there are none.

/** Between two looks at the page: at once after a pause, else no more often than this. */
const gapMs = 1_000;
/** Where there are no live events. */
const pollMs = 3_000;

/**
 * Calls `look` when what one of the topics is about may have changed, and every `everyMs` all the same, since ages, curves and progress
 * go on: it fetches the page and says whether that went well. Calls `count`
 * with new counts of tasks by their states, and `lost` with the milliseconds until the next try when the server does not
 * answer. Answers how to stop.
 */
export function openFeed({ address, topics, everyMs, look, count, lost }) {
  let open = true;
  let failures = 0;
  let timer = 0;
  let lookedAt = performance.now();
  let isLooking = false;
  let events = null;

  function later(ms) {
    clearTimeout(timer);
    if (open) timer = setTimeout(ask, ms);
  }
  async function ask() {
    isLooking = true;
    lookedAt = performance.now();
    const well = await look();
    isLooking = false;
    failures = well ? 0 : failures + 1;
    const waitMs = well ? (events === null ? pollMs : everyMs) : Math.min(30_000, pollMs * 2 ** (failures - 1));
    if (!well && open) lost(waitMs);
    later(waitMs);
  }
  /** Something changed: soon, but what comes in one burst is one look. */
  function soon() {
    if (!isLooking && failures === 0) later(Math.max(0, lookedAt + gapMs - performance.now()));
    else if (isLooking) setTimeout(soon, gapMs);
  }
  function hear({ data }) {
    const message = JSON.parse(data);
    if (message.type === 'state' && message.topic === 'counts' && message.data !== null) count(message.data.counts);
    if (failures > 0) later(0);
    else if (message.type !== 'open') soon();
  }
  function connect() {
    events = new EventSource(`${address}?topics=${encodeURIComponent(topics.join(','))}`);
    events.onmessage = hear;
    events.onerror = () => {
      // A lost connection is made again by the browser; one that was refused is not.
      if (events?.readyState !== EventSource.CLOSED) return soon();
      events = null;
      later(pollMs);
    };
  }

  connect();
  later(pollMs);
  return () => {
    open = false;
    clearTimeout(timer);
    events?.close();
  };
}
