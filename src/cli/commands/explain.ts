/** `taskflow explain <id>` */

import { type ExplanationDocument, taskExplain } from '../../operations/task.ts';
import type { CommandSpec } from '../command.ts';
import { askEach } from '../each.ts';
import { readIds } from '../ids.ts';
import { withSession } from '../session.ts';
import { glyphOf, paint, type Terminal } from '../terminal.ts';
import { clockTime } from '../times.ts';

const explain: CommandSpec = {
  name: 'explain',
  summary: 'Say why a task waits, or how it came to its end',
  arguments: [
    {
      syntax: '<id...>',
      description: 'Ids, whole or their first 8 or more characters; - reads them from standard input',
    },
  ],
  example: 'taskflow explain 01K8Q2M4ZJ7F0C7Y',
  run: (call) =>
    withSession(call, async (session) =>
      askEach(call, {
        items: await readIds(call, session),
        isOne: call.args.length === 1 && call.args[0] !== '-',
        ask: (id) => session.ask(taskExplain, { id }),
        view: { id: (row) => row.id, columns: [] },
        lines: (row) => explanationLines(call.output.terminal, row),
      }),
    ),
};

export const commands = [explain];

function explanationLines(terminal: Terminal, row: ExplanationDocument): string[] {
  if (!terminal.isPerson) {
    return [
      `summary\t${row.id}\t${row.view}\t${row.summary}`,
      ...row.gates.map((gate) => `gate\t${gate.code}\t${gate.sentence}\t${gate.command ?? ''}`),
      ...row.timeline.map((entry) => `event\t${entry.at}\t${entry.kind}\t${entry.text}`),
    ];
  }
  const gates = row.gates.flatMap((gate, index) => [
    `  ${index + 1}. ${gate.sentence}`,
    ...(gate.command === null ? [] : [`     ${paint(terminal, gate.command, 'bold')}`]),
  ]);
  const timeline = row.timeline.map(
    (entry) => `  ${paint(terminal, clockTime(Date.parse(entry.at)), 'muted')}   ${entry.text}`,
  );
  return [
    `${paint(terminal, `${glyphOf(terminal, row.view)} ${row.view}`, row.view)}   ${paint(terminal, row.name, 'bold')}   ${row.id}`,
    ...(gates.length > 0 ? ['', 'Waits for:', ...gates] : [`  ${row.summary}`]),
    ...(timeline.length > 0 ? ['', 'So far:', ...timeline] : []),
  ];
}
