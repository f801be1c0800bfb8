// What takes something out of the schema, on the real cluster and while users ask: the operator, the real `migrate` and a
// real PostgreSQL. One dashboard goes through all scenes; what each of them leaves is where the next one begins.
// With CONTRACT_SCENES=all also what takes longer: going back past what is gone.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { up } from '../cluster/cluster.ts';
import { sleep } from '../cluster/run.ts';
import { type ContractReleases, MIGRATIONS, prepareContractReleases } from './contract-releases.ts';
import { apply, conditionOf, disconnect, find, get, type KubeObject, list, patch, remove } from './kube.ts';
import type { Answer } from './load.ts';
import { clearNamespace, createSecrets, freshNamespace, sql, startStores } from './namespace.ts';
import { installOperator } from './operator.ts';
import { type Recording, record, rolloutOf } from './recording.ts';
import { dashboard, dashboardPath, isReady, isReleased, UNDER_LOAD, untilDashboard } from './story.ts';
import { apiKey, between, isFailed, isHarmed, startTraffic, type Traffic, untilAnswered } from './traffic.ts';
import { until } from './wait.ts';

const MINUTE = 60_000;
const NAMESPACE = 'e2e-contract';
const REQUESTS_PER_SECOND = 30;
const LONG = process.env['CONTRACT_SCENES'] === 'all';
const ROLLOUT = { minReadySeconds: 1, bakeSeconds: 4, analysis: { minimumSeconds: 5 } };
/** A machine that has too much to do for a second is no fault of the schema. */
const PATIENT = [
  ...UNDER_LOAD,
  ...['DB_POOL_TIMEOUT_MS', 'DB_QUERY_TIMEOUT_MS'].map(name => ({ name, value: '4000' })),
];
/** Long enough to turn bad in it. */
const LONG_BAKE = { rollout: { bakeSeconds: 120 } };
const { sinTelefono, pedidoNota, sinFax, sinTelex } = MIGRATIONS;

let releases: ContractReleases;
let recording: Recording;
let users: Traffic;

const path = (name = 'dashboard'): string => dashboardPath(NAMESPACE, name);
const spec = (change: object, name = 'dashboard'): Promise<KubeObject> => patch(path(name), { spec: change });
const becomes = (what: string, matches: (app: KubeObject) => boolean, seconds = 120, name = 'dashboard') =>
  untilDashboard(NAMESPACE, what, matches, seconds, name);
const migrated = (app: KubeObject) => conditionOf(app, 'Migrated') ?? { type: '', status: '' };
const isBecause =
  (reason: string, type = 'Migrated') =>
  (app: KubeObject): boolean =>
    conditionOf(app, type)?.reason === reason;

const columnExists = async (column: string): Promise<boolean> => {
  const found = `SELECT count(*) FROM information_schema.columns WHERE table_name = 'proveedores' AND column_name = '${column}'`;
  return (await sql(NAMESPACE, found)) === '1';
};
const tableExists = async (table: string): Promise<boolean> =>
  (await sql(NAMESPACE, `SELECT to_regclass('${table}') IS NOT NULL`)) === 't';

/** What the release `late-bad` reads: from now on it fails, or does not any more. */
const priceList = (value: 'local' | 'remota'): Promise<string> =>
  sql(
    NAMESPACE,
    `INSERT INTO configuracion_sistema (clave, valor) VALUES ('lista_de_precios', '${value}')
     ON CONFLICT (clave) DO UPDATE SET valor = excluded.valor`,
  );

/** `{"500 of bad":7}` */
function wordsFor(failed: readonly Answer[]): string {
  const kinds = failed.map(({ status, error, release }) => `${status ?? error} of ${release ?? 'nobody'}`);
  return JSON.stringify(
    Object.fromEntries([...new Set(kinds)].map(kind => [kind, kinds.filter(k => k === kind).length])),
  );
}

/** Says what users met in a scene, and returns what failed of it. */
function report(scene: string, from: number): readonly Answer[] {
  const answers = between(users.answers(), from, Date.now() - 1_000);
  const failed = answers.filter(isFailed);
  const seconds = Math.round((Date.now() - from) / 1000);
  console.log(`${scene}: ${answers.length} requests, ${failed.length} failed ${wordsFor(failed)}, ${seconds} s`);
  expect(answers.length).toBeGreaterThan(5 * REQUESTS_PER_SECOND);
  return failed;
}

/** One address in thousands answers to nobody: the node's network. More than one such answer is the service's. */
const isLost = ({ error }: Answer): boolean => error === 'EHOSTUNREACH';
const failuresOf = (failed: readonly Answer[]): readonly Answer[] =>
  failed.filter(isLost).length > 1 ? failed : failed.filter(answer => !isLost(answer));

