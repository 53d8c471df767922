/** Enqueues a stream of tasks, one a line (NDJSON), and answers a line for each as it goes; memory stays bounded however long it is. */

import { durationText } from '../core/duration.ts';
import { type ErrorDocument, TaskFlowError, taskFlowError, withoutStacks } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { taskEnqueueMany } from '../operations/enqueue-many.ts';
import { type OperationContext, performRead } from '../operations/operation.ts';
import type { EnqueueInput } from '../operations/schemas.ts';
import { checkAgain } from '../operations/still-allowed.ts';
import { bodyBytesMax, readJsonText, refusePacked } from './body.ts';
import { type Line, readLines } from './lines.ts';
import { noteStream } from './streams.ts';

export interface StreamOptions {
  /** Only what was not stored as asked is answered, for callers that write everything before they read. */
  readonly quiet: boolean;
  /** How long it may go on, as long as it brings something; `limits.streamMs` without it. */
  readonly streamMs?: number | undefined;
  readonly turns?: Turns | undefined;
}

/** Resolve when a stream may be begun, and when its next lines may be looked at: many streams of one caller leave others their turn. */
export interface Turns {
  begin(): Promise<void>;
  goOn(): Promise<void>;
}

/** Lines between two looks at the clock. */
const looksEvery = 20;

type Problem = Pick<ErrorDocument, 'code' | 'message'>;

/** The answer to one line. */
interface LineAnswer {
  readonly line: number;
  readonly id: string | null;
  readonly outcome: string;
  readonly problem: Problem | null;
}

/** A line that is a task, or says why it is none. */
interface ReadLine {
  readonly line: number;
  readonly request: EnqueueInput | null;
  readonly problem: Problem | null;
}

/** The last line. `end` is `done` when every line was answered; else the lines behind the last answered one were not looked at. */
interface Summary {
  readonly end: 'done' | 'stopped';
  readonly lines: number;
  readonly created: number;
  readonly refused: number;
  readonly problem: Problem | null;
}

/**
 * Answers while it reads: a line that is wrong is answered with its problem and the others go on; lines are stored in calls of the
 * store, each wholly or not at all, and answered once they are. An outage, a stand-still, the end of its time and that of its caller's key
 * end the stream after the answers to its lines. Throws what refuses the caller.
 */
export async function answerStream(
  request: Request,
  context: OperationContext,
  options: StreamOptions,
): Promise<Response> {
  refusePacked(request);
  noteStream(request);
  const answers = answerLines(request, context, options);
  // Who may not enqueue learns it as a status, and not as the answer to a line.
  const first = await answers.next();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      if (first.done !== true) controller.enqueue(encoder.encode(first.value));
    },
    async pull(controller) {
      const { done, value } = await answers.next();
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    cancel: async () => void (await answers.return(undefined)),
  });
  return new Response(body, { headers: { 'content-type': 'application/x-ndjson' } });
}

async function* answerLines(
  request: Request,
  context: OperationContext,
  { quiet, streamMs = limits.streamMs, turns }: StreamOptions,
): AsyncGenerator<string> {
  const parse = await lineReader();
  const totals = { lines: 0, created: 0, refused: 0 };
  const { actor, clock } = context;
  const checkAccess = checkAgain(actor, clock);
  const until = clock.elapsed() + streamMs;
  const bounds = { lineBytesMax: bodyBytesMax, linesMax: limits.batchMax, idleMs: limits.streamIdleMs };
  // Before anything of it is read: a thousand streams of one caller are not in memory at once.
  await turns?.begin();
  try {
    for await (const lines of readLines(request.body, bounds, clock)) {
      await turns?.goOn();
      await checkAccess();
      const { answers, problem } = await storeLines(context, await parse(lines, context, turns));
      for (const { outcome } of answers) {
        totals.lines++;
        if (outcome === 'created' || outcome === 'replaced') totals.created++;
        else if (outcome === 'refused' || outcome === 'conflict' || outcome === 'unknown') totals.refused++;
      }
      const told = quiet ? answers.filter(({ problem: wrong }) => wrong !== null) : answers;
      if (told.length > 0) yield `${told.map((answer) => JSON.stringify(answer)).join('\n')}\n`;
      if (problem !== null) return yield endLine({ end: 'stopped', ...totals, problem });
      if (clock.elapsed() > until)
        return yield endLine({ end: 'stopped', ...totals, problem: tooLong(streamMs, totals) });
    }
    yield endLine({ end: 'done', ...totals, problem: null });
  } catch (error) {
    if (!(error instanceof TaskFlowError) || (totals.lines === 0 && isAboutCaller(error))) throw error;
    yield endLine({ end: 'stopped', ...totals, problem: shown(error) });
  }
}

