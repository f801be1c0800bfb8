// What is told of a resource: its status, which has one writer, and others who write in it all the same; and messages.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { type Logger, pino } from 'pino';
import { type KubeObject, pathOf } from '../kube/resource.ts';
import { parseReceipts } from '../lifecycle/messages/receipts.ts';
import { parseSinks } from '../lifecycle/messages/sinks.ts';
import { parseIncident } from '../objects/incident.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import type { Messages } from './messenger.ts';
import { poster } from './post.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { Scene } from './testing/scene.ts';
import { image, until } from './testing/shop.ts';
import { APP_RESOURCES } from './world.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built

let cluster: LittleCluster;
let scene: Scene;
let count = 0;

beforeAll(async () => {
  cluster = await startLittleCluster();
}, BUILD_MS);
afterEach(async () => {
  await scene?.stop();
});
afterAll(async () => {
  await cluster?.stop();
});

async function settled(): Promise<void> {
  count += 1;
  scene = new Scene(cluster, `status-${count}`);
  await scene.shop.open();
  await scene.start();
  await scene.settled('1');
}

type Conditions = { type: string; status: string; reason: string }[];

/** As a tool does it, or a person with `kubectl edit --subresource=status`. */
async function edit(change: (status: { currentImage?: string | undefined; conditions: Conditions }) => void) {
  const app = await scene.shop.app();
  if (!app?.status) throw new Error('there is no status');
  change(app.status as never);
  const { namespace, name } = app.metadata;
  const path = pathOf(APP_RESOURCES[scene.shop.kind], { namespace: namespace ?? '', name, subresource: 'status' });
  await cluster.transport.request({ method: 'PUT', path, query: { fieldManager: 'somebody' }, body: app });
}

const conditions = async () => new Map((await scene.shop.app())?.status?.conditions?.map(known => [known.type, known]));
const now = () => new Date().toISOString();

test('what is ours is put right, what is not is left alone, and then nothing is written', async () => {
  await settled();
  await edit(status => {
    const by = { reason: 'SomebodyElse', message: 'by hand', lastTransitionTime: now() };
    status.conditions.push({ type: 'Stalled', status: 'True', ...by });
    status.conditions.push({ type: 'example.com/Audited', status: 'True', ...by });
    status.currentImage = 'by/hand:1';
  });
  await until(async () => (await conditions()).get('Stalled')?.status === 'False', 'it is called stalled for good');
  await scene.quiet();
  const app = await scene.shop.app();
  expect(app?.status).toMatchObject({ currentImage: image('1'), phase: 'Released' });
  expect((await conditions()).get('example.com/Audited')).toMatchObject({ status: 'True', reason: 'SomebodyElse' });
  const before = scene.writes.length;
  for (let again = 0; again < 3; again += 1) {
    await scene.nudge();
    await scene.quiet();
  }
  expect(scene.writes.slice(before)).toEqual([]);
}, 60_000);

test('a status that was taken away comes back, also in parts', async () => {
  await settled();
  await edit(status => {
    status.conditions = status.conditions.filter(({ type }) => type !== 'Ready');
    delete status.currentImage;
  });
  await until(async () => (await scene.shop.app())?.status?.currentImage === image('1'), 'the image is not said');
  expect((await conditions()).get('Ready')).toMatchObject({ status: 'True' });
  await scene.quiet();
  expect(await scene.writesIfNudged()).toEqual([]);
}, 60_000);

const CANARY = 'T000-canary-B000';

