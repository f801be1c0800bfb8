// The images of the story. The first is the product as it is; the others have another `server` put over it, made of the
// same sources (overlays/), so that the faults of the story are in no product.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '../cluster/build.ts';
import { loadImages } from '../cluster/cluster.ts';
import { buildOverlay, type Image, projectImage, storeImage } from '../cluster/images.ts';
import { CHECKOUT } from '../cluster/paths.ts';

const OVERLAYS = join(import.meta.dirname, 'overlays');
const SERVER = '/usr/local/bin/server';
const MIGRATION = '20260201000000_proveedor_telefono';

type Overlay = 'good' | 'bad' | 'unseen-bad' | 'slow' | 'late-bad' | 'broken-start';

export type Releases = {
  readonly devshelf: string;
  /** The product as it is. */
  readonly first: string;
  /** Nothing wrong, and it brings a migration. */
  readonly good: string;
  readonly brokenStart: string;
  /** Half of all requests are answered with 500. */
  readonly bad: string;
  /** The same, but only with a header that users send: one image per run, they differ in their tag only. */
  readonly unseenBad: readonly string[];
  /** Two more of them, for what somebody else does meanwhile. */
  readonly badWhileScaledOut: string;
  readonly badWhileRefused: string;
  /** Half of all answers take a second longer, and are right. */
  readonly slow: string;
  readonly lateBad: string;
  /** Nothing wrong with these either. */
  readonly better: string;
  readonly best: string;
  readonly postgresql: string;
  readonly redis: string;
};

const servers = new Map<Overlay, Promise<string>>();

/** Several releases have the same one. */
function serverOf(overlay: Overlay): Promise<string> {
  const server = servers.get(overlay) ?? bundleServer(overlay);
  servers.set(overlay, server);
  return server;
}

async function bundleServer(overlay: Overlay): Promise<string> {
  const outfile = join(CHECKOUT, 'build', 'overlays', overlay, 'server');
  mkdirSync(join(outfile, '..'), { recursive: true });
  await bundle(join(OVERLAYS, `${overlay}.ts`), outfile);
  return outfile;
}

/** Builds the operator and every release of the story, and loads them into the node. What is unchanged is kept. */
export async function prepareReleases(badRuns: number): Promise<Releases> {
  const operator = await projectImage('operator');
  const devshelf = await projectImage('devshelf', '1.0.0');
  const first = await projectImage('dashboard', '1.0.0');
  const [postgresql, redis] = [await storeImage('postgresql'), await storeImage('redis')];
  const good = await buildOverlay({
    from: first,
    name: 'dashboard',
    tag: '1.1.0',
    files: {
      [SERVER]: await serverOf('good'),
      [`/app/prisma/migrations/${MIGRATION}`]: join(OVERLAYS, 'migrations', MIGRATION),
    },
  });
  const variant = async (overlay: Overlay, tag: string): Promise<Image> =>
    buildOverlay({ from: good, name: 'dashboard', tag, files: { [SERVER]: await serverOf(overlay) } });
  const brokenStart = await variant('broken-start', '1.2.0');
  const bad = await variant('bad', '1.2.1');
  const unseenBad: Image[] = [];
  for (let run = 1; run <= badRuns; run += 1) unseenBad.push(await variant('unseen-bad', `1.3.${run}`));
  const [scaledOut, refused] = [await variant('unseen-bad', '1.3.101'), await variant('unseen-bad', '1.3.102')];
  const slow = await variant('slow', '1.3.201');
  const lateBad = await variant('late-bad', '1.4.0');
  const [better, best] = [await variant('good', '1.5.0'), await variant('good', '1.6.0')];
  const stores = [postgresql, redis];
  await loadImages([
    operator,
    ...stores,
    devshelf,
    first,
    good,
    brokenStart,
    bad,
    ...unseenBad,
    scaledOut,
    refused,
    slow,
    lateBad,
    better,
    best,
  ]);
  return {
    devshelf: devshelf.reference,
    first: first.reference,
    good: good.reference,
    brokenStart: brokenStart.reference,
    bad: bad.reference,
    unseenBad: unseenBad.map(({ reference }) => reference),
    badWhileScaledOut: scaledOut.reference,
    badWhileRefused: refused.reference,
    slow: slow.reference,
    lateBad: lateBad.reference,
    better: better.reference,
    best: best.reference,
    postgresql: postgresql.reference,
    redis: redis.reference,
  };
}
