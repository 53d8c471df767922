/** The promises that a torture is about, in words, and on how much each was judged: a promise nobody needed is not proved. */

import type { Rule } from '../checker/verdict.ts';
import { endedOf } from './pace.ts';
import type { Report } from './torture.ts';

export interface Judged {
  readonly rule: Rule;
  readonly says: string;
  readonly times: number;
  /** What was counted. */
  readonly of: string;
}

export function promisesOf({ verdict, fired, recounted, rows, ticks, exits }: Report): readonly Judged[] {
  const { counts, kinds } = verdict;
  const all = (among: Readonly<Record<string, number>>, ...names: readonly string[]): number =>
    names.reduce((sum, name) => sum + (among[name] ?? 0), 0);
  const stops = Object.entries(exits).flatMap(([how, times]) => (how.endsWith('exit 0') ? [times] : []));
  const again = all(counts, 'again:error', 'again:timeout', 'again:snooze');
  const keys = all(kinds, 'with a key', 'with a key that is replaced or postponed');
  const ended = endedOf(counts);
  const judged: readonly (readonly [rule: Rule, says: string, times: number, of: string])[] = [
    ['S1', 'what was accepted is there, once', all(counts, 'accepted'), 'acknowledged tasks'],
    ['S2', 'what runs is what was asked for', all(counts, 'runs'), 'runs'],
    ['S3', 'one lease at a time', all(counts, 'claims'), 'claims'],
    ['S4', 'who lost a lease is told, and changes nothing any more', all(counts, 'again:lease_lost'), 'lost leases'],
    ['S5', 'one end', ended, 'ends'],
    ['S6', 'every claim has a higher number, every run is of a claim', all(counts, 'claims'), 'claims'],
    ['S7', 'no move that the states do not have', all(counts, 'moves'), 'moves'],
    ['S8', 'attempts are charged for what a handler did, and for nothing else', ended + again, 'ends of runs'],
    ['S9', 'nothing before its time', all(kinds, 'delayed', 'with a life'), 'tasks with a time'],
    ['S10', 'nothing sooner after a failure than its policy says', again, 'further attempts'],
    ['S11', 'no slot of a limit taken twice', all(kinds, 'with slots'), 'tasks with slots'],
    ['S12', 'no rate exceeded', all(kinds, 'with a rate'), 'tasks with a rate'],
    ['S13', 'each time of a schedule fired once', ticks, 'seconds'],
    [
      'S14',
      'children after their parents, and only with a success of the run that asked for them',
      all(kinds, 'waiting for others', 'brought along by a run'),
      'children',
    ],
    ['S15', 'a cancellation is the end', all(counts, 'cancelled', 'cancelRequests'), 'cancellations'],
    ['S16', 'nothing claimed that is paused', (fired.pauseQueue ?? 0) + (fired.changeGroup ?? 0), 'changes'],
    ['S17', 'one unfinished task for a key', keys, 'tasks with a key'],
    ['S18', 'the record, version by version, is what the rows say', rows, 'rows at the end'],
    ['S21', 'claims, slots, keys and counts follow from the tasks', recounted, 'rows, counted again'],
    ['S22', 'kept as long as was asked', all(counts, 'removed'), 'removed tasks'],
    ['L4', 'everything comes to an end', all(counts, 'stored'), 'tasks'],
    ['L6', 'groups take turns', all(kinds, 'in a group'), 'tasks in groups'],
    ['steps', 'what a step gave is kept', all(counts, 'stepsKept'), 'steps'],
    ['stop', 'who is told to stop ends in order and in time', stops.reduce((sum, times) => sum + times, 0), 'stops'],
  ];
  return judged.map(([rule, says, times, of]) => ({ rule, says, times, of }));
}
