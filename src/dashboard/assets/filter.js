// Completion in the filter box: fields, then the values that are there, in the browser's own list.

const states = 'scheduled queued blocked running retrying succeeded failed cancelled expired quarantined'.split(' ');
const times = ['15m', '1h', '6h', '24h', '7d'];
let known = null;

document.addEventListener('focusin', ({ target }) => {
  if (target.matches('input[data-filter]') && known === null) void learn(target);
});

document.addEventListener('input', ({ target }) => {
  if (target.matches('input[data-filter]')) offer(target);
});

async function learn(input) {
  known = { fields: (input.dataset.filter ?? '').split(' '), names: [], queues: [] };
  try {
    const answer = await fetch(input.dataset.counts);
    if (!answer.ok) return;
    const { names, queues } = await answer.json();
    const byCount = (counts) => Object.entries(counts).sort((a, b) => b[1] - a[1]);
    known = { ...known, names: byCount(names), queues: byCount(queues) };
  } catch {
    // Completion is a convenience: without it the box still works.
  }
}

/** The last word decides: a field, or a value of the field before the colon. */
function offer(input) {
  const list = input.list;
  if (list === null || known === null) return;
  const at = input.value.lastIndexOf(' ') + 1;
  const [before, word] = [input.value.slice(0, at), input.value.slice(at)];
  const [, field, value] = /^(-?\w+):(?:.*,)?(.*)$/.exec(word) ?? [];
  const offered = field === undefined ? offeredFields(word) : offeredValues(field.replace('-', ''), value);
  const options = offered.slice(0, 12).map(([text, label]) => {
    const option = document.createElement('option');
    option.value = before + (field === undefined ? text : word.slice(0, word.length - value.length) + text);
    option.label = label;
    return option;
  });
  list.replaceChildren(...options);
}

function offeredFields(word) {
  return known.fields.filter((field) => field.startsWith(word)).map((field) => [`${field}:`, field]);
}

function offeredValues(field, value) {
  const counted = { name: known.names, queue: known.queues }[field];
  const plain = { state: states, since: times, until: times, priority: ['urgent', 'high', 'normal', 'low'] }[field];
  const all =
    counted?.map(([text, number]) => [text, `${text} · ${number}`]) ?? plain?.map((text) => [text, text]) ?? [];
  return all
    .filter(([text]) => text.startsWith(value) && text !== value)
    .map(([text, label]) => [/[\s",]/.test(text) ? JSON.stringify(text) : text, label]);
}
