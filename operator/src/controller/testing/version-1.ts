// What an operator wrote that knew version 1 of the record, when a candidate was held inside the Deployment that serves:
// version-1.jsonl has its requests as they were, one a line. (Its keys are made of 32 equal bytes.)
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AppKind } from '../../api/resource.ts';
import { hashOf } from '../../kube/apply.ts';
import type { KubeObject } from '../../kube/resource.ts';
import type { Request } from '../../kube/transport.ts';
import { image, QUICK, type Shop, until } from './shop.ts';

/** Each goes on where the one before it ended. */
const CHAPTERS = ['settled', 'trial', 'bake'] as const;
type Chapter = (typeof CHAPTERS)[number];

type Written = Pick<Request, 'method' | 'path' | 'query' | 'contentType'> & {
  readonly kind: AppKind;
  readonly chapter: Chapter;
  readonly body: KubeObject;
};

const all = (): Written[] =>
  readFileSync(join(import.meta.dirname, 'version-1.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Written);

/** When the last of them was written, epoch milliseconds. */
export const WRITTEN_AT = Date.parse('2026-11-28T20:41:43Z');

const APPLIED = 'devshelf.dev/applied';

/** Writes all of it for a new resource, up to the end of the chapter, as the earlier operator did. */
export async function asVersion1Left(shop: Shop, last: Chapter): Promise<void> {
  await shop.create('1', shop.kind === 'DevShelfDeployment' ? { redis: { urlSecretRef: { name: 'cache' } } } : {});
  const uid = (await shop.app())?.metadata.uid ?? '';
  for (const chapter of CHAPTERS.slice(0, CHAPTERS.indexOf(last) + 1)) {
    if (chapter === 'trial') await shop.patch({ image: image('2'), rollout: { ...QUICK, bakeSeconds: 3600 } });
    const requests = all().filter(written => written.kind === shop.kind && written.chapter === chapter);
    for (const request of requests) {
      await shop.cluster.transport.request(of(shop, uid, request));
      if (request.path.endsWith('/deployments/shop')) await takesEffect(shop);
    }
  }
}

/** The same request about this very resource. */
function of(shop: Shop, uid: string, { method, path, query, contentType, body }: Written): Request {
  const owner = body.metadata.ownerReferences?.[0]?.uid ?? uid;
  const text = JSON.stringify(body)
    .replaceAll(owner, uid)
    .replaceAll('"namespace":"old"', `"namespace":"${shop.namespace}"`);
  return {
    method,
    path: path.replace('/namespaces/old/', `/namespaces/${shop.namespace}/`),
    ...(query && { query }),
    ...(contentType && { contentType }),
    body: restamped(body, JSON.parse(text) as KubeObject),
  };
}

/** @throws Error when this version would not understand its mark: every object would be written once more */
function restamped(original: KubeObject, moved: KubeObject): KubeObject {
  const known = original.metadata.annotations?.[APPLIED];
  if (known === undefined) return moved;
  if (hashOf(withoutMark(original)) !== known) throw new Error(`${APPLIED} of ${original.kind} is not understood`);
  const annotations = { ...moved.metadata.annotations, [APPLIED]: hashOf(withoutMark(moved)) };
  return { ...moved, metadata: { ...moved.metadata, annotations } };
}

function withoutMark(object: KubeObject): KubeObject {
  const { [APPLIED]: _mark, ...others } = object.metadata.annotations ?? {};
  const { annotations: _all, ...metadata } = object.metadata;
  const isEmpty = Object.keys(others).length === 0;
  return { ...object, metadata: { ...metadata, ...(isEmpty ? {} : { annotations: others }) } };
}

/** A held candidate is one pod beside those that serve; anything else is complete. */
async function takesEffect(shop: Shop): Promise<void> {
  const isHeld = ((await shop.deployment())?.spec?.['minReadySeconds'] ?? 0) > 1_000_000;
  if (!isHeld) return shop.controllersRest();
  const ready = async () => (await shop.deployment())?.status?.['readyReplicas'] === 3;
  await until(ready, `${shop.namespace}: the candidate does not come`);
}
