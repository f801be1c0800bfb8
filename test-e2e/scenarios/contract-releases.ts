// The images of the scenes in contract.e2e.ts: each brings a migration, and most of them a fault (overlays/).
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '../cluster/build.ts';
import { loadImages } from '../cluster/cluster.ts';
import { buildOverlay, type Image, projectImage, storeImage } from '../cluster/images.ts';
import { CHECKOUT } from '../cluster/paths.ts';

const OVERLAYS = join(import.meta.dirname, 'overlays');
const SERVER = '/usr/local/bin/server';

export const MIGRATIONS = {
  telefono: '20260201000000_proveedor_telefono',
  notas: '20260202000000_proveedor_notas',
  sinTelefono: '20260301000000_sin_telefono',
  pedidoNota: '20260302000000_pedido_nota',
  visita: '20260303000000_visita',
  sinFax: '20260304000000_sin_fax',
  sinTelex: '20260305000000_sin_telex',
} as const;

const RELEASES = {
  /** Brings the columns that the others take away. */
  first: { tag: '2.0.0', server: 'good', migrations: ['telefono', 'notas'] },
  /** Takes a column away that nobody reads. */
  contracting: { tag: '2.1.0', server: 'good', migrations: ['sinTelefono'] },
  /** Bad from the first request on, for what users send in a header; each with a table of its own. */
  badWithNote: { tag: '2.2.0', server: 'unseen-bad', migrations: ['sinTelefono', 'pedidoNota'] },
  badWithVisit: { tag: '2.3.0', server: 'unseen-bad', migrations: ['sinTelefono', 'visita'] },
  /** Take a column away that cannot wait, and turn bad when they serve everybody. */
  lateBadProven: { tag: '2.4.0', server: 'late-bad', migrations: ['sinTelefono', 'sinFax'] },
  lateBadUnproven: { tag: '2.5.0', server: 'late-bad', migrations: ['sinTelefono', 'sinFax', 'sinTelex'] },
  mended: { tag: '2.5.1', server: 'good', migrations: ['sinTelefono', 'sinFax', 'sinTelex'] },
} as const;

type Name = keyof typeof RELEASES;

export type ContractReleases = Readonly<Record<Name | 'foreign' | 'postgresql' | 'redis', string>>;

async function programOf(overlay: string): Promise<string> {
  const outfile = join(CHECKOUT, 'build', 'overlays', overlay, 'program');
  mkdirSync(join(outfile, '..'), { recursive: true });
  await bundle(join(OVERLAYS, `${overlay}.ts`), outfile);
  return outfile;
}

/** Builds the operator and all of these, and loads them into the node. What is unchanged is kept. */
export async function prepareContractReleases(): Promise<ContractReleases> {
  const images: Image[] = [await projectImage('operator')];
  const named: Record<string, string> = {};
  const take = (name: string, image: Image): Image => {
    images.push(image);
    named[name] = image.reference;
    return image;
  };
  const product = await projectImage('dashboard', '1.0.0');
  const build = async (name: Name, from: Image): Promise<Image> => {
    const { tag, server, migrations } = RELEASES[name];
    const files = Object.fromEntries(
      migrations.map(key => [
        `/app/prisma/migrations/${MIGRATIONS[key]}`,
        join(OVERLAYS, 'migrations', MIGRATIONS[key]),
      ]),
    );
    const request = { from, name: 'dashboard', tag };
    return take(name, await buildOverlay({ ...request, files: { ...files, [SERVER]: await programOf(server) } }));
  };
  const first = await build('first', product);
  for (const name of Object.keys(RELEASES) as Name[]) if (name !== 'first') await build(name, first);
  const foreign = { [SERVER]: await programOf('told'), '/usr/local/bin/alembic': await programOf('alembic') };
  take('foreign', await buildOverlay({ from: product, name: 'foreign', tag: '1', files: foreign }));
  for (const store of ['postgresql', 'redis'] as const) take(store, await storeImage(store));
  await loadImages(images);
  return named as ContractReleases;
}
