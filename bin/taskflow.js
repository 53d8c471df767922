#!/usr/bin/env node
// The command `taskflow`. In an installed package it only starts the compiled program. In the repository (bootstrap/
// lies beside it, which is not published) it first brings Node, node_modules and dist/ up to date.

import { existsSync } from 'node:fs';
import module from 'node:module';

if (existsSync(new URL('../bootstrap', import.meta.url))) {
  const { prepare } = await import('../bootstrap/prepare.mjs');
  await prepare(import.meta.url, { build: true });
} else if (Number(process.versions.node.split('.')[0]) < 24) {
  console.error(
    `taskflow needs Node 24 or later and this is ${process.version}: install it from nodejs.org or with "nvm install 24".`,
  );
  process.exit(1);
}

module.enableCompileCache?.();
await import('../dist/cli/main.js');