const eventNotes = (reason: string, from = 0): readonly string[] =>
  recording.events
    .filter(({ at, object }) => at >= from && object['reason'] === reason)
    .map(({ object }) => object['message'] as string);

const untilEvent = (reason: string, from: number): Promise<string> =>
  until(`the event ${reason}`, () => eventNotes(reason, from)[0], { seconds: 120 });

const jobs = (): Promise<readonly KubeObject[]> => list(`/apis/batch/v1/namespaces/${NAMESPACE}/jobs`);

/** A dump of the database that the URL of this Secret names; suspended, so only ever run by hand or by us. */
const dump = (secretName: string): KubeObject => {
  const container = {
    name: 'dump',
    image: releases.postgresql,
    command: ['sh', '-c', 'pg_dump --dbname="$URL" --file=/tmp/dump && test -s /tmp/dump'],
    env: [{ name: 'URL', valueFrom: { secretKeyRef: { name: secretName, key: 'DATABASE_URL' } } }],
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
  };
  const securityContext = { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } };
  const pod = {
    ...{ restartPolicy: 'Never', securityContext, containers: [container] },
    volumes: [{ name: 'tmp', emptyDir: {} }],
  };
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'nightly-dump', namespace: NAMESPACE },
    spec: {
      schedule: '0 3 * * *',
      suspend: true,
      jobTemplate: { spec: { backoffLimit: 0, template: { spec: pod } } },
    },
  };
};

beforeAll(async () => {
  await up();
  releases = await prepareContractReleases();
  await installOperator();
  await freshNamespace(NAMESPACE);
  recording = await record(NAMESPACE);
  await createSecrets(NAMESPACE);
  await startStores(NAMESPACE, releases);
  const of = (name: string, more: object) =>
    apply(dashboard(NAMESPACE, releases.first, { rollout: ROLLOUT, extraEnv: PATIENT, ...more }, name));
  await Promise.all([
    of('dashboard', { replicas: 2 }),
    of('second', { replicas: 1 }),
    of('foreign', {
      image: releases.foreign,
      replicas: 1,
      database: { urlSecretRef: { name: 'devshelf-db' } },
      extraEnv: [],
      migrations: {
        command: ['alembic', 'upgrade', 'head'],
        verifyCommand: ['alembic', 'current', '--check-heads'],
      },
    }),
  ]);
  for (const name of ['dashboard', 'second']) await becomes(`${name} to be Ready`, isReady, 120, name);
  users = await startUsers();
  await untilAnswered(users);
}, 30 * MINUTE);

const startUsers = async (rate = REQUESTS_PER_SECOND): Promise<Traffic> =>
  startTraffic({
    namespace: NAMESPACE,
    service: 'dashboard',
    paths: ['/api/summary', '/api/providers'],
    headers: { 'x-api-key': await apiKey(NAMESPACE, 'dashboard'), 'accept-language': 'es-AR,es;q=0.9' },
    rate,
  });

afterAll(async () => {
  await users?.stop();
  recording?.stop();
  await clearNamespace(NAMESPACE);
  disconnect();
}, 5 * MINUTE);

const secondsOf = (text: string): number => Date.parse(text) / 1000;

test('two resources on one database: one Job at a time', async () => {
  const theirs = (await jobs()).filter(({ metadata }) => /^(dashboard|second)-/.test(metadata.name));
  const times = theirs
    .map(({ status }) => [secondsOf(status.startTime), secondsOf(status.completionTime)] as const)
    .sort(([a], [b]) => a - b);
  expect(times).toHaveLength(2);
  const [first, next] = times;
  expect(next?.[0]).toBeGreaterThanOrEqual(first?.[1] ?? Number.NaN);
  const waited = recording.apps.filter(({ object }) => isBecause('QueuedBehind')(object));
  expect(new Set(waited.map(({ object }) => object.metadata.name)).size).toBe(1);
});

