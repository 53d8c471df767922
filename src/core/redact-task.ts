/** A task as it is shown: without what its redaction hides, and without the text of that in what is said about it. */

import { withoutCutSecrets } from './cut-secrets.ts';
import { errorFingerprint } from './error-facts.ts';
import type { Attempt } from './events.ts';
import { limits } from './limits.ts';
import { previewReadsMax } from './preview.ts';
import { type Redaction, redactedText } from './redact.ts';
import type { LogLine, Progress, Task, TaskError } from './task.ts';

/** A text with the mask wherever it says a hidden value of the task. */
export type Scrub = (text: string) => string;

/**
 * Looks for the hidden values of an input in texts: as they are, as in JSON and as in an address. `null` where the input has none
 * that are long enough. What a text was cut off in the middle of is found too, where `…` says so.
 */
export function createScrub(redaction: Redaction, payload: string): Scrub | null {
  const secrets = secretsOf(redaction.hidden('input', payload));
  if (secrets.length === 0) return null;
  return (text) => {
    let scrubbed = text;
    for (const secret of secrets) if (scrubbed.includes(secret)) scrubbed = scrubbed.replaceAll(secret, redactedText);
    return withoutCutSecrets(scrubbed, secrets);
  };
}

/** The longest first: one may be a part of another. */
function secretsOf(hidden: readonly string[]): readonly string[] {
  const found = new Set<string>();
  for (const text of hidden) {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      continue; // Text that is no JSON is hidden as a whole, and nobody has worked on it.
    }
    collect(value, found);
  }
  return [...found].flatMap(spellings).sort((a, b) => b.length - a.length);
}

function collect(value: unknown, found: Set<string>): void {
  if (found.size >= limits.secretsMax) return;
  if (typeof value === 'object' && value !== null) {
    for (const each of Object.values(value)) collect(each, found);
    return;
  }
  if (typeof value !== 'string' && typeof value !== 'number') return;
  const text = String(value).slice(0, limits.secretMax);
  if (text.trim().length >= limits.secretMin) found.add(text);
}

function spellings(secret: string): readonly string[] {
  return [...new Set([secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret.toWellFormed())])];
}

/** The error without hidden values; its kind is that of the text that is left, so that failures with different values are of one kind. */
export function scrubError(taskName: string, error: TaskError, scrub: Scrub): TaskError {
  const message = scrub(error.message);
  const stack = error.stack === null ? null : scrub(error.stack);
  const name = scrub(error.name);
  if (message === error.message && stack === error.stack && name === error.name) return error;
  return { name, message, stack, fingerprint: errorFingerprint(taskName, { name, message, stack }) };
}

export function scrubProgress(progress: Progress, scrub: Scrub): Progress {
  return progress.note === null ? progress : { ...progress, note: scrub(progress.note) };
}

export function scrubLine<Line extends LogLine>(line: Line, scrub: Scrub): Line {
  return { ...line, message: scrub(line.message), fields: line.fields === null ? null : scrub(line.fields) };
}

/** A log line as it is shown. */
export function redactLine<Line extends LogLine>(line: Line, redaction: Redaction, scrub: Scrub | null): Line {
  const shown = line.fields === null ? line : { ...line, fields: redaction.json('logs', line.fields) };
  return scrub === null ? shown : scrubLine(shown, scrub);
}

/** A task with everything of it that is shown without what is hidden. */
export function redactTask<Shown extends Task>(task: Shown, redaction: Redaction): Shown {
  const scrub = createScrub(redaction, task.payload);
  return {
    ...task,
    payload: redaction.json('input', task.payload),
    result: task.result === null ? null : redaction.json('result', task.result),
    checkpoints: task.checkpoints.map(({ name, value }) => ({
      name: scrub === null ? name : scrub(name),
      value: stepValue(redaction, name, value),
    })),
    ...(scrub !== null && shownWords(task, scrub)),
  };
}

/** A task as a line of a list is made of it: of its payload as much as is read for that, no result and no steps. */
export function redactListed(task: Task, redaction: Redaction): Task {
  const { error, progress } = task;
  const isSilent = error === null && progress === null;
  // What is hidden is looked for in the whole of the payload.
  const scrub = isSilent ? null : createScrub(redaction, task.payload);
  return {
    ...task,
    payload: redaction.json('input', task.payload, previewReadsMax),
    result: null,
    checkpoints: [],
    ...(scrub !== null && shownWords(task, scrub)),
  };
}

function shownWords({ name, error, progress }: Task, scrub: Scrub): Pick<Task, 'error' | 'progress'> {
  return {
    error: error === null ? null : shownError({ name }, error, scrub),
    progress: progress === null ? null : scrubProgress(progress, scrub),
  };
}

/** A step is a key of `steps`: `steps.charge.cardNumber`. */
function stepValue(redaction: Redaction, name: string, value: string | null): string | null {
  if (value === null) return null;
  const prefix = `{${JSON.stringify(name)}:`;
  return redaction.json('steps', `${prefix}${value}}`).slice(prefix.length, -1);
}

/** What was stored keeps its kind: it is searched by that. */
function shownError(task: { readonly name: string }, error: TaskError, scrub: Scrub): TaskError {
  return { ...scrubError(task.name, error, scrub), fingerprint: error.fingerprint };
}

/** An ended run of a task. */
export function redactAttempt(task: { readonly name: string }, attempt: Attempt, scrub: Scrub): Attempt {
  return attempt.error === null ? attempt : { ...attempt, error: shownError(task, attempt.error, scrub) };
}
