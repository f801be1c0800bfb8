// Releases as a collector is told of them: by the operator in this process, by one that is killed at its writes, and by
// the program as it is in the image.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { bundleImage } from '../../../test-e2e/cluster/build.ts';
import { freePorts } from '../../../test-e2e/cluster/ports.ts';
import type { Request } from '../kube/transport.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import { parseRevision } from '../objects/revision.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { LittleCollector, type SentSpan } from './testing/little-collector.ts';
import { verdict } from './testing/little-kubelet.ts';
import { type LittleOperator, startOperator } from './testing/little-operator.ts';
import { type Death, mortal } from './testing/mortal-transport.ts';
import { Scene } from './testing/scene.ts';
import type { Script } from './testing/scripted-evidence.ts';
import { image, QUICK, Shop, until } from './testing/shop.ts';
import { openTraces, type Protocol, type Traces } from './traces.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const TEST_MS = 120_000;
const SECRET = 'canary-4711';

let cluster: LittleCluster;
let collector: LittleCollector;
const lines: string[] = [];
const log = pino({ level: 'debug', base: null }, { write: line => lines.push(line) });
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  cluster = await startLittleCluster({ startMs: 20, goMs: 20 });
  collector = await LittleCollector.start();
}, BUILD_MS);
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(async () => {
  collector?.stop();
  await cluster?.stop();
});

