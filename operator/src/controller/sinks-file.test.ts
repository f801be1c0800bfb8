import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { readSinks, SinksFile, SinksRefused } from './sinks-file.ts';

const SECRET = 'T000-canary-B000';
const YAML = `
cluster: prod
sinks:
  - {name: ops, format: slack, url: "https://hooks.example/${SECRET}"}
`;

let folder: string;
let log = '';
const logger = pino(
  new Writable({
    write(chunk, _encoding, done) {
      log += String(chunk);
      done();
    },
  }),
);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sinks-'));
  log = '';
});
afterEach(() => rm(folder, { recursive: true }));

test('YAML and JSON are the same', async () => {
  const read = await readSinks(YAML);
  expect(read.sinks.map(({ name }) => name)).toEqual(['ops']);
  expect(await readSinks(JSON.stringify({ cluster: 'prod', sinks: [{ ...read.sinks[0], on: undefined }] }))).toEqual(
    read,
  );
});

test('what is no YAML is told by its line, without what stands there', async () => {
  const broken = `cluster: prod\nsinks:\n  - {name: ops, url: "https://hooks.example/${SECRET}\n`;
  const error = await readSinks(broken).catch(refused => refused);
  expect(error).toBeInstanceOf(SinksRefused);
  expect(error.message).toMatch(/^line \d+: this is no YAML \([A-Z_]+\)$/);
});

test('a file that is not there is refused', async () => {
  await expect(SinksFile.open(join(folder, 'none'), logger)).rejects.toThrow(
    'it cannot be read (ENOENT): mount a Secret',
  );
});

test('a changed file counts from then on; one that cannot be used leaves the sinks of before', async () => {
  const path = join(folder, 'sinks.yaml');
  await writeFile(path, YAML);
  const file = await SinksFile.open(path, logger);
  let changes = 0;
  file.onChange(() => {
    changes += 1;
  });
  await file.reread();
  expect(changes).toBe(0);
  await writeFile(path, YAML.replace('slack', 'teams'));
  await file.reread();
  expect([changes, file.current.sinks[0]?.name]).toEqual([0, 'ops']);
  expect(log).toContain('sinks[0].format=\\"teams\\": write slack, cloudevents or generic');
  await writeFile(path, YAML.replace('name: ops', 'name: bus'));
  await file.reread();
  expect([changes, file.current.sinks[0]?.name]).toEqual([1, 'bus']);
  await rm(path);
  await file.reread();
  expect(changes).toBe(1);
  expect(log).not.toContain(SECRET);
});
