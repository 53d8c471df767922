/** Lays out rows: aligned and cut for a person, tab-separated and whole for a program. */

import { preview } from '../core/preview.ts';
import { cut, paint, type Style, type Terminal, widthOf } from './terminal.ts';

/** One column of a list. */
export interface Column<Row> {
  readonly title: string;
  /** What a person sees. */
  text(row: Row, terminal: Terminal): string;
  /** What a program gets: uncut, times in ISO 8601. The text without it. */
  raw?(row: Row): string;
  style?(row: Row): Style;
  readonly align?: 'right';
  /** May be cut when the line is too long, down to this many columns. Others are never cut. */
  readonly cutTo?: number;
  /** Left out where the terminal is too narrow for all of them, the last of these first. */
  readonly isSpare?: true;
}

/** The lines of a table for whoever reads it. A program gets no header; nobody gets one without rows. */
export function tableLines<Row>(terminal: Terminal, columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  if (rows.length === 0) return [];
  return terminal.isPerson
    ? forPeople(terminal, columns, rows)
    : rows.map((row) => columns.map((column) => forProgram(column, row)).join('\t'));
}

function forProgram<Row>(column: Column<Row>, row: Row): string {
  const text =
    column.raw === undefined
      ? column.text(row, { isPerson: false, width: 80, unicode: true, depth: 'none' })
      : column.raw(row);
  return oneLine(text);
}

/** One line without control characters: no tab, no line break, no escape sequence gets out. */
export function oneLine(text: string): string {
  return preview(text, Number.POSITIVE_INFINITY);
}

function forPeople<Row>(terminal: Terminal, columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const cells = rows.map((row) => columns.map((column) => preview(column.text(row, terminal), 400)));
  const widths = fittingWidths(terminal, columns, cells);
  const spare = columns.findLastIndex((column) => column.isSpare === true);
  if (spare >= 0 && totalWidth(widths) > terminal.width) return forPeople(terminal, columns.toSpliced(spare, 1), rows);
  const line = (texts: readonly string[], styleOf: (index: number) => Style): string =>
    texts
      .map((text, index) =>
        cell(
          terminal,
          text,
          widths[index] ?? 0,
          columns[index]?.align === 'right',
          index === texts.length - 1,
          styleOf(index),
        ),
      )
      .join('  ')
      .trimEnd();
  return [
    line(
      columns.map((column) => column.title.toUpperCase()),
      () => 'muted',
    ),
    ...rows.map((row, at) => line(cells[at] ?? [], (index) => columns[index]?.style?.(row) ?? null)),
  ];
}

function cell(terminal: Terminal, text: string, width: number, right: boolean, last: boolean, style: Style): string {
  const short = cut(terminal, text, width);
  const space = ' '.repeat(Math.max(0, width - widthOf(short)));
  const painted = paint(terminal, short, style);
  return right ? space + painted : last ? painted : painted + space;
}

/** Widths that fit the terminal: the widest of the columns that may be cut gives first. */
function fittingWidths<Row>(
  terminal: Terminal,
  columns: readonly Column<Row>[],
  cells: readonly (readonly string[])[],
): number[] {
  const widths = columns.map((column, index) =>
    Math.max(widthOf(column.title), ...cells.map((row) => widthOf(row[index] ?? ''))),
  );
  while (totalWidth(widths) > terminal.width) {
    let widest = -1;
    columns.forEach((column, index) => {
      const width = widths[index] ?? 0;
      if (column.cutTo !== undefined && width > column.cutTo && width > (widths[widest] ?? 0)) widest = index;
    });
    if (widest < 0) return widths;
    widths[widest] = (widths[widest] ?? 1) - 1;
  }
  return widths;
}

/** With two spaces between the columns. */
function totalWidth(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width + 2, -2);
}

/** A line of a record: a label and what it says. */
export interface Field {
  readonly label: string;
  /** What a person reads; `null` leaves the line out for people. */
  readonly text: string | null;
  /** What a program gets. */
  readonly raw?: string;
  readonly style?: Style;
}

/** A record as labelled lines for people, `label<TAB>value` for programs. */
export function fieldLines(terminal: Terminal, fields: readonly Field[], indent = '  '): string[] {
  if (!terminal.isPerson)
    return fields
      .filter((field) => (field.raw ?? field.text) !== null)
      .map((field) => `${field.label.toLowerCase()}\t${oneLine(field.raw ?? field.text ?? '')}`);
  const shown = fields.filter((field): field is Field & { text: string } => field.text !== null);
  const width = Math.max(0, ...shown.map((field) => field.label.length));
  const room = terminal.width - width - indent.length - 3;
  return shown.map(
    (field) =>
      `${indent}${paint(terminal, field.label.padEnd(width), 'muted')}   ${paint(terminal, cut(terminal, preview(field.text, room * 2), room), field.style ?? null)}`,
  );
}
