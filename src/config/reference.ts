/** Writes `.env.example` and the reference page of the configuration from the table of settings. */

import { type SettingKey, settingKeys, settingOf, variableOf, variablesOf } from './settings.ts';
import { serverVariables } from './variables.ts';

/** The text of `.env.example`: every variable, commented out, with its default. */
export function envExample(): string {
  const blocks = settingKeys.map((key) => {
    const setting = settingOf(key);
    const value = setting.default === null ? setting.example : plain(setting.default);
    return `# ${setting.description}. Default: ${defaultText(key)}.\n# ${variableOf(key)}=${value}\n`;
  });
  const servers = Object.entries(serverVariables).map(
    ([name, { description, example }]) => `# ${description}. Default: none.\n# ${name}=${example}\n`,
  );
  return `# Variables of TaskFlow. Copy this file to .env and uncomment what you change.\n# A flag of the same name wins over a variable, a variable over .env.local, .env and taskflow.config.ts.\n\n${[...blocks, ...servers].join('\n')}`;
}

/** The text of `docs/reference/configuration.md`. */
export function configurationPage(): string {
  return `# Configuration

<!-- Generated from src/config/settings.ts. To renew: npx vitest run src/config -u -->

Every setting has one name. Its value is the first that is given by

1. a flag (\`--port 9000\`),
2. a variable (\`TASKFLOW_SERVER_PORT=9000\`),
3. \`.env.local\`, then \`.env\`, in the project's folder,
4. \`taskflow.config.ts\` (or \`.js\`, \`.mjs\`, \`.json\`), looked for from the working folder upward,
5. \`REDIS_URL\` and \`DATABASE_URL\`, for \`broker\` and \`store\`, when neither is named above,
6. the default.

The project's folder is that of the config file, else that of the nearest \`package.json\`, else the working folder.
Relative paths are relative to the file they stand in, on the command line to the working folder. Empty variables count
as not set. \`taskflow config list\` shows every value and where it came from; \`taskflow config validate\` names every
mistake at once, unknown keys and variables too.

| setting | what it decides | flag | variable | default |
|---|---|---|---|---|
${settingKeys.map(row).join('\n')}

The settings under \`defaults\` hold for the tasks that the command \`taskflow\` loads, and travel with each task that is
enqueued by name.

Whom commands and \`worker start\` ask is said by variables too, in the environment and in \`.env\` files ([access](../guide/access.md)). The first place that names a server, a
broker, a store or a namespace decides; one that names a server and a store is refused.

| variable | what it says |
|---|---|
${Object.entries(serverVariables)
  .map(([name, { description }]) => `| \`${name}\` | ${description} |`)
  .join('\n')}

\`TASKFLOW_CONFIG\` (or \`--config\`) names the config file. In TypeScript:

\`\`\`ts
import { defineConfig } from 'taskflowjs';

export default defineConfig({
  tasks: ['src/tasks'],
  broker: 'sqlite:./.taskflow/taskflow.db',
  server: { port: 8000 },
  worker: { queues: { email: 20, default: 5 }, drain: '30s' },
  defaults: { retry: 5, timeout: '5m', keep: { succeeded: '3d', failed: '30d' } },
});
\`\`\`
`;
}

function row(key: SettingKey): string {
  const setting = settingOf(key);
  const flag = setting.flag === undefined ? '–' : `\`${setting.flag}\``;
  const variables = variablesOf(key)
    .map((name) => `\`${name}\``)
    .join(', ');
  const fallback = setting.default === null ? (setting.none ?? '–') : `\`${plain(setting.default)}\``;
  return `| \`${key}\` | ${setting.description} | ${flag} | ${variables} | ${fallback} |`;
}

function defaultText(key: SettingKey): string {
  const setting = settingOf(key);
  return setting.default === null ? (setting.none ?? 'none') : plain(setting.default);
}

function plain(value: unknown): string {
  return Array.isArray(value) ? value.join(',') : String(value);
}
