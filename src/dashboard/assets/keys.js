// The keyboard: small letters are safe, capital ones change things for good.

import { say } from './forms.js';
import { choose, chosen } from './selection.js';

const rows = () => [...document.querySelectorAll('tbody[data-rows] tr')];
const boxOf = (row) => row?.querySelector('input[type=checkbox]');
const current = () => document.querySelector('tr[data-at]');
let leader = '';

function move(by) {
  const all = rows();
  const old = current();
  const at = all[Math.min(all.length - 1, Math.max(0, all.indexOf(old) + by))];
  if (at === undefined) return;
  old?.removeAttribute('data-at');
  at.setAttribute('data-at', '');
  at.querySelector('a')?.focus({ preventScroll: true });
  at.scrollIntoView({ block: 'nearest' });
}

function tickRow() {
  const box = boxOf(current());
  if (box != null) choose([box], !box.checked);
}

/** Presses the button a key stands for: of the chosen rows, else of the row one is at, else of the page. */
function press(key) {
  if (chosen().length === 0) tickRow();
  const button = document.querySelector(`button[data-key="${key}"]`);
  if (button !== null && button.offsetParent !== null) button.click();
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without https there is no clipboard to write to, but what is selected can be copied.
    const box = Object.assign(document.createElement('textarea'), { value: text, className: 'unseen' });
    document.body.append(box);
    box.select();
    document.execCommand('copy');
    box.remove();
  }
  say(`Copied ${what}`, false);
}

const idHere = () => current()?.id ?? document.querySelector('[data-id]')?.dataset.id ?? '';
const go = (page) => () => document.querySelector(`.top [data-go="${page}"]`)?.click();

/** Every key, what it does, and how the help says it. */
const keys = {
  '/': ['search', () => search()],
  '?': ['this help', () => help()],
  j: ['next row', () => move(1)],
  k: ['previous row', () => move(-1)],
  x: ['select the row', tickRow],
  r: ['retry', () => press('r')],
  C: ['cancel', () => press('C')],
  D: ['remove', () => press('D')],
  e: ['copy the id', () => copy(idHere(), 'the id')],
  y: ['copy the link', () => copy(location.href, 'the link')],
  p: ['pause or go on', () => document.querySelector('tf-live')?.toggle()],
  t: ['theme', () => document.dispatchEvent(new CustomEvent('tf:next-theme'))],
  'g o': ['overview', go('overview')],
  'g t': ['tasks', go('tasks')],
  'g s': ['schedules', go('schedules')],
  '* a': ['select all of the page', () => document.querySelector('[data-choose-all]')?.click()],
  '* A': ['select all that match', () => document.querySelector('[data-all]')?.click()],
};

function search() {
  const box = document.querySelector('input[data-filter]');
  if (box === null) void openPalette();
  else box.focus();
}

/** What was typed while the palette comes; `null` while nobody has asked for it. */
let typed = null;

/** Loaded when it is first asked for. Letters that come sooner are for it. */
async function openPalette() {
  if (typed !== null || document.querySelector('dialog[open]') !== null) return;
  typed = '';
  try {
    const { palette, root } = document.querySelector('[data-palette]').dataset;
    const { openPalette: open } = await import(new URL(palette, document.baseURI).href);
    open({ root, address: `${root}api/v1/counts`, text: typed });
  } catch {
    say('The palette could not be loaded: the server does not answer', true);
  }
  typed = null;
}

document.addEventListener('keydown', (event) => {
  if (event.key.toLowerCase() === 'k' && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
    event.preventDefault();
    void openPalette();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (typed !== null) {
    if (event.key.length === 1) typed += event.key;
    event.preventDefault();
    return;
  }
  const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && event.target.type !== 'checkbox';
  if (isTyping || document.querySelector('dialog[open]') !== null) {
    if (event.key === 'Escape') event.target.blur();
    return;
  }
  const name = leader + event.key;
  leader = (event.key === 'g' || event.key === '*') && leader === '' ? `${event.key} ` : '';
  const known = keys[name];
  if (known === undefined) return;
  event.preventDefault();
  known[1]();
});

function help() {
  const dialog = document.createElement('dialog');
  const title = Object.assign(document.createElement('h2'), { textContent: 'Keys' });
  const list = Object.assign(document.createElement('dl'), { className: 'keys' });
  for (const [key, [words]] of [...Object.entries(keys), ['Enter', ['open the row']], ['Ctrl K', ['palette']]]) {
    const term = document.createElement('dt');
    const parts = (/^[A-Z]$/.test(key) ? `Shift ${key}` : key).split(' ');
    term.append(...parts.map((part) => Object.assign(document.createElement('kbd'), { textContent: part })));
    list.append(term, Object.assign(document.createElement('dd'), { textContent: words }));
  }
  const form = Object.assign(document.createElement('form'), { method: 'dialog', className: 'row' });
  form.append(Object.assign(document.createElement('button'), { textContent: 'Close', className: 'button' }));
  dialog.setAttribute('aria-label', 'Keys');
  dialog.append(title, list, form);
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

document.addEventListener('tf:help', help);
document.querySelector('[data-help]')?.addEventListener('click', help);
document.querySelector('[data-palette]')?.addEventListener('click', () => void openPalette());
for (const button of document.querySelectorAll('[data-copy]'))
  button.addEventListener('click', () => copy(button.dataset.copy, 'the id'));
