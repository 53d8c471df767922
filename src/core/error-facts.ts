/** Turns whatever a handler throws into a bounded, plain record that any store takes and any page may show. */
import { sha256Hex } from './hash.ts';
import { limits } from './limits.ts';
import type { TaskError } from './task.ts';

/** What is known of something thrown. Everything is cut to the limits, without NUL and without lone surrogates. */
export interface ErrorFacts {
  /** The class of the error, or `Error`. */
  readonly name: string;
  readonly message: string;
  /** The frames, one a line, without the message; null when it has none. */
  readonly stack: string | null;
  readonly cause: ErrorFacts | null;
}

const nameMax = 100;
const fingerprintLength = 12;

/** Describes anything thrown: an error, a string, null, a Proxy, a cycle of causes, a stack of 100 MB. Never throws. */
export function errorFacts(thrown: unknown): ErrorFacts {
  return factsOf(thrown, limits.errorCausesMax, []);
}

/** The error as it is stored with a task named `taskName`: causes are part of the stack, the fingerprint groups equal failures. */
export function toTaskError(taskName: string, thrown: unknown): TaskError {
  const { name, message, stack, cause } = errorFacts(thrown);
  const lines = stack === null ? [] : stack.split('\n');
  for (let next = cause; next !== null; next = next.cause) {
    lines.push(clean(`caused by ${next.name}: ${next.message.split('\n', 1)[0] ?? ''}`, limits.errorLineMax));
    if (next.stack !== null) lines.push(...next.stack.split('\n'));
  }
  const kept = lines.length === 0 ? null : lines.slice(0, limits.errorFramesMax).join('\n').toWellFormed();
  return { name, message, stack: kept, fingerprint: errorFingerprint(taskName, { name, message, stack }) };
}

/**
 * Twelve hex digits that are the same for the same kind of failure of the same task: the class of the error, its
 * message without numbers, ids and quoted parts, and the top frame of the user's own code (file and function, no line,
 * so that it survives a deploy).
 */
export function errorFingerprint(taskName: string, error: Pick<TaskError, 'name' | 'message' | 'stack'>): string {
  return sha256Hex(
    [taskName, error.name, normalizeMessage(error.message), ownFrame(error.stack)].join('\n'),
    fingerprintLength,
  );
}

function factsOf(thrown: unknown, causesLeft: number, seen: readonly unknown[]): ErrorFacts {
  const name = clean(nameOf(thrown), nameMax);
  const message = clean(messageOf(thrown), limits.errorMessageMax);
  const cause = causesLeft === 0 ? undefined : causeOf(thrown);
  const known = cause === undefined || seen.includes(cause) || cause === thrown;
  return {
    name,
    message,
    stack: stackOf(thrown, message),
    cause: known ? null : factsOf(cause, causesLeft - 1, [...seen, thrown]),
  };
}

function nameOf(thrown: unknown): string {
  const name = readText(thrown, 'name');
  if (name !== null && name !== '' && name !== 'Error') return name;
  // A class that extends Error without setting `name` is still known by its constructor.
  const constructorName =
    typeof thrown === 'object' && readText(thrown, 'message') !== null
      ? readText(read(thrown, 'constructor'), 'name')
      : null;
  return constructorName === null || constructorName === '' || constructorName === 'Object' ? 'Error' : constructorName;
}

function messageOf(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown;
  const message = readText(thrown, 'message');
  if (message !== null) return message;
  if (typeof thrown !== 'object' || thrown === null) return `${attempt(() => String(thrown), 'something')} was thrown`;
  const fields = attempt(() => Object.keys(thrown).slice(0, 10).join(', ').slice(0, 500), '');
  return fields === '' ? 'an object was thrown' : `an object with the fields ${fields} was thrown`;
}

function causeOf(thrown: unknown): unknown {
  const cause = read(thrown, 'cause');
  return cause === undefined || cause === null ? read(read(thrown, 'errors'), '0') : cause;
}

function stackOf(thrown: unknown, message: string): string | null {
  const stack = readText(thrown, 'stack');
  if (stack === null) return null;
  const frames = stack.indexOf('\n    at ');
  // Where frames look different, all lines but the first, which repeats the message, are kept.
  const start =
    frames >= 0
      ? frames + 1
      : stack.startsWith(message) || stack.includes(`: ${message}`)
        ? stack.indexOf('\n') + 1
        : 0;
  if (start === 0 && frames < 0 && stack.includes(message)) return null;
  const lines = stack
    .slice(start, start + limits.errorFramesMax * limits.errorLineMax)
    .split('\n', limits.errorFramesMax);
  const kept = lines.map((line) => clean(line.trim(), limits.errorLineMax)).filter((line) => line !== '');
  return kept.length === 0 ? null : kept.join('\n');
}

function readText(object: unknown, key: string): string | null {
  const value = read(object, key);
  return typeof value === 'string' ? value : null;
}

/** Reads a property of anything; undefined when there is none or when reading it throws. */
function read(object: unknown, key: string): unknown {
  if (object === null || (typeof object !== 'object' && typeof object !== 'function')) return undefined;
  return attempt(() => (object as Readonly<Record<string, unknown>>)[key], undefined);
}

function attempt<T>(action: () => T, otherwise: T): T {
  try {
    return action();
  } catch {
    // Whatever a hostile getter or Proxy throws tells nothing about the error it hides.
    return otherwise;
  }
}

/** Cuts before it replaces, so that the cost does not follow the length; `…` says that something was cut. */
function clean(text: string, lengthMax: number): string {
  const cut = text.length > lengthMax ? `${text.slice(0, lengthMax - 1).replace(/[\ud800-\udbff]$/, '')}…` : text;
  return cut.replaceAll('\0', '\ufffd').toWellFormed();
}

function normalizeMessage(message: string): string {
  return message
    .slice(0, 300)
    .replace(/"[^"]*"|'[^']*'|`[^`]*`/g, '""')
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '#')
    .replace(/\b(?=[a-z]*\d)(?:[0-9a-f]{8,}|[0-9a-z]{16,})\b/gi, '#')
    .replace(/\d+(?:[.:]\d+)*/g, '#');
}

/** The function and the end of the file's path of the first frame that is neither Node's nor a dependency's. */
function ownFrame(stack: string | null): string {
  const own = stack
    ?.split('\n')
    .find((line) => line.startsWith('at ') && !/node:|node_modules|<anonymous>\)?$/.test(line));
  if (own === undefined) return '';
  const place = /\(?([^()\s]+?)(?::\d+)*\)?$/.exec(own)?.[1] ?? '';
  const caller = /^at (?:async )?([^(]+) \(/.exec(own)?.[1] ?? '';
  return `${caller} ${place.split(/[/\\]/).slice(-2).join('/')}`;
}
