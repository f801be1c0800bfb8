import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { oneFile } from './one-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'one-file-'));
afterAll(() => rmSync(folder, { recursive: true }));

function ran(script: string, ...args: string[]) {
  const file = join(folder, 'program.cjs');
  writeFileSync(file, script);
  const env = { PATH: process.env['PATH'], XDG_CACHE_HOME: join(folder, 'cache') };
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], { encoding: 'utf8', env });
  return { status, stdout, stderr };
}

test('parts ask for each other and for what is in Node, late ones when they are wanted, whatever is in their text', async () => {
  const script = await oneFile(
    [
      {
        name: 'main.js',
        code: "import { twice } from './b.js'; import { join } from 'node:path'; console.log(join('a', twice('/* x */')), /a*/.test(''));\nif (process.argv[2]) import('./late.js').then(({ say }) => say());",
      },
      { name: 'b.js', code: 'export const twice = text => text + text;' },
      {
        name: 'late.js',
        code: "import { twice } from './b.js'; export const say = () => { console.log(twice('late ')); process.exitCode = 3; };",
      },
    ],
    'main.js',
    'node20',
  );
  for (const _time of ['compiled', 'kept']) {
    expect(ran(script)).toEqual({ status: 0, stdout: 'a/* x */* x */ true\n', stderr: '' });
    expect(ran(script, 'late')).toEqual({ status: 3, stdout: 'a/* x */* x */ true\nlate late \n', stderr: '' });
  }
});

test('a fault says in which part', async () => {
  const script = await oneFile(
    [{ name: 'main.js', code: "const f = () => { throw new Error('no'); };\nf();" }],
    'main.js',
    'node20',
  );
  expect(ran(script)).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/Error: no\n.*program\.cjs\/main\.js/s),
  });
});

test('what cannot be packed is refused', async () => {
  const packed = (code: string) => oneFile([{ name: 'main.js', code }], 'main.js', 'node20');
  await expect(packed("console.log('*~/');")).rejects.toThrow('main.js: has *~/');
  await expect(packed("import { require_x } from './c.js';export default require_x();")).rejects.toThrow(
    'import it at the top',
  );
});
