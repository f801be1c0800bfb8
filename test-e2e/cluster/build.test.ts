import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { bundle, bundleCli } from './build.ts';
import { CHECKOUT } from './paths.ts';

// packages are found from here
mkdirSync(join(CHECKOUT, 'build'), { recursive: true });
const folder = mkdtempSync(join(CHECKOUT, 'build', 'bundled-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a program says that is bundled of `source`. */
async function said(name: string, source: string): Promise<string> {
  const [entry, program] = [join(folder, `${name}.ts`), join(folder, `${name}.mjs`)];
  writeFileSync(entry, source);
  await bundle(entry, program);
  const { stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' });
  return `${stdout}${stderr}`.trim();
}

const LOADED = `const loaded = (part: string): boolean =>
  (process as unknown as { moduleLoadList: string[] }).moduleLoadList.includes(part);`;

test('HTTP brings no other HTTP client with it', async () => {
  const source = `import { createServer, STATUS_CODES } from 'node:http';
    ${LOADED}
    console.log(typeof createServer, STATUS_CODES[404], loaded('NativeModule internal/deps/undici/undici'));`;
  expect(await said('http', source)).toBe('function Not Found false');
});

test('metrics and the log bring no pool of processes and no threads with them', async () => {
  const source = `import { Registry, collectDefaultMetrics } from 'prom-client';
    import { pino } from 'pino';
    ${LOADED}
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    pino({ base: null, timestamp: false }).info('it works');
    const told = await registry.metrics();
    console.log(told.includes('process_cpu_seconds_total'), loaded('NativeModule cluster'), loaded('NativeModule zlib'));`;
  expect(await said('metrics', source)).toBe('{"level":30,"msg":"it works"}\ntrue false false');
});

test('a calendar is there for whom a schedule is read', async () => {
  const source = `import { dueAt } from '${join(CHECKOUT, 'operator/src/lifecycle/keys/schedule.ts')}';
    const rotation = { schedule: '0 3 * * *', timeZone: 'Europe/Madrid' };
    const due = dueAt(rotation as never, Date.UTC(2026, 0, 1), 'seed', Date.UTC(2026, 0, 1));
    console.log(due.kind === 'at' && new Date(due.plannedAt).toISOString().slice(0, 13));`;
  expect(await said('schedule', source)).toBe('2026-01-01T02');
});

test('no schema is made for resources that fit, and one that does not has zod’s words', async () => {
  const source = `import { globalRegistry } from 'zod';
    let made = 0;
    const add = globalRegistry.add.bind(globalRegistry);
    globalRegistry.add = (...given) => { made += 1; return add(...given); };
    const { parseResource } = await import('${join(CHECKOUT, 'operator/src/api/resource.ts')}');
    const metadata = { name: 'shop', namespace: 'test', uid: 'u' };
    const resource = { apiVersion: 'apps.devshelf.dev/v1alpha1', kind: 'DashboardDeployment', metadata };
    const spec = { image: 'a:1', database: { urlSecretRef: { name: 'db' } } };
    const read = parseResource({ ...resource, spec, status: { phase: 'Settled' } });
    console.log(read.ok && read.resource.spec.replicas, made);
    const part = parseResource({ ...resource, spec, status: { phase: 'Settled', replicas: 'two' } });
    console.log(part.ok && part.resource.status.phase, made > 100);
    console.log(parseResource({ ...resource, spec: { ...spec, image: 7 } }).why);`;
  expect(await said('resource', source)).toBe(
    '2 0\nSettled true\nspec.image: Invalid input: expected string, received number',
  );
});

test.each([
  ['the operator', 'operator/src/main.ts', (entry: string) => bundle(entry, join(folder, 'operator.mjs'))],
  ['a command', 'operator/src/cli/main.ts', () => bundleCli(join(folder, 'cli', 'kubectl-devshelf'))],
])('nothing that %s loads makes a schema of a resource before one does not fit', async (_who, entry, bundled) => {
  const { inputs } = await bundled(join(CHECKOUT, entry));
  const wayTo = new Map([[entry, 'main.ts']]);
  for (const [path, way] of wayTo) {
    if (path.startsWith('late:')) continue;
    for (const { path: next } of inputs[path]?.imports ?? []) {
      if (!wayTo.has(next)) wayTo.set(next, `${way} > ${next}`);
    }
  }
  const schemas = /^operator\/src\/api\/(?:schema\/|misfits)/;
  expect([...wayTo].flatMap(([path, way]) => (schemas.test(path) ? [way] : []))).toEqual([]);
  expect(Object.keys(inputs).filter(path => schemas.test(path))).not.toEqual([]);
});