/** As the operator opens them; what sends them reads the environment itself. */
async function tracesTo({ url }: { url: string }, protocol: Protocol = 'http/json'): Promise<Traces> {
  const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${SECRET}` };
  Object.assign(process.env, settings);
  const traces = await openTraces({ ...settings, OTEL_EXPORTER_OTLP_PROTOCOL: protocol }, log);
  for (const name of Object.keys(settings)) delete process.env[name];
  if (!traces) throw new Error('they are off');
  return traces;
}

const ofName = (spans: readonly SentSpan[], name: string): SentSpan => {
  const [span, ...more] = spans.filter(known => known.name === name);
  if (!span || more.length > 0) throw new Error(`${more.length + 1} of ${name}: ${JSON.stringify(spans)}`);
  return span;
};
const byVersion = (namespace: string, version: string): SentSpan[] =>
  collector.of(namespace).filter(({ attributes }) => attributes['devshelf.version'] === version);
const names = (spans: readonly SentSpan[]): string[] => [...new Set(spans.map(({ name }) => name))].sort();

/** What the cluster itself says of the times of a release. */
async function factsOf(shop: Shop, version: string) {
  const found = (await shop.revisions()).map(object => parseRevision(object as never));
  const notes = found.find(known => known?.release.image === image(version))?.notes ?? {};
  const at = (text: string | undefined, field: string) =>
    Date.parse((JSON.parse(text ?? '{}') as Record<string, string>)[field] ?? '');
  return {
    askedAt: at(notes.requestedBy, 'at'),
    migratedAt: at(notes.migration, 'finishedAt'),
    rehearsedAt: at(notes.rehearsal, 'at'),
    promotedAt: at(notes.trial, 'at'),
    servedFrom: at(notes.served, 'from'),
    verdictAt: at(notes.verdict, 'at'),
  };
}

const recordOf = async (shop: Shop): Promise<{ since: string }> =>
  JSON.parse((await shop.deployment())?.metadata.annotations?.[ANNOTATIONS.rollout] ?? '{}') as { since: string };

test.each<Protocol>(['http/json', 'http/protobuf'])(
  'a good release and a bad one, span by span (%s)',
  async protocol => {
    const namespace = protocol.replace('http/', 'told-in-');
    const traces = await tracesTo(collector, protocol);
    ends.push(() => traces.stop());
    const scene = new Scene(cluster, namespace);
    ends.push(() => scene.stop());
    const { shop } = scene;
    await shop.open();
    cluster.kubelet.behave(namespace, image('2'), { migration: verdict('up to date', ['20260301_cart']) });
    await scene.start(undefined, { traces });
    await scene.settled('1');
    await until(async () => byVersion(namespace, '1').some(({ name }) => name === 'release'), 'v1 is not told');
    expect(names(byVersion(namespace, '1'))).toEqual(['bake', 'installation', 'migration', 'release']);
    await shop.release('2');
    await shop.settles('2');
    await until(
      async () => byVersion(namespace, '2').length === 6,
      async () => JSON.stringify(byVersion(namespace, '2')),
    );
    const good = byVersion(namespace, '2');
    const [release, migration, rehearsal] = [
      ofName(good, 'release'),
      ofName(good, 'migration'),
      ofName(good, 'rehearsal'),
    ];
    const [candidate, promotion, bake] = [ofName(good, 'candidate'), ofName(good, 'promotion'), ofName(good, 'bake')];
    const facts = await factsOf(shop, '2');
    expect(release).toMatchObject({ parentSpanId: '', startedAt: facts.askedAt, service: 'devshelf-operator' });
    expect(release.endedAt).toBe(Date.parse((await recordOf(shop)).since));
    expect(migration.endedAt).toBe(facts.migratedAt);
    expect(rehearsal.endedAt).toBe(facts.rehearsedAt);
    expect([candidate.endedAt, promotion.startedAt]).toEqual([facts.promotedAt, facts.promotedAt]);
    expect([promotion.endedAt, bake.startedAt]).toEqual([facts.servedFrom, facts.servedFrom]);
    expect(bake.endedAt).toBe(release.endedAt);
    expect(candidate.attributes).toMatchObject({ 'devshelf.image': image('2'), 'devshelf.requests': 24 });
    expect(release.attributes).toMatchObject({ 'devshelf.verdict': 'released', 'devshelf.attempt': 1 });
    expect(good.filter(({ fault }) => fault !== undefined)).toEqual([]);
    scene.find('3', { canary: 'Pending' });
    await shop.release('3');
    // the status of a trial says where to look
    const traceID = await until(
      async () => (await shop.app())?.status?.rollout?.candidate?.traceID,
      'the status names no trace',
    );
    scene.find('3', { canary: 'Bad' });
    await scene.nudge();
    await shop.settles('2', 'ReleaseRejected');
    await until(async () => names(byVersion(namespace, '3')).includes('release'), 'v3 is not told');
    const bad = byVersion(namespace, '3');
    expect(names(bad)).toEqual(['candidate', 'migration', 'rehearsal', 'release', 'rollback']);
    expect(new Set(bad.map(({ traceId }) => traceId)).size).toBe(1);
    expect(bad[0]?.traceId).toBe(traceID);
    expect(ofName(bad, 'candidate')).toMatchObject({
      endedAt: (await factsOf(shop, '3')).verdictAt,
      attributes: { 'devshelf.verdict': 'rejected', 'devshelf.reason': 'Regression', 'devshelf.errors': 11 },
      fault: expect.stringContaining('11 of 24 requests'),
    });
    expect(ofName(bad, 'rollback')).toMatchObject({ attributes: { 'devshelf.reason': 'RollbackComplete' } });
    expect([...collector.types].pop()).toContain(
      protocol === 'http/json' ? 'application/json' : 'application/x-protobuf',
    );
    for (const told of [collector.text, lines.join('')]) expect(told).not.toContain(SECRET);
    expect(collector.text).not.toContain('postgresql://');
  },
  TEST_MS,
);

/** One operator at a time; the next one when it dies. */
async function livesOf(
  namespace: string,
  script: Script,
  traces: Traces,
  death: Death,
): Promise<{ stop(): Promise<void> }> {
  let running: Promise<LittleOperator>;
  const begin = async (mortality?: Death): Promise<LittleOperator> => {
    const transport = mortal(await cluster.connect(), mortality);
    void transport.died.then(() => {
      running = running.then(dead => dead.stop()).then(() => begin());
    });
    return startOperator({ transport, namespaces: [namespace], script, traces });
  };
  running = begin(death);
  await running;
  return { stop: async () => (await running).stop() };
}

const DEATHS: readonly Death[] = Array.from({ length: 24 }, (_none, index) =>
  index % 4 === 3 ? { atWrite: 5 + index, when: 'before' } : { atWrite: 6 + 2 * index, when: 'after' },
);

/** The record in which the installation is over, and its span not yet sent. */
const AFTER_THE_INSTALLATION: Death = { atWrite: request => isRecordOf(request, 'Baking'), when: 'after' };

const isRecordOf = (request: Request, phase: string): boolean =>
  JSON.stringify(request).includes(String.raw`{\"phase\":\"${phase}\"`);

test(
  'killed at a write, before it or after: what one write ended is missing or told twice, and never wrong',
  async () => {
    const tell = async (death: Death): Promise<readonly SentSpan[]> => {
      const { when, atWrite } = death;
      const namespace = `killed-${when}-${typeof atWrite === 'number' ? atWrite : 'the-installation'}`;
      const traces = await tracesTo(collector);
      const shop = new Shop(cluster, namespace);
      await shop.open();
      const script: Script = new Map([[image('3'), { canary: 'Bad' as const }]]);
      await shop.create('1');
      const lives = await livesOf(namespace, script, traces, death);
      try {
        await shop.settles('1', 'AsExpected', TEST_MS);
        await shop.release('2');
        await shop.settles('2', 'AsExpected', TEST_MS);
        await shop.release('3');
        await shop.settles('2', 'ReleaseRejected', TEST_MS);
        const { askedAt, promotedAt, servedFrom } = await factsOf(shop, '2');
        const known = { release: askedAt, promotion: promotedAt, bake: servedFrom };
        for (const [name, startedAt] of Object.entries(known))
          for (const span of byVersion(namespace, '2').filter(one => one.name === name))
            expect([namespace, name, span.startedAt]).toEqual([namespace, name, startedAt]);
      } finally {
        await lives.stop();
        await traces.stop(); // what is under way arrives
      }
      return collector.of(namespace);
    };
    const lost = await tell(AFTER_THE_INSTALLATION);
    expect(lost.map(({ name }) => name)).not.toContain('installation');
    const all = [lost];
    const left = [...DEATHS];
    const work = async (): Promise<void> => {
      for (let death = left.shift(); death; death = left.shift()) all.push(await tell(death));
    };
    await Promise.all([work(), work(), work(), work()]);
    const whole = 4 + 6 + 5;
    for (const spans of all) {
      const once = new Map(spans.map(span => [span.spanId, span]));
      for (const span of spans) expect(once.get(span.spanId)).toEqual(span);
      expect(once.size).toBeLessThanOrEqual(whole);
      const traceIds = [...new Set(spans.map(({ traceId }) => traceId))];
      expect(traceIds).toHaveLength(3);
      const parts = traceIds.map(traceId => [...once.values()].filter(span => span.traceId === traceId));
      for (const part of parts)
        expect(new Set(part.map(({ parentSpanId, spanId }) => parentSpanId || spanId)).size).toBe(1);
      // the write that ends the last phase ends the release
      const endless = parts.filter(part => part.every(({ parentSpanId }) => parentSpanId)).length;
      expect(once.size).toBeGreaterThanOrEqual(whole - 1 - endless);
      expect(endless).toBeLessThanOrEqual(1);
    }
  },
  5 * TEST_MS,
);

test(
  'a collector that refuses, is not there or never answers holds up nothing, and is told of in words',
  async () => {
    const mute = await LittleCollector.start();
    ends.push(() => mute.stop());
    const [nowhere] = await freePorts(1);
    const refusing = await LittleCollector.start();
    ends.push(() => refusing.stop());
    mute.answers = 'never';
    refusing.answers = 400;
    const told = lines.length;
    const places = { mute: mute.url, refusing: refusing.url, nowhere: `http://127.0.0.1:${nowhere}` };
    for (const [name, url] of Object.entries(places)) {
      const traces = await tracesTo({ url });
      const scene = new Scene(cluster, `beside-${name}`);
      ends.push(() => scene.stop());
      await scene.shop.open();
      await scene.start(undefined, { traces });
      await scene.settled('1');
      await scene.shop.release('2');
      await scene.shop.settles('2');
      await scene.stop();
    }
    expect(mute.asked).toBeGreaterThan(5);
    await until(
      async () => lines.slice(told).some(line => line.includes('spans were not taken')),
      'nothing is said of it',
    );
    expect(lines.join('')).not.toContain(SECRET);
  },
  TEST_MS,
);

test('without an address nothing is loaded, nor where OpenTelemetry is switched off', async () => {
  const OTEL_EXPORTER_OTLP_PROTOCOL = 'http/protobuf';
  const OTEL_EXPORTER_OTLP_ENDPOINT = collector.url;
  expect(await openTraces({ OTEL_EXPORTER_OTLP_PROTOCOL }, log)).toBeUndefined();
  const off = [{ OTEL_SDK_DISABLED: 'true' }, { OTEL_TRACES_EXPORTER: 'none' }];
  for (const more of off)
    expect(
      await openTraces({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL, ...more }, log),
    ).toBeUndefined();
});

// ---- the program

const spec = { rollout: { ...QUICK, analysis: { policy: 'Disabled' } } };

async function program(namespace: string, settings: Record<string, string>) {
  const [port = 0] = await freePorts(1);
  const file = join(await bundleImage('operator'), 'usr/local/bin/operator');
  const env = {
    ...{ PATH: process.env['PATH'], KUBECONFIG: cluster.api.adminKubeconfigPath, POD_NAMESPACE: namespace },
    ...{ METRICS_PORT: String(port), ...settings },
  };
  const child: ChildProcess = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const said: string[] = [];
  child.stdout?.on('data', text => said.push(String(text)));
  ends.push(() => child.kill('SIGKILL'));
  return { child, said };
}

test(
  'the program of the image sends them, and ends at once while nobody takes them',
  async () => {
    const shop = new Shop(cluster, 'bundled');
    await shop.open();
    const sending = await program('bundled', { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SERVICE_NAME: 'mine' });
    await shop.create('1', spec);
    await shop.settles('1');
    await until(async () => names(collector.of('bundled')).includes('release'), sending.said.join(''));
    expect(names(collector.of('bundled'))).toEqual(['bake', 'installation', 'migration', 'release']);
    expect(collector.of('bundled')[0]?.service).toBe('mine');
    const first = once(sending.child, 'exit');
    sending.child.kill('SIGTERM');
    expect(await first).toEqual([0, null]);

    const mute = await LittleCollector.start();
    ends.push(() => mute.stop());
    mute.answers = 'never';
    const patient = {
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${mute.url}/v1/traces`,
      OTEL_EXPORTER_OTLP_TIMEOUT: '600000',
    };
    const hanging = await program('bundled', patient);
    await shop.patch({ replicas: 3, ...spec, extraEnv: [{ name: 'NEWER', value: '1' }] });
    await until(async () => mute.asked > 0, hanging.said.join(''), 60_000);
    const second = once(hanging.child, 'exit');
    hanging.child.kill('SIGTERM');
    expect(await second).toEqual([0, null]);
  },
  TEST_MS,
);
