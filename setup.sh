#!/usr/bin/env bash
# Installs what this repository needs and says what it found. Safe to run again at any time.
set -euo pipefail
cd "$(dirname "$0")"

command -v node > /dev/null || { echo 'Node is missing: install 18 or later (nodejs.org), then run this again.'; exit 1; }
command -v npm > /dev/null || { echo 'npm is missing: it comes with Node; on Debian: apt install npm.'; exit 1; }
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 18 ] || { echo "Node $(node -v) is too old to begin with: install 18 or later."; exit 1; }
echo "found      Node $(node -v), npm $(npm -v 2> /dev/null)"

npm run --silent build 2>&1 | sed 's/^taskflow: /           /'

echo "runs on    Node $(node bootstrap/run.mjs scripts/node-version.mjs)"
echo "installed  $(find node_modules -maxdepth 2 -name package.json | wc -l) packages and more in scopes"
echo "built      dist/ from $(find src -name '*.ts*' ! -name '*.test.*' | wc -l) files"
for store in redis-server postgres; do
  echo "optional   $store: $(command -v "$store" || echo 'not here, not needed: everything runs on one SQLite file')"
done
echo "next       npm start          (or ./simple_start.sh for the background)"
