// Where a page hears that something changed: for now it asks itself every few seconds.

const everyMs = 3_000;

/**
 * Calls `heard` when what one of the topics is about may have changed, and `lost` with the milliseconds until the next try when
 * the server does not answer. `look` fetches the page and says whether that went well. Answers how to stop.
 */
export function openFeed(_topics, { look, lost }) {
  let timer = 0;
  let failures = 0;
  let open = true;
  const next = (ms) => {
    timer = setTimeout(ask, ms);
  };
  const ask = async () => {
    const well = await look();
    if (!open) return;
    failures = well ? 0 : failures + 1;
    const waitMs = well ? everyMs : Math.min(30_000, everyMs * 2 ** (failures - 1));
    if (!well) lost(waitMs);
    next(waitMs);
  };
  next(everyMs);
  return () => {
    open = false;
    clearTimeout(timer);
  };
}
