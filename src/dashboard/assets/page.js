// Takes a newer copy of this page, as the server made it, into the one that is open.

import { morph } from './morph.js';
import { count } from './words.js';

const ownPath = () => location.pathname.replace(/\/$/, '');

/** Fetches the page anew. Answers its document, or `null` when the server does not give it. */
export async function fetchPage(address = location.href) {
  try {
    const answer = await fetch(address, { headers: { accept: 'text/html' }, cache: 'no-store' });
    // The session has ended: whoever signs in comes back here.
    if (answer.status === 401 || !isHere(answer.url)) location.reload();
    return answer.status >= 500 || answer.status === 401 ? null : parsePage(await answer.text());
  } catch {
    return null;
  }
}

/** What the server sends as a page is markup; the browser lets nothing else become it (`require-trusted-types-for`). */
const policy = globalThis.trustedTypes?.createPolicy('taskflow', { createHTML: (text) => text });

export const parsePage = (text) => new DOMParser().parseFromString(policy?.createHTML(text) ?? text, 'text/html');

/** Whether an address is that of this page, whatever its query. */
export const isHere = (address) => new URL(address, location.href).pathname.replace(/\/$/, '') === ownPath();

/** Takes over what is new. With `hold`, rows of a list that were not there stay away and are only counted. */
export function takePage(fresh, { hold = false } = {}) {
  const from = fresh.querySelector('main');
  const to = document.querySelector('main');
  if (from === null || to === null) return;
  if (hold) holdRows(to, from);
  morph(to, [...from.childNodes], { morphStyle: 'innerHTML', ignoreActiveValue: true, callbacks });
  const now = fresh.documentElement.dataset.now;
  if (now !== undefined) document.documentElement.dataset.now = now;
  document.dispatchEvent(new CustomEvent('tf:page'));
}

/** Numbers change at once, before the page is asked for; what expired counts with the cancelled, as on the server. */
export function takeCounts(counts) {
  const sums = {
    ...counts,
    failed: (counts.failed ?? 0) + (counts.quarantined ?? 0),
    cancelled: (counts.cancelled ?? 0) + (counts.expired ?? 0),
  };
  for (const cell of document.querySelectorAll('[data-n]')) cell.textContent = count(sums[cell.dataset.n] ?? 0);
}

const callbacks = {
  beforeNodeMorphed(old, fresh) {
    if (!(old instanceof Element)) return true;
    // What a person typed or ticked is theirs.
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(old.tagName)) return false;
    if (old.localName !== 'tf-chart') return true;
    // It draws itself: only its numbers are taken.
    old.setAttribute('points', fresh.getAttribute('points') ?? '[]');
    old.setAttribute('aria-label', fresh.getAttribute('aria-label') ?? '');
    return false;
  },
  // What a person opened stays open, and what is theirs of a row.
  beforeAttributeUpdated: (name, node) =>
    !((name === 'open' && /^(DETAILS|DIALOG)$/.test(node.tagName)) || name === 'aria-selected' || name === 'data-at'),
};

/** A list never moves under the pointer: rows keep their places, those that are new wait to be asked for. */
function holdRows(page, fresh) {
  const list = page.querySelector('tbody[data-rows]');
  const other = fresh.querySelector('tbody[data-rows]');
  if (list === null || other === null) return;
  const known = new Map([...other.rows].map((row) => [row.id, row]));
  const kept = [...list.rows].map((row) => {
    const newer = known.get(row.id);
    known.delete(row.id);
    if (newer !== undefined) return newer;
    const gone = row.cloneNode(true);
    gone.classList.add('gone');
    return gone;
  });
  const first = kept[0]?.id ?? '';
  const arrived = [...known.keys()].filter((id) => id > first).length;
  other.replaceChildren(...kept);
  const told = fresh.querySelector('[data-arrived]');
  if (told === null) return;
  told.hidden = arrived === 0;
  told.textContent = `${arrived} new · show`;
}