/** A chat and a bus, on loopback. */
async function receivers() {
  const got: Record<string, string[]> = { ops: [], bus: [] };
  const state = { bus: 200 as number | Promise<number> };
  const server = createServer(async (request, response) => {
    const name = request.url?.split('/')[1] ?? '';
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const answer = name === 'bus' ? await state.bus : 200;
    if (answer === 200) got[name]?.push(Buffer.concat(chunks).toString());
    response.writeHead(answer).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = (name: string) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}/${CANARY}`;
  const read = parseSinks(
    {
      cluster: 'prod',
      sinks: [
        { name: 'ops', format: 'slack', url: url('ops'), plaintext: true },
        { name: 'bus', format: 'cloudevents', url: url('bus'), plaintext: true, on: ['*'] },
      ],
    },
    () => true,
  );
  if (!read.ok) throw new Error(read.faults.join());
  const messages: Messages = {
    sinks: { current: read.sinks, onChange: () => {} },
    send: poster({ userAgent: 'test/1', allows: () => true }),
    waits: { baseMs: 20, maxMs: 160 },
  };
  const close = () => {
    server.close().closeAllConnections();
  };
  return { got, state, messages, close };
}

type Receivers = Awaited<ReturnType<typeof receivers>>;
const typesIn = ({ got }: Receivers): string[] => (got['bus'] ?? []).map(text => JSON.parse(text).type);
const receiptsOf = ({ metadata }: KubeObject) =>
  Object.keys(parseReceipts(metadata.annotations?.[ANNOTATIONS.notified])).sort();
const allReceived = (names: number) =>
  until(async () => {
    const incidents = await scene.shop.incidents();
    return incidents.length === names && incidents.every(found => receiptsOf(found).join() === 'bus,ops');
  }, 'not every record has its receipts');

let heard: Receivers;
afterEach(() => heard?.close());

async function telling(log?: Logger): Promise<void> {
  heard = await receivers();
  count += 1;
  scene = new Scene(cluster, `status-${count}`);
  await scene.shop.open();
  await scene.start(undefined, { messages: heard.messages, ...(log && { log }) });
  await scene.settled('1');
}

async function restart(log?: Logger): Promise<void> {
  await scene.stop();
  await scene.start(undefined, { messages: heard.messages, ...(log && { log }) });
}

test('a release is told once to each sink that asked, with the figures of its record, and not again after a restart', async () => {
  await telling();
  await scene.takenBack('2');
  await allReceived(1);
  const [object] = (await scene.shop.incidents()) as (KubeObject & { data?: unknown })[];
  const record = parseIncident(object?.data);
  if (!object || !record) throw new Error('there is no record');
  const [chat, ...others] = (heard.got['ops'] ?? []).map(text => JSON.parse(text).text.split('\n'));
  expect(others).toEqual([]);
  expect(chat).toEqual([
    `prod ${scene.shop.namespace}/shop: 2 was taken back: Regression`,
    record.cause.message,
    '1 serves.',
    `kubectl devshelf why shop -n ${scene.shop.namespace}`,
  ]);
  expect(typesIn(heard)).toEqual(['dev.devshelf.release.released', 'dev.devshelf.release.rolled-back']);
  const event = JSON.parse(heard.got['bus']?.[1] ?? '');
  expect(event).toMatchObject({ id: `${object.metadata.name}.${object.metadata.uid}`, time: record.at, data: record });
  const receipts = parseReceipts(object.metadata.annotations?.[ANNOTATIONS.notified]);
  expect(receipts['ops']).toMatchObject({ outcome: 'sent', of: record.at });
  expect(Date.parse(receipts['ops']?.at ?? '') - Date.parse(record.at)).toBeLessThan(15_000);
  await restart();
  await scene.quiet();
  expect([heard.got['ops']?.length, heard.got['bus']?.length]).toEqual([1, 2]);
  expect(scene.writes).toEqual([]);
}, 60_000);

test('a sink that is down loses nothing, not even over a restart, delays no other, and its address is said nowhere', async () => {
  const written: string[] = [];
  const log = pino({ level: 'trace', base: null }, { write: (line: string) => void written.push(line) });
  await telling(log);
  heard.state.bus = 503;
  await scene.takenBack('2');
  await until(async () => heard.got['ops']?.length === 1, 'the chat is not told');
  const isSaid = async () => scene.operator.said.find(({ reason }) => reason === 'NotificationFailed');
  const failed = await until(isSaid, 'that a message is not delivered is not said');
  expect(failed).toMatchObject({
    type: 'Warning',
    regarding: { kind: 'DashboardDeployment', metadata: { name: 'shop' } },
  });
  expect(failed.note).toMatch(
    /^sink bus: the message about shop-incident-\S+ is not taken by it after 4 tries \(answered 503\)/,
  );
  await scene.takenBack('3');
  await until(async () => heard.got['ops']?.length === 2, 'the chat is not told of the second');
  expect(await scene.operator.metrics()).toMatch(/notifications_total\{sink="ops",outcome="sent"\} 2/);
  expect(await scene.operator.metrics()).toMatch(/notifications_total\{sink="bus",outcome="failed"\} [1-9]/);
  const said = JSON.stringify(scene.operator.said);
  await restart(log);
  heard.state.bus = 200;
  await allReceived(2);
  const events = (heard.got['bus'] ?? [])
    .map(text => JSON.parse(text))
    .filter(({ type }) => type.endsWith('rolled-back'));
  expect(events.map(({ data }) => data.failed.image)).toEqual([image('2'), image('3')]);
  expect(heard.got['ops']).toHaveLength(2);
  const kept = JSON.stringify([await scene.shop.list('apps/v1/controllerrevisions'), await scene.shop.app()]);
  for (const text of [written.join(''), said, kept, await scene.operator.metrics()]) expect(text).not.toContain(CANARY);
}, 60_000);

test('who stops while a slow sink is asked waits for its receipt: the next one sends nothing twice', async () => {
  await telling();
  const { promise: slow, resolve: answers } = Promise.withResolvers<number>();
  heard.state.bus = slow;
  // nobody waits for a message: not the rollback, not the other sink
  await scene.takenBack('2');
  await until(async () => heard.got['ops']?.length === 1, 'the chat is not told');
  const stopped = scene.stop();
  answers(200);
  await stopped;
  await restart();
  await allReceived(1);
  await scene.quiet();
  expect(typesIn(heard).filter(type => type.endsWith('rolled-back'))).toHaveLength(1);
  expect(heard.got['ops']).toHaveLength(1);
}, 60_000);

test('a message that nobody took within an hour is given up, and that is said', async () => {
  await telling();
  heard.state.bus = 503;
  await scene.takenBack('2');
  await until(async () => heard.got['ops']?.length === 1, 'the chat is not told');
  scene.aheadMs = 3_600_000;
  const isOver = async () => scene.operator.said.some(({ note }) => note.includes('is not sent any more'));
  await until(isOver, 'that it is given up is not said');
  heard.state.bus = 200;
  await restart();
  await scene.quiet();
  expect(typesIn(heard)).toEqual(['dev.devshelf.release.released']);
}, 60_000);
