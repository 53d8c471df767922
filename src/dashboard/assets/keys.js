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
  '/': ['search', () => document.querySelector('input[data-filter]')?.focus()],
  '?': ['this help', () => help()],
  j: ['next row', () => move(1)],
  k: ['previous row', () => move(-1)],
  x: ['select the row', tickRow],
  r: ['retry', () => press('r')],
  C: ['cancel', () => press('C')],
  e: ['copy the id', () => copy(idHere(), 'the id')],
  y: ['copy the link', () => copy(location.href, 'the link')],
  p: ['pause or go on', () => document.querySelector('tf-live')?.toggle()],
  t: ['theme', () => document.querySelector('[data-theme-switch]')?.click()],
  'g o': ['overview', go('overview')],
  'g t': ['tasks', go('tasks')],
  'g s': ['schedules', go('schedules')],
  '* a': ['select all of the page', () => document.querySelector('[data-choose-all]')?.click()],
};

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
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
  for (const [key, [words]] of [...Object.entries(keys), ['Enter', ['open the row']]]) {
    const term = document.createElement('dt');
    const parts = (key === 'C' ? 'Shift C' : key).split(' ');
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

document.querySelector('[data-help]')?.addEventListener('click', help);
for (const button of document.querySelectorAll('[data-copy]'))
  button.addEventListener('click', () => copy(button.dataset.copy, 'the id'));
