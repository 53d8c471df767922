/** The overview that `taskflow --help` prints. It must be there at once: nothing heavy is loaded for it. */

import { nouns } from './catalog.ts';
import { paint, type Terminal } from './terminal.ts';
import { globalOptions } from './words.ts';

export function overview(terminal: Terminal): string {
  const groups = [...new Set(nouns.map((noun) => noun.group))];
  const width = Math.max(...nouns.map((noun) => `${noun.name} ${noun.usage}`.trimEnd().length));
  const optionWidth = Math.max(...globalOptions.map((option) => option.flags.length));
  const title = (text: string): string => paint(terminal, text, 'bold');
  const plain = (text: string): string => (terminal.unicode ? text : text.replaceAll('’', "'"));
  return [
    'Background tasks for TypeScript. Every waiting task says why it waits.',
    '',
    `${title('Usage:')} taskflow <noun> <verb> [id or name ...] [options]   (short: tf)`,
    ...groups.flatMap((group) => [
      '',
      title(`${group}:`),
      ...nouns
        .filter((noun) => noun.group === group)
        .map((noun) => `  ${`${noun.name} ${noun.usage}`.trimEnd().padEnd(width)}   ${plain(noun.summary)}`),
    ]),
    '',
    title('Options of every command:'),
    ...globalOptions.map((option) => `  ${option.flags.padEnd(optionWidth)}   ${option.description}`),
    '',
    title('Examples:'),
    '  taskflow up --tasks examples/tasks',
    `  taskflow run demo.hello '{"name":"Ada"}'`,
    '  taskflow task list --state failed --since 6h',
    '',
    `Help of one command: taskflow task list --help`,
    '',
    title('Exit codes:'),
    '  0 done · 1 failed · 2 wrong usage · 3 the task failed · 4 not found · 5 not allowed · 6 cannot connect'.replaceAll(
      '·',
      terminal.unicode ? '·' : ',',
    ),
    '  7 conflict · 8 timed out · 9 checks failed · 130 interrupted'.replaceAll('·', terminal.unicode ? '·' : ','),
    '',
  ].join('\n');
}
