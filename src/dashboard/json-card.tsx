/** A JSON value as text whose parts can be folded, with numbers as they were written, cut where a page would become heavy. */

import { formatBytes } from '../core/json.ts';
import { isKeptNumber } from '../core/stored-json.ts';
import { count } from './words.ts';

/** Characters shown at once; the rest is one click away. */
const shownMax = 64 * 1024;
/** Parts that fold: beyond it a value is plain text, which costs a browser far less. */
const partsMax = 2_000;
/** What is deeper, or has more entries, is folded when the page comes. */
const openDepth = 2;
const openEntries = 40;
/** What is shorter stays on one line. */
const lineMax = 72;

interface JsonProps {
  readonly title: string;
  readonly value: unknown;
  /** Where the whole document is, for values that are cut. */
  readonly href: string;
}

export function JsonCard({ title, value, href }: JsonProps) {
  const text = JSON.stringify(value, null, 2) ?? 'null';
  const isCut = text.length > shownMax;
  return (
    <section class="card" id={title.toLowerCase()} aria-label={title}>
      <header>
        <h2>{title}</h2>
        <span class="muted">{formatBytes(new TextEncoder().encode(text).length)}</span>
      </header>
      <div class="body json">
        {isCut ? (
          <pre>{`${text.slice(0, shownMax).toWellFormed()}…`}</pre>
        ) : countParts(value) > partsMax ? (
          <pre>{text}</pre>
        ) : (
          <Value value={value} depth={0} name={null} />
        )}
      </div>
      {isCut ? (
        <div class="pages">
          Cut after 64 KB.{' '}
          <a class="strong" href={href}>
            {`Show all of it, ${formatBytes(text.length)}`}
          </a>
          <a class="strong" href={href} download={`${title.toLowerCase()}.json`}>
            Download
          </a>
        </div>
      ) : null}
    </section>
  );
}

interface ValueProps {
  readonly value: unknown;
  readonly depth: number;
  readonly name: string | null;
}

function Value({ value, depth, name }: ValueProps) {
  const line = JSON.stringify(value) ?? 'null';
  const key = name === null ? null : <span class="json-key">{`${JSON.stringify(name)}: `}</span>;
  if (!isContainer(value) || line.length <= lineMax)
    return (
      <div class="json-line">
        {key}
        {line}
      </div>
    );
  const isList = Array.isArray(value);
  const entries: readonly (readonly [string, unknown])[] = Object.entries(value);
  const [open, close] = isList ? ['[', ']'] : ['{', '}'];
  return (
    <details class="json-part" open={depth < openDepth && entries.length <= openEntries}>
      <summary>
        {key}
        {open}
        <span class="json-folded">{`… ${count(entries.length)} ${isList ? 'items' : 'keys'} ${close}`}</span>
      </summary>
      {entries.map(([own, inner]) => (
        <Value value={inner} depth={depth + 1} name={isList ? null : own} />
      ))}
      <div class="json-line close">{close}</div>
    </details>
  );
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !isKeptNumber(value);
}

/** Counted no further than it matters. */
function countParts(value: unknown): number {
  const rest = [value];
  let parts = 0;
  for (let next = rest.pop(); next !== undefined && parts <= partsMax; next = rest.pop()) {
    parts++;
    if (isContainer(next)) rest.push(...Object.values(next).filter((inner) => inner !== undefined));
  }
  return parts;
}
