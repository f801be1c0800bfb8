// node operator/src/api/generate.ts          writes what is generated from the schema, and package.json's version
// node operator/src/api/generate.ts --check  says which of these files differ, and exits with 1 if one does
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generatedFiles } from './generated.ts';
import { VERSIONED, withVersion } from './versioned.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
const versioned = VERSIONED.map(([path, places]): [string, string] => [
  path,
  withVersion(path, readFileSync(join(ROOT, path), 'utf8'), places, version),
]);
const wanted = [...generatedFiles(version), ...versioned];
const stale = wanted.filter(([path, text]) => readIfThere(join(ROOT, path)) !== text);

if (process.argv.includes('--check')) {
  for (const [path] of stale) console.error(`${path} is not what the schema and package.json say: run make generate`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const [path, text] of stale) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), text);
    console.log(`wrote ${path}`);
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
