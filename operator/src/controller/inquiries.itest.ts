// Pods that take long to answer are waited for by nobody.
import { afterAll, beforeAll, test } from '@jest/globals';
import { LABELS } from '../objects/names.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { startOperator } from './testing/little-operator.ts';
import { type Script, ScriptedEvidence } from './testing/scripted-evidence.ts';
import { image, Shop, until } from './testing/shop.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built

let cluster: LittleCluster;

beforeAll(async () => {
  cluster = await startLittleCluster();
}, BUILD_MS);
afterAll(async () => {
  await cluster?.stop();
});

test('a bad release is taken back at once while more resources than there are workers are being rehearsed', async () => {
  const shops = ['victim', 'a', 'b', 'c', 'd'].map(name => new Shop(cluster, `inquiries-${name}`));
  const [victim, ...others] = shops as [Shop, ...Shop[]];
  // each its own database: one at a time is migrated of each
  await Promise.all(shops.map(shop => shop.open({ database: false })));
  const databaseOf = ({ namespace }: Shop) => `postgresql://shop:secret@db.example:5432/${namespace}`;
  await Promise.all(shops.map(shop => shop.addDatabase(databaseOf(shop))));
  const script: Script = new Map([[image('2'), { canary: 'Pending' }]]);
  const underWay: AbortSignal[] = [];
  const answer = Promise.withResolvers<{ passed: boolean; message: string }>();
  const operator = await startOperator({
    transport: await cluster.connect(),
    namespaces: shops.map(({ namespace }) => namespace),
    script,
    evidence: (world, wake) => {
      const evidence = new ScriptedEvidence(script, world, wake);
      const scripted = evidence.rehearse.bind(evidence);
      const slow = async (app: Parameters<typeof scripted>[0], pod: string, signal: AbortSignal) => {
        if (app.metadata.namespace === victim.namespace) return scripted(app, pod);
        underWay.push(signal);
        return answer.promise;
      };
      return Object.assign(evidence, { rehearse: slow });
    },
  });
  const candidates = async () =>
    (await victim.list('pods')).filter(
      ({ metadata, ...pod }) =>
        metadata.labels?.[LABELS.role] === 'serving' &&
        metadata.deletionTimestamp === undefined &&
        JSON.stringify(pod).includes(image('2')),
    );
  try {
    await Promise.all(shops.map(shop => shop.create('1')));
    await Promise.all(shops.map(shop => shop.settles('1')));
    await victim.release('2');
    await victim.says('Analysing', 'AnalysisPassed');
    await Promise.all(others.map(shop => shop.release('3')));
    await until(async () => underWay.length === others.length, 'not all of them are rehearsed');
    // what goes on meanwhile is said
    await Promise.all(others.map(shop => shop.says('RehearsalRunning')));
    script.set(image('2'), { canary: 'Bad' });
    await victim.annotate({ nudge: '1' });
    await until(async () => (await candidates()).length === 0, 'it is not taken back', 3_000);
    // a spec that is of no interest any more: its rehearsal is broken off, the others' end
    const [first] = others as [Shop];
    await first.release('1');
    await until(async () => underWay.filter(({ aborted }) => aborted).length === 1, 'it goes on being rehearsed');
    answer.resolve({ passed: true, message: 'it answered at last' });
    await Promise.all(others.slice(1).map(shop => shop.settles('3')));
  } finally {
    await operator.stop();
  }
}, 120_000);
