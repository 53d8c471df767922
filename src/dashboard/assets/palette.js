// The palette: go to a page, a queue, the tasks of a name or one task, or press a button of this page, all by a few letters.

const shownMax = 12;
const idForm = /^[0-9A-HJKMNP-TV-Z]{6,26}$/i;

/** Opens it with what was typed so far; `address` is that of the counts, `root` that of the site. Asked once for what there is each time it opens. */
export function openPalette({ root, address, text }) {
  const { dialog, input, list, said } = build();
  let known = [...pages(root), ...buttons(), ...settings()];
  let at = 0;
  let shown = [];

  function show() {
    shown = find(known, input.value.trim(), root);
    at = 0;
    list.replaceChildren(...shown.map(optionOf));
    said.textContent = shown.length === 0 ? 'Nothing is found' : `${shown.length} found`;
    said.className = shown.length === 0 ? 'palette-none' : 'unseen';
    mark();
  }
  function mark() {
    [...list.querySelectorAll('[role=option]')].forEach((option, index) => {
      option.setAttribute('aria-selected', String(index === at));
      if (index === at) option.scrollIntoView({ block: 'nearest' });
    });
    if (shown.length === 0) input.removeAttribute('aria-activedescendant');
    else input.setAttribute('aria-activedescendant', `palette-${at}`);
  }
  function move(by) {
    if (shown.length > 0) at = (at + by + shown.length) % shown.length;
    mark();
  }
  function choose(index) {
    const item = shown[index];
    if (item === undefined) return;
    dialog.close();
    if (item.href === undefined) item.run();
    else location.assign(item.href);
  }

  const moves = { ArrowDown: 1, ArrowUp: -1, n: 1, p: -1 };
  input.addEventListener('input', show);
  input.addEventListener('keydown', (event) => {
    const by = event.key.length > 1 || event.ctrlKey ? moves[event.key] : undefined;
    if (by !== undefined) move(by);
    else if (event.key === 'Enter') choose(at);
    else return;
    event.preventDefault();
  });
  list.addEventListener('click', ({ target }) => choose([...list.children].indexOf(target.closest('[role=option]'))));
  list.addEventListener('pointermove', ({ target }) => {
    const index = [...list.children].indexOf(target.closest('[role=option]'));
    if (index < 0 || index === at) return;
    at = index;
    mark();
  });
  dialog.addEventListener('click', ({ target }) => target === dialog && dialog.close());
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  input.value = text;
  show();
  void counted(address, root).then((more) => {
    known = [...known, ...more];
    show();
  });
}

function build() {
  const dialog = Object.assign(document.createElement('dialog'), { className: 'palette' });
  dialog.setAttribute('aria-label', 'Go to or do');
  const input = Object.assign(document.createElement('input'), {
    type: 'text',
    placeholder: 'Page, queue, task, id or action',
    autocomplete: 'off',
    spellcheck: false,
  });
  for (const [name, value] of [
    ['role', 'combobox'],
    ['aria-label', 'Page, queue, task, id or action'],
    ['aria-expanded', 'true'],
    ['aria-controls', 'palette-list'],
    ['aria-autocomplete', 'list'],
    ['autocapitalize', 'off'],
  ])
    input.setAttribute(name, value);
  const list = Object.assign(document.createElement('div'), { id: 'palette-list' });
  list.setAttribute('role', 'listbox');
  list.setAttribute('aria-label', 'What is found');
  const said = Object.assign(document.createElement('div'), { className: 'unseen' });
  said.setAttribute('role', 'status');
  const keys = Object.assign(document.createElement('div'), { className: 'palette-keys' });
  for (const [key, words] of [
    ['↑↓', 'move'],
    ['Enter', 'choose'],
    ['Esc', 'close'],
  ])
    keys.append(Object.assign(document.createElement('kbd'), { textContent: key }), ` ${words} `);
  dialog.append(input, list, said, keys);
  return { dialog, input, list, said };
}

function optionOf({ kind, text, more }, index) {
  const option = Object.assign(document.createElement('div'), { id: `palette-${index}` });
  option.setAttribute('role', 'option');
  const part = (className, words) => Object.assign(document.createElement('span'), { className, textContent: words });
  option.append(part('palette-kind', kind), part('palette-text', text), part('palette-more', more ?? ''));
  return option;
}

