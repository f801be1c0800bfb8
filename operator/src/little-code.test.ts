import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const FILE = join(import.meta.dirname, 'little-code.ts');

/** What a process says that imports it and runs `code`. */
function said(code: string): { readonly status: number | null; readonly out: string; readonly err: string } {
  const script = `import * as little from ${JSON.stringify(FILE)}; ${code}`;
  const args = ['--allow-natives-syntax', '--no-warnings', '--input-type=module', '-e', script];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { status, out: stdout.trim(), err: stderr };
}

/** Bit 7 of what V8 says of a function: it is interpreted. */
const RUN_OFTEN = `
  function sum(most) { let all = 0; for (let next = 0; next < most; next++) all += next; return all; }
  for (let turn = 0; turn < 20_000; turn++) sum(50);
  console.log((%GetOptimizationStatus(sum) & (1 << 7)) !== 0 ? 'interpreted' : 'compiled');`;

// of a flag that it does not know V8 only says so, and goes on without it
test('this V8 knows every flag', () => {
  expect(said('little.compileWhatRunsOften();')).toEqual({ status: 0, out: '', err: '' });
});

test('what runs often is compiled once there is something to compile for', () => {
  expect(said(RUN_OFTEN)).toEqual({ status: 0, out: 'interpreted', err: '' });
  expect(said(`little.compileWhatRunsOften(); ${RUN_OFTEN}`)).toEqual({ status: 0, out: 'compiled', err: '' });
});

test('many resources are something to compile for, and are counted no more then', () => {
  const counts = (...known: number[]) =>
    `let asked = 0;
    for (const many of ${JSON.stringify(known)}) little.compileForMany(() => { asked++; return many; });
    console.log(asked);`;
  expect(said(`${counts(1, 49)} ${RUN_OFTEN}`)).toEqual({ status: 0, out: '2\ninterpreted', err: '' });
  expect(said(`${counts(49, 50, 51, 52)} ${RUN_OFTEN}`)).toEqual({ status: 0, out: '2\ncompiled', err: '' });
  expect(said(`little.compileWhatRunsOften(); ${counts(50)} ${RUN_OFTEN}`)).toMatchObject({ out: '0\ncompiled' });
});

test('work that goes on is something to compile for, waiting is not', () => {
  const waits = 'little.compileUnderWork(() => true, 1_000); await new Promise(resolve => setTimeout(resolve, 2_500));';
  expect(said(`${waits} ${RUN_OFTEN}`)).toEqual({ status: 0, out: 'interpreted', err: '' });
  // for as long as it takes; a timer is only heard between turns
  const works = `
    const isCompiled = of => (%GetOptimizationStatus(of) & (1 << 7)) === 0;
    little.compileUnderWork(() => true, 100);
    for (let probe; probe === undefined || !isCompiled(probe); ) {
      probe = new Function('let all = 0; for (let next = 0; next < 50; next++) all += next; return all;');
      for (let turn = 0; turn < 20_000; turn++) probe();
      await new Promise(resolve => setImmediate(resolve));
    }`;
  expect(said(`${works} ${RUN_OFTEN}`)).toEqual({ status: 0, out: 'compiled', err: '' });
}, 60_000);

test('work that does not end is worth the compilers that take memory, once there is some', () => {
  // a look is a turn of the loop between two pieces of work
  const asks = (answers: readonly boolean[]) => `
    const answers = ${JSON.stringify(answers)};
    let asked = 0;
    little.compileUnderWork(() => answers[asked++] ?? true, 20);
    const work = () => { for (const until = performance.now() + 15; performance.now() < until; ); };
    const rest = async looks => {
      for (let left = 3 * looks; left > 0; left--) { work(); await new Promise(resolve => setTimeout(resolve, 0)); }
    };
    while (asked < answers.length) await rest(1);
    await rest(10);
    console.log(asked);`;
  expect(said(asks([true]))).toEqual({ status: 0, out: '1', err: '' });
  expect(said(asks([false, false, true]))).toEqual({ status: 0, out: '3', err: '' });
}, 60_000);
