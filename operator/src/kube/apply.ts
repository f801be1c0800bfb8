// Writing objects, and not writing them when that would change nothing.
//
// When is a write needed? Comparing values with the live object does not answer it: the server normalizes ("1000m"
// becomes "1"), fills in defaults, drops what is empty, and webhooks rewrite; every such difference is a write loop.
// Two facts answer it exactly, and both are in the object's metadata (so a metadata-only watch of Secrets is enough,
// and stores need not keep specs):
//
//  - an annotation with the hash of what we applied last: another desire, a dropped field included, has another hash;
//  - managedFields, where the server itself records which fields are still as we applied them: whoever changes or
//    removes one of ours takes it from our share. So every field we desire must be in our share.
//
// What somebody adds beside our fields (an extra label, one more container port) is not ours and stays: that is
// server-side apply's promise to the other writers of an object.

import { createHash } from 'node:crypto';
import { isNotFound } from './errors.ts';
import { type KubeObject, type Metadata, pathOf, pathTo, type Resource } from './resource.ts';
import { APPLY_PATCH, type Transport } from './transport.ts';

/** As whom objects are written, and where the hash of what was written is kept. */
export type Writer = {
  readonly fieldManager: string;
  /** Absent: no hash is kept, for a share of an object whose annotations belong to another writer. */
  readonly hashAnnotation?: string;
};

/** A writer's share of a live object: all that `differs` needs of it. */
export type Applied = { readonly hash: string | undefined; readonly apiVersion: string; readonly fields: object };

export type WriteOptions = { signal?: AbortSignal; timeoutMs?: number };

/**
 * Server-side apply, by force: fields of this object belong to this writer. Asking twice is harmless.
 * @throws ApiError `ApplyFailed`
 */
export function apply<T extends KubeObject>(
  transport: Transport,
  resource: Resource<T>,
  object: KubeObject,
  writer: Writer,
  options: WriteOptions & { subresource?: string } = {},
): Promise<T> {
  const { subresource, ...request } = options;
  return transport.request<T>({
    method: 'PATCH',
    path: pathTo(resource, object, subresource),
    query: { fieldManager: writer.fieldManager, force: true },
    contentType: APPLY_PATCH,
    body: stamped(object, writer),
    ...request,
  });
}

/** Server-side apply of the `status` subresource; the object holds `apiVersion`, `kind`, `metadata`, `status`. */
export function applyStatus<T extends KubeObject>(
  transport: Transport,
  resource: Resource<T>,
  object: KubeObject,
  { fieldManager }: Pick<Writer, 'fieldManager'>,
  options: WriteOptions = {},
): Promise<T> {
  return apply(transport, resource, object, { fieldManager }, { ...options, subresource: 'status' });
}

/**
 * JSON merge patch of the `status` subresource. With the resourceVersion the status was computed from, a newer object
 * is not overwritten (409).
 * @throws ApiError `PatchFailed`
 */
export function patchStatus<T extends KubeObject>(
  transport: Transport,
  resource: Resource<T>,
  target: Pick<KubeObject, 'metadata'>,
  status: object,
  { fieldManager, ...options }: WriteOptions & { fieldManager: string },
): Promise<T> {
  const { resourceVersion } = target.metadata;
  return transport.request<T>({
    method: 'PATCH',
    path: pathTo(resource, target, 'status'),
    query: { fieldManager },
    contentType: 'application/merge-patch+json',
    body: { ...(resourceVersion !== undefined && { metadata: { resourceVersion } }), status },
    ...options,
  });
}

/** @throws ApiError `CreateFailed`; `isAlreadyExists` when the name is taken */
export function create<T extends KubeObject>(
  transport: Transport,
  resource: Resource<T>,
  object: KubeObject,
  { fieldManager, ...options }: WriteOptions & { fieldManager: string },
): Promise<T> {
  const { namespace } = object.metadata;
  const path = pathOf(resource, namespace === undefined ? {} : { namespace });
  return transport.request<T>({ method: 'POST', path, query: { fieldManager }, body: object, ...options });
}

