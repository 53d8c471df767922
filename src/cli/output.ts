/** Where a command's words go: data to stdout in the wanted form, everything else to stderr. */

import { taskFlowError } from '../core/errors.ts';
import { didYouMean } from '../core/nearest.ts';
import { type Column, oneLine, tableLines } from './table.ts';
import {
  type ColorChoice,
  detectTerminal,
  type Environment,
  mark,
  paint,
  type Sink,
  type Style,
  type Terminal,
} from './terminal.ts';

export const outputFormats = ['table', 'json', 'jsonl', 'id'] as const;
export type OutputFormat = (typeof outputFormats)[number];

export interface OutputOptions {
  readonly format: OutputFormat;
  /** Paths such as `error.message`; `null` is all of them. */
  readonly fields: readonly string[] | null;
  readonly color: ColorChoice;
  readonly quiet: boolean;
}

/** How a list or a record of one kind is shown. */
export interface View<Row> {
  readonly columns: readonly Column<Row>[];
  /** What `-o id` prints, and what `-` reads. */
  id(row: Row): string;
}

export interface Output {
  readonly terminal: Terminal;
  /** The terminal behind stderr. */
  readonly notes: Terminal;
  readonly format: OutputFormat;
  /** Whether only some fields are wanted. */
  readonly hasFields: boolean;
  /** A list: `[]` as JSON and nothing else when it is empty. */
  list<Row extends object>(view: View<Row>, rows: readonly Row[]): void;
  /** One record; as a table it is `lines`. */
  record<Row extends object>(view: Pick<View<Row>, 'id'>, row: Row, lines: () => readonly string[]): void;
  /** One document of a stream: a line of JSON, or lines for people. */
  event(document: object, lines: () => readonly string[]): void;
  /** Something beside the data: progress, a hint. Not with --quiet. */
  note(text: string, style?: Style): void;
  /** Something that needs attention: shown with --quiet too. */
  warn(text: string): void;
}

export function createOutput(stdout: Sink, stderr: Sink, env: Environment, options: OutputOptions): Output {
  const { format, fields } = options;
  const terminal = detectTerminal(stdout, env, options.color);
  const notes = detectTerminal(stderr, env, options.color);
  const printLines = (lines: readonly string[]): void => {
    if (lines.length > 0) stdout.write(`${lines.join('\n')}\n`);
  };

  return {
    terminal,
    notes,
    format,
    hasFields: fields !== null,
    list(view, rows) {
      const picked = fields === null ? rows : rows.map((row) => pick(row, fields));
      if (format === 'json') printLines([jsonText(picked, 2)]);
      else if (format === 'jsonl') printLines(picked.map((row) => jsonText(row)));
      else if (format === 'id') printLines(rows.map((row) => view.id(row)));
      else if (fields === null) printLines(tableLines(terminal, view.columns, rows));
      else printLines(tableLines(terminal, fields.map(fieldColumn), picked));
    },
    record(view, row, lines) {
      const picked = fields === null ? row : pick(row, fields);
      if (format === 'json') printLines([jsonText(picked, 2)]);
      else if (format === 'jsonl') printLines([jsonText(picked)]);
      else if (format === 'id') printLines([view.id(row)]);
      else if (fields === null) printLines(lines());
      else printLines(tableLines(terminal, fields.map(fieldColumn), [picked]));
    },
    event(document, lines) {
      printLines(format === 'json' || format === 'jsonl' ? [jsonText(document)] : lines());
    },
    note(text, style = 'muted') {
      if (!options.quiet) stderr.write(`${paint(notes, text, style)}\n`);
    },
    warn(text) {
      stderr.write(`${paint(notes, mark(notes, 'warning'), 'warning')} ${text}\n`);
    },
  };
}

/** JSON without the control characters a terminal would obey (JSON itself escapes only the first 32). */
export function jsonText(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, null, indent);
  return text.replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The document with only the wanted paths, nested as they were. Throws USAGE for a path it has not. */
function pick(document: object, fields: readonly string[]): object {
  const picked: Record<string, unknown> = {};
  for (const path of fields) {
    const names = path.split('.');
    const [first = path] = names;
    if (!Object.hasOwn(document, first)) {
      throw taskFlowError(
        'USAGE',
        { problem: `There is no field "${first}".${didYouMean(first, Object.keys(document))}` },
        { hint: `Fields: ${Object.keys(document).join(', ')}` },
      );
    }
    let target = picked;
    let source: unknown = document;
    names.forEach((name, index) => {
      source =
        typeof source === 'object' && source !== null ? ((source as Record<string, unknown>)[name] ?? null) : null;
      if (index === names.length - 1) target[name] = source;
      else target = ownObject(target, name);
    });
  }
  return picked;
}

function ownObject(target: Record<string, unknown>, name: string): Record<string, unknown> {
  const inner = target[name];
  if (typeof inner === 'object' && inner !== null) return inner as Record<string, unknown>;
  const made: Record<string, unknown> = {};
  target[name] = made;
  return made;
}

function fieldColumn(path: string): Column<object> {
  return {
    title: path,
    cutTo: 8,
    text(row) {
      let value: unknown = row;
      for (const name of path.split('.'))
        value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : null;
      if (value === null || value === undefined) return '';
      return typeof value === 'object' ? jsonText(value) : oneLine(String(value));
    },
  };
}