const listOf = (root, q) => `${root}tasks?q=${encodeURIComponent(q)}`;
const word = (text) => (/^[\p{L}\p{N}_.-]+$/u.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`);

function pages(root) {
  const links = [...document.querySelectorAll('.top [data-go], .views a, .user a')];
  return [
    ...links.map((link) => ({ kind: 'Page', text: link.textContent.trim(), href: link.href })),
    { kind: 'Page', text: 'Failed tasks', href: listOf(root, 'state:failed,quarantined') },
    { kind: 'Page', text: 'Running tasks', href: listOf(root, 'state:running') },
  ];
}

/** What can be pressed on this page, by the name it has for readers; each name once. */
function buttons() {
  const all = [...document.querySelectorAll('main form button, main a.button')].filter(
    (button) => button.offsetParent !== null && !button.disabled && button.closest('.filter, .menu') === null,
  );
  const named = new Map(all.map((button) => [nameOf(button), button]));
  return [...named].map(([text, button]) => ({ kind: 'Action', text, run: () => button.click() }));
}

function nameOf(button) {
  const own = button.getAttribute('aria-label') ?? button.firstChild?.textContent.trim() ?? '';
  const about = button.closest('.problem')?.querySelector('.strong')?.textContent;
  return about === undefined ? own : `${own}: ${about}`;
}

function settings() {
  const send = (name) => () => document.dispatchEvent(new CustomEvent(name));
  const out = document.querySelector('form[action$="logout"] button');
  return [
    {
      kind: 'Action',
      text: 'Pause or go on with live updates',
      more: 'p',
      run: () => document.querySelector('tf-live')?.toggle(),
    },
    { kind: 'Setting', text: 'Next theme', more: 't', run: send('tf:next-theme') },
    { kind: 'Action', text: 'Show the keys', more: '?', run: send('tf:help') },
    ...(out === null ? [] : [{ kind: 'Action', text: 'Sign out', run: () => out.form.submit() }]),
  ];
}

/** Queues and names with their numbers; without an answer the rest is still there. */
async function counted(address, root) {
  try {
    const answer = await fetch(address);
    if (!answer.ok) return [];
    const { queues, names } = await answer.json();
    const items = (kind, field, counts) =>
      Object.entries(counts)
        .sort(([, a], [, b]) => b - a)
        .map(([text, number]) => ({
          kind,
          text,
          more: `${number.toLocaleString('en-US')} ${number === 1 ? 'task' : 'tasks'}`,
          href: listOf(root, `${field}:${word(text)}`),
        }));
    return [...items('Queue', 'queue', queues), ...items('Task', 'name', names)];
  } catch {
    return [];
  }
}

/** What begins with the letters first, then what has them anywhere, then what has all of them in their order. */
function find(known, text, root) {
  const wanted = text.toLowerCase();
  const rank = (item) => {
    const own = item.text.toLowerCase();
    if (own.startsWith(wanted)) return 0;
    if (own.includes(wanted)) return 1;
    let from = 0;
    for (const letter of wanted.replaceAll(' ', '')) {
      from = own.indexOf(letter, from) + 1;
      if (from === 0) return 9;
    }
    return 2;
  };
  const ranked = known.map((item) => [rank(item), item]).filter(([score]) => score < 9);
  const found = ranked.sort(([a], [b]) => a - b).map(([, item]) => item);
  return [...asked(text, root), ...found].slice(0, shownMax);
}

function asked(text, root) {
  if (text.length === 26 && idForm.test(text)) {
    const id = text.toUpperCase();
    return [{ kind: 'Task', text: id, more: 'open', href: `${root}tasks/${id}` }];
  }
  if (idForm.test(text) && /\d/.test(text))
    return [{ kind: 'Tasks', text: `id:${text.toUpperCase()}`, more: 'search', href: listOf(root, `id:${text}`) }];
  return /\w:/.test(text) ? [{ kind: 'Tasks', text, more: 'search', href: listOf(root, text) }] : [];
}
