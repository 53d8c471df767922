// Choosing rows: how many are chosen, all of the page, and a stretch with Shift.

import { count } from './words.js';

const boxes = () => [...document.querySelectorAll('tbody[data-rows] input[type=checkbox]')];
let last = null;

/** Ticks or unticks rows, and says so. */
export function choose(rows, ticked) {
  for (const box of rows) box.checked = ticked;
  tell();
}

export const chosen = () => boxes().filter((box) => box.checked);

function tell() {
  const all = boxes();
  const ticked = chosen().length;
  for (const box of all) box.closest('tr').setAttribute('aria-selected', String(box.checked));
  const words = document.querySelector('[data-chosen]');
  if (words !== null) words.textContent = `${count(ticked)} selected`;
  const whole = document.querySelector('[data-choose-all]');
  if (whole === null) return;
  whole.checked = ticked > 0 && ticked === all.length;
  whole.indeterminate = ticked > 0 && ticked < all.length;
}

document.addEventListener('change', ({ target }) => {
  if (target.matches('[data-choose-all]')) choose(boxes(), target.checked);
  else if (target.matches('tbody[data-rows] input')) tell();
  else if (target.closest('[data-columns]')) target.form.requestSubmit();
});

document.addEventListener('click', (event) => {
  const { target } = event;
  if (!target.matches?.('tbody[data-rows] input[type=checkbox]')) return;
  const all = boxes();
  const [from, to] = [all.indexOf(last), all.indexOf(target)];
  if (event.shiftKey && from >= 0) choose(all.slice(Math.min(from, to), Math.max(from, to) + 1), target.checked);
  last = target;
});

document.addEventListener('tf:done', () => choose(boxes(), false));
document.addEventListener('tf:page', tell);
