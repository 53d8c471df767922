// Writes the types of an OpenAPI document, as openapi-typescript makes them. Usage: node generate-types.mjs URL > FILE
// That library needs the API of TypeScript 5, which 7 does not have: here it is given that one.

import { registerHooks } from 'node:module';
import process from 'node:process';

registerHooks({
  resolve: (specifier, context, next) => next(specifier === 'typescript' ? 'typescript-5' : specifier, context),
});

const { default: openapiTS, astToString } = await import('openapi-typescript');
const [url = ''] = process.argv.slice(2);
const response = await fetch(url);
process.stdout.write(astToString(await openapiTS(await response.json())));