/** Undefined when there is none. @throws ApiError `GetFailed` */
export async function get<T extends KubeObject>(
  transport: Transport,
  resource: Resource<T>,
  target: { namespace?: string; name: string },
  options: WriteOptions = {},
): Promise<T | undefined> {
  try {
    return await transport.request<T>({ method: 'GET', path: pathTo(resource, { metadata: target }), ...options });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

export type RemoveOptions = WriteOptions & {
  /** Only this very object, not one of the same name that came after it (409). */
  uid?: string;
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  /** Absent: what the object itself says. A smaller number also hurries one that is on its way out already. */
  gracePeriodSeconds?: number;
};

/** Asking twice is harmless: one that is gone already is fine. @throws ApiError `DeleteFailed` */
export async function remove(
  transport: Transport,
  resource: Resource,
  target: { namespace?: string; name: string },
  { uid, propagationPolicy = 'Background', gracePeriodSeconds, ...options }: RemoveOptions = {},
): Promise<void> {
  const body = {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    propagationPolicy,
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    ...(uid !== undefined && { preconditions: { uid } }),
  };
  try {
    await transport.request({ method: 'DELETE', path: pathTo(resource, { metadata: target }), body, ...options });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Hash of an object's JSON with sorted keys; absent and undefined are the same. */
export function hashOf(object: unknown): string {
  return createHash('sha256').update(canonical(object)).digest('hex').slice(0, 16);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, child: unknown) => (isMap(child) ? sorted(child) : child)) ?? '';
}

function sorted(map: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function stamped<T extends KubeObject>(object: T, { hashAnnotation }: Writer): T {
  if (hashAnnotation === undefined) return object;
  const annotations = { ...object.metadata.annotations, [hashAnnotation]: hashOf(object) };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** What a store keeps of a live object so that `differs` can be asked; undefined when the writer has no share in it. */
export function appliedBy(
  metadata: Pick<Metadata, 'annotations' | 'managedFields'>,
  writer: Writer,
): Applied | undefined {
  const share = metadata.managedFields?.find(
    ({ manager, operation, subresource }) =>
      manager === writer.fieldManager && operation === 'Apply' && subresource === undefined,
  );
  if (!share?.fieldsV1 || share.apiVersion === undefined) return undefined;
  const hash = writer.hashAnnotation === undefined ? undefined : metadata.annotations?.[writer.hashAnnotation];
  return { hash, apiVersion: share.apiVersion, fields: share.fieldsV1 };
}

/**
 * Whether applying `desired` would change anything: false right after it was applied, and until somebody changes or
 * removes one of its fields, or something else is desired. Without a hash (`writer.hashAnnotation` absent) another
 * value of a field is not noticed, only that the field is no longer ours.
 */
export function differs(desired: KubeObject, applied: Applied | undefined, writer: Writer): boolean {
  if (!applied || applied.apiVersion !== desired.apiVersion) return true;
  if (writer.hashAnnotation !== undefined && applied.hash !== hashOf(desired)) return true;
  return !owns(applied.fields, withoutIdentity(stamped(desired, writer)));
}

/** Who an object is belongs to nobody, so it is in nobody's share. */
function withoutIdentity({ apiVersion: _, kind: _kind, metadata, ...rest }: KubeObject): object {
  const { name: _name, namespace: _namespace, ...owned } = metadata;
  return Object.keys(owned).length === 0 ? rest : { metadata: owned, ...rest };
}

// fieldsV1 mirrors the object: `f:name` is a field, `k:{"name":"x"}` the list item with these key fields, `v:"x"` the
// item of a set, `.` the map or item itself. A node without children is owned whole: a scalar, or a list or map that
// the server treats as one value.
type FieldsNode = Readonly<Record<string, object>>;

function owns(node: object, desired: unknown): boolean {
  const fields = node as FieldsNode;
  const children = Object.keys(fields);
  if (children.length === 0) return true;
  if (Array.isArray(desired)) return desired.every(item => ownsItem(fields, children, item));
  if (isMap(desired)) return Object.entries(desired).every(([name, value]) => ownsField(fields, name, value));
  return true;
}

function ownsField(fields: FieldsNode, name: string, value: unknown): boolean {
  if (value === undefined) return true;
  const node = fields[`f:${name}`];
  return node === undefined ? false : owns(node, value);
}

function ownsItem(fields: FieldsNode, children: readonly string[], item: unknown): boolean {
  if (!isMap(item)) return children.includes(`v:${JSON.stringify(item)}`);
  const key = children.find(child => child.startsWith('k:') && hasKeys(item, JSON.parse(child.slice(2))));
  const node = key === undefined ? undefined : fields[key];
  return node === undefined ? false : owns(node, item);
}

/** A key field that the item leaves out was filled in by the server (a port's protocol). */
function hasKeys(item: Readonly<Record<string, unknown>>, keys: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(keys).every(([name, value]) => item[name] === undefined || item[name] === value);
}
