/** How a task looks as workers know it: where it runs, how often it is tried, what it is given. */

import { durationText } from '../core/duration.ts';
import type { LimitTemplate } from '../core/limit-rules.ts';
import type { Policy } from '../core/policy.ts';
import { preview } from '../core/preview.ts';
import { rateText } from '../core/rate-text.ts';
import type { DefinitionRecordDocument } from '../operations/definition.ts';
import { jsonText } from './output.ts';
import { type Field, fieldLines } from './table.ts';
import { paint, type Terminal } from './terminal.ts';
import { durationWords } from './times.ts';

export function definitionLines(terminal: Terminal, definition: DefinitionRecordDocument): readonly string[] {
  const { name, queue, policy, workers, mismatch, inputSchema } = definition;
  const set = (text: string | null): Pick<Field, 'text' | 'raw'> => ({
    text: text === '' ? null : text,
    raw: text ?? '',
  });
  const versions = definition.versions.map(versionText).join('; ');
  return [
    ...fieldLines(terminal, [
      { label: 'Task', text: name, style: 'bold' },
      { label: 'About', ...set(definition.description) },
      { label: 'Queue', text: queue },
      { label: 'Runs', text: runsText(policy), raw: String(policy.attempts) },
      { label: 'Timeout', ...durationOf(definition.timeoutMs) },
      { label: 'Kept', text: keptText(policy) },
      { label: 'Process', text: policy.isolate === 'process' ? 'each run has its own' : null, raw: policy.isolate },
      { label: 'Cancel', text: policy.strictCancel ? 'strict: a success after it is dropped too' : null },
      { label: 'Hidden', ...set(policy.redact?.join(', ') ?? null) },
      { label: 'Key', ...set(keyText(definition)) },
      { label: 'Group', ...set(definition.group) },
      { label: 'Limits', ...set(definition.limits.map(limitText).join('; ')) },
      { label: 'Schedules', ...set(definition.schedules.join(', ')) },
      { label: 'Flow', text: definition.isFlow ? 'it makes one' : null },
      { label: 'File', ...set(definition.file) },
      { label: 'Workers', text: String(workers) },
      { label: 'Versions', ...set(versions), style: mismatch ? 'warning' : null },
      { label: 'Input', text: null, raw: jsonText(inputSchema) },
    ]),
    ...(terminal.isPerson ? inputLines(terminal, inputSchema) : []),
  ];
}

function durationOf(ms: number | null): Pick<Field, 'text' | 'raw'> {
  return { text: ms === null ? 'none' : durationWords(ms), raw: ms === null ? 'none' : String(durationText(ms)) };
}

function runsText({ attempts, backoff, delayMs, factor, maxMs }: Policy): string {
  if (attempts === 1) return '1, it is not tried again';
  const grows = backoff === 'fixed' ? '' : `, then ${factor} times as long each, ${durationWords(maxMs)} at most`;
  return `${attempts} at most, the second after ${durationWords(delayMs)}${grows}`;
}

function keptText({ keepSucceededMs, keepFailedMs }: Policy): string {
  return `${durationText(keepSucceededMs)} after success, else ${durationText(keepFailedMs)}`;
}

function keyText({ key, keyForMs, ifExists }: DefinitionRecordDocument): string | null {
  if (key === null) return null;
  return `${key}, when it is held: ${ifExists}${keyForMs === null ? '' : `, kept ${durationText(keyForMs)} after success`}`;
}

function limitText({ key, max, rate }: LimitTemplate): string {
  const rules = [max === null ? [] : [`${max} at once`], rate === null ? [] : [rateText(rate)]].flat().join(', ');
  return `${rules} ${key === null ? 'in all' : `for each ${key}`}`;
}

function versionText({ version, workers }: DefinitionRecordDocument['versions'][number]): string {
  return `${version ?? 'none said'} (${workers.join(', ')})`;
}

/** Fields a person reads, and characters of their names; --json has the whole schema. */
const fieldsShown = 30;
const nameShown = 40;

/** The fields of its input with what each is, one a line. */
function inputLines(terminal: Terminal, schema: unknown): readonly string[] {
  if (schema === null) return fieldLines(terminal, [{ label: 'Input', text: 'anything: no schema is known' }]);
  const { properties, required } = isObject(schema) ? schema : {};
  const names = isObject(properties) ? Object.keys(properties) : [];
  if (!isObject(properties) || names.length === 0)
    return fieldLines(terminal, [{ label: 'Input', text: typeWords(schema, depthMax) }]);
  const needed = new Set(Array.isArray(required) ? required : []);
  const fields = names.slice(0, fieldsShown).map((name): Field => {
    const words = typeWords(properties[name], depthMax);
    return { label: preview(name, nameShown), text: needed.has(name) ? words : `${words}, may be left out` };
  });
  const more = names.length - fields.length;
  return [
    `  ${paint(terminal, 'Input', 'muted')}`,
    ...fieldLines(terminal, fields, '    '),
    ...(more > 0 ? [paint(terminal, `    and ${more} more: --json has all of them`, 'muted')] : []),
  ];
}

/** How far into a schema its words go: it is somebody's, and may have no end. */
const depthMax = 3;
const choicesShown = 8;

function typeWords(schema: unknown, depth: number): string {
  if (!isObject(schema) || depth === 0) return 'anything';
  const { type, format, items, $ref } = schema;
  if ('const' in schema) return jsonText(schema.const);
  if (Array.isArray(schema.enum)) return alternatives(schema.enum.map((value) => jsonText(value)));
  const several = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(several)) return alternatives(several.map((one) => typeWords(one, depth - 1)));
  if (Array.isArray(type)) return alternatives(type.map(String));
  if (typeof $ref === 'string') return $ref.split('/').at(-1) ?? $ref;
  if (typeof type !== 'string') return 'anything';
  if (type === 'array') return `list of ${typeWords(items, depth - 1)}`;
  return typeof format === 'string' ? `${type} (${format})` : type;
}

function alternatives(words: readonly string[]): string {
  const shown = [...new Set(words)];
  const more = shown.length - choicesShown;
  return `${shown.slice(0, choicesShown).join(' or ')}${more > 0 ? ` or ${more} others` : ''}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
