/** `taskflow config list|get|validate` */

import { isSettingKey, type SettingKey, settingKeys, settingOf } from '../../config/settings.ts';
import { durationText } from '../../core/duration.ts';
import { TaskFlowError, taskFlowError } from '../../core/errors.ts';
import { didYouMean } from '../../core/nearest.ts';
import { configGet, type SettingDocument } from '../../operations/config.ts';
import type { Call, CommandSpec } from '../command.ts';
import { jsonText, type View } from '../output.ts';
import { withSession } from '../session.ts';
import { settingDocuments } from '../setting-documents.ts';
import { mark, paint } from '../terminal.ts';
import { namedBy, sayingsOf, variableBesideServer } from '../whom-to-ask.ts';

const view: View<SettingDocument> = {
  id: (row) => row.key,
  columns: [
    { title: 'Setting', text: (row) => row.key },
    {
      title: 'Value',
      cutTo: 12,
      text: shownText,
      raw: (row) => plainText(row) ?? '',
      style: (row) => (row.value === null ? 'muted' : null),
    },
    {
      title: 'From',
      cutTo: 12,
      text: (row) => row.origin,
      style: (row) => (row.origin === 'default' ? 'muted' : 'bold'),
    },
  ],
};

const list: CommandSpec = {
  name: 'list',
  summary: 'List every setting with its value and where it came from',
  example: 'taskflow config list',
  async run(call) {
    const server = call.text('server');
    if (server !== undefined)
      return withSession(call, async ({ ask }) => {
        call.output.list(view, (await ask(configGet, {})).settings);
        call.output.note(
          `These are the settings of the server at ${server}, which ${namedBy(sayingsOf(call, call.text('config')), server)} names.`,
        );
        return 0;
      });
    const config = await call.config();
    call.output.list(view, settingDocuments(config));
    if (call.output.notes.isPerson)
      call.output.note(config.file === null ? 'No config file found upward.' : `Config file: ${config.file}`);
    return 0;
  },
};

const get: CommandSpec = {
  name: 'get',
  summary: 'Show settings by name',
  arguments: [{ syntax: '<key...>', description: 'Names such as server.port' }],
  example: 'taskflow config get server.port',
  async run(call) {
    const keys = call.args.map(settingKey);
    if (call.text('server') === undefined) return showSome(call, keys, settingDocuments(await call.config()));
    return withSession(call, async ({ ask }) => showSome(call, keys, (await ask(configGet, {})).settings));
  },
};

const validate: CommandSpec = {
  name: 'validate',
  summary: 'Check every source of settings and name all mistakes (exit code 9)',
  isLocal: true,
  example: 'taskflow config validate',
  async run(call) {
    try {
      const config = await call.config();
      const given = settingKeys.filter((key) => config.origins[key].kind !== 'default').length;
      const { terminal } = call.output;
      const beside = variableBesideServer(sayingsOf(call, call.text('config')));
      if (beside !== null)
        call.output.warn(
          `${beside} both say where the tasks are: commands ask neither, until one is unset or they are told with --server or --broker.`,
        );
      call.output.record({ id: () => 'valid' }, { valid: true, file: config.file, given }, () => [
        `${paint(terminal, mark(terminal, 'ok'), 'ok')} The configuration is valid: ${config.file ?? 'no config file'}, ${given} of ${settingKeys.length} settings given`,
      ]);
      return 0;
    } catch (error) {
      if (!(error instanceof TaskFlowError) || error.code !== 'INVALID_CONFIG') throw error;
      // The command that checks answers with its own code; the words are the same as anywhere.
      const { showError } = await import('../problem.ts');
      showError(call.stderr, call.output.notes, call.output.format, error, false);
      return 9;
    }
  },
};

export const commands = [list, get, validate];

function showSome(call: Call, keys: readonly SettingKey[], all: readonly SettingDocument[]): number {
  const documents = keys.map(
    (key) => all.find((one) => one.key === key) ?? { key, value: null, origin: 'not told by the server' },
  );
  const [first] = documents;
  if (documents.length > 1 || first === undefined) call.output.list(view, documents);
  else call.output.record(view, first, () => [plainText(first) ?? '']);
  return 0;
}

function settingKey(text: string): SettingKey {
  if (isSettingKey(text)) return text;
  const near = didYouMean(text, settingKeys).trim();
  throw taskFlowError('SETTING_NOT_FOUND', { name: text }, near === '' ? {} : { hint: near });
}

function shownText(row: SettingDocument): string {
  return plainText(row) ?? `(${(isSettingKey(row.key) ? settingOf(row.key).none : undefined) ?? 'none'})`;
}

/** As one would write it; `null` when it is not set. */
function plainText({ key, value }: SettingDocument): string | null {
  if (value === null) return null;
  if (isSettingKey(key) && settingOf(key).duration === true && typeof value === 'number')
    return String(durationText(value));
  if (Array.isArray(value)) return value.join(',');
  return typeof value === 'object' ? jsonText(value) : String(value);
}
