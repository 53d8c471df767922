/** Checks the input of an operation and says in words what is wrong with it, the mistakes together where they are not too many. */

import type { core, ZodType } from 'zod';
import { pathText } from '../client/schema.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { didYouMean } from '../core/nearest.ts';
import { isAsRead } from './as-read.ts';
import { parseBounded } from './bounded-parse.ts';

/** One mistake: where it is (`retry.delay`, empty for the whole) and what is wrong there. */
export interface InputProblem {
  readonly path: string;
  readonly message: string;
}

/**
 * The input as the schema reads it: itself, where that changes nothing of it. Throws INVALID_OPTION whose details are `{ problems }`, the
 * first of them.
 */
export function parseInput<Input>(schema: ZodType<Input>, input: unknown): Input {
  if (isAsRead(schema, input)) return input as Input;
  const parsed = parseBounded(schema, input);
  if (parsed.success) return parsed.data;
  const { problems, more } = inputProblems(schema, parsed.issues);
  const rest = parsed.isCut ? ['what is behind that was not looked at'] : more > 0 ? [`and ${more} more`] : [];
  const [first] = problems;
  if (problems.length === 1 && rest.length === 0 && first !== undefined) {
    throw taskFlowError(
      'INVALID_OPTION',
      { what: first.path === '' ? 'The request' : first.path, problem: first.message },
      { details: { problems } },
    );
  }
  const all = [...problems.map(problemText), ...rest].join('; ');
  throw taskFlowError('INVALID_OPTION', { what: 'The request', problem: all }, { details: { problems } });
}

/** The first of the mistakes, and how many there are behind them. */
interface InputProblems {
  readonly problems: readonly InputProblem[];
  readonly more: number;
}

/** Zod's issues as paths and sentences; unknown fields are told with the nearest known one. */
function inputProblems(schema: ZodType, issues: readonly core.$ZodIssue[]): InputProblems {
  const problems: InputProblem[] = [];
  let count = 0;
  for (const issue of issues) {
    if (problems.length < limits.problemsMax) problems.push(...problemsOf(schema, issue));
    count += issue.code === 'unrecognized_keys' ? issue.keys.length : 1;
  }
  const told = problems.slice(0, limits.problemsMax);
  return { problems: told, more: Math.max(0, Math.max(count, problems.length) - told.length) };
}

/** `path: problem`, or the problem alone when it is about the whole. */
export function problemText({ path, message }: InputProblem): string {
  return path === '' ? message : `${path}: ${message}`;
}

function problemsOf(schema: ZodType, issue: core.$ZodIssue): readonly InputProblem[] {
  const path = pathText(issue.path);
  if (issue.code === 'invalid_union') {
    const meant = meantBranch(issue.errors);
    if (meant !== null)
      return meant.flatMap((inner) => problemsOf(schema, { ...inner, path: [...issue.path, ...inner.path] }));
    return [{ path, message: unionMessage(issue) }];
  }
  if (issue.code !== 'unrecognized_keys')
    return [{ path, message: uncapitalised(issue.message).replace(/, received NaN$/, '') }];
  const known = fieldsAt(schema, issue.path);
  return issue.keys.slice(0, limits.problemsMax).map((key) => ({
    path: pathText([...issue.path, key]),
    message: `unknown field.${didYouMean(key, known)}`,
  }));
}

/** Of the alternatives the one the value was meant for: it fits it as a whole, and only something in it is wrong. */
function meantBranch(branches: readonly (readonly core.$ZodIssue[])[]): readonly core.$ZodIssue[] | null {
  const fits = (issue: core.$ZodIssue) => issue.code !== 'invalid_type' || issue.path.length > 0;
  return branches.find((issues) => issues.length > 0 && issues.every(fits)) ?? null;
}

/** What would have been right, when none of the alternatives fits at all. */
function unionMessage(issue: core.$ZodIssueInvalidUnion): string {
  const expected = issue.errors.flat().flatMap((inner) => (inner.code === 'invalid_type' ? [inner.expected] : []));
  const isDefault = issue.message === 'Invalid input' && expected.length > 0;
  return isDefault ? `expected ${[...new Set(expected)].join(' or ')}` : uncapitalised(issue.message);
}

/** The names of the fields an object schema knows at `path`; nothing where the schema is something else. */
function fieldsAt(schema: ZodType, path: readonly PropertyKey[]): readonly string[] {
  let current: unknown = schema;
  for (const step of path) current = shapeOf(current)?.[String(step)];
  return Object.keys(shapeOf(current) ?? {});
}

function shapeOf(schema: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof schema !== 'object' || schema === null) return undefined;
  if ('shape' in schema && typeof schema.shape === 'object') return schema.shape as Readonly<Record<string, unknown>>;
  if ('options' in schema && Array.isArray(schema.options))
    return schema.options.map(shapeOf).find((shape) => shape !== undefined);
  if ('unwrap' in schema && typeof schema.unwrap === 'function') return shapeOf(schema.unwrap());
  return undefined;
}

function uncapitalised(message: string): string {
  return message.startsWith('Invalid input: ')
    ? message.slice('Invalid input: '.length)
    : message.charAt(0).toLowerCase() + message.slice(1);
}