test(
  'a column goes when everybody on the database agrees, the backup is made and the bake is over; no request fails',
  async () => {
    const from = Date.now();
    await spec({ image: releases.contracting });
    const released = await becomes('the release', isReleased(releases.contracting));
    expect(migrated(released)).toMatchObject({ status: 'True', reason: 'ContractWithheld' });
    expect(migrated(released).message).toContain(
      `1 migration waits for agreement: ${sinTelefono} (takes away column proveedores.telefono)`,
    );
    expect(await columnExists('telefono')).toBe(true);

    await apply(dump('nobody'));
    const contract = { allow: [sinTelefono], backup: { cronJob: 'nightly-dump' } };
    await apply({
      ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'nobody', namespace: NAMESPACE } },
      stringData: { DATABASE_URL: 'postgresql://nobody:nothing@postgresql:5432/dashboard' },
    });
    await spec({ migrations: { contract } });
    const held = await becomes('the other resource to be waited for', isBecause('ContractNotAgreed'));
    expect(migrated(held).message).toContain('second uses the same database and has not agreed to');

    await spec({ migrations: { contract: { allow: [sinTelefono] } } }, 'second');
    const unsaved = await becomes('the backup to fail', isBecause('BackupFailed'));
    expect(migrated(unsaved).message).toMatch(/the backup by Job dashboard-backup-\S+ failed .*nothing was taken away/);
    expect(isReady(unsaved)).toBe(true);
    expect(await columnExists('telefono')).toBe(true);

    await apply(dump('dashboard-db'));
    await spec({ rollout: { retryToken: 'the-backup-works' } });
    await untilEvent('Contracted', from);
    const contracted = await becomes('nothing to be withheld', isBecause('UpToDate'));
    expect(contracted['status'].migration).toMatchObject({ contracted: [sinTelefono] });
    expect(contracted['status'].migration.backup).toMatch(/^dashboard-backup-/);
    expect(await columnExists('telefono')).toBe(false);
    const failed = report('AfterBake contract', from);
    // what it serves from is nobody else's any more
    await remove(path('second'));
    const deployment = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/second`;
    await until('the other resource to be gone', async () => (await find(deployment)) === undefined);
    expect(failuresOf(failed)).toEqual([]);
  },
  5 * MINUTE,
);

/** A release that answers half of its users with 500, until it is rejected and its schema is decided on. */
async function badWith(image: string, meanwhile: () => Promise<unknown> = async () => {}): Promise<string> {
  const from = Date.now();
  await spec({ image, migrations: { downOnRollback: 'IfSafe' } });
  await becomes(
    'its migration',
    ({ status }) => status?.migration?.applied?.length === 1 && status.rollout?.candidate !== undefined,
  );
  await meanwhile();
  const decided = () => eventNotes('SchemaReverted', from)[0] ?? eventNotes('SchemaKept', from)[0];
  const said = await until('its schema to be decided on', decided, { seconds: 120 });
  report(said.startsWith('nothing was lost') ? 'IfSafe, reverted' : 'IfSafe, kept', from);
  return said;
}

test(
  'what a rejected release added is undone when nothing is lost by that',
  async () => {
    expect(await badWith(releases.badWithNote)).toBe(`nothing was lost; undone: ${pedidoNota}`);
    expect(await tableExists('pedido_nota')).toBe(false);
  },
  4 * MINUTE,
);

test(
  'and stays when rows are in it, with their number',
  async () => {
    const rows = () => sql(NAMESPACE, "INSERT INTO visita SELECT n, 'v' FROM generate_series(1, 1204) n");
    const said = await badWith(releases.badWithVisit, rows);
    expect(said).toContain('table visita: 1204 rows would be lost');
    const kept = await becomes('the number to be told', isBecause('SchemaKept', 'SchemaReverted'));
    expect(conditionOf(kept, 'SchemaReverted')).toMatchObject({ status: 'False', message: said });
    expect(await sql(NAMESPACE, 'SELECT count(*) FROM visita')).toBe('1204');
  },
  4 * MINUTE,
);

/** Takes something away before it starts, passes its trial, and turns bad when it serves everybody. */
async function lateBad(image: string, allow: readonly string[]): Promise<void> {
  await priceList('local');
  await spec({ image, ...LONG_BAKE, migrations: { contract: { allow, when: 'BeforeRollout', backup: null } } });
  await becomes(`${image} to serve everybody`, ({ status }) => status?.phase === 'Baking', 180);
  await priceList('remota');
}

test(
  'behind the fence, with proof: a bad release is taken back by itself',
  async () => {
    const from = Date.now();
    await lateBad(releases.lateBadProven, [sinTelefono, sinFax]);
    const rejected = await becomes(
      'the rejection',
      ({ status }) => status?.rollout?.rejected?.image === releases.lateBadProven,
    );
    expect(await columnExists('fax')).toBe(false);
    await becomes('the release before it to serve', ({ status }) => status?.currentImage === releases.contracting);
    const words = JSON.stringify([rejected['status'], ...eventNotes('ReleaseRejected', from)]);
    expect(words).toMatch(/2\.1\.0 answered [\d,]+ requests on this schema, 0 of them 5xx/);
    const failed = report('behind the fence, with proof', from);
    // what serves before and after it did well on its schema
    expect(failed.filter(({ release }) => release === 'good')).toEqual([]);
    expect(failed.some(({ release }) => release === 'late-bad')).toBe(true);
  },
  5 * MINUTE,
);

/** What the release that waits for a person says, after it was watched for a while. */
async function untilFenced(): Promise<string> {
  const fenced = await becomes('the fence', isBecause('RollbackFenced', 'AnalysisPassed'));
  expect(conditionOf(fenced, 'Ready')).toMatchObject({ status: 'False', reason: 'RollbackFenced' });
  expect(conditionOf(fenced, 'Stalled')).toMatchObject({ status: 'True' });
  await sleep(3_000);
  const deployment = await get(`/apis/apps/v1/namespaces/${NAMESPACE}/deployments/dashboard`);
  expect(JSON.stringify(deployment['spec'].template)).toContain(releases.lateBadUnproven);
  expect(rolloutOf(deployment)?.phase).toBe('Baking');
  return conditionOf(fenced, 'AnalysisPassed')?.message ?? '';
}

test(
  'behind the fence, without proof: it stays, a person is called, and a release that mends it goes ahead',
  async () => {
    const from = Date.now();
    // so few users at night that the release passes for want of them, and nobody knows how the one before it does
    await users.stop();
    users = await startUsers(4);
    const analysis = { onInsufficientTraffic: 'Promote', timeoutSeconds: 10 };
    await spec({ rollout: { analysis } });
    await lateBad(releases.lateBadUnproven, [sinTelefono, sinFax, sinTelex]);
    const morning = Date.now();
    await users.stop();
    users = await startUsers();
    const message = await untilFenced();
    console.log(`RollbackFenced: ${message}`);
    expect(message).toMatch(/requests answered 5xx.*not taken back: .*20260305000000_sin_telex took something away/);
    expect(message).toMatch(
      /annotate devshelf.dev\/past-contract=\S+\/20260305000000_sin_telex to go back all the same/,
    );
    expect(eventNotes('RollbackFenced', from)).not.toEqual([]);

    if (LONG) await goBackAllTheSame(message);
    const mended = { bakeSeconds: 4, analysis: { onInsufficientTraffic: 'Hold', timeoutSeconds: 600 } };
    await spec({ image: releases.mended, rollout: mended });
    await becomes('the release that mends it', isReleased(releases.mended), 180);
    expect(report('behind the fence, without proof', morning).some(isHarmed)).toBe(true);
    const since = Date.now();
    await sleep(3_000);
    expect(failuresOf(between(users.answers(), since, Date.now()).filter(isFailed))).toEqual([]);
  },
  6 * MINUTE,
);

/** The annotation that the message names takes the bad release back. */
async function goBackAllTheSame(message: string): Promise<void> {
  const [, name = '', value = ''] = /annotate (\S+)=(\S+) to go back/.exec(message) ?? [];
  await patch(path(), { metadata: { annotations: { [name]: value } } });
  await becomes('the release before it', ({ status }) => status?.rollout?.rejected?.image === releases.lateBadUnproven);
  await becomes(
    'it to serve',
    ({ status }) => status?.currentImage === releases.contracting && status.phase === 'Failed',
  );
  await patch(path(), { metadata: { annotations: { [name]: null } } });
}

if (LONG)
  test(
    'an image from before what is gone is refused, and runs when a person insists',
    async () => {
      await spec({ image: releases.contracting });
      const refused = await becomes('the refusal', isBecause('BehindContract'));
      const { message = '' } = migrated(refused);
      console.log(`BehindContract: ${message}`);
      const [, name = '', value = ''] = /annotate (\S+)=(\S+) to run it/.exec(message) ?? [];
      await patch(path(), { metadata: { annotations: { [name]: value } } });
      await becomes('the image from before it', isReleased(releases.contracting), 180);
    },
    5 * MINUTE,
  );

test(
  'a command that is not ours is believed when its verifyCommand is',
  async () => {
    const verified = await becomes('the foreign command', isReady, 120, 'foreign');
    expect(migrated(verified)).toMatchObject({ status: 'True' });
    expect(verified['status'].migration).toMatchObject({ result: 'Verified' });
    // it exits with 0, and leaves the database elsewhere than where the image wants it
    const command = ['alembic', 'downgrade', 'base'];
    await spec({ extraEnv: [{ name: 'RELEASE', value: 'b' }], migrations: { command } }, 'foreign');
    const isUnverified = ({ status }: KubeObject) => status?.rollout?.rejected?.reason === 'FalseSuccess';
    const refused = await becomes('the verification to fail', isUnverified, 120, 'foreign');
    expect(refused['status'].currentImage).toBe(releases.foreign);
    expect(conditionOf(refused, 'Available')).toMatchObject({ status: 'True' });
  },
  3 * MINUTE,
);
