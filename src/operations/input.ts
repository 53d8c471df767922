/** Checks the input of an operation and says in words what is wrong with it, all mistakes at once. */

import type { core, ZodType } from 'zod';
import { pathText } from '../client/schema.ts';
import { taskFlowError } from '../core/errors.ts';
import { didYouMean } from '../core/nearest.ts';

/** One mistake: where it is (`retry.delay`, empty for the whole) and what is wrong there. */
export interface InputProblem {
  readonly path: string;
  readonly message: string;
}

/** Mistakes told in one answer: a hostile input must not make a large one. */
const problemsMax = 20;

/** The input as the schema reads it. Throws INVALID_OPTION whose details are `{ problems }`. */
export function parseInput<Input>(schema: ZodType<Input>, input: unknown): Input {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = inputProblems(schema, parsed.error.issues);
  const [first] = problems;
  if (problems.length === 1 && first !== undefined) {
    throw taskFlowError(
      'INVALID_OPTION',
      { what: first.path === '' ? 'The request' : first.path, problem: first.message },
      { details: { problems } },
    );
  }
  const all = problems.map(problemText).join('; ');
  throw taskFlowError('INVALID_OPTION', { what: 'The request', problem: all }, { details: { problems } });
}

/** Zod's issues as paths and sentences; unknown fields are told with the nearest known one. */
export function inputProblems(schema: ZodType, issues: readonly core.$ZodIssue[]): readonly InputProblem[] {
  return issues.flatMap((issue) => problemsOf(schema, issue)).slice(0, problemsMax);
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
  if (issue.code !== 'unrecognized_keys') return [{ path, message: uncapitalised(issue.message) }];
  const known = fieldsAt(schema, issue.path);
  return issue.keys.map((key) => ({
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
