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

import { hash } from 'node:crypto';
import { isNotFound } from './errors.ts';
import { type KubeObject, type ManagedFields, type Metadata, pathOf, pathTo, type Resource } from './resource.ts';
import { APPLY_PATCH, type Transport } from './transport.ts';

/** As whom objects are written, and where the hash of what was written is kept. */
export type Writer = {
  readonly fieldManager: string;
  /** Absent: no hash is kept, for a share of an object whose annotations belong to another writer. */
  readonly hashAnnotation?: string;
};

/** A writer's share of a live object: all that `differs` needs of it. */
export type Applied = {
  readonly hash: string | undefined;
  readonly apiVersion: string;
  readonly fields: object;
};

export type WriteOptions = { signal?: AbortSignal; timeoutMs?: number };

/**
 * Server-side apply, by force: fields of this object belong to this writer. Asking twice is harmless.
 * @param options.resourceVersion only over this very version: 409 when somebody was faster
 * @param options.dryRun everything is checked, nothing is written
 * @throws ApiError `ApplyFailed`
 */
export function apply<T extends KubeObject>(
  transport: Transport,
  resource: Resource<T>,
  object: KubeObject,
  writer: Writer,
  options: WriteOptions & { subresource?: string; resourceVersion?: string; dryRun?: boolean } = {},
): Promise<T> {
  const { subresource, resourceVersion, dryRun, ...request } = options;
  const whole = stamped(object, writer);
  return transport.request<T>({
    method: 'PATCH',
    path: pathTo(resource, object, subresource),
    query: { fieldManager: writer.fieldManager, force: true, ...(dryRun && { dryRun: 'All' }) },
    contentType: APPLY_PATCH,
    body: resourceVersion === undefined ? whole : { ...whole, metadata: { ...whole.metadata, resourceVersion } },
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
  const text = JSON.stringify(inOrder(object)) ?? '';
  return hash('sha256', text, 'hex').slice(0, 16);
}

/** A copy: with a replacer, or piece by piece, the text takes twice as long. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (!isMap(value)) return value;
  const sorted: Record<string, unknown> = {};
  for (const key of Object.keys(value).sort()) {
    if (key === '__proto__') Object.defineProperty(sorted, key, { value: inOrder(value[key]), enumerable: true });
    else sorted[key] = inOrder(value[key]);
  }
  return sorted;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function stamped<T extends KubeObject>(object: T, { hashAnnotation }: Writer, hash = hashOf(object)): T {
  if (hashAnnotation === undefined) return object;
  const annotations = { ...object.metadata.annotations, [hashAnnotation]: hash };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

const isShareOf =
  ({ fieldManager }: Pick<Writer, 'fieldManager'>, of?: string) =>
  ({ manager, operation, subresource }: ManagedFields): boolean =>
    manager === fieldManager && operation === 'Apply' && subresource === of;

/** What a store keeps of a live object so that `differs` can be asked; undefined when the writer has no share in it. */
export function appliedBy(
  metadata: Pick<Metadata, 'annotations' | 'managedFields'>,
  writer: Writer,
): Applied | undefined {
  const share = metadata.managedFields?.find(isShareOf(writer));
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
  const hash = writer.hashAnnotation === undefined ? '' : hashOf(desired);
  if (writer.hashAnnotation !== undefined && applied.hash !== hash) return true;
  return !owns(applied.fields, withoutIdentity(stamped(desired, writer, hash)));
}

/** Who an object is belongs to nobody, so it is in nobody's share. */
function withoutIdentity({ apiVersion: _, kind: _kind, metadata, ...rest }: KubeObject): object {
  const { name: _name, namespace: _namespace, ...owned } = metadata;
  return Object.keys(owned).length === 0 ? rest : { metadata: owned, ...rest };
}

/** A field below some path that another writer has put there, and we have not. */
export type ForeignField = { readonly manager: string; readonly field: string };

/**
 * What others have put below `path` (`f:spec`, `f:template`) of an object besides what is ours. A field that both set to
 * the same value is ours. Fields are named for people: `spec.containers[app].env[FAIL]`.
 */
export function foreignFields(
  metadata: Pick<Metadata, 'managedFields'>,
  { fieldManager }: Pick<Writer, 'fieldManager'>,
  path: readonly string[],
): ForeignField[] {
  const leavesIn = (ours: boolean) =>
    (metadata.managedFields ?? []).flatMap(({ manager = '', fieldsV1 }) =>
      fieldsV1 && (manager === fieldManager) === ours
        ? leavesOf(below(fieldsV1, path)).map(leaf => ({ manager, leaf }))
        : [],
    );
  const others = leavesIn(false);
  // nearly always: what is ours need not be known then
  if (others.length === 0) return [];
  const ours = new Set(leavesIn(true).map(({ leaf }) => leaf));
  return others
    .filter(({ leaf }) => !ours.has(leaf))
    .map(({ manager, leaf }) => ({ manager, field: leaf.replace(/^\./, '') }));
}

/** Whether this writer has set each of these fields below `path`, and nobody else any of them. */
export function isAloneIn(
  metadata: Pick<Metadata, 'managedFields'>,
  { fieldManager }: Pick<Writer, 'fieldManager'>,
  path: readonly string[],
  fields: readonly string[],
): boolean {
  const writersOf = (field: string): (string | undefined)[] =>
    (metadata.managedFields ?? []).flatMap(({ manager, fieldsV1 }) =>
      fieldsV1 && Object.hasOwn(below(fieldsV1, path) ?? {}, `f:${field}`) ? [manager] : [],
    );
  return fields.map(writersOf).every(writers => writers.length > 0 && writers.every(name => name === fieldManager));
}

export type LastWrite = { readonly by: string; readonly at: string };

/**
 * Who wrote something below `path` of an object last, and when (RFC 3339, to the second): an entry that has something
 * there, and whose manager was at work last. What was written through a subresource is another story.
 */
export function lastWrite({ managedFields = [] }: Pick<Metadata, 'managedFields'>, path: readonly string[]) {
  const writes = managedFields.flatMap(({ manager: by, time: at, subresource, fieldsV1 }): LastWrite[] => {
    const isThere = !subresource && fieldsV1 !== undefined && below(fieldsV1, path) !== undefined;
    return isThere && by !== undefined && at !== undefined ? [{ by, at }] : [];
  });
  return writes.reduce<LastWrite | undefined>((last, one) => (last && last.at > one.at ? last : one), undefined);
}

const below = (node: object, path: readonly string[]): object | undefined =>
  path.reduce<object | undefined>((at, name) => (at as FieldsNode | undefined)?.[name], node);

/** The item itself (`.`) says only that somebody made it: what is in it tells more, unless there is nothing else. */
function leavesOf(node: object | undefined, name = ''): string[] {
  if (!node) return [];
  const children = Object.entries(node as FieldsNode).filter(([key]) => key !== '.');
  if (children.length === 0) return name === '' ? [] : [name];
  return children.flatMap(([key, child]) => leavesOf(child, `${name}${labelOf(key)}`));
}

function labelOf(key: string): string {
  if (key.startsWith('f:')) return `.${key.slice(2)}`;
  if (!key.startsWith('k:')) return `[${key.slice(2)}]`;
  return `[${Object.values(JSON.parse(key.slice(2)) as Record<string, unknown>).join(',')}]`;
}

// fieldsV1 mirrors the object: `f:name` is a field, `k:{"name":"x"}` the list item with these key fields, `v:"x"` the
// item of a set, `.` the map or item itself. A node without children is owned whole: a scalar, or a list or map that
// the server treats as one value.
type FieldsNode = Readonly<Record<string, object>>;

function owns(node: object, desired: unknown): boolean {
  const fields = node as FieldsNode;
  if (isEmpty(fields)) return true;
  if (Array.isArray(desired)) return desired.every(item => ownsItem(fields, item));
  if (isMap(desired)) return Object.entries(desired).every(([name, value]) => ownsField(fields, name, value));
  return true;
}

function isEmpty(fields: FieldsNode): boolean {
  for (const _ in fields) return false;
  return true;
}

function ownsField(fields: FieldsNode, name: string, value: unknown): boolean {
  if (value === undefined) return true;
  const node = fields[`f:${name}`];
  return node === undefined ? false : owns(node, value);
}

function ownsItem(fields: FieldsNode, item: unknown): boolean {
  if (!isMap(item)) return Object.hasOwn(fields, `v:${JSON.stringify(item)}`);
  const node = nodeOf(fields, item);
  return node === undefined ? false : owns(node, item);
}

const nodeOf = (fields: FieldsNode, item: Readonly<Record<string, unknown>>): object | undefined =>
  keyedIn(fields).find(({ keys }) => hasKeys(item, keys))?.node;

type Keyed = { readonly keys: Readonly<Record<string, unknown>>; readonly node: object | undefined };

/** Of each list of fields once. */
const keyed = new WeakMap<object, readonly Keyed[]>();

function keyedIn(fields: FieldsNode): readonly Keyed[] {
  const known = keyed.get(fields);
  if (known) return known;
  const found = Object.entries(fields).flatMap(([child, node]) =>
    child.startsWith('k:') ? [{ keys: JSON.parse(child.slice(2)) as Keyed['keys'], node }] : [],
  );
  keyed.set(fields, found);
  return found;
}

/** A key field that the item leaves out was filled in by the server (a port's protocol). */
function hasKeys(item: Readonly<Record<string, unknown>>, keys: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(keys).every(([name, value]) => item[name] === undefined || item[name] === value);
}

/**
 * Of a status, what this writer applied and nobody changed since: what others put beside it is left out. Undefined when
 * the writer has no share in it.
 */
export function statusShare({ metadata, ...object }: KubeObject, writer: Pick<Writer, 'fieldManager'>): unknown {
  const share = metadata.managedFields?.find(isShareOf(writer, 'status'));
  const fields = (share?.fieldsV1 as FieldsNode | undefined)?.['f:status'];
  const { status } = object as { status?: unknown };
  return fields === undefined ? undefined : shareOf(fields, status);
}

/** The items of a list in the status, by their key, in which any other writer has a share. */
export function sharedItems({ metadata }: KubeObject, list: string, writer: Pick<Writer, 'fieldManager'>): object[] {
  const others = metadata.managedFields?.filter(
    entry => entry.subresource === 'status' && !isShareOf(writer, 'status')(entry),
  );
  return (others ?? []).flatMap(({ fieldsV1 }) => {
    const status = (fieldsV1 as FieldsNode | undefined)?.['f:status'] as FieldsNode | undefined;
    return Object.keys(status?.[`f:${list}`] ?? {}).flatMap(child =>
      child.startsWith('k:') ? [JSON.parse(child.slice(2)) as object] : [],
    );
  });
}

function shareOf(node: object, live: unknown): unknown {
  const fields = node as FieldsNode;
  if (isEmpty(fields)) return live;
  if (Array.isArray(live)) {
    const share: unknown[] = [];
    for (const item of live) {
      const owned = isMap(item) ? nodeOf(fields, item) : undefined;
      if (owned !== undefined) share.push(shareOf(owned, item));
    }
    return share;
  }
  if (!isMap(live)) return live;
  const share: Record<string, unknown> = {};
  for (const name in live) {
    const owned = fields[`f:${name}`];
    if (owned !== undefined) share[name] = shareOf(owned, live[name]);
  }
  return share;
}