/** Stores what is well among them, in as many calls as its bytes take, in order. */
async function storeLines(
  context: OperationContext,
  lines: readonly ReadLine[],
): Promise<{ readonly answers: readonly LineAnswer[]; readonly problem: Problem | null }> {
  const requests = lines.map(({ request }) => request).filter((request) => request !== null);
  const { outcomes, problem } = await storeRequests(context, requests);
  let next = 0;
  const answers = lines.map(({ line, request, problem: wrong }): LineAnswer => {
    const stored = request === null ? undefined : outcomes[next++];
    const { id, outcome, problem } = stored ?? { id: null, outcome: 'refused', problem: wrong };
    return { line, id, outcome, problem };
  });
  return { answers, problem };
}

/** What became of each. After a problem nothing more was tried. */
interface Stored {
  readonly outcomes: readonly Omit<LineAnswer, 'line'>[];
  readonly problem: Problem | null;
}

async function storeRequests(context: OperationContext, requests: readonly EnqueueInput[]): Promise<Stored> {
  if (requests.length === 0) return { outcomes: [], problem: null };
  try {
    const { tasks } = await performRead(
      taskEnqueueMany,
      { ...context, isDecoded: true },
      { tasks: [...requests], partial: true },
    );
    return { outcomes: tasks, problem: null };
  } catch (error) {
    if (!(error instanceof TaskFlowError) || isAboutCaller(error)) throw error;
    // Inputs may grow when they are read: 1e20 is stored with 21 digits.
    if (error.code === 'BATCH_TOO_LARGE' && requests.length > 1) return storeHalves(context, requests);
    return unknown(requests, shown(error));
  }
}

async function storeHalves(context: OperationContext, requests: readonly EnqueueInput[]): Promise<Stored> {
  const middle = Math.ceil(requests.length / 2);
  const first = await storeRequests(context, requests.slice(0, middle));
  const others = requests.slice(middle);
  const second = first.problem === null ? await storeRequests(context, others) : unknown(others, first.problem);
  return { outcomes: [...first.outcomes, ...second.outcomes], problem: second.problem };
}

/** Nobody knows whether they are stored: sent again with these ids they are stored once. */
function unknown(requests: readonly EnqueueInput[], problem: Problem): Stored {
  return { outcomes: requests.map(({ id = null }) => ({ id, outcome: 'unknown', problem })), problem };
}

type ParseLines = (
  lines: readonly Line[],
  context: OperationContext,
  turns: Turns | undefined,
) => Promise<readonly ReadLine[]>;

/** Reads lines as tasks with ids, so that their answers name them whatever becomes of them. Others have their turn in between. */
async function lineReader(): Promise<ParseLines> {
  const [{ enqueueItem }, { parseInput }] = await Promise.all([
    import('../operations/schemas.ts'),
    import('../operations/input.ts'),
  ]);
  const read = ({ number, text }: Line, id: string): ReadLine => {
    try {
      if (typeof text !== 'string') throw text;
      const request = parseInput(enqueueItem, readJsonText(text, 'The line'));
      return { line: number, request: { ...request, id: request.id ?? id }, problem: null };
    } catch (error) {
      if (!(error instanceof TaskFlowError)) throw error;
      return { line: number, request: null, problem: shown(error) };
    }
  };
  return async (lines, { ids, clock }, turns) => {
    const fresh = ids.many(lines.length);
    const found: ReadLine[] = [];
    let began = clock.elapsed();
    for (const [index, line] of lines.entries()) {
      // One that is wrong costs as much as a hundred that are right: what is wrong with it has to be found and told.
      if (turns !== undefined && index % looksEvery === 0 && clock.elapsed() - began >= limits.turnShareMs) {
        await turns.goOn();
        began = clock.elapsed();
      }
      found.push(withoutStacks(() => read(line, fresh[index] ?? ids.next())));
    }
    return found;
  };
}

function isAboutCaller({ status }: TaskFlowError): boolean {
  return status === 401 || status === 403;
}

function tooLong(streamMs: number, { lines }: { readonly lines: number }): Problem {
  return shown(taskFlowError('STREAM_TOO_LONG', { max: durationText(streamMs), lines }));
}

function shown({ code, message }: TaskFlowError): Problem {
  return { code, message };
}

function endLine(summary: Summary): string {
  return `${JSON.stringify(summary)}\n`;
}
