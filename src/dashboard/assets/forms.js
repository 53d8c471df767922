// Sends forms without leaving the page: the same form works without a script, and answers the same.

import { isHere, parsePage, takePage } from './page.js';

document.addEventListener('submit', (event) => {
  const { target: form, submitter } = event;
  if (form.getAttribute('method') !== 'post' || event.defaultPrevented || 'leaves' in form.dataset) return;
  event.preventDefault();
  void send(form, submitter);
});

async function send(form, submitter) {
  if (!(await isMeant(form, submitter))) return;
  form.inert = true;
  try {
    const body = new URLSearchParams(new FormData(form, submitter));
    // Not the property: a button of that name would stand before it.
    const address = submitter?.getAttribute('formaction') ?? form.getAttribute('action');
    const answer = await fetch(address, { method: 'POST', body });
    await take(answer);
  } catch {
    say('The server did not answer. Nothing was changed that this page knows of; try again.', true);
  } finally {
    form.inert = false;
  }
}

async function take(answer) {
  const page = parsePage(await answer.text());
  if (!answer.ok) {
    const words = page.querySelector('[role=alert] :is(h1, h2)')?.textContent ?? `The server answered ${answer.status}`;
    const hint = page.querySelector('[role=alert] p')?.textContent ?? '';
    return say(`${words} ${hint}`, true);
  }
  if (!isHere(answer.url)) return location.assign(answer.url);
  const done = page.querySelector('.flash');
  done?.remove();
  takePage(page);
  document.dispatchEvent(new CustomEvent('tf:done'));
  if (done !== null) tellDone(done);
}

/** What was begun can be undone while the toast is there: its button is the form of the page. */
function tellDone(done) {
  const form = done.querySelector('form');
  const toast = say(done.querySelector('span').textContent, false, form === null ? undefined : undoMs);
  if (form === null) return;
  toast.append(form);
  form.addEventListener('submit', () => toast.remove());
}

/** A little less than the server waits. */
const undoMs = 9_500;

/** Says something for a while at the lower edge; readers hear it too. */
export function say(words, isBad, forMs = isBad ? 12_000 : 6_000) {
  const box = document.querySelector('.toasts') ?? document.body.appendChild(document.createElement('div'));
  box.className = 'toasts';
  const toast = document.createElement('div');
  toast.className = isBad ? 'toast bad' : 'toast';
  toast.setAttribute('role', isBad ? 'alert' : 'status');
  toast.append(Object.assign(document.createElement('span'), { textContent: words }));
  box.append(toast);
  setTimeout(() => toast.remove(), forMs);
  return toast;
}

/** A button that cannot be undone asks first, and from a hundred on for the number. */
async function isMeant(form, submitter) {
  const question = submitter?.dataset.confirm;
  if (question === undefined) return true;
  const ticked = form.querySelectorAll('td input:checked').length;
  // One alone can be undone; of all that match the server asks itself.
  if (ticked === 1 || form.elements.all?.checked) return true;
  const words = question.replace('{count}', ticked === 1 ? '1 task' : `${ticked} tasks`);
  return await ask(words, submitter.firstChild.textContent.trim(), submitter.dataset.type);
}

function ask(question, verb, number) {
  const dialog = document.createElement('dialog');
  const form = Object.assign(document.createElement('form'), { method: 'dialog' });
  const words = Object.assign(document.createElement('p'), { textContent: question });
  const input = Object.assign(document.createElement('input'), { required: true, pattern: number ?? '.*' });
  input.setAttribute('aria-label', `Type ${number}`);
  const no = Object.assign(document.createElement('button'), { textContent: 'Keep', value: 'no', className: 'button' });
  const yes = Object.assign(document.createElement('button'), { textContent: verb, value: 'yes' });
  no.formNoValidate = true;
  yes.className = 'button danger';
  const row = Object.assign(document.createElement('div'), { className: 'row' });
  row.append(no, yes);
  form.append(words, ...(number === undefined ? [] : [input]), row);
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      resolve(dialog.returnValue === 'yes');
      dialog.remove();
    });
  });
}
